import CShims
import Testing
import Wire

@testable import Kernel

private let endpoint = "10.0.1.11"
private let endpoint6 = "2001:db8:1::11"
private let director = "10.0.1.2"
private let director6 = "2001:db8:1::2"
private let payload = [UInt8]((0..<64).map { UInt8($0) })
private let inner = BPFFrame.ipv4("192.0.2.7", "10.200.0.1", BPFFrame.tcp, payload)
private let inner6 = BPFFrame.ipv6("2001:db8:c::7", "2001:db8::1", BPFFrame.tcp, payload)

private let guePort = 6080
private func gre(_ flags: Int, _ type: Int, options: [UInt8] = [], _ packet: [UInt8]) -> [UInt8] {
  BPFFrame.big(flags) + BPFFrame.big(type) + options + packet
}
private func gue(
  kind: UInt8 = 0, _ number: UInt8, flags: Int = 0, port: Int = guePort, _ packet: [UInt8]
) -> [UInt8] {
  BPFFrame.datagram(50_000, port, [kind, number] + BPFFrame.big(flags) + packet)
}

/// A frame as it arrives and as the kernel is to see it; nil: unchanged.
private struct TunnelRow: Sendable {
  let name: String
  let bytes: [UInt8]
  let expected: [UInt8]

  init(_ name: String, _ bytes: [UInt8], _ expected: [UInt8]? = nil) {
    self.name = name
    self.bytes = bytes
    self.expected = expected ?? bytes
  }
}

private func v4(tags: [Int] = [], _ packet: [UInt8]) -> [UInt8] { BPFFrame.ethernet(0x0800, tags: tags, packet) }
private func v6(tags: [Int] = [], _ packet: [UInt8]) -> [UInt8] { BPFFrame.ethernet(0x86dd, tags: tags, packet) }

private let strippedRows: [TunnelRow] = [
  TunnelRow("4 in 4", v4(BPFFrame.ipv4(director, endpoint, 4, inner)), v4(inner)),
  TunnelRow("6 in 4", v4(BPFFrame.ipv4(director, endpoint, 41, inner6)), v6(inner6)),
  TunnelRow("4 in 6", v6(BPFFrame.ipv6(director6, endpoint6, 4, inner)), v4(inner)),
  TunnelRow("6 in 6", v6(BPFFrame.ipv6(director6, endpoint6, 41, inner6)), v6(inner6)),
  TunnelRow("GRE, 4 in 4", v4(BPFFrame.ipv4(director, endpoint, 47, gre(0, 0x0800, inner))), v4(inner)),
  TunnelRow("GRE, 6 in 4", v4(BPFFrame.ipv4(director, endpoint, 47, gre(0, 0x86dd, inner6))), v6(inner6)),
  TunnelRow(
    "GRE with checksum, 4 in 6",
    v6(BPFFrame.ipv6(director6, endpoint6, 47, gre(0x8000, 0x0800, options: [1, 2, 0, 0], inner))), v4(inner)),
  TunnelRow(
    "GRE with checksum, 6 in 6",
    v6(BPFFrame.ipv6(director6, endpoint6, 47, gre(0x8000, 0x86dd, options: [1, 2, 0, 0], inner6))), v6(inner6)),
  TunnelRow("GUE, 4 in 4", v4(BPFFrame.ipv4(director, endpoint, 17, gue(4, inner))), v4(inner)),
  TunnelRow("GUE, 6 in 4", v4(BPFFrame.ipv4(director, endpoint, 17, gue(41, inner6))), v6(inner6)),
  TunnelRow("GUE, 4 in 6", v6(BPFFrame.ipv6(director6, endpoint6, 17, gue(4, inner))), v4(inner)),
  TunnelRow("GUE, 6 in 6", v6(BPFFrame.ipv6(director6, endpoint6, 17, gue(41, inner6))), v6(inner6)),
  TunnelRow(
    "GUE in a VLAN", v4(tags: [0x8100], BPFFrame.ipv4(director, endpoint, 17, gue(4, inner))), v4(tags: [0x8100], inner)
  ),
  TunnelRow("outer options", v4(BPFFrame.ipv4(director, endpoint, 4, optionWords: 10, inner)), v4(inner)),
  TunnelRow(
    "4 in 6, encapsulation limit", v6(BPFFrame.ipv6(director6, endpoint6, 60, BPFFrame.options(4, inner))), v4(inner)),
  TunnelRow(
    "6 in 6, encapsulation limit", v6(BPFFrame.ipv6(director6, endpoint6, 60, BPFFrame.options(41, inner6))), v6(inner6)
  ),
  TunnelRow("VLAN", v4(tags: [0x8100], BPFFrame.ipv4(director, endpoint, 41, inner6)), v6(tags: [0x8100], inner6)),
  TunnelRow(
    "QinQ", v6(tags: [0x88a8, 0x8100], BPFFrame.ipv6(director6, endpoint6, 4, inner)),
    v4(tags: [0x88a8, 0x8100], inner)),
]

private let keptRows: [TunnelRow] = [
  TunnelRow("to another address", v4(BPFFrame.ipv4(director, "10.0.1.12", 4, inner))),
  TunnelRow("to another IPv6 address", v6(BPFFrame.ipv6(director6, "2001:db8:1::12", 4, inner))),
  TunnelRow("TCP to the endpoint", v4(BPFFrame.ipv4(director, endpoint, BPFFrame.tcp, payload))),
  TunnelRow("outer fragment", v4(BPFFrame.ipv4(director, endpoint, 4, more: true, inner))),
  TunnelRow("later outer fragment", v4(BPFFrame.ipv4(director, endpoint, 4, offset: 8, inner))),
  TunnelRow("protocol 4 around IPv6", v4(BPFFrame.ipv4(director, endpoint, 4, inner6))),
  TunnelRow("protocol 41 around IPv4", v6(BPFFrame.ipv6(director6, endpoint6, 41, inner))),
  TunnelRow(
    "two options headers", v6(BPFFrame.ipv6(director6, endpoint6, 60, BPFFrame.options(60, BPFFrame.options(4, inner))))
  ),
  TunnelRow("hop-by-hop options", v6(BPFFrame.ipv6(director6, endpoint6, 0, BPFFrame.options(4, inner)))),
  TunnelRow("three tags", v4(tags: [0x88a8, 0x8100, 0x8100], BPFFrame.ipv4(director, endpoint, 4, inner))),
  TunnelRow("GRE to another address", v4(BPFFrame.ipv4(director, "10.0.1.12", 47, gre(0, 0x0800, inner)))),
  TunnelRow(
    "GRE with a key", v4(BPFFrame.ipv4(director, endpoint, 47, gre(0x2000, 0x0800, options: [0, 0, 0, 1], inner)))),
  TunnelRow("GRE, version 1", v4(BPFFrame.ipv4(director, endpoint, 47, gre(1, 0x0800, inner)))),
  TunnelRow("GRE around Ethernet", v4(BPFFrame.ipv4(director, endpoint, 47, gre(0, 0x6558, inner)))),
  TunnelRow("GRE, the wrong type", v4(BPFFrame.ipv4(director, endpoint, 47, gre(0, 0x86dd, inner)))),
  TunnelRow("GUE to another port", v4(BPFFrame.ipv4(director, endpoint, 17, gue(4, port: 6081, inner)))),
  TunnelRow("GUE to another address", v4(BPFFrame.ipv4(director, "10.0.1.12", 17, gue(4, inner)))),
  TunnelRow("GUE control message", v4(BPFFrame.ipv4(director, endpoint, 17, gue(kind: 0x20, 4, inner)))),
  TunnelRow("GUE, version 1", v4(BPFFrame.ipv4(director, endpoint, 17, gue(kind: 0x40, 4, inner)))),
  TunnelRow(
    "GUE with options",
    v4(BPFFrame.ipv4(director, endpoint, 17, gue(kind: 2, 4, flags: 1, [UInt8](repeating: 0, count: 8) + inner)))),
  TunnelRow("GUE around TCP", v4(BPFFrame.ipv4(director, endpoint, 17, gue(6, inner)))),
  TunnelRow("GUE, the wrong version inside", v4(BPFFrame.ipv4(director, endpoint, 17, gue(41, inner)))),
  TunnelRow("ARP", BPFFrame.ethernet(0x0806, [UInt8](repeating: 0, count: 28))),
]

@Suite(.enabled(if: BPFPrivilege.isGranted, "loading BPF programs needs CAP_BPF and CAP_NET_ADMIN"))
struct BPFDecapsulationTests {
  private func load() throws -> BPFObject {
    let object = try BPFObject.realServer()
    let endpoints = try AddressMap(object.map("lb_tunnel_endpoints"))
    try endpoints.insert(IPAddress(endpoint)!)
    try endpoints.insert(IPAddress(endpoint6)!)
    try TunnelPorts(object.map("lb_tunnel_ports")).insert(UInt16(guePort))
    return object
  }

  @Test("byte by byte")
  func bytes() throws {
    let object = try load()
    let program = try object.programDescriptor("lb_realserver")
    for row in strippedRows + keptRows {
      let (verdict, output) = try runBPF(program, row.bytes)
      #expect(verdict == 2, "\(row.name): always XDP_PASS")
      #expect(output == row.expected, "\(row.name)")
    }
  }

  @Test("truncated: untouched until the inner header is whole")
  func truncated() throws {
    let object = try load()
    let program = try object.programDescriptor("lb_realserver")
    for row in strippedRows {
      for count in 14...row.bytes.count {
        let (verdict, output) = try runBPF(program, Array(row.bytes[..<count]))
        let isWhole = count >= row.bytes.count - payload.count
        let cut = row.bytes.count - count
        #expect(verdict == 2, "\(row.name), \(count) bytes")
        #expect(
          output == (isWhole ? Array(row.expected.dropLast(cut)) : Array(row.bytes[..<count])),
          "\(row.name), \(count) bytes")
      }
    }
  }

  @Test("an address taken out is no endpoint any more")
  func removed() throws {
    let object = try load()
    try AddressMap(object.map("lb_tunnel_endpoints")).remove(IPAddress(endpoint)!)
    let program = try object.programDescriptor("lb_realserver")
    #expect(try runBPF(program, strippedRows[0].bytes).output == strippedRows[0].bytes)
    #expect(try runBPF(program, strippedRows[3].bytes).output == strippedRows[3].expected)
  }
}
