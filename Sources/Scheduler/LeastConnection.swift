// Least connection (lc): the eligible server with the fewest connections, whatever it weighs.
//
// An active connection counts as much as 256 inactive ones: those cost a server little more than memory. Of equals the
// first in the list is taken. Nothing is remembered between picks; the counts are the memory.

/// Least connection.
public enum LeastConnection {
  /// The eligible server with the smallest overhead, or -1.
  @inlinable
  static func pick(from servers: RealServerSet) -> Int {
    var best = -1
    var least = UInt64.max
    for position in 0..<servers.count where servers.isEligible(at: position) {
      let overhead = servers.overhead(at: position)
      if overhead < least {
        best = position
        least = overhead
      }
    }
    return best
  }
}
