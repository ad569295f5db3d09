import Testing
import Wire

@testable import Config

/// A configuration with the services and findings it must give.
struct ReadRow: CustomTestStringConvertible {
  let name: String
  let text: String
  var services: [String] = []
  /// Warnings and errors by place, severity and the beginning of the message; notes are not listed.
  var findings: [String] = []

  var testDescription: String { name }

  func check(sourceLocation: SourceLocation = #_sourceLocation) {
    let (configuration, diagnostics) = read(text)
    #expect(configuration.services.map(summary) == services, sourceLocation: sourceLocation)
    let found = diagnostics.filter { $0.severity != .note }.map {
      "\($0.line):\($0.column) \($0.severity.name) \($0.message)"
    }
    #expect(found.count == findings.count, "\(found)", sourceLocation: sourceLocation)
    for (finding, expected) in zip(found, findings) {
      #expect(finding.hasPrefix(expected), "\(finding)", sourceLocation: sourceLocation)
    }
  }
}

/// A TCP service with these lines in it.
private func service(_ lines: String, at address: String = "10.0.0.1 80") -> String {
  "virtual_server \(address) {\nprotocol TCP\n\(lines)\n}\n"
}

@Suite struct ServiceRulesTests {
  static let ports: [ReadRow] = [
    ReadRow(
      name: "defaults", text: service("real_server 10.1.0.1 {\n}"),
      services: ["TCP 10.0.0.1:80 wlc NAT | 10.1.0.1:80 w1"]),
    ReadRow(
      name: "NAT changes ports", text: service("lb_kind NAT\nreal_server 10.1.0.1 8080 {\n}"),
      services: ["TCP 10.0.0.1:80 wlc NAT | 10.1.0.1:8080 w1"]),
    ReadRow(
      name: "FNAT changes ports",
      text: "local_address_group g { 10.2.0.1-3 }\n"
        + service("lb_kind FNAT\nladdr_group_name g\nreal_server 10.1.0.1 8080 {\n}"),
      services: ["TCP 10.0.0.1:80 wlc FNAT | 10.1.0.1:8080 w1"]),
    ReadRow(
      name: "DR does not, wherever lb_kind stands", text: service("real_server 10.1.0.1 8080 {\n}\nlb_kind DR"),
      services: ["TCP 10.0.0.1:80 wlc DR | 10.1.0.1:80 w1"],
      findings: ["3:1 warning port 8080 of real_server 10.1.0.1 is taken as 80"]),
    ReadRow(
      name: "own method", text: service("lb_kind DR\nreal_server 10.1.0.1 8080 {\nlvs_method NAT\nweight 0\n}"),
      services: ["TCP 10.0.0.1:80 wlc DR | 10.1.0.1:8080 w0 NAT"]),
    ReadRow(
      name: "twice, after the port is forced",
      text: service("lb_kind DR\nreal_server 10.1.0.1 81 {\n}\nreal_server 10.1.0.1 {\n}"),
      services: ["TCP 10.0.0.1:80 wlc DR | 10.1.0.1:80 w1"],
      findings: ["4:1 warning port 81", "6:1 warning real_server 10.1.0.1:80 occurs twice"]),
    ReadRow(
      name: "weights and tags are inherited",
      text: service("weight 5\nvlan 100\nreal_server 10.1.0.1 {\n}\nreal_server 10.1.0.2 {\nweight 7\nvlan 4094\n}"),
      services: ["TCP 10.0.0.1:80 wlc NAT | 10.1.0.1:80 w5 vlan 100 | 10.1.0.2:80 w7 vlan 4094"]),
    ReadRow(
      name: "port 0", text: service("real_server 10.1.0.1 {\n}", at: "10.0.0.1"),
      findings: ["1:1 error port 0"]),
    ReadRow(
      name: "no real servers", text: service("lb_kind DR"),
      findings: ["1:1 warning this virtual_server has no real_server"]),
    ReadRow(
      name: "words too many", text: service("lb_kind DR fast\nreal_server 10.1.0.1 80 x {\n}"),
      services: ["TCP 10.0.0.1:80 wlc DR | 10.1.0.1:80 w1"]),
  ]

  static let families: [ReadRow] = [
    ReadRow(
      name: "IPv6", text: service("lb_kind DR\nreal_server fd00:2::1 80 {\n}", at: "fd00::1 80"),
      services: ["TCP [fd00::1]:80 wlc DR | [fd00:2::1]:80 w1"]),
    ReadRow(
      name: "families differ", text: service("lb_kind DR\nreal_server fd00:2::1 80 {\n}\nreal_server 10.1.0.1 {\n}"),
      services: ["TCP 10.0.0.1:80 wlc DR | 10.1.0.1:80 w1"],
      findings: ["4:1 error real_server fd00:2::1 and TCP 10.0.0.1:80 are of different families"]),
    ReadRow(
      name: "families differ in a tunnel", text: service("lb_kind TUN\nreal_server fd00:2::1 80 {\n}"),
      services: ["TCP 10.0.0.1:80 wlc TUN | [fd00:2::1]:80 w1"]),
    ReadRow(
      name: "no unicast address",
      text: service("real_server 224.0.0.1 {\n}\nreal_server fe80::1 {\nlvs_method TUN\n}\nreal_server 0.0.0.0 {\n}"),
      findings: ["3:1 error 224.0.0.1 cannot", "5:1 error fe80::1 cannot", "8:1 error 0.0.0.0 cannot"]),
    ReadRow(
      name: "names are no addresses", text: service("real_server <ip> 80 {\nweight 1\n}\nreal_server 10.1.0.1 80 {\n}"),
      services: ["TCP 10.0.0.1:80 wlc NAT | 10.1.0.1:80 w1"], findings: ["3:13 error '<ip>' is not an IP address"]),
    ReadRow(
      name: "service without an address", text: "virtual_server web 80 {\nreal_server 10.1.0.1 {\n}\n}",
      findings: ["1:16 error 'web' is not an IP address"]),
  ]

  static let protocols: [ReadRow] = [
    ReadRow(
      name: "none is UDP", text: "virtual_server 10.0.0.1 53 {\nreal_server 10.1.0.1 53 {\n}\n}",
      services: ["UDP 10.0.0.1:53 wlc NAT | 10.1.0.1:53 w1"],
      findings: ["1:1 warning no 'protocol': the service is UDP"]),
    ReadRow(
      name: "none at a TCP port", text: "virtual_server 10.0.0.1 443 {\nreal_server 10.1.0.1 443 {\n}\n}",
      services: ["UDP 10.0.0.1:443 wlc NAT | 10.1.0.1:443 w1"],
      findings: ["1:1 warning no 'protocol': the service is UDP, though port 443 is surely meant for TCP"]),
    ReadRow(
      name: "case does not matter",
      text: "virtual_server 10.0.0.1 53 {\nprotocol udp\nops\nreal_server 10.1.0.1 53 {\n}\n}",
      services: ["UDP 10.0.0.1:53 wlc NAT | 10.1.0.1:53 w1"]),
    ReadRow(
      name: "ops is for UDP", text: service("ops\nreal_server 10.1.0.1 {\n}"),
      services: ["TCP 10.0.0.1:80 wlc NAT | 10.1.0.1:80 w1"], findings: ["3:1 warning 'ops' is for UDP"]),
    ReadRow(
      name: "unknown values",
      text: service(
        "protocol tpc\nlb_algo wlcc\nlb_kind nat\nweight x\nlb_algo\nreal_server 10.1.0.1 {\nweight 2147483648\n}"),
      services: ["TCP 10.0.0.1:80 wlc NAT | 10.1.0.1:80 w1"],
      findings: [
        "3:10 error 'tpc' is not a protocol", "4:9 error 'wlcc' is not a scheduler",
        "5:9 error 'nat' is not a forwarding method", "6:8 warning 'x' does not fit 'weight', it is ignored",
        "7:1 error 'lb_algo' has no value", "9:8 warning '2147483648' does not fit 'weight', it is ignored",
      ]),
    ReadRow(
      name: "thresholds out of order", text: service("real_server 10.1.0.1 {\nuthreshold 5\nlthreshold 6\n}"),
      services: ["TCP 10.0.0.1:80 wlc NAT | 10.1.0.1:80 w1"], findings: ["3:1 error lthreshold 6 is above"]),
    ReadRow(
      name: "mark", text: "virtual_server fwmark 7 {\nlb_kind DR\nreal_server 10.1.0.1 {\n}\n}",
      services: ["FWM 7 wlc DR | 10.1.0.1:0 w1"], findings: []),
    ReadRow(
      name: "mark with ops and a port",
      text: "virtual_server fwmark 7 {\nops\nprotocol TCP\nlb_kind DR\nreal_server fd00::1 8 {\n}\n}",
      services: ["FWM 7 IPv6 wlc DR | [fd00::1]:8 w1"]),
    ReadRow(
      name: "port 0 with persistence",
      text: service("persistence_timeout 50\npersistence_engine sip\nreal_server 10.1.0.1 {\n}", at: "10.0.0.1"),
      services: ["TCP 10.0.0.1:0 wlc NAT | persistent 50 | 10.1.0.1:0 w1"]),
    ReadRow(
      name: "engine that is none", text: service("persistence_engine pis\nreal_server 10.1.0.1 {\n}"),
      services: ["TCP 10.0.0.1:80 wlc NAT | 10.1.0.1:80 w1"],
      findings: ["3:20 error 'pis' is not a persistence engine"]),
  ]

  static let merging: [ReadRow] = [
    ReadRow(
      name: "two blocks for one service",
      text: service("lb_algo rr\nlb_kind DR\nreal_server 10.1.0.1 {\n}")
        + service("lb_algo wrr\nlb_kind NAT\nreal_server 10.1.0.1 {\n}\nreal_server 10.1.0.2 8080 {\n}"),
      services: ["TCP 10.0.0.1:80 rr DR | 10.1.0.1:80 w1 | 10.1.0.2:8080 w1 NAT"],
      findings: [
        "8:1 warning virtual_server TCP 10.0.0.1:80 is already in line 1",
        "12:1 warning real_server 10.1.0.1:80 occurs twice",
      ]),
    ReadRow(
      name: "group",
      text: "virtual_server group g {\nprotocol TCP\nlb_kind NAT\nreal_server 10.1.0.1 8080 {\n}\n}\n"
        + "virtual_server_group g {\n10.0.0.1 80\n10.0.0.2-3 443\n10.0.0.8/31 80\n}",
      services: [
        "TCP 10.0.0.1:80 wlc NAT | 10.1.0.1:8080 w1", "TCP 10.0.0.2:443 wlc NAT | 10.1.0.1:8080 w1",
        "TCP 10.0.0.3:443 wlc NAT | 10.1.0.1:8080 w1", "TCP 10.0.0.8:80 wlc NAT | 10.1.0.1:8080 w1",
        "TCP 10.0.0.9:80 wlc NAT | 10.1.0.1:8080 w1",
      ]),
    ReadRow(
      name: "unknown group",
      text: "virtual_server_group web { 10.0.0.1 80 }\nvirtual_server group wbe {\nreal_server 10.1.0.1 {\n}\n}",
      findings: ["2:22 error there is no virtual_server_group 'wbe'"]),
    ReadRow(
      name: "mark and nonsense in a group",
      text: "virtual_server_group g {\nfwmark 0\nabc 80\n10.0.0.1 70000\n10.0.0.9-1 80\n}",
      findings: [
        "1:1 warning this group is empty", "2:8 error '0' is not a firewall mark", "3:1 error 'abc' is not an address",
        "4:10 error '70000' is not a port", "5:1 error '10.0.0.9-1' is not an address",
      ]),
    ReadRow(
      name: "marks in a group",
      text: "virtual_server_group g {\nfwmark 3\n10.0.0.1 80\nfwmark 3\nfwmark 0x4\n}\n"
        + "virtual_server group g {\nprotocol TCP\nreal_server 10.1.0.1 80 {\n}\n}",
      services: ["TCP 10.0.0.1:80 wlc NAT | 10.1.0.1:80 w1", "FWM 3 wlc NAT | 10.1.0.1:80 w1"],
      findings: ["5:8 error '0x4' is not a firewall mark"]),
  ]

  /// FNAT with local addresses of both families.
  private static func fullNAT(_ lines: String, at address: String = "10.0.0.1 80") -> String {
    "local_address_group g {\n10.2.0.1\nfd00:2::1\n}\n" + service("laddr_group_name g\n" + lines, at: address)
  }

  static let fullNATs: [ReadRow] = [
    ReadRow(
      name: "other family", text: fullNAT("lb_kind FNAT\nreal_server fd00:2::9 8080 {\n}"),
      services: ["TCP 10.0.0.1:80 wlc FNAT | [fd00:2::9]:8080 w1"]),
    ReadRow(
      name: "no local address of the servers' family",
      text: "local_address_group g { 10.2.0.1 }\n"
        + service("lb_kind FNAT\nladdr_group_name g\nreal_server fd00:2::9 80 {\n}"),
      services: ["TCP 10.0.0.1:80 wlc FNAT | [fd00:2::9]:80 w1"],
      findings: ["2:1 error local_address_group 'g' has no address of the family of [fd00:2::9]:80"]),
    ReadRow(
      name: "no local address of the sorry server's family",
      text: "local_address_group g { 10.2.0.1 }\n"
        + service("lb_kind FNAT\nladdr_group_name g\nsorry_server fd00:2::8 80\nreal_server 10.1.0.1 80 {\n}"),
      services: ["TCP 10.0.0.1:80 wlc FNAT | sorry [fd00:2::8]:80 | 10.1.0.1:80 w1"],
      findings: ["2:1 error local_address_group 'g' has no address of the family of [fd00:2::8]:80"]),
    ReadRow(
      name: "a mark",
      text: "local_address_group g { 10.2.0.1 }\n"
        + "virtual_server fwmark 7 {\nlb_kind FNAT\nladdr_group_name g\nreal_server 10.1.0.1 80 {\n}\n}",
      services: ["FWM 7 wlc FNAT | 10.1.0.1:80 w1"], findings: ["2:1 error FNAT is not to be had for FWM 7"]),
    ReadRow(
      name: "every port",
      text: fullNAT("persistence_timeout 5\nlb_kind FNAT\nreal_server 10.1.0.1 {\n}", at: "10.0.0.1"),
      services: ["TCP 10.0.0.1:0 wlc FNAT | persistent 5 | 10.1.0.1:0 w1"]),
    ReadRow(
      name: "ops", text: fullNAT("protocol UDP\nops\nlb_kind FNAT\nreal_server 10.1.0.1 {\n}"),
      services: ["UDP 10.0.0.1:80 wlc FNAT | 10.1.0.1:80 w1"], findings: ["9:1 warning 'ops' has no effect"]),
    ReadRow(
      name: "told with NAT", text: service("lb_kind NAT\ntoa\nreal_server 10.1.0.1 {\n}"),
      services: ["TCP 10.0.0.1:80 wlc NAT | 10.1.0.1:80 w1"],
      findings: ["4:1 error 'toa' is for FNAT only, real_server 10.1.0.1:80 is reached by NAT"]),
    ReadRow(
      name: "told with DR for one server",
      text: fullNAT(
        "lb_kind FNAT\nproxy_protocol v1\nreal_server 10.1.0.1 {\nlvs_method DR\n}\nreal_server 10.1.0.2 {\n}"),
      services: ["TCP 10.0.0.1:80 wlc FNAT | 10.1.0.1:80 w1 DR | 10.1.0.2:80 w1"],
      findings: ["9:1 error 'proxy_protocol v1' is for FNAT only, real_server 10.1.0.1:80 is reached by DR"]),
    ReadRow(
      name: "told over UDP", text: fullNAT("protocol UDP\nlb_kind FNAT\ntoa\nreal_server 10.1.0.1 {\n}"),
      services: ["UDP 10.0.0.1:80 wlc FNAT | 10.1.0.1:80 w1"], findings: ["10:1 error 'toa' is for TCP only"]),
    ReadRow(
      name: "told twice", text: fullNAT("lb_kind FNAT\ntoa\nproxy_protocol v2\nreal_server 10.1.0.1 {\n}"),
      services: ["TCP 10.0.0.1:80 wlc FNAT | 10.1.0.1:80 w1"],
      findings: ["10:1 error 'proxy_protocol v2' contradicts 'toa'"]),
    ReadRow(
      name: "versions", text: fullNAT("lb_kind FNAT\nproxy_protocol v3\nproxy_protocol\nreal_server 10.1.0.1 {\n}"),
      services: ["TCP 10.0.0.1:80 wlc FNAT | 10.1.0.1:80 w1"],
      findings: [
        "9:16 error 'v3' is not a version of the PROXY protocol", "10:1 error 'proxy_protocol' needs v1 or v2",
      ]),
  ]

  @Test(arguments: fullNATs) func whatGoesWithFullNAT(row: ReadRow) { row.check() }

  @Test(
    arguments: [("toa", .toa), ("proxy_protocol v1", .proxyV1), ("proxy_protocol v2", .proxyV2)]
      as [(String, ClientConveyance)])
  func clientsAreConveyed(words: String, conveyance: ClientConveyance) {
    let (configuration, diagnostics) = read(Self.fullNAT("lb_kind FNAT\n\(words)\nreal_server 10.1.0.1 {\n}"))
    #expect(configuration.services.map(\.clientConveyance) == [conveyance])
    #expect(conveyance.directive == words)
    #expect(!diagnostics.contains { $0.severity == .error })
  }

  @Test(arguments: ports) func portsGoWithTheMethod(row: ReadRow) { row.check() }

  @Test(arguments: families) func familiesMustAgree(row: ReadRow) { row.check() }

  @Test(arguments: protocols) func valuesAreChecked(row: ReadRow) { row.check() }

  @Test(arguments: merging) func servicesAreDistinct(row: ReadRow) { row.check() }

  @Test func placesAreKept() {
    let (configuration, _) = read(service("\nreal_server 10.1.0.1 {\n}"))
    #expect(configuration.services.first?.position?.description == "t.conf:1:1")
    #expect(configuration.services.first?.realServers.first?.position?.description == "t.conf:4:1")
  }

  @Test func productOfGroupsAndServersIsBounded() {
    let servers = (0..<255).map { "real_server 10.1.0.\($0) 80 {\n}\n" }.joined()
    let text = "virtual_server_group g {\n10.0.0.0/16 80\n}\nvirtual_server group g {\nprotocol TCP\n\(servers)}\n"
    let (configuration, diagnostics) = read(text)
    #expect(configuration.services.count < 5000)
    #expect(diagnostics.contains { $0.severity == .error && $0.message.contains("in all") })
  }
}
