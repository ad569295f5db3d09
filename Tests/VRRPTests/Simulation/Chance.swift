/// SplitMix64: what a history does is a function of its seed.
struct Chance: RandomNumberGenerator {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var value = state
    value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
    value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
    return value ^ value >> 31
  }

  /// True that often in a hundred.
  mutating func percent(_ share: Int) -> Bool { Int.random(in: 0..<100, using: &self) < share }

  mutating func below(_ limit: UInt64) -> UInt64 { limit == 0 ? 0 : UInt64.random(in: 0..<limit, using: &self) }

  mutating func pick<Element>(_ elements: [Element]) -> Element { elements[Int(below(UInt64(elements.count)))] }
}
