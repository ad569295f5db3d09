import Config
import Dataplane
import Testing
import Wire

@testable import Control

/// Mark rules become what workers compare, and what is taken off the wire.
struct MarkedTrafficTests {
  static func rules(_ lines: String) throws -> [MarkRule] {
    let text = "lbd {\nmark_rules {\n\(lines)\n}\n}"
    let (configuration, diagnostics) = parseConfiguration(bytes: Array(text.utf8), file: "test.conf")
    try #require(diagnostics.isEmpty, "\(diagnostics)")
    return configuration.markRules.rules
  }

  private func traffic(_ lines: String, local: [String] = []) throws -> MarkedTraffic {
    var topology = Samples.network
    topology.localPrefixes = local.map { IPPrefix($0)! }
    return MarkedTraffic(rules: try MarkedTrafficTests.rules(lines), topology: topology, ports: Samples.ports)
  }

  static let one: Set = [MarkedTraffic.Marked(1, .ipv4)]

  /// An entry as text: `tcp 10.1.0.100:80`, `udp 10.1.0.100:any`.
  private static func text(_ entry: SnapshotAssembler.Ours) -> String {
    "\(entry.transport.name) \(entry.address):\(entry.isAnyPort ? "any" : "\(entry.port)")"
      + (entry.side == .source ? " source" : "")
  }

  @Test(
    arguments: [
      ("to 10.1.0.100 protocol tcp port 80,443 mark 1", ["TCP 10.1.0.100:80", "TCP 10.1.0.100:443"]),
      ("to 10.1.0.100 protocol tcp mark 1", ["TCP 10.1.0.100:any"]),
      (
        "to 10.1.0.100 port 53 mark 1", ["TCP 10.1.0.100:53", "UDP 10.1.0.100:53", "SCTP 10.1.0.100:53"]
      ),
      ("to 10.1.0.100 protocol not tcp mark 1", ["UDP 10.1.0.100:any", "SCTP 10.1.0.100:any"]),
      ("to 10.1.0.100 protocol tcp port not 80 mark 1", ["TCP 10.1.0.100:any"]),
      ("to 10.1.0.100 protocol tcp port 1-1000 mark 1", ["TCP 10.1.0.100:any"]),
      ("to 10.1.0.0/24 protocol tcp port 80 mark 1", ["TCP 10.1.0.1:80", "TCP 10.1.0.100:80"]),
      ("to 10.9.0.0/16 protocol tcp port 80 mark 1", []),
      ("to 10.1.0.100 protocol tcp mark 2", []),
      ("to fd00:2::1 protocol tcp mark 1", []),
      ("to 10.1.0.100 protocol udp port 9 mark 1/1", ["UDP 10.1.0.100:9"]),
    ] as [(String, [String])])
  func destinationsAreTaken(line: String, expected: [String]) throws {
    #expect(try traffic(line).ours(for: MarkedTrafficTests.one).map(MarkedTrafficTests.text) == expected)
  }

  @Test func localNetworksAreSpreadOut() throws {
    let traffic = try traffic("to 10.9.0.0/16 protocol tcp port 80 mark 1", local: ["10.9.1.0/30", "10.8.0.0/24"])
    #expect(
      traffic.ours(for: MarkedTrafficTests.one).map(MarkedTrafficTests.text) == [
        "TCP 10.9.1.0:80", "TCP 10.9.1.1:80", "TCP 10.9.1.2:80", "TCP 10.9.1.3:80",
      ])
  }

  @Test(
    arguments: [
      ("to 10.1.0.100 mark 1", [], nil, nil),
      ("mark 1", [], "test.conf:3:1: a mark rule without a destination", nil),
      ("to not 10.1.0.100 mark 1", [], "test.conf:3:1: a mark rule without a destination", nil),
      ("interface eth0 protocol tcp port 80 mark 2", [], nil, nil),
      ("to 10.9.0.0/16 mark 1", ["10.9.0.0/16"], "a mark rule leads to 65536 addresses", "a mark rule leads to 65536"),
      ("to 10.9.0.0/20 mark 1", ["10.9.0.0/16"], nil, nil),
    ] as [(String, [String], String?, String?)])
  func refusesWhatCannotBeTold(line: String, local: [String], xdp: String?, packet: String?) throws {
    let traffic = try traffic(line, local: local)
    for (isXDP, expected) in [(true, xdp), (false, packet)] {
      do {
        try traffic.check(for: MarkedTrafficTests.one, isXDP: isXDP)
        #expect(expected == nil, "\(line)")
      } catch {
        let expected = try #require(expected, "\(error)")
        #expect(error.description.contains(expected), "\(error)")
      }
    }
  }

  static let interfaceRows: [(String, [UInt32])] = [
    ("interface eth0 mark 1", [0]), ("interface eth1.7 mark 1", [0x7_0001]),
    ("interface eth+ mark 1", [0, 1, 0x7_0001]), ("interface not eth1+ mark 1", [1, 0x7_0001]),
    ("interface wlan0 mark 1", []),
  ]

  @Test(arguments: interfaceRows)
  func interfacesBecomeNumbers(line: String, numbers: [UInt32]) throws {
    #expect(try traffic(line).compiled.map { $0.interfaces?.value } == [numbers])
  }

  @Test func conditionsArriveUnchanged() throws {
    let line = "from not 10.0.0.0/8 to 10.1.0.100 protocol tcp source_port not 1-9 port 80 mark 0x10/0xf0"
    let compiled = try #require(try traffic(line).compiled.first)
    #expect(compiled.family == .ipv4 && compiled.clear == 0xf0 && compiled.flip == 0x10)
    #expect(compiled.source == .init(IPPrefix("10.0.0.0/8")!, isNegated: true))
    #expect(compiled.destination == .init(IPPrefix("10.1.0.100")!))
    #expect(compiled.protocolNumber == .init(6))
    #expect(compiled.sourcePorts == .init([1...9], isNegated: true) && compiled.destinationPorts == .init([80...80]))
  }

  @Test func limitsAgree() {
    #expect(Defaults.markRuleCountMax == SnapshotDescription.markRuleCapacity)
  }

  // MARK: - In the snapshot

  private func assembler(_ lines: String, rules: String) throws -> SnapshotAssembler {
    var settings = IPVSSettings()
    settings.isSloppyTCP = true
    return SnapshotAssembler(
      services: Samples.services(lines), topology: Samples.network, ports: Samples.ports,
      timeouts: ConnectionTimeouts(), settings: settings, markRules: try MarkedTrafficTests.rules(rules))
  }

  @Test func servicesArriveWhole() throws {
    let assembler = try assembler(
      """
      -A -f 7 -s rr -p 50 -M 255.255.255.0
      -a -f 7 -r 10.2.0.11 -m
      -A -f 7 -6 -s rr
      -A -u 10.1.0.100:5060 -s rr -p 60 --pe sip
      -A -t 10.1.0.100:0 -s rr -p
      -a -t 10.1.0.100:0 -r 10.2.0.11:0 -m
      -A -u 10.1.0.100:53 -s rr -o
      -A -t [fd00:2::1]:80 -s rr -p 9 -M 72
      """, rules: "to 10.1.0.100 protocol udp mark 7")
    let (description, _, notes) = assembler.assemble()
    let services = description.services
    #expect(services.map(\.mark) == [7, 7, 0, 0, 0, 0])
    #expect(services.map { $0.address.family } == [.ipv4, .ipv6, .ipv4, .ipv4, .ipv4, .ipv6])
    #expect(services.map(\.goesByEndpoint) == [false, false, true, false, true, true])
    #expect(services.map(\.isOnePacket) == [false, false, false, false, true, false])
    #expect(services.map { $0.persistence?.seconds } == [50, nil, 60, 360, nil, 9])
    #expect(services[0].persistence == .init(seconds: 50, maskHigh: 0, maskLow: 0xffff_ff00))
    #expect(services[2].persistence?.engine == .sip && services[3].persistence?.engine == .address)
    #expect(services[5].persistence == .init(seconds: 9, maskHigh: .max, maskLow: 0xff00_0000_0000_0000))
    #expect(
      description.servers.allSatisfy { $0.endpoint != 0 }
        && description.servers[0].endpoint != description.servers[1].endpoint)
    #expect(description.settings.isSloppyTCP && description.markRules.count == 1)
    #expect(notes.contains { $0.hasPrefix("FWM 7 IPv6: no mark rule gives packets this mark") })
    #expect(!notes.contains { $0.hasPrefix("FWM 7: no mark rule") })
    let ours = assembler.ours(description).map(MarkedTrafficTests.text)
    #expect(ours.contains("UDP 10.1.0.100:any") && ours.contains("TCP 10.1.0.100:any"))
    #expect(ours.contains("SCTP 10.2.0.11:any source") && !ours.contains { $0.contains("0.0.0.0") })
  }

  /// Workers take such a snapshot and go on with what they know.
  @Test func workersTakeIt() throws {
    let dataplane = try Dataplane(connections: 1024, bothDirections: true, seed: 1)
    let description = try assembler(
      "-A -f 7 -s rr\n-a -f 7 -r 10.2.0.11 -m\n-A -t 10.1.0.100:0 -s rr -p\n-a -t 10.1.0.100:0 -r 10.2.0.11:0 -m",
      rules: "to 10.1.0.100 mark 7"
    ).assemble().description
    dataplane.publish(description)
    dataplane.publish(SnapshotDescription())
  }

  @Test func numbersOfMarkServersComeBack() {
    var services = Samples.services("-A -f 7\n-a -f 7 -r 10.2.0.11 -m\n-A -f 8\n-a -f 8 -r 10.2.0.11 -m")
    let endpoints = Set(services.servers.values.map(\.forms[0].endpoint))
    #expect(endpoints.count == 1 && !endpoints.contains(0), "two services share a server")
    try? services.run("-C")
    services.reclaim(isUnused: { _ in true })
    #expect(services.services.isEmpty && services.servers.isEmpty)
  }
}
