// Least connection (lc): the eligible server with the fewest connections, whatever it weighs.
//
// An active connection counts as much as 256 inactive ones: those cost a server little more than memory. Of equals the
// first in the list is taken. Nothing is remembered between picks; the counts are the memory.
//
// All of the family walk the whole list for every pick, and ask first whether a server is better than the best so far:
// few are, the processor guesses the answer, and only of those few need it be known whether they may be picked.

/// Least connection.
public enum LeastConnection {
  /// The eligible server with the smallest overhead, or -1.
  @inlinable
  static func pick(from servers: RealServerSet) -> Int {
    var best = -1
    var least = UInt64.max
    servers.forEachPosition { position in
      let overhead = servers.overhead(at: position)
      if overhead < least, servers.isEligible(at: position) {
        best = position
        least = overhead
      }
    }
    return best
  }
}
