import CShims

/// A ring of eight entries in plain memory: the test plays the kernel.
final class RingMemory {
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
