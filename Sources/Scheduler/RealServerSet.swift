// The real servers of one service, as a scheduler sees them.
//
// A scheduler is a pure function that runs on every worker at once, so what it reads must cost no reference counting
// and no copying: this is a handful of borrowed pointers into memory that the caller keeps alive for the length of the
// call. Two kinds of array are kept apart on purpose. What changes only with the configuration (who is in the list,
// with which weight) is indexed by *position*, the place in the list. What changes with traffic (connection counts,
// the overload mark) is indexed by *identifier*, the server's number for as long as it lives, so that a new list does
// not have to carry the counts over.
//
// List order is newest server first. All "first in list" rules mean this order.

import Synchronization

/// A borrowed view of one service's servers in list order (newest added first).
@frozen
public struct RealServerSet {
  /// How many servers the list has.
  public let count: Int
  /// Position -> identifier. Identifiers are unique in a list and less than 0xffff.
  public let identifiers: UnsafePointer<UInt16>
  /// Position -> weight; 0 (or less) is quiescent.
  public let weights: UnsafePointer<Int32>
  /// Identifier -> active connections in the upper 32 bits, inactive ones in the lower. Written atomically by others.
  public let connections: UnsafePointer<UInt64>
  /// Identifier -> 1 when the upper threshold has been reached and the server takes nothing new. Written atomically.
  public let overloaded: UnsafePointer<UInt8>
  /// Bucket -> position, `emptyBucket` where there is none; only for schedulers whose `makeTable` returns a table.
  public let table: UnsafePointer<UInt16>?
  /// How many buckets the table has.
  public let tableCount: Int
  /// Weighted round robin: the greatest common divisor of the weights; see `Scheduler.pace(of:)`.
  public let step: UInt32
  /// Weighted round robin: the weight a round starts with; see `Scheduler.pace(of:)`.
  public let maximum: UInt32
  /// Position -> identity (`ServerIdentity`); only for schedulers that have a cache.
  public let identities: UnsafePointer<UInt64>?
  /// What lblc and lblcr remember; nil for others, and when there was no memory for it.
  public let cache: DestinationCache?
  /// With identities: the same for lists of the same servers in the same order with the same weights, and for no others
  /// (but once in 2^63); even, and never 0.
  @usableFromInline let stamp: UInt64

  /// A bucket without a server.
  @inlinable @inline(__always)
  public static var emptyBucket: UInt16 { 0xffff }

  /// A view over the caller's arrays, which must outlive it.
  @inlinable
  public init(
    count: Int, identifiers: UnsafePointer<UInt16>, weights: UnsafePointer<Int32>, connections: UnsafePointer<UInt64>,
    overloaded: UnsafePointer<UInt8>, table: UnsafePointer<UInt16>? = nil, tableCount: Int = 0, step: UInt32 = 1,
    maximum: UInt32 = 0, identities: UnsafePointer<UInt64>? = nil, cache: DestinationCache? = nil
  ) {
    self.count = count
    self.identifiers = identifiers
    self.weights = weights
    self.connections = connections
    self.overloaded = overloaded
    self.table = table
    self.tableCount = tableCount
    self.step = step
    self.maximum = maximum
    self.identities = identities
    self.cache = cache
    stamp = identities.map { RealServerSet.stamp(of: count, identifiers, weights, $0) } ?? 0
  }

  /// What a look at a server needs that does not change with traffic: weight << 32 | identifier. A weight of 0 is
  /// nobody to pick.
  func glance(at position: Int) -> UInt64 {
    UInt64(max(weights[position], 0)) << 32 | UInt64(identifiers[position])
  }

  /// The glance of a place without a server, or with one that is not in the list.
  static var nobody: UInt64 { 0 }

  /// A hash of the list.
  @usableFromInline
  static func stamp(
    of count: Int, _ identifiers: UnsafePointer<UInt16>, _ weights: UnsafePointer<Int32>,
    _ identities: UnsafePointer<UInt64>
  ) -> UInt64 {
    var stamp: UInt64 = 1
    for position in 0..<count {
      stamp = TwoChoices.stirred(stamp ^ identities[position])
      stamp = TwoChoices.stirred(
        stamp &+ UInt64(UInt32(bitPattern: weights[position])) << 16 &+ UInt64(identifiers[position]))
    }
    return max(stamp & ~1, 2)
  }

  /// True when the server has reached its upper threshold.
  @inlinable @inline(__always)
  public func isOverloaded(at position: Int) -> Bool {
    isOverloaded(identifier: Int(identifiers[position]))
  }

  /// The same by its identifier.
  @inlinable @inline(__always)
  func isOverloaded(identifier: Int) -> Bool {
    UnsafeRawPointer(overloaded + identifier)
      .assumingMemoryBound(to: Atomic<UInt8>.self).pointee.load(ordering: .relaxed) != 0
  }

  /// True when the server may be given a new connection: neither quiescent nor overloaded.
  @inlinable @inline(__always)
  public func isEligible(at position: Int) -> Bool {
    weights[position] > 0 && !isOverloaded(at: position)
  }

  /// Both connection counts in one load: active << 32 | inactive.
  @inlinable @inline(__always)
  public func connectionCounts(at position: Int) -> UInt64 {
    UnsafeRawPointer(connections + Int(identifiers[position]))
      .assumingMemoryBound(to: Atomic<UInt64>.self).pointee.load(ordering: .relaxed)
  }

  /// Active connections.
  @inlinable @inline(__always)
  public func activeCount(at position: Int) -> UInt64 { connectionCounts(at: position) >> 32 }

  /// active * 256 + inactive: what a server's connections weigh in the least-connection family.
  @inlinable @inline(__always)
  public func overhead(at position: Int) -> UInt64 {
    let counts = connectionCounts(at: position)
    return (counts >> 32) << 8 + (counts & 0xffff_ffff)
  }

  /// All positions in order, four a turn: what a turn costs is as much as what the walks of the least-connection family
  /// do for one server.
  @inlinable @inline(__always)
  func forEachPosition(_ body: (Int) -> Void) {
    var position = 0
    while position &+ 4 <= count {
      body(position)
      body(position &+ 1)
      body(position &+ 2)
      body(position &+ 3)
      position &+= 4
    }
    while position < count {
      body(position)
      position &+= 1
    }
  }

  /// Where a server stands, trying `hint` first; nil when it is not in the list.
  @inlinable
  public func position(of identifier: UInt16, hint: Int) -> Int? {
    if hint >= 0 && hint < count && identifiers[hint] == identifier { return hint }
    for position in 0..<count where identifiers[position] == identifier { return position }
    return nil
  }
}
