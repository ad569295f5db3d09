// Shortest expected delay (sed): the eligible server where one more connection would wait the least.
//
// (active + 1) / weight is compared as in `wlc`, by cross multiplication; of equals the first in the list is taken. The
// products fit a word: 2^32 times 31 bits. Inactive connections do not count. As UDP has no other, all of it goes to the
// heaviest server.

/// Shortest expected delay.
public enum ShortestExpectedDelay {
  /// The eligible server with the smallest delay, or -1.
  static func pick(from servers: RealServerSet) -> Int {
    var best = -1
    var bestCost = unbearable
    var bestWeight: UInt64 = 1
    servers.forEachPosition { position in
      let cost = servers.activeCount(at: position) &+ 1
      let weight = UInt64(truncatingIfNeeded: servers.weights[position])
      if bestCost &* weight > cost &* bestWeight, servers.isEligible(at: position) {
        best = position
        bestCost = cost
        bestWeight = weight
      }
    }
    return best
  }

  /// A cost above any server's, to begin with.
  @inline(__always)
  static var unbearable: UInt64 { 1 << 33 }
}
