import CShims
import Testing

@testable import Kernel

struct ConsumerRingTests {
  @Test func peekAndRelease() {
    let memory = RingMemory()
    let cons = UnsafeMutablePointer<xsk_ring_cons>.allocate(capacity: 1)
    defer { cons.deallocate() }
    let start = UInt32.max - 3
    cons.initialize(
      to: xsk_ring_cons(
        cached_prod: start, cached_cons: start, mask: 7, size: 8, producer: memory.words, consumer: memory.words + 1,
        ring: UnsafeMutableRawPointer(memory.entries), flags: memory.words + 2))
    let ring = ConsumerRing(cons)
    var index: UInt32 = 0
    #expect(ring.peek(upTo: 8, index: &index) == 0)
    for offset in 0..<6 { memory.entries[(offset + 4) % 8] = xdp_desc(addr: UInt64(offset), len: 64, options: 0) }
    memory.words[0] &+= 6
    #expect(ring.peek(upTo: 4, index: &index) == 4)
    #expect((0..<4).map { ring.descriptor(at: index &+ $0).address } == [0, 1, 2, 3])
    ring.release(4)
    #expect(memory.words[1] == start &+ 4)
    #expect(ring.peek(upTo: 4, index: &index) == 2)
    ring.release(2)
    #expect(ring.peek(upTo: 4, index: &index) == 0)
  }
}
