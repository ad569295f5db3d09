import Glibc
import Testing

@testable import Lab

@Suite struct UDPEchoTests {
  struct Row: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let bytes: [UInt8]
    let changed: [Int]
  }

  private static func message(level: UInt8, type: UInt8, data: [UInt8]) -> [UInt8] {
    [UInt8(16 + data.count), 0, 0, 0, 0, 0, 0, 0, level, 0, 0, 0, type, 0, 0, 0] + data
  }

  /// The interface is cleared, the address is not; what is not understood stays as it is.
  @Test(arguments: [
    Row(
      testDescription: "IPv4", bytes: message(level: 0, type: 8, data: [7, 0, 0, 0] + [10, 200, 0, 1, 10, 200, 0, 1]),
      changed: [16]),
    Row(
      testDescription: "IPv6",
      bytes: message(level: 41, type: 50, data: [0xfd] + [UInt8](repeating: 1, count: 15) + [7, 0, 0, 0]),
      changed: [32]),
    Row(
      testDescription: "link-local IPv6 needs its interface",
      bytes: message(level: 41, type: 50, data: [0xfe, 0x80] + [UInt8](repeating: 1, count: 14) + [7, 0, 0, 0]),
      changed: []),
    Row(testDescription: "none", bytes: [], changed: []),
    Row(
      testDescription: "something else", bytes: message(level: 1, type: 29, data: [UInt8](repeating: 5, count: 16)),
      changed: []),
  ])
  func packetInfo(_ row: Row) {
    let control = UnsafeMutableRawBufferPointer.allocate(byteCount: row.bytes.count, alignment: 16)
    defer { control.deallocate() }
    control.copyBytes(from: row.bytes)
    PacketInfo.anyInterface(control)
    var expected = row.bytes
    for index in row.changed { expected[index] = 0 }
    #expect(Array(control) == expected)
  }
}
