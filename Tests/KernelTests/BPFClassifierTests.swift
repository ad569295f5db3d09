import CShims
import Testing
import Wire

@testable import Kernel

private let tcp = BPFFrame.tcp
private let udp = BPFFrame.udp
private let vip = "10.200.0.1"
private let anyPortVIP = "10.200.0.2"
private let vip6 = "2001:db8::1"
private let client = "192.0.2.7"
private let client6 = "2001:db8:c::7"
private let server = "10.0.1.11"
private let server6 = "2001:db8:1::11"
private let tunnelServer = "10.0.1.21"
private let tunnelServer6 = "2001:db8:1::21"
private let local = "10.0.1.5"
private let local6 = "2001:db8:1::5"
private let router = "198.51.100.1"
private let router6 = "2001:db8:f::1"

private let ours: [OursEntry] = {
  func endpoint(_ address: String, _ port: UInt16, _ number: UInt8, _ side: OursEntry.Side = .destination) -> OursEntry
  {
    OursEntry(
      address: IPAddress(address)!, port: port, protocolNumber: number, side: side, flags: LB_OURS_ENDPOINT)
  }
  func address(_ address: String, _ side: OursEntry.Side = .destination) -> OursEntry {
    OursEntry(address: IPAddress(address)!, side: side, flags: LB_OURS_FRAGMENTS)
  }
  func localPorts(_ address: String) -> OursEntry {
    OursEntry(
      address: IPAddress(address)!, side: .destination, flags: LB_OURS_LOCAL_PORTS, portFirst: 5000, portLast: 5999)
  }
  return [
    endpoint(vip, 80, tcp), endpoint(vip, 53, udp), endpoint(vip, 2905, BPFFrame.sctp), address(vip),
    endpoint(vip, 500, udp), endpoint(server, 500, udp, .source), endpoint(vip6, 500, udp),
    endpoint(vip6, 80, tcp), endpoint(vip6, 53, udp), address(vip6),
    OursEntry(
      address: IPAddress(anyPortVIP)!, protocolNumber: tcp, side: .destination, flags: LB_OURS_ANY_PORT),
    endpoint(server, 8080, tcp, .source), address(server, .source),
    endpoint(server6, 8080, tcp, .source), address(server6, .source),
    OursEntry(address: IPAddress(tunnelServer)!, side: .source, flags: LB_OURS_TUNNEL),
    OursEntry(address: IPAddress(tunnelServer6)!, side: .source, flags: LB_OURS_TUNNEL),
    localPorts(local), address(local), localPorts(local6), address(local6),
  ]
}()

/// A frame and its fate. What counts for the decision is `bytes` less `tail` bytes at the end.
private struct FrameRow: CustomTestStringConvertible, Sendable {
  let testDescription: String
  let isOurs: Bool
  let bytes: [UInt8]
  let tail: Int

  init(_ name: String, _ isOurs: Bool, _ bytes: [UInt8], tail: Int = 8) {
    testDescription = name
    self.isOurs = isOurs
    self.bytes = bytes
    self.tail = tail
  }
}

private func ports(_ source: Int, _ destination: Int) -> [UInt8] {
  BPFFrame.ports(source, destination) + [UInt8](repeating: 0, count: 8)
}
private func v4(tags: [Int] = [], _ packet: [UInt8]) -> [UInt8] { BPFFrame.ethernet(0x0800, tags: tags, packet) }
private func v6(tags: [Int] = [], _ packet: [UInt8]) -> [UInt8] { BPFFrame.ethernet(0x86dd, tags: tags, packet) }
private let request = BPFFrame.ipv4(client, vip, tcp, ports(4000, 80))
private let request6 = BPFFrame.ipv6(client6, vip6, tcp, ports(4000, 80))

private let plainRows: [FrameRow] = [
  FrameRow("TCP to the VIP", true, v4(request)),
  FrameRow("UDP to the VIP", true, v4(BPFFrame.ipv4(client, vip, udp, ports(4000, 53)))),
  FrameRow("SCTP to the VIP", true, v4(BPFFrame.ipv4(client, vip, BPFFrame.sctp, ports(4000, 2905)))),
  FrameRow("TCP to the IPv6 VIP", true, v6(request6)),
  FrameRow("UDP to the IPv6 VIP", true, v6(BPFFrame.ipv6(client6, vip6, udp, ports(4000, 53)))),
  FrameRow("another port", false, v4(BPFFrame.ipv4(client, vip, tcp, ports(4000, 81)))),
  FrameRow("the port of another protocol", false, v4(BPFFrame.ipv4(client, vip, udp, ports(4000, 80)))),
  FrameRow("another address", false, v4(BPFFrame.ipv4(client, "10.200.0.9", tcp, ports(4000, 80)))),
  FrameRow("another IPv6 address", false, v6(BPFFrame.ipv6(client6, "2001:db8::9", tcp, ports(4000, 80)))),
  FrameRow("the VIP as source", false, v4(BPFFrame.ipv4(vip, client, tcp, ports(80, 4000)))),
  FrameRow("any port", true, v4(BPFFrame.ipv4(client, anyPortVIP, tcp, ports(4000, 31337)))),
  FrameRow(
    "any port, another protocol", false, v4(BPFFrame.ipv4(client, anyPortVIP, udp, ports(4000, 31337)))),
  FrameRow("NAT reply", true, v4(BPFFrame.ipv4(server, client, tcp, ports(8080, 4000)))),
  FrameRow("NAT reply, IPv6", true, v6(BPFFrame.ipv6(server6, client6, tcp, ports(8080, 4000)))),
  FrameRow("other traffic of the server", false, v4(BPFFrame.ipv4(server, client, tcp, ports(22, 4000)))),
  FrameRow("to the server", false, v4(BPFFrame.ipv4(client, server, tcp, ports(4000, 8080)))),
  FrameRow("local ports, first", true, v4(BPFFrame.ipv4("10.0.1.99", local, tcp, ports(1, 5000)))),
  FrameRow("local ports, last", true, v4(BPFFrame.ipv4("10.0.1.99", local, udp, ports(1, 5999)))),
  FrameRow("local ports, IPv6", true, v6(BPFFrame.ipv6("2001:db8:1::99", local6, tcp, ports(1, 5500)))),
  FrameRow("below the local ports", false, v4(BPFFrame.ipv4("10.0.1.99", local, tcp, ports(1, 4999)))),
  FrameRow("above the local ports", false, v4(BPFFrame.ipv4("10.0.1.99", local, tcp, ports(1, 6000)))),
  FrameRow("VLAN", true, v4(tags: [0x8100], request)),
  FrameRow("QinQ", true, v4(tags: [0x88a8, 0x8100], request)),
  FrameRow("QinQ, both 802.1Q, IPv6", true, v6(tags: [0x8100, 0x8100], request6)),
  FrameRow("three tags", false, v4(tags: [0x88a8, 0x8100, 0x8100], request)),
  FrameRow("ARP", false, BPFFrame.ethernet(0x0806, [UInt8](repeating: 0, count: 28))),
  FrameRow("IPv4 with EtherType IPv6", false, v6(request)),
  FrameRow("IPv6 with EtherType IPv4", false, v4(request6)),
  FrameRow("header of 16 bytes", false, v4([0x44] + request.dropFirst())),
  FrameRow("GRE", false, v4(BPFFrame.ipv4(client, vip, 47, ports(4000, 80)))),
]

private let headerRows: [FrameRow] = [
  FrameRow("IPv4 options", true, v4(BPFFrame.ipv4(client, vip, tcp, optionWords: 1, ports(4000, 80)))),
  FrameRow(
    "IPv4 options, the most", true, v4(BPFFrame.ipv4(client, vip, tcp, optionWords: 10, ports(4000, 80)))),
  FrameRow("hop-by-hop", true, v6(BPFFrame.ipv6(client6, vip6, 0, BPFFrame.options(tcp, ports(4000, 80))))),
  FrameRow(
    "long options", true, v6(BPFFrame.ipv6(client6, vip6, 60, BPFFrame.options(tcp, units: 30, ports(4, 80))))),
  FrameRow(
    "hop-by-hop, routing, destination options", true,
    v6(
      BPFFrame.ipv6(
        client6, vip6, 0,
        BPFFrame.options(43, BPFFrame.options(60, units: 3, BPFFrame.options(udp, ports(4000, 53))))))),
  FrameRow("AH", true, v6(BPFFrame.ipv6(client6, vip6, 51, BPFFrame.authentication(tcp, ports(4000, 80))))),
  FrameRow("six headers", true, v6(chain(6, ports(4000, 80)))),
  FrameRow("seven headers", false, v6(chain(7, ports(4000, 80)))),
  FrameRow("no next header", false, v6(BPFFrame.ipv6(client6, vip6, 59, ports(4000, 80)))),
  FrameRow("ESP to the key exchange's address", true, v6(BPFFrame.ipv6(client6, vip6, 50, ports(1, 2))), tail: 12),
  FrameRow("ESP, IPv4", true, v4(BPFFrame.ipv4(client, vip, 50, ports(1, 2))), tail: 12),
  FrameRow("AH, IPv4", true, v4(BPFFrame.ipv4(client, vip, 51, ports(1, 2))), tail: 12),
  FrameRow("ESP of a server", true, v4(BPFFrame.ipv4(server, client, 50, ports(1, 2))), tail: 12),
  FrameRow("ESP to another address", false, v4(BPFFrame.ipv4(client, "10.200.0.9", 50, ports(1, 2)))),
]

private func chain(_ count: Int, _ payload: [UInt8]) -> [UInt8] {
  var bytes = payload
  for index in 0..<count { bytes = BPFFrame.options(index == 0 ? BPFFrame.tcp : 60, bytes) }
  return BPFFrame.ipv6(client6, vip6, 60, bytes)
}

private let fragmentRows: [FrameRow] = [
  FrameRow("first fragment", true, v4(BPFFrame.ipv4(client, vip, udp, more: true, ports(4000, 53))), tail: 12),
  FrameRow(
    "first fragment, another port", true, v4(BPFFrame.ipv4(client, vip, udp, more: true, ports(1, 2))),
    tail: 12),
  FrameRow("later fragment", true, v4(BPFFrame.ipv4(client, vip, udp, offset: 1480, ports(1, 2))), tail: 12),
  FrameRow(
    "later fragment of the server", true, v4(BPFFrame.ipv4(server, client, tcp, offset: 8, ports(1, 2))),
    tail: 12),
  FrameRow(
    "later fragment to FULLNAT", true, v4(BPFFrame.ipv4(server, local, tcp, offset: 8, ports(1, 2))), tail: 12),
  FrameRow(
    "later fragment, not ours", false, v4(BPFFrame.ipv4(client, "10.200.0.9", udp, offset: 8, ports(4000, 53)))
  ),
  FrameRow(
    "later fragment, ports as payload", false,
    v4(BPFFrame.ipv4(client, anyPortVIP, tcp, offset: 8, ports(1, 80)))),
  FrameRow(
    "fragment of a ping", true, v4(BPFFrame.ipv4(client, vip, BPFFrame.icmp, offset: 1480, ports(1, 2))), tail: 12),
  FrameRow(
    "fragment of a ping, not ours", false,
    v4(BPFFrame.ipv4(client, "10.200.0.9", BPFFrame.icmp, offset: 1480, ports(1, 2)))),
  FrameRow("fragment of GRE", false, v4(BPFFrame.ipv4(client, vip, 47, offset: 1480, ports(1, 2)))),
  FrameRow(
    "first fragment of a ping", true,
    v4(BPFFrame.ipv4(client, vip, BPFFrame.icmp, more: true, [8, 0, 0, 0, 0, 1, 0, 1]))),
  FrameRow(
    "IPv6 first fragment", true,
    v6(BPFFrame.ipv6(client6, vip6, 44, BPFFrame.fragment(udp, offset: 0, more: true, ports(1, 2)))), tail: 12),
  FrameRow(
    "IPv6 later fragment", true,
    v6(BPFFrame.ipv6(client6, vip6, 44, BPFFrame.fragment(udp, offset: 1448, more: false, ports(1, 2)))),
    tail: 12),
  FrameRow(
    "IPv6 later fragment of options", true,
    v6(BPFFrame.ipv6(client6, vip6, 44, BPFFrame.fragment(60, offset: 1448, more: false, ports(1, 2)))), tail: 12),
  FrameRow(
    "IPv6 later fragment of a ping", true,
    v6(BPFFrame.ipv6(client6, vip6, 44, BPFFrame.fragment(BPFFrame.icmpv6, offset: 1448, more: false, ports(1, 2)))),
    tail: 12),
  FrameRow(
    "IPv6 atomic fragment", true,
    v6(BPFFrame.ipv6(client6, vip6, 44, BPFFrame.fragment(tcp, offset: 0, more: false, ports(1, 80))))),
  FrameRow(
    "IPv6 atomic fragment, another port", false,
    v6(BPFFrame.ipv6(client6, vip6, 44, BPFFrame.fragment(tcp, offset: 0, more: false, ports(1, 81))))),
  FrameRow(
    "options after the fragment header", true,
    v6(
      BPFFrame.ipv6(
        client6, vip6, 44,
        BPFFrame.fragment(60, offset: 0, more: false, BPFFrame.options(tcp, ports(1, 80)))))),
]

private func error(_ type: UInt8, quoting packet: [UInt8]) -> [UInt8] {
  v4(BPFFrame.ipv4(router, vip, BPFFrame.icmp, BPFFrame.icmpMessage(type, packet)))
}
private func error6(_ type: UInt8, quoting packet: [UInt8]) -> [UInt8] {
  v6(BPFFrame.ipv6(router6, vip6, BPFFrame.icmpv6, BPFFrame.icmpMessage(type, packet)))
}
private let sent = BPFFrame.ipv4(vip, client, tcp, ports(80, 4000))
private let sent6 = BPFFrame.ipv6(vip6, client6, tcp, ports(80, 4000))

private let errorRows: [FrameRow] = [
  FrameRow("unreachable, quoting the VIP", true, error(3, quoting: sent)),
  FrameRow("source quench", true, error(4, quoting: sent)),
  FrameRow("time exceeded", true, error(11, quoting: sent)),
  FrameRow("parameter problem", true, error(12, quoting: sent)),
  FrameRow("redirect", false, error(5, quoting: sent)),
  FrameRow("echo", false, error(8, quoting: sent)),
  FrameRow("echo reply", false, error(0, quoting: sent)),
  FrameRow("quoting another port", false, error(3, quoting: BPFFrame.ipv4(vip, client, tcp, ports(81, 4000)))),
  FrameRow(
    "quoting the client's own packet", false,
    error(3, quoting: BPFFrame.ipv4(client, vip, tcp, ports(4000, 80)))),
  FrameRow(
    "quoting what went to a server", true,
    error(3, quoting: BPFFrame.ipv4(client, server, tcp, ports(4000, 8080)))),
  FrameRow("quoting FULLNAT", true, error(3, quoting: BPFFrame.ipv4(local, "10.0.1.99", tcp, ports(5100, 1)))),
  FrameRow(
    "quoting out of FULLNAT's ports", false,
    error(3, quoting: BPFFrame.ipv4(local, "10.0.1.99", tcp, ports(80, 1)))),
  FrameRow(
    "quoting options", true, error(3, quoting: BPFFrame.ipv4(vip, client, tcp, optionWords: 3, ports(80, 1)))),
  FrameRow(
    "quoting a later fragment", true,
    error(3, quoting: BPFFrame.ipv4(vip, client, udp, offset: 8, ports(1, 2))),
    tail: 12),
  FrameRow(
    "quoting another's fragment", false,
    error(3, quoting: BPFFrame.ipv4(client, vip, udp, offset: 8, ports(1, 2)))),
  FrameRow("quoting IP in IP", true, error(3, quoting: BPFFrame.ipv4(local, tunnelServer, 4, ports(1, 2))), tail: 12),
  FrameRow("quoting 6 in 4", true, error(3, quoting: BPFFrame.ipv4(local, tunnelServer, 41, ports(1, 2))), tail: 12),
  FrameRow("quoting GRE", true, error(11, quoting: BPFFrame.ipv4(local, tunnelServer, 47, ports(1, 2))), tail: 12),
  FrameRow("quoting GUE", true, error(3, quoting: BPFFrame.ipv4(local, tunnelServer, udp, ports(1, 2))), tail: 12),
  FrameRow("quoting TCP to a tunnel", false, error(3, quoting: BPFFrame.ipv4(vip, tunnelServer, tcp, ports(1, 2)))),
  FrameRow("quoting IP in IP elsewhere", false, error(3, quoting: BPFFrame.ipv4(local, server, 4, ports(1, 2)))),
  FrameRow(
    "quoting IP in IP from there", false, error(3, quoting: BPFFrame.ipv4(tunnelServer, client, 4, ports(1, 2)))),
  FrameRow("IP in IP to a tunnel's server", false, v4(BPFFrame.ipv4(client, tunnelServer, 4, ports(1, 2)))),
  FrameRow("UDP from a tunnel's server", false, v4(BPFFrame.ipv4(tunnelServer, client, udp, ports(1, 2)))),
  FrameRow(
    "ICMPv6 quoting 4 in 6", true, error6(2, quoting: BPFFrame.ipv6(local6, tunnelServer6, 4, ports(1, 2))), tail: 12),
  FrameRow(
    "ICMPv6 quoting a first piece of 4 in 6", true,
    error6(
      2,
      quoting: BPFFrame.ipv6(
        local6, tunnelServer6, 44, BPFFrame.fragment(4, offset: 0, more: true, ports(1, 2)))), tail: 12),
  FrameRow("error in a VLAN", true, v4(tags: [0x8100], Array(error(3, quoting: sent).dropFirst(14)))),
  FrameRow("ICMPv6 unreachable", true, error6(1, quoting: sent6)),
  FrameRow("packet too big", true, error6(2, quoting: sent6)),
  FrameRow("ICMPv6 echo", false, error6(128, quoting: sent6)),
  FrameRow("neighbour solicitation", false, error6(135, quoting: sent6)),
  FrameRow(
    "ICMPv6 quoting another port", false, error6(1, quoting: BPFFrame.ipv6(vip6, client6, tcp, ports(81, 1)))),
  FrameRow(
    "ICMPv6 quoting what went to a server", true,
    error6(3, quoting: BPFFrame.ipv6(client6, server6, tcp, ports(4000, 8080)))),
  FrameRow(
    "ICMPv6 quoting extension headers", true,
    error6(
      1, quoting: BPFFrame.ipv6(vip6, client6, 0, BPFFrame.options(60, BPFFrame.options(tcp, ports(80, 1)))))),
  FrameRow(
    "ICMPv6 quoting a later fragment", true,
    error6(
      1, quoting: BPFFrame.ipv6(vip6, client6, 44, BPFFrame.fragment(udp, offset: 8, more: true, ports(1, 2)))),
    tail: 12),
  FrameRow(
    "ICMPv6 error behind extension headers", true,
    v6(BPFFrame.ipv6(router6, vip6, 60, BPFFrame.options(BPFFrame.icmpv6, BPFFrame.icmpMessage(1, sent6))))),
  FrameRow("ICMPv4 in IPv6", false, v6(BPFFrame.ipv6(router6, vip6, BPFFrame.icmp, BPFFrame.icmpMessage(3, sent)))),
  FrameRow("ICMPv4 error quoting IPv6", false, error(3, quoting: sent6)),
]

private let rows = plainRows + headerRows + fragmentRows + errorRows

/// One loaded director with the map filled, for all rows; the programs share it.
private struct Director: ~Copyable {
  enum Program: String, CaseIterable, Sendable {
    case director = "lb_director"
    case guarding = "lb_guard"
    case filter = "lb_filter"
  }

  let object: BPFObject

  init() throws {
    let object = try BPFObject.director()
    try OursMap(object.map("lb_ours")).synchronize(to: ours)
    self.object = object
  }

  /// The test run refuses what is shorter than an Ethernet header, and for tc also what is shorter than the IP header
  /// its EtherType names. The filter's frame stands behind a header of its own and may have any length.
  func canRun(_ program: Program, _ frame: [UInt8]) -> Bool {
    if program == .filter { return !frame.isEmpty }
    guard program == .guarding, frame.count >= 14 else { return frame.count >= 14 }
    switch (frame[12], frame[13]) {
    case (0x08, 0x00): return frame.count >= 34
    case (0x86, 0xdd): return frame.count >= 54
    default: return frame.count > 14
    }
  }

  func isOurs(_ program: Program, _ frame: [UInt8]) throws -> Bool {
    let descriptor = try object.programDescriptor(program.rawValue)
    switch program {
    case .director:
      let verdict = try runBPF(descriptor, frame).verdict
      #expect(verdict == 1 || verdict == 2, "XDP_DROP (no socket is bound) or XDP_PASS")
      return verdict == 1
    case .guarding:
      let verdict = try runBPF(descriptor, frame).verdict
      #expect(verdict == 2 || verdict == UInt32.max, "TC_ACT_SHOT or TC_ACT_UNSPEC")
      return verdict == 2
    case .filter:
      // The test run takes an Ethernet header off before a socket filter; a packet socket leaves it on.
      let verdict = try runBPF(descriptor, BPFFrame.ethernet(0x88b5, frame)).verdict
      #expect(verdict == 0 || verdict == UInt32.max, "nothing or the whole packet")
      return verdict != 0
    }
  }
}

@Suite(.enabled(if: BPFPrivilege.isGranted, "loading BPF programs needs CAP_BPF and CAP_NET_ADMIN"))
struct BPFClassifierTests {
  @Test("verdict", arguments: Director.Program.allCases)
  private func verdict(program: Director.Program) throws {
    let director = try Director()
    for row in rows where director.canRun(program, row.bytes) {
      #expect(try director.isOurs(program, row.bytes) == row.isOurs, "\(row.testDescription)")
    }
  }

  /// Cut at every length: what can no longer be decided goes to the kernel.
  @Test("truncated", arguments: Director.Program.allCases)
  private func truncated(program: Director.Program) throws {
    let director = try Director()
    for row in rows {
      let needed = row.bytes.count - row.tail
      for count in 1...row.bytes.count {
        let bytes = Array(row.bytes[..<count])
        guard director.canRun(program, bytes) else { continue }
        let isOurs = try director.isOurs(program, bytes)
        #expect(isOurs == (row.isOurs && count >= needed), "\(row.testDescription), \(count) bytes of \(needed)")
      }
    }
  }

  @Test("bent frames never trip a program and the three agree")
  func bent() throws {
    let director = try Director()
    var random = SystemRandomNumberGenerator()
    for _ in 0..<4000 {
      var bytes = rows.randomElement(using: &random)!.bytes
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        bytes[Int.random(in: 12..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      let byXDP = try director.isOurs(.director, bytes)
      if director.canRun(.guarding, bytes) {
        #expect(try director.isOurs(.guarding, bytes) == byXDP, "\(bytes)")
      }
      #expect(try director.isOurs(.filter, bytes) == byXDP, "\(bytes)")
    }
  }

  @Test("counters tell passed from orphaned")
  func counters() throws {
    let director = try Director()
    let counters = try director.object.map("lb_counters")
    for _ in 0..<3 { _ = try director.isOurs(.director, v4(request)) }
    for _ in 0..<5 { _ = try director.isOurs(.director, v4(sent)) }
    #expect(try counters.sum(at: UInt32(LB_COUNTER_REDIRECTED)) == 0)
    #expect(try counters.sum(at: UInt32(LB_COUNTER_PASSED)) == 5)
    #expect(try counters.sum(at: UInt32(LB_COUNTER_ORPHANED)) == 3)
  }

  @Test("an empty map takes nothing")
  func empty() throws {
    let director = try Director()
    try OursMap(director.object.map("lb_ours")).synchronize(to: [OursEntry]())
    for row in rows { #expect(try !director.isOurs(.director, row.bytes), "\(row.testDescription)") }
  }
}
