import Glibc

/// A small generator: the same seed gives the same numbers.
struct RandomNumbers {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  /// 64 random bits.
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var word = state
    word = (word ^ word >> 30) &* 0xbf58_476d_1ce4_e5b9
    word = (word ^ word >> 27) &* 0x94d0_49bb_1331_11eb
    return word ^ word >> 31
  }

  /// 0 to `bound` - 1.
  mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(max(bound, 1))) }

  /// A whole number of the range.
  mutating func within(_ range: ClosedRange<Int>) -> Int { range.lowerBound + below(range.count) }

  /// True with the given probability.
  mutating func chance(_ probability: Double) -> Bool { share() < probability }

  /// 0 to 1, without 1.
  mutating func share() -> Double { Double(next() >> 11) * 0x1p-53 }

  /// The time to the next of events that come by chance, `mean` apart.
  mutating func exponential(mean: Double) -> Double { -mean * log(1 - share()) }

  /// Evenly spread in its logarithm.
  mutating func logarithmic(_ range: ClosedRange<Double>) -> Double {
    range.lowerBound * exp(share() * log(range.upperBound / range.lowerBound))
  }

  /// Bounded Pareto: most are near the lower bound, and a few make up much of the sum.
  mutating func pareto(_ range: ClosedRange<Double>, shape: Double) -> Double {
    let tail = pow(range.lowerBound / range.upperBound, shape)
    return range.lowerBound * pow(1 - share() * (1 - tail), -1 / shape)
  }
}
