import Testing

@testable import Kernel

struct FramePoolTests {
  @Test func everyFrameOnceLastGivenFirst() throws {
    let memory = try MappedMemory(byteCount: 16 * 2048)
    var pool = FramePool(base: memory.base, chunkByteCount: 2048, frameCount: 16)
    var taken: [UInt64] = []
    while let address = pool.take() { taken.append(address) }
    #expect(taken == (0..<16).map { UInt64($0) * 2048 })
    #expect(pool.freeCount == 0)
    pool.give(5 * 2048 + 300)
    pool.give(9 * 2048 + 2047)
    #expect([pool.take(), pool.take(), pool.take()] == [9 * 2048, 5 * 2048, nil])
    #expect(pool.packetByteCountLimit == 1792)
  }
}
