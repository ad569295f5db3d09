// Weighted least connection (wlc): the eligible server with the fewest connections for its weight.
//
// overhead/weight is compared by cross multiplication, so no precision is lost and nothing is divided; the products
// take up to 72 bits and are compared at full width. Of equals the first in the list is taken: without load that is the
// newest server, not the heaviest.

/// Weighted least connection.
public enum WeightedLeastConnection {
  /// The eligible server with the smallest overhead for its weight, or -1.
  @inlinable
  static func pick(from servers: RealServerSet) -> Int {
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
