import Kernel
import Testing
import Wire

@testable import Dataplane

/// Lengths that strangers wrote.
@Suite struct ParseTests {
  struct Row: Sendable, CustomTestStringConvertible {
    let name: String
    let outcome: Outcome
    let frame: [UInt8]
    var testDescription: String { name }

    init(_ name: String, _ outcome: Outcome, _ frame: [UInt8]) {
      self.name = name
      self.outcome = outcome
      self.frame = frame
    }

    init(_ name: String, _ outcome: Outcome, _ service: TestService, _ change: (inout [UInt8]) -> Void) {
      var frame = TestPacket.request(service).with { $0.payload = [1, 2, 3, 4] }.arriving
      change(&frame)
      self.init(name, outcome, frame)
    }
  }

  /// Changes an IPv4 header and makes its checksum right again.
  private static func header(_ frame: inout [UInt8], _ change: (inout [UInt8]) -> Void) {
    change(&frame)
    (frame[24], frame[25]) = (0, 0)
    let count = max(20, Int(frame[14] & 15) * 4)
    let sum = ~SampleFrame.fold(Array(frame[14..<min(14 + count, frame.count)]))
    (frame[24], frame[25]) = (UInt8(sum >> 8), UInt8(sum & 255))
  }

  private static let v4 = TestService()
  private static let v6 = TestService(family: .ipv6)
  private static let u4 = TestService(transport: .udp)
  private static let u6 = TestService(family: .ipv6, transport: .udp)

  private static func v6(extensions: [(number: UInt8, body: [UInt8])]) -> [UInt8] {
    TestPacket.request(v6).with { $0.extensions = extensions }.arriving
  }
  private static let hop: (number: UInt8, body: [UInt8]) = (0, [0, 1, 4, 0, 0, 0, 0])
  private static let options: (number: UInt8, body: [UInt8]) = (60, [0, 1, 4, 0, 0, 0, 0])

  static let rows: [Row] = [
    Row("good", .directRouting, v4) { _ in },
    Row("good, IPv6", .directRouting, v6) { _ in },
    Row("nothing", .malformed, [0]),
    Row("Ethernet only", .malformed, v4) { $0.removeLast($0.count - 14) },
    Row("33 bytes", .malformed, v4) { $0.removeLast($0.count - 33) },
    Row("IPv4 header only, length says more", .malformed, v4) { $0.removeLast($0.count - 34) },
    Row("one byte short", .malformed, v4) { $0.removeLast() },
    Row("one byte short, IPv6", .malformed, v6) { $0.removeLast() },
    Row("another station", .otherHost, v4) { $0[5] ^= 1 },
    Row("broadcast", .otherHost, v4) { $0.replaceSubrange(0..<6, with: [255, 255, 255, 255, 255, 255]) },
    Row("ARP", .notOurs, v4) { $0[13] = 6 },
    Row("version 5", .malformed, v4) { frame in header(&frame) { $0[14] = 0x55 } },
    Row("version 4 in IPv6", .malformed, v6) { $0[14] = 0x40 },
    Row("header of 16 bytes", .malformed, v4) { frame in header(&frame) { $0[14] = 0x44 } },
    Row("header longer than packet", .malformed, v4) { frame in header(&frame) { $0[14] = 0x4f } },
    Row("length below header", .malformed, v4) { frame in header(&frame) { $0[17] = 19 } },
    Row("length beyond frame", .malformed, v4) { frame in header(&frame) { $0[16] = 0xff } },
    Row("checksum", .badHeaderChecksum, v4) { $0[24] ^= 1 },
    Row("checksum in options", .badHeaderChecksum, TestPacket.request(v4).with { $0.options = [1, 1, 1, 1] }.arriving)
      .changed { $0[35] ^= 4 },
    Row("TCP header cut", .malformed, v4) { frame in header(&frame) { $0[17] = 39 } },
    Row("TCP header just there", .directRouting, v4) { frame in header(&frame) { $0[17] = 40 } },
    Row("UDP header cut", .malformed, u4) { frame in header(&frame) { $0[17] = 27 } },
    Row("UDP header just there", .directRouting, u4) { frame in header(&frame) { $0[17] = 28 } },
    Row("UDP header cut, IPv6", .malformed, u6) { $0[19] = 7 },
    Row("UDP header just there, IPv6", .directRouting, u6) { $0[19] = 8 },
    Row("TCP header cut, IPv6", .malformed, v6) { $0[19] = 19 },
    Row("payload length 0", .malformed, v6) { $0[19] = 0 },
    Row("ICMP", .icmp, v4) { frame in header(&frame) { $0[23] = 1 } },
    Row("ICMPv6", .icmp, v6) { $0[20] = 58 },
    Row("SCTP", .notOurs, v4) { frame in header(&frame) { $0[23] = 132 } },
    Row("another port", .notOurs, v4) { $0[37] = 81 },
    Row(
      "eight extension headers", .directRouting,
      v6(extensions: [hop] + [(number: UInt8, body: [UInt8])](repeating: options, count: 7))),
    Row(
      "nine extension headers", .malformed,
      v6(extensions: [hop] + [(number: UInt8, body: [UInt8])](repeating: options, count: 8))),
    Row("extension header beyond the packet", .malformed, v6(extensions: [(0, [200, 1, 4, 0, 0, 0, 0])])),
    Row("no next header", .notOurs, v6(extensions: [hop])).changed { $0[54] = 59 },
    Row("extension header cut", .malformed, v6) {
      $0[20] = 0
      $0.removeLast($0.count - 58)
      $0[19] = 4
    },
    Row("one tag", .directRouting, v4) { $0.insert(contentsOf: [0x81, 0, 0, 1], at: 12) },
    Row("two tags", .directRouting, v6) { $0.insert(contentsOf: [0x88, 0xa8, 0, 1, 0x81, 0, 0, 2], at: 12) },
    Row("three tags", .notOurs, v4) { for _ in 0..<3 { $0.insert(contentsOf: [0x81, 0, 0, 1], at: 12) } },
    Row("two tags and half a header", .malformed, v4) {
      $0.insert(contentsOf: [0x88, 0xa8, 0, 1, 0x81, 0, 0, 2], at: 12)
      $0.removeLast($0.count - 36)
    },
    Row("ACK without connection", .noConnection, v4) { $0[47] = TCP.ack },
    Row("RST", .noConnection, v4) { $0[47] = TCP.rst },
    Row("SYN and RST", .noConnection, v4) { $0[47] = TCP.syn | TCP.rst },
    Row("no flags", .noConnection, v4) { $0[47] = 0 },
    Row("SYN, FIN and the rest", .directRouting, v4) { $0[47] = 0xfb },
    Row("client port 20", .privilegedSource, v4) { ($0[34], $0[35]) = (0, 20) },
    Row("client port 20, UDP", .privilegedSource, u4) { ($0[34], $0[35]) = (0, 20) },
    Row("client port 0", .directRouting, v4) { ($0[34], $0[35]) = (0, 0) },
  ]

  @Test(arguments: rows)
  func frame(row: Row) throws {
    let director = try Director([Self.v4, Self.v6, Self.u4, Self.u6])
    let journey = director.send([row.frame])[0]
    #expect(journey.outcome == row.outcome)
    #expect(journey.sent.count == (row.outcome.isForwarded ? 1 : 0))
    #expect(director.dataplane.statistics().outcomes[row.outcome] == 1)
    director.verifyEmptyAfterExpiry()
  }

  /// Every length of every kind of frame, down to one byte.
  @Test func everyTruncation() throws {
    let director = try Director([Self.v4, Self.v6, Self.u4, Self.u6])
    for (frame, _) in FuzzTests.corpus().prefix(40) where frame.count < 200 {
      for count in 1..<frame.count {
        let outcome = director.send([Array(frame.prefix(count))])[0].outcome
        #expect(outcome == .malformed || outcome == .otherHost)
      }
    }
    director.verifyEmptyAfterExpiry()
  }
}

extension ParseTests.Row {
  fileprivate func changed(_ change: (inout [UInt8]) -> Void) -> ParseTests.Row {
    var frame = frame
    change(&frame)
    return ParseTests.Row(name, outcome, frame)
  }
}
