// Weighted least connection (wlc): the eligible server with the fewest connections for its weight.
//
// overhead/weight is compared by cross multiplication, so no precision is lost and nothing is divided. Of equals the
// first in the list is taken: without load that is the newest server, not the heaviest.
//
// A product takes up to 72 bits. As long as no server has 2^33 to show (30 million active connections), 64 will do: a
// contest notes all overheads it meets, and only if one was larger it is held again at full width.

/// Weighted least connection.
public enum WeightedLeastConnection {
  /// The eligible server with the smallest overhead for its weight, or -1.
  @inlinable
  static func pick(from servers: RealServerSet) -> Int {
    var contest = Contest()
    servers.forEachPosition { contest.enter($0, of: servers) }
    return contest.isExact ? contest.winner : pickAtFullWidth(from: servers)
  }

  @inlinable @inline(never)
  static func pickAtFullWidth(from servers: RealServerSet) -> Int {
    var contest = Contest()
    for position in 0..<servers.count { contest.enter(position, of: servers, atFullWidth: true) }
    return contest.winner
  }

  /// Servers compared one after the other: the least loaded for its weight wins, of equals the one that came first.
  @frozen @usableFromInline
  struct Contest {
    /// Position of the winner so far, or -1.
    @usableFromInline var winner = -1
    // More than anybody's that counts here.
    @usableFromInline var overhead = Contest.narrowLimit
    @usableFromInline var weight: UInt64 = 1
    @usableFromInline var overheads: UInt64 = 0

    /// What an overhead must be below, for its product with a weight (31 bits) to fit a word.
    @inlinable @inline(__always)
    static var narrowLimit: UInt64 { 1 << 33 }

    @inlinable @inline(__always)
    init() {}

    /// False when somebody's overhead was so large that the contest must be held at full width.
    @inlinable @inline(__always)
    var isExact: Bool { overheads < Contest.narrowLimit }

    /// - Parameter atFullWidth: the same at all entries of a contest.
    @inlinable @inline(__always)
    mutating func enter(_ position: Int, of servers: RealServerSet, atFullWidth: Bool = false) {
      let overhead = servers.overhead(at: position)
      let weight = UInt64(truncatingIfNeeded: servers.weights[position])
      overheads |= overhead
      let isBetter =
        atFullWidth
        ? winner < 0 || isProduct(self.overhead, weight, greaterThan: overhead, self.weight)
        : self.overhead &* weight > overhead &* self.weight
      guard isBetter, servers.isEligible(at: position) else { return }
      winner = position
      self.overhead = overhead
      self.weight = weight
    }
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
