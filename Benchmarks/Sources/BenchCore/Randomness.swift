/// Reproducible chance (xorshift, 64 bits): the same seed gives both sides the same order of flows.
struct Randomness {
  private var word: UInt64

  /// Any seed will do.
  init(seed: UInt64) {
    // One round of splitmix: neighbouring seeds begin far apart, and none begins at 0.
    var mixed = seed &+ 0x9e37_79b9_7f4a_7c15
    mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
    word = (mixed ^ mixed >> 31) | 1
  }

  /// 64 bits.
  @inline(__always)
  mutating func next() -> UInt64 {
    word ^= word << 13
    word ^= word >> 7
    word ^= word << 17
    return word
  }

  /// 0 and up, below `limit`, which is less than 2^32.
  @inline(__always)
  mutating func below(_ limit: Int) -> Int {
    Int(truncatingIfNeeded: ((next() >> 32) &* UInt64(limit)) >> 32)
  }
}
