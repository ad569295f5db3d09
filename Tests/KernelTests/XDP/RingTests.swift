import CShims
import Testing

@testable import Kernel

/// The rings, with the kernel's side played by the test.
struct ProducerRingTests {
  private final class Memory {
    let words = UnsafeMutablePointer<UInt32>.allocate(capacity: 3)
    let entries = UnsafeMutablePointer<xdp_desc>.allocate(capacity: 8)
    let ring = UnsafeMutablePointer<xsk_ring_prod>.allocate(capacity: 1)

    /// An empty ring of eight entries whose counters are about to wrap.
    init() {
      let start = UInt32.max - 3
      words.initialize(repeating: start, count: 2)
      words[2] = 0
      ring.initialize(
        to: xsk_ring_prod(
          cached_prod: start, cached_cons: start &+ 8, mask: 7, size: 8, producer: words, consumer: words + 1,
          ring: UnsafeMutableRawPointer(entries), flags: words + 2))
    }

    deinit {
      words.deallocate()
      entries.deallocate()
      ring.deallocate()
    }
  }

  @Test func reserveAndSubmitAcrossTheWrap() {
    let memory = Memory()
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

  @Test func peekAndRelease() {
    let memory = Memory()
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
