import Testing

@testable import Config

struct VRRPRecordTests {
  private func record(_ lines: String) -> VRRPRecord? {
    let configuration = read("vrrp_instance V {\ninterface eth0\nvirtual_router_id 9\n\(lines)\n}").configuration
    return configuration.vrrp.records(configuration.globals).first
  }

  @Test(arguments: [
    ("192.0.2.1", "192.0.2.1 dev eth0 scope global"),
    ("192.0.2.1/32 scope link", "192.0.2.1 dev eth0 scope link"),
    ("192.0.2.1/24 dev eth1 label eth1:0", "192.0.2.1/24 dev eth1 scope global label eth1:0"),
    ("2001:db8::1/64", "2001:db8::1/64 dev eth0 scope global preferred_lft forever"),
    ("2001:db8::1", "2001:db8::1 dev eth0 scope global deprecated"),
    ("2001:db8::1/64 preferred_lft 5 -nodad", "2001:db8::1/64 dev eth0 scope global -nodad preferred_lft 5"),
  ])
  func addresses(_ row: (text: String, line: String)) {
    let record = record("virtual_ipaddress {\n\(row.text)\n}")
    #expect(record?.instance.addresses.virtual.compactMap { record?.line(of: $0) } == [row.line])
  }

  @Test func routesAndRules() {
    let record = record(
      """
      virtual_routes {
          10.1.2.0/24 via 192.0.2.5 dev eth0 metric 5
          default via 192.0.2.5 table 7
      }
      virtual_rules {
          from 192.0.2.0/24 table 7 priority 99
      }
      """)
    let addresses = record?.instance.addresses
    #expect(
      addresses?.routes.compactMap { record?.line(of: $0) } == [
        "10.1.2.0/24 via inet 192.0.2.5 dev eth0 metric 5", "0.0.0.0/0 via inet 192.0.2.5 table 7",
      ])
    #expect(addresses?.rules.compactMap { record?.line(of: $0) } == ["from 192.0.2.0/24 priority 99 lookup 7"])
  }

  @Test func strictInstancesDoNotAccept() {
    #expect(record("strict_mode on")?.accepts == false)
    #expect(record("")?.accepts == true)
  }
}
