import Testing
import Wire

struct BigEndianMemoryTests {
  @Test func loadsAtAnyOffset() {
    let bytes = (0..<20).map { UInt8($0) }
    bytes.withUnsafeBytes { raw in
      let base = raw.baseAddress!
      for offset in 0..<8 {
        let first = UInt64(offset)
        #expect(base.loadByte(at: offset) == UInt8(offset))
        #expect(base.loadBigEndian16(at: offset) == UInt16(first << 8 | first + 1))
        #expect(base.loadBigEndian32(at: offset) == UInt32((0..<4).reduce(0) { $0 << 8 | first + UInt64($1) }))
        #expect(base.loadBigEndian64(at: offset) == (0..<8).reduce(0) { $0 << 8 | first + UInt64($1) })
        #expect(base.loadEthernetAddress(at: offset).bytes == Array(bytes[offset..<offset + 6]))
      }
    }
  }

  @Test func storesTouchTheirBytesOnly() {
    func stored(_ store: (UnsafeMutableRawPointer) -> Void) -> [UInt8] {
      var bytes = [UInt8](repeating: 0xa5, count: 12)
      bytes.withUnsafeMutableBytes { store($0.baseAddress!) }
      return bytes
    }
    func expected(_ middle: [UInt8]) -> [UInt8] { [0xa5] + middle + [UInt8](repeating: 0xa5, count: 11 - middle.count) }
    #expect(stored { $0.storeByte(1, at: 1) } == expected([1]))
    #expect(stored { $0.storeBigEndian16(0x0102, at: 1) } == expected([1, 2]))
    #expect(stored { $0.storeBigEndian32(0x0102_0304, at: 1) } == expected([1, 2, 3, 4]))
    #expect(stored { $0.storeBigEndian64(0x0102_0304_0506_0708, at: 1) } == expected([1, 2, 3, 4, 5, 6, 7, 8]))
    #expect(
      stored { $0.storeEthernetAddress(EthernetAddress(0x0102_0304_0506), at: 1) } == expected([1, 2, 3, 4, 5, 6]))
  }
}
