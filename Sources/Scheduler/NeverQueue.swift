// Never queue (nq): an idle server if there is one, else the one with the shortest expected delay (`sed`).
//
// The first eligible server in the list without active connections is taken, however little it weighs: nobody is made to
// wait while somebody has nothing to do. Inactive connections do not count, so all UDP goes to the first eligible one.

/// Never queue.
public enum NeverQueue {
  /// The first idle server, or the eligible one with the smallest delay, or -1.
  static func pick(from servers: RealServerSet) -> Int {
    var best = -1
    var bestCost = ShortestExpectedDelay.unbearable
    var bestWeight: UInt64 = 1
    for position in 0..<servers.count {
      let cost = servers.activeCount(at: position) &+ 1
      if cost == 1, servers.isEligible(at: position) { return position }
      let weight = UInt64(truncatingIfNeeded: servers.weights[position])
      if bestCost &* weight > cost &* bestWeight, servers.isEligible(at: position) {
        best = position
        bestCost = cost
        bestWeight = weight
      }
    }
    return best
  }
}
