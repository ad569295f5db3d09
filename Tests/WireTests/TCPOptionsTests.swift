import Testing
import Wire

@Suite struct TCPOptionsTests {
  struct Row: CustomTestStringConvertible {
    let name: String
    let options: [UInt8]
    /// Kind, offset, length.
    let found: [[Int]]
    var testDescription: String { name }
  }

  static let rows = [
    Row(name: "none", options: [], found: []),
    Row(
      name: "a SYN's", options: [2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7],
      found: [[2, 20, 4], [4, 24, 2], [8, 26, 10], [3, 37, 3]]),
    Row(name: "behind the end", options: [1, 0, 254, 8, 0, 1, 2, 3, 4, 5, 6, 7], found: []),
    Row(name: "length 0", options: [2, 0, 0, 0], found: []),
    Row(name: "length 1", options: [2, 1, 0, 0], found: []),
    Row(name: "longer than the header", options: [1, 1, 2, 4], found: []),
    Row(name: "cut behind the kind", options: [1, 1, 1, 8], found: []),
  ]

  @Test(arguments: rows) func walks(row: Row) {
    let header = [UInt8](repeating: 0, count: 20) + row.options
    let found = header.withUnsafeBytes { bytes in
      TCPOptions(bytes.baseAddress!, byteCount: header.count).map { [Int($0.kind), $0.offset, $0.byteCount] }
    }
    #expect(found == row.found)
  }

  @Test func clientAddress() {
    var bytes = [UInt8](repeating: 0, count: 20)
    bytes.withUnsafeMutableBytes {
      TCP.writeClientAddress((0, 0xc000_0207), port: 0x1234, isIPv6: false, to: $0.baseAddress!)
    }
    #expect(bytes[..<9] == [254, 8, 0x12, 0x34, 192, 0, 2, 7, 0])
    bytes.withUnsafeMutableBytes {
      TCP.writeClientAddress((0x2001_0db8_0000_0000, 0xa5), port: 0x1234, isIPv6: true, to: $0.baseAddress!)
    }
    #expect(bytes == [254, 20, 0x12, 0x34, 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xa5])
  }
}
