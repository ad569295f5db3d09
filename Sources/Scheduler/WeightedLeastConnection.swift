// Weighted least connection (wlc): the eligible server with the fewest connections for its weight.
//
// overhead/weight is compared by cross multiplication, so no precision is lost and nothing is divided. Of equals the
// first in the list is taken: without load that is the newest server, not the heaviest.
//
// A product takes up to 72 bits. As long as no server has 2^33 to show (30 million active connections), 64 will do: the
// walk notes all overheads it meets, and only if one was larger it is made again at full width.

/// Weighted least connection.
public enum WeightedLeastConnection {
  /// The eligible server with the smallest overhead for its weight, or -1.
  @inlinable
  static func pick(from servers: RealServerSet) -> Int {
    var best = -1
    // More than anybody's that counts here.
    var bestOverhead = narrowLimit
    var bestWeight: UInt64 = 1
    var overheads: UInt64 = 0
    for position in 0..<servers.count {
      let overhead = servers.overhead(at: position)
      let weight = UInt64(truncatingIfNeeded: servers.weights[position])
      overheads |= overhead
      if bestOverhead &* weight > overhead &* bestWeight, servers.isEligible(at: position) {
        best = position
        bestOverhead = overhead
        bestWeight = weight
      }
    }
    return overheads < narrowLimit ? best : pickAtFullWidth(from: servers)
  }

  /// What an overhead must be below, for its product with a weight (31 bits) to fit a word.
  @inlinable @inline(__always)
  static var narrowLimit: UInt64 { 1 << 33 }

  /// The same for any overhead.
  @inlinable @inline(never)
  static func pickAtFullWidth(from servers: RealServerSet) -> Int {
    var best = -1
    var bestOverhead: UInt64 = 0
    var bestWeight: UInt64 = 1
    for position in 0..<servers.count where servers.isEligible(at: position) {
      let overhead = servers.overhead(at: position)
      let weight = UInt64(truncatingIfNeeded: servers.weights[position])
      if best < 0 || isProduct(bestOverhead, weight, greaterThan: overhead, bestWeight) {
        best = position
        bestOverhead = overhead
        bestWeight = weight
      }
    }
    return best
  }

  /// a * b > c * d, exactly.
  @inlinable @inline(__always)
  static func isProduct(_ a: UInt64, _ b: UInt64, greaterThan c: UInt64, _ d: UInt64) -> Bool {
    if (a | b | c | d) >> 32 == 0 { return a &* b > c &* d }
    let left = a.multipliedFullWidth(by: b)
    let right = c.multipliedFullWidth(by: d)
    return left.high > right.high || (left.high == right.high && left.low > right.low)
  }
}
