import Testing
import Wire

@testable import Lab

@Suite struct PathProbeTests {
  struct Row: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let bytes: [UInt8]
    let hop: PathProbe.Hop?
  }

  /// struct cmsghdr, struct sock_extended_err, the offender's address.
  private static func report(isIPv6: Bool, type: UInt8, code: UInt8) -> [UInt8] {
    let offender: [UInt8] =
      isIPv6
      ? [10, 0, 0, 0, 0, 0, 0, 0, 0xfd, 0, 0, 1] + [UInt8](repeating: 0, count: 11) + [7, 0, 0, 0, 0]
      : [2, 0, 0, 0, 10, 0, 1, 7] + [UInt8](repeating: 0, count: 8)
    return [48, 0, 0, 0, 0, 0, 0, 0, isIPv6 ? 41 : 0, 0, 0, 0, isIPv6 ? 25 : 11, 0, 0, 0]
      + [111, 0, 0, 0, isIPv6 ? 3 : 2, type, code, 0, 0, 0, 0, 0, 0, 0, 0, 0] + offender
  }

  static let v4 = IPAddress("10.0.1.7")!
  static let v6 = IPAddress("fd00:1::7")!

  @Test(arguments: [
    Row(testDescription: "hops, IPv4", bytes: report(isIPv6: false, type: 11, code: 0), hop: .exceeded(from: v4)),
    Row(testDescription: "hops, IPv6", bytes: report(isIPv6: true, type: 3, code: 0), hop: .exceeded(from: v6)),
    Row(testDescription: "port, IPv4", bytes: report(isIPv6: false, type: 3, code: 3), hop: .unreachable(from: v4)),
    Row(testDescription: "port, IPv6", bytes: report(isIPv6: true, type: 1, code: 4), hop: .unreachable(from: v6)),
    Row(
      testDescription: "too big", bytes: report(isIPv6: false, type: 3, code: 4),
      hop: .other(type: 3, code: 4, from: v4)),
    Row(testDescription: "cut short", bytes: Array(report(isIPv6: true, type: 3, code: 0).dropLast(8)), hop: nil),
    Row(testDescription: "nothing", bytes: [], hop: nil),
  ])
  func reportsAreRead(row: Row) {
    #expect(row.bytes.withUnsafeBytes { PathProbe.Hop($0) } == row.hop)
  }
}
