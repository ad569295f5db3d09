import Testing
import Wire

@testable import Lab

@Suite struct LabConfigurationTests {
  private func director(_ mode: LabMode) -> String { LabConfiguration(plan: LabPlan(mode: mode)).director }

  @Test func directRoutingKeepsPortsAndSubnet() {
    let text = director(.dr)
    #expect(
      text.contains(
        """
        virtual_server 10.200.0.1 80 {
          lb_algo rr
          lb_kind DR
          protocol TCP

          real_server 10.0.1.11 80 {
            weight 1
          }

          real_server 10.0.1.12 80 {
            weight 1
          }
        }

        """))
    #expect(text.contains("virtual_server fd00:200::1 5353 {"))
    #expect(text.contains("  protocol UDP"))
  }

  @Test func masqueradingMapsThePort() {
    #expect(director(.nat).contains("real_server fd00:2::12 8080 {"))
    #expect(director(.nat).contains("lb_kind NAT"))
    #expect(director(.tun).contains("real_server 10.0.2.11 80 {"))
    #expect(director(.tunGRE).contains("  lb_kind TUN type gre csum\n"))
    #expect(director(.tunGUE).contains("  lb_kind TUN type gue port 6080 csum\n"))
  }

  /// Servers that put nothing together, behind links without room for a tunnel.
  @Test(arguments: LabMode.allCases) func tunnelFragments(mode: LabMode) {
    let isNarrow = [.tunNarrow, .tunGRE, .tunGUE].contains(mode)
    #expect(director(mode).contains("lbd {\n  tunnel_fragments inside\n}\n") == isNarrow)
    #expect(director(mode).contains("virtual_server fd00:200::1 \(LabPlan.closedPort + LabPlan.closedPortCount - 1) {"))
  }

  @Test func fullNATHasLocalAddresses() {
    let text = director(.fullnatVLAN)
    #expect(text.contains("local_address_group local_v4 {\n  10.2.0.1-8\n}\n"))
    #expect(text.contains("local_address_group local_v6 {\n  fd00:a::1-8\n}\n"))
    #expect(text.contains("  laddr_group_name local_v6\n"))
    #expect(text.contains("    weight 1\n    vlan 100\n  }\n"))
    #expect(!director(.fullnat).contains("vlan"))
  }

  @Test(arguments: LabMode.allCases, LabServices.allCases) func bracesBalance(_ mode: LabMode, _ services: LabServices)
  {
    let text = LabConfiguration(plan: LabPlan(mode: mode, services: services)).director
    #expect(text.count { $0 == "{" } == text.count { $0 == "}" })
  }

  /// Only where the helper is: NAT, services by address.
  @Test(arguments: LabMode.allCases, LabServices.allCases)
  func ftpIsForNAT(_ mode: LabMode, _ services: LabServices) {
    let text = LabConfiguration(plan: LabPlan(mode: mode, services: services)).director
    let hasFTP = mode == .nat && services == .address
    #expect(text.contains("lbd {\n  helper ftp\n}\n") == hasFTP)
    #expect(text.contains("virtual_server fd00:200::1 21 {") == hasFTP)
    #expect(text.contains("real_server 10.0.2.11 2121 {") == hasFTP)
  }

  @Test func servicesByMark() {
    let text = LabConfiguration(plan: LabPlan(mode: .nat, services: .mark)).director
    #expect(text.contains("    to fd00:200::1 protocol tcp port 80 mark 3\n"))
    let line = "iptables -t mangle -A PREROUTING -d 10.200.0.1 -p udp --dport 5353:5354 -j MARK --set-mark 2"
    #expect(text.contains("    \(line)\n"))
    #expect(text.contains("virtual_server fwmark 3 {"))
    #expect(text.contains("  real_server 10.0.2.11 8080 {") && text.contains("  real_server 10.0.2.11 0 {"))
    let direct = LabConfiguration(plan: LabPlan(mode: .dr, services: .mark)).director
    #expect(direct.contains("  real_server 10.0.1.11 0 {") && !direct.contains("  real_server 10.0.1.11 80 {"))
  }

  @Test func servicesForEveryPort() {
    let text = LabConfiguration(plan: LabPlan(mode: .nat, services: .anyPort)).director
    #expect(text.contains("virtual_server 10.200.0.1 0 {\n  lb_algo rr\n  lb_kind NAT\n  protocol UDP\n"))
    #expect(text.contains("  persistence_timeout 300\n") && !text.contains(" 80 {"))
  }

  /// The director is the third server, and the only one where nobody listens.
  @Test func localServer() {
    let plan = LabPlan(mode: .nat, prefix: "t-", services: .local)
    #expect(plan.hosts == ["t-rs1", "t-rs2", "t-director"] && plan.servers.count == 2)
    let text = LabConfiguration(plan: plan).director
    #expect(text.block("virtual_server 10.200.0.1 80 {").contains("real_server 10.0.2.2 8080 {"))
    #expect(text.block("virtual_server fd00:200::1 5353 {").contains("real_server fd00:2::2 5353 {"))
    let closed = text.block("virtual_server fd00:200::1 5354 {")
    #expect(closed.contains("real_server fd00:2::2 5354 {") && !closed.contains("real_server fd00:2::11 5354 {"))
    #expect(!text.contains("virtual_server fd00:200::1 5355 {"))
    for (mode, isTwoArmed, address) in [
      (LabMode.dr, false, "10.0.1.2 80"), (.tun, false, "10.0.1.2 80"), (.dr, true, "10.0.2.2 80"),
      (.tun, true, "10.0.2.2 80"),
    ] {
      let plan = LabPlan(mode: mode, isTwoArmed: isTwoArmed, services: .local)
      #expect(LabConfiguration(plan: plan).director.contains("real_server \(address) {"), "\(mode)")
    }
  }

  @Test func serversSayWhoTheyAre() {
    let text = LabConfiguration(plan: LabPlan(mode: .dr, folder: "/f")).server(2)
    #expect(text.contains("return 200 \"this is RS02\\n\";"))
    #expect(text.contains("alias /f/download;"))
    #expect(text.contains("root /f/rs2;"))
  }
}

extension String {
  /// What stands in the block that begins with a line.
  fileprivate func block(_ line: String) -> String {
    guard let start = firstRange(of: line) else { return "" }
    let rest = self[start.upperBound...]
    return String(rest[..<(rest.firstRange(of: "\n}\n")?.lowerBound ?? rest.endIndex)])
  }
}
