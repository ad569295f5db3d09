// Shortest expected delay (sed): the eligible server where one more connection would wait the least.
//
// (active + 1) / weight is compared as in `wlc`, by cross multiplication; of equals the first in the list is taken.
// Inactive connections do not count. As UDP has no other, all of it goes to the heaviest server.

/// Shortest expected delay.
public enum ShortestExpectedDelay {
  /// The eligible server with the smallest delay, or -1.
  static func pick(from servers: RealServerSet) -> Int {
    var best = -1
    var bestCost: UInt64 = 0
    var bestWeight: UInt64 = 1
    for position in 0..<servers.count where servers.isEligible(at: position) {
      let cost = servers.activeCount(at: position) &+ 1
      let weight = UInt64(truncatingIfNeeded: servers.weights[position])
      if best < 0 || WeightedLeastConnection.isProduct(bestCost, weight, greaterThan: cost, bestWeight) {
        best = position
        bestCost = cost
        bestWeight = weight
      }
    }
    return best
  }
}
