// Weighted overflow (ovf): everything to the heaviest server until it has as many active connections as it weighs, then
// to the next.
//
// A server is left out when it has *more* active connections than it weighs, so it takes one above its weight. Of equals
// the first in the list is taken. UDP has no active connections and never flows over.

/// Weighted overflow.
public enum WeightedOverflow {
  /// The eligible server of the highest weight that has room, or -1.
  static func pick(from servers: RealServerSet) -> Int {
    var best = -1
    var highest: Int32 = 0
    servers.forEachPosition { position in
      let weight = servers.weights[position]
      guard weight > highest, servers.activeCount(at: position) <= UInt64(truncatingIfNeeded: weight),
        !servers.isOverloaded(at: position)
      else { return }
      best = position
      highest = weight
    }
    return best
  }
}
