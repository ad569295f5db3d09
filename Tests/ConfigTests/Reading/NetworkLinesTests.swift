import Testing
import Wire

@testable import Config

@Suite struct NetworkLinesTests {
  private static func addresses(_ line: String) -> ([VirtualAddress], [Diagnostic]) {
    let (configuration, diagnostics) = read("static_ipaddress {\n\(line)\n}")
    return (configuration.vrrp.staticAddresses, diagnostics.filter { $0.severity != .note })
  }

  @Test func readsEverythingOfAnAddress() throws {
    let line = "172.20.1.100/16 dev eth0 brd + scope link label eth0:1 peer 10.0.0.2 home preferred_lft 5 no_track"
    let (addresses, findings) = NetworkLinesTests.addresses(line)
    let address = try #require(addresses.first)
    #expect(findings.isEmpty)
    #expect(address.prefix == IPPrefix("172.20.1.100/16") && address.device == "eth0" && address.broadcast == "+")
    #expect(address.scope == "link" && address.label == "eth0:1" && address.peer == IPPrefix("10.0.0.2"))
    #expect(address.flags == ["home"] && address.preferredSeconds == 5 && !address.isTracked)
  }

  /// A line, how many addresses it makes, and the finding.
  static let faults: [(String, Int, String?)] = [
    ("10.0.0.1", 1, nil),
    ("fe80::1/64", 1, nil),
    ("<VIRTUAL IP>", 0, "'<VIRTUAL' is not an address"),
    ("10.0.0.1/33", 0, "'10.0.0.1/33' is not an address"),
    ("10.0.0.1 label lo:1234567890123", 0, "more than 15 bytes"),
    ("10.0.0.1 10.0.0.2", 1, "write each address on a line of its own"),
    ("10.0.0.1 scope bar", 1, "one of global"),
    ("10.0.0.1 dev", 1, "'dev' needs a value"),
    ("10.0.0.1 frobnicate", 1, "is not an option of an address"),
    ("fd00::1 label eth0:1", 1, "for IPv4 only"),
  ]

  @Test(arguments: faults)
  func reportsFaults(line: String, count: Int, message: String?) {
    let (addresses, findings) = NetworkLinesTests.addresses(line)
    #expect(addresses.count == count)
    #expect(findings.count == (message == nil ? 0 : 1))
    if let message { #expect(findings.first?.description.contains(message) == true, "\(findings)") }
  }

  @Test func readsRoutes() throws {
    let text = """
      static_routes {
      10.9.0.0/16 via 10.0.0.1 or 10.0.0.2 dev eth0 metric 5 table 7 scope link no_track
      blackhole 10.8.0.0/16
      default via 10.0.0.1 src 10.0.0.9 mtu 1400
      foo
      src 10.0.0.1 to 10.7.0.0/16 dev eth1
      }
      """
    let (configuration, diagnostics) = read(text)
    let routes = configuration.vrrp.staticRoutes
    #expect(
      routes.map(\.destination) == [IPPrefix("10.9.0.0/16"), IPPrefix("10.8.0.0/16"), nil, IPPrefix("10.7.0.0/16")])
    #expect(routes[0].gateways == [IPAddress("10.0.0.1"), IPAddress("10.0.0.2")] && routes[0].metric == 5)
    #expect(
      routes[0].table == "7" && routes[0].scope == "link" && !routes[0].isTracked && routes[1].kind == "blackhole")
    #expect(routes[2].source == IPAddress("10.0.0.9") && routes[2].options == ["mtu", "1400"])
    #expect(diagnostics.filter { $0.severity == .warning }.map(\.line) == [5])
  }

  @Test func readsRules() throws {
    let text = "static_rules {\nfrom 10.9.0.0/16 to any iif eth0 table 7 preference 9 fwmark 1/3 tos 4\n}"
    let rule = try #require(read(text).configuration.vrrp.staticRules.first)
    #expect(rule.from == IPPrefix("10.9.0.0/16") && rule.to == nil && rule.table == "7" && rule.priority == 9)
    #expect(rule.inputDevice == "eth0" && rule.mark == "1/3" && rule.options == ["tos", "4"])
  }
}
