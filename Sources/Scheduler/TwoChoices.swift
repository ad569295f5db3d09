// Power of two choices (twos): two servers by lot, each by its weight; the one with less to do gets the connection.
//
// Two numbers are drawn from 0 to the sum of the weights of all eligible servers, both ends included. Going down the
// list, a number is used up by the weights; the server that uses up the last of it is its choice. (0 leads to the first
// server too, which is thereby a little ahead.) overhead/weight decides as in `wlc`; of equals the first drawn is taken.
//
// Chance is a generator in the scheduler's word: who knows the word knows the picks, so a replay under a seed is the
// same every time. The word moves on by a constant with each number (a Weyl sequence) and is stirred to give the number
// (SplitMix64), so workers that race for it get different numbers.

/// Power of two choices.
public enum TwoChoices {
  /// The less loaded of two servers drawn by lot, or -1.
  static func pick(from servers: RealServerSet, state: inout SchedulerState) -> Int {
    var total: UInt64 = 0
    for position in 0..<servers.count where servers.isEligible(at: position) {
      total &+= UInt64(truncatingIfNeeded: servers.weights[position])
    }
    guard total > 0 else { return -1 }
    let first = draw(&state, through: total)
    let second = draw(&state, through: total)
    return pick(from: servers, first: first, second: second)
  }

  /// What two drawn numbers lead to: the less loaded one of both choices, or -1.
  static func pick(from servers: RealServerSet, first: UInt64, second: UInt64) -> Int {
    // One walk down the list for both, to the smaller number first.
    var walk = Walk()
    let near = walk.go(to: min(first, second), in: servers)
    let far = walk.go(to: max(first, second), in: servers)
    guard near >= 0, far >= 0 else { return -1 }
    let (one, other) = first <= second ? (near, far) : (far, near)
    let weights = (
      UInt64(truncatingIfNeeded: servers.weights[one]), UInt64(truncatingIfNeeded: servers.weights[other])
    )
    let isOtherBetter = WeightedLeastConnection.isProduct(
      servers.overhead(at: one), weights.1, greaterThan: servers.overhead(at: other), weights.0)
    return isOtherBetter ? other : one
  }

  /// A walk down the list that adds up the weights of the eligible servers.
  private struct Walk {
    private var next = 0
    private var sum: UInt64 = 0
    private var choice = -1

    /// The server whose weight brings the sum up to `number`.
    ///
    /// Failing that the last one met, so that there is a choice even when servers have become overloaded since the
    /// sum was made.
    @inline(__always)
    mutating func go(to number: UInt64, in servers: RealServerSet) -> Int {
      if choice >= 0 && sum >= number { return choice }
      while next < servers.count {
        let position = next
        next &+= 1
        guard servers.isEligible(at: position) else { continue }
        choice = position
        sum &+= UInt64(truncatingIfNeeded: servers.weights[position])
        if sum >= number { return position }
      }
      return choice
    }
  }

  /// The next number from 0 to `last`, both included.
  @inline(__always)
  static func draw(_ state: inout SchedulerState, through last: UInt64) -> UInt64 {
    state.word &+= 0x9e37_79b9_7f4a_7c15
    // The sum of 65535 weights has 47 bits: what the product's unevenness amounts to is one in 2^17 at the very most.
    return stirred(state.word).multipliedFullWidth(by: last &+ 1).high
  }

  /// The finalizer of SplitMix64.
  @inline(__always)
  static func stirred(_ word: UInt64) -> UInt64 {
    var word = word
    word = (word ^ word &>> 30) &* 0xbf58_476d_1ce4_e5b9
    word = (word ^ word &>> 27) &* 0x94d0_49bb_1331_11eb
    return word ^ word &>> 31
  }
}
