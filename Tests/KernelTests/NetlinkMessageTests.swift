import CShims
import Glibc
import Testing
import Wire

@testable import Kernel

/// Bytes from hexadecimal text.
func bytes(_ hexadecimal: String) -> [UInt8] {
  let digits = Array(hexadecimal.utf8)
  return stride(from: 0, to: digits.count - 1, by: 2).compactMap {
    UInt8(String(decoding: digits[$0...($0 + 1)], as: UTF8.self), radix: 16)
  }
}

/// Messages that a kernel sent, one of each shape.
struct RecordedMessage: Sendable, CustomTestStringConvertible {
  let name: String
  let hexadecimal: String
  /// What the decoded value prints like, by its parts.
  let event: NetlinkEvent
  var testDescription: String { name }
  var bytes: [UInt8] { KernelTests.bytes(hexadecimal) }
}

private func route(
  _ destination: String, via gateway: String? = nil, link: Int32?, source: String? = nil, table: UInt32 = 254,
  metric: UInt32 = 0, kind: Route.Kind = .unicast, mtu: Int? = nil
) -> NetlinkEvent {
  .route(
    .added,
    Route(
      destination: IPPrefix(destination)!, gateway: gateway.map { IPAddress($0)! }, linkIndex: link,
      preferredSource: source.map { IPAddress($0)! }, table: table, metric: metric, kind: kind, mtu: mtu, isAlive: true)
  )
}

private func neighbour(
  _ address: String, _ link: Int32, _ linkAddress: String, _ state: Neighbour.State, isRouter: Bool = false
) -> NetlinkEvent {
  .neighbour(
    .added,
    Neighbour(
      address: IPAddress(address)!, linkIndex: link, linkAddress: EthernetAddress(linkAddress), state: state,
      isRouter: isRouter))
}

private func address(_ prefix: String, _ link: Int32, _ scope: RouteScope, isTentative: Bool = false) -> NetlinkEvent {
  .address(
    .added,
    InterfaceAddress(
      linkIndex: link, prefix: IPPrefix(prefix)!, scope: scope, isTentative: isTentative, isDeprecated: false))
}

let recordedMessages: [RecordedMessage] = [
  RecordedMessage(
    name: "route by a gateway in table 1000",
    hexadecimal: """
      3c0000001800020001000000ed30000002100000fc0300010000000008000f00e8030000080001000a350000080005000a09\
      00020800040003000000
      """, event: route("10.53.0.0/16", via: "10.9.0.2", link: 3, table: 1000)),
  RecordedMessage(
    name: "route of a network with its source",
    hexadecimal: """
      3c0000001800020001000000ed30000002180000fe02fd010000000008000f00fe000000080001000a090000080007000a09\
      00010800040003000000
      """, event: route("10.9.0.0/24", link: 3, source: "10.9.0.1")),
  RecordedMessage(
    name: "route with two next hops",
    hexadecimal: """
      500000001800020001000000ed30000002100000fe0300010000000008000f00fe000000080001000a320000240009001000\
      000003000000080005000a0900021000000102000000080005000a080002
      """, event: route("10.50.0.0/16", via: "10.9.0.2", link: 3)),
  RecordedMessage(
    name: "IPv4 route via an IPv6 gateway, with metric and mtu",
    hexadecimal: """
      680000001800020001000000ed30000002100000fe0300010000000008000f00fe000000080001000a330000080006004d00\
      00000c0008000800020014050000080007000a090001160012000a0020010db8000000000000000000000002000008000400\
      03000000
      """,
    event: route(
      "10.51.0.0/16", via: "2001:db8::2", link: 3, source: "10.9.0.1", metric: 77, mtu: 1300)),
  RecordedMessage(
    name: "blackhole",
    hexadecimal: "2c0000001800020001000000ed30000002100000fe0300060000000008000f00fe000000080001000a340000",
    event: route("10.52.0.0/16", link: nil, kind: .blackhole)),
  RecordedMessage(
    name: "local",
    hexadecimal: """
      3c0000001800020001000000ed30000002200000ff02fe020000000008000f00ff000000080001000a090001080007000a09\
      00010800040003000000
      """, event: route("10.9.0.1/32", link: 3, source: "10.9.0.1", table: 255, kind: .local)),
  RecordedMessage(
    name: "IPv6 route with two next hops",
    hexadecimal: """
      a80000001800020001000000ed3000000a300000fe0300010000000008000f00fe0000001400010020010db8000500000000\
      00000000000008000600000400003c0009001c000000030000001400050020010db80000000000000000000000021c000000\
      030000001400050020010db800000000000000000000000324000c0000000000000000000000000000000000000000000000\
      000000000000000000000500140000000000
      """, event: route("2001:db8:5::/48", via: "2001:db8::2", link: 3, metric: 1024)),
  RecordedMessage(
    name: "permanent IPv4 neighbour",
    hexadecimal: """
      4c0000001c00020001000000ed300000020000000300000080000001080001000a0900020a00020002000000009900000800\
      040000000000140003000b0000000b0000000b00000000000000
      """, event: neighbour("10.9.0.2", 3, "02:00:00:00:00:99", .permanent)),
  RecordedMessage(
    name: "permanent IPv6 router",
    hexadecimal: """
      580000001c00020001000000ed3000000a00000003000000800080011400010020010db80000000000000000000000020a00\
      020002000000009800000800040000000000140003000a0000000a0000000a00000000000000
      """, event: neighbour("2001:db8::2", 3, "02:00:00:00:00:98", .permanent, isRouter: true)),
  RecordedMessage(
    name: "IPv4 address",
    hexadecimal: """
      4c0000001400020001000000ed3000000218800003000000080001000a090001080002000a09000107000300763000000800\
      08008000000014000600ffffffffffffffffbb4e0300bb4e0300
      """, event: address("10.9.0.1/24", 3, .universe)),
  RecordedMessage(
    name: "IPv4 address with another one at the far end",
    hexadecimal: """
      4c0000001400020001000000ed3000000220800003000000080001000a070002080002000a07000107000300763000000800\
      08008000000014000600ffffffffffffffffbb4e0300bb4e0300
      """, event: address("10.7.0.1/32", 3, .universe)),
  RecordedMessage(
    name: "tentative link-local IPv6 address",
    hexadecimal: """
      500000001400020001000000ed3000000a40c0fd0300000014000100fe80000000000000000000fffe00000114000600ffff\
      ffffffffffffba4e0300ba4e030008000800c000000005000b0003000000
      """, event: address("fe80::ff:fe00:1/64", 3, .link, isTentative: true)),
]

@Suite struct NetlinkMessageTests {
  @Test(arguments: recordedMessages)
  func recordedMessage(_ row: RecordedMessage) throws {
    #expect(try NetlinkEvent.decode(row.bytes[...]) == [row.event])
    // The same in the middle of a larger buffer, twice in a row.
    let twice = ([0xff] + row.bytes + row.bytes)[1...]
    #expect(try NetlinkEvent.decode(twice) == [row.event, row.event])
  }

  /// A datagram that ends early is refused. One whose header agrees with the early end is an error or, where the cut
  /// falls between two attributes, a value with less in it.
  @Test(arguments: recordedMessages)
  func truncated(_ row: RecordedMessage) throws {
    let whole = row.bytes
    for count in 1..<whole.count {
      #expect(throws: MalformedNetlinkMessage.self) { try NetlinkEvent.decode(whole[..<count]) }
      var shortened = Array(whole[..<count])
      if count >= 4 { shortened.replaceSubrange(0..<4, with: withUnsafeBytes(of: UInt32(count)) { Array($0) }) }
      let events = try? NetlinkEvent.decode(shortened[...])
      if count < 28 { #expect(events ?? [] == [], "cut at \(count)") }
    }
  }

  /// Every single byte set to a few hostile values: an error or a value, never a trap.
  @Test(arguments: recordedMessages)
  func bent(_ row: RecordedMessage) {
    for position in row.bytes.indices {
      for value: UInt8 in [0, 1, 3, 5, 0x7f, 0x80, 0xff] {
        var copy = row.bytes
        copy[position] = value
        _ = try? NetlinkEvent.decode(copy[...])
      }
    }
  }

  @Test func requestBytes() {
    var request = NetlinkRequest(type: RTM_SETLINK, flags: NLM_F_ACK, header: ndmsg())
    request.nest(Int(IFLA_XDP)) { $0.append(Int(IFLA_XDP_FD), value: Int32(-1)) }
    request.append(3, text: "lo")
    let expected = bytes(
      "30000000130005002a00000000000000" + "000000000000000000000000" + "0c002b00" + "08000100ffffffff"
        + "070003006c6f0000")
    #expect(request.sealed(sequence: 42) == expected)
  }

  @Test(arguments: [
    ("success", "0000000018000000000000000000000000000000", 0, nil),
    ("busy", "f0ffffff18000000000000000000000000000000", 0, "EBUSY (Device or resource busy)"),
    ("no permission", "ffffffff18000000000000000000000000000000", 0, "EPERM (run as root or with CAP_NET_ADMIN)"),
    (
      "the kernel's own words", "eaffffff180000000000000000000000000000000800010062616400", 0x300, "EINVAL (bad)"
    ),
    ("smallest number", "0000008018000000000000000000000000000000", 0, "errno 2147483647"),
  ])
  func failure(_ row: (name: String, payload: String, flags: Int32, text: String?)) throws {
    let message = NetlinkMessage(
      type: Int(NLMSG_ERROR), flags: row.flags, sequence: 1, payload: bytes(row.payload)[...])
    let failure = try NetlinkSocket.failure("list routes", message)
    #expect((failure == nil) == (row.text == nil))
    if let failure, let text = row.text { #expect(failure.description.hasPrefix("cannot list routes: \(text)")) }
  }

  @Test func failureTruncated() {
    let whole = bytes("eaffffff180000000000000000000000000000000800010062616400")
    for flags: Int32 in [0, 0x200, 0x300] {
      for count in 0..<whole.count {
        let message = NetlinkMessage(type: Int(NLMSG_ERROR), flags: flags, sequence: 1, payload: whole[..<count])
        _ = try? NetlinkSocket.failure("list routes", message)
      }
    }
  }
}
