import CShims
import Testing

@testable import Kernel

struct ProducerRingTests {
  @Test func reserveAndSubmitAcrossTheWrap() {
    let memory = RingMemory()
    let ring = ProducerRing(memory.ring)
    var index: UInt32 = 0
    #expect(ring.capacity == 8)
    #expect(ring.reserve(upTo: 0, index: &index) == 0)
    #expect(ring.reserve(upTo: 5, index: &index) == 5)
    for offset in 0..<5 {
      ring.setDescriptor(FrameDescriptor(address: UInt64(offset) * 2048, byteCount: 60), at: index &+ UInt32(offset))
    }
    #expect(ring.pendingCount == 0)
    ring.submit(5)
    #expect(ring.pendingCount == 5)
    #expect((0..<5).map { memory.entries[($0 + 4) % 8].addr } == [0, 2048, 4096, 6144, 8192])
    #expect(ring.reserve(upTo: 5, index: &index) == 3)
    #expect(ring.reserve(upTo: 1, index: &index) == 0)
    memory.words[1] &+= 2
    #expect(ring.pendingCount == 3)
    #expect(ring.reserve(upTo: 100, index: &index) == 2)
    memory.words[2] = UInt32(XDP_RING_NEED_WAKEUP)
    #expect(ring.needsWakeup)
  }
}
