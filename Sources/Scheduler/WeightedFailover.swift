// Weighted failover (fo): everything to the heaviest eligible server; the others wait until it is gone.
//
// Of equals the first in the list is taken.

/// Weighted failover.
public enum WeightedFailover {
  /// The eligible server of the highest weight, or -1.
  static func pick(from servers: RealServerSet) -> Int {
    var best = -1
    var highest: Int32 = 0
    for position in 0..<servers.count where servers.weights[position] > highest && !servers.isOverloaded(at: position) {
      best = position
      highest = servers.weights[position]
    }
    return best
  }
}
