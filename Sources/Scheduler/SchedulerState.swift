// What a scheduler remembers between two picks: one 64-bit word per service.
//
// All workers share the word. A worker loads it, lets the scheduler compute the successor and writes that back by
// compare-and-swap, trying again if another worker was faster. So no pick is ever lost or doubled, no lock is held, and
// the order of picks is the same as on one core. It follows that a scheduler's new state must be a function of the old
// word and the list alone. A scheduler that needs chance (twos) advances a generator in the word.
//
// Layout for the two round robins, which remember a server:
//
//     63            32 31            16 15             0
//     current weight   position hint    cursor
//
// The cursor is the server's identifier + 1; 0 stands for the head of the list, before the first server. The position
// is where the server was found last, a hint that saves the search as long as the list has not changed.

/// One 64-bit word per service, shared by all workers, changed by compare-and-swap in the caller.
///
/// A state that comes back unchanged need not be written.
@frozen
public struct SchedulerState: Hashable, Sendable {
  /// Everything the scheduler remembers.
  public var word: UInt64

  /// A state as stored; 0 is what every scheduler starts from before it hears `.bound`.
  @inlinable @inline(__always)
  public init(word: UInt64 = 0) { self.word = word }

  /// The server picked last; nil at the head of the list.
  @inlinable @inline(__always)
  var cursor: UInt16? {
    let low = UInt16(truncatingIfNeeded: word)
    return low == 0 ? nil : low &- 1
  }

  /// Where the cursor's server stands in `servers`; -1 for the head of the list, also when the server has gone.
  @inlinable @inline(__always)
  func cursorPosition(in servers: RealServerSet) -> Int {
    guard let cursor else { return -1 }
    return servers.position(of: cursor, hint: Int(word >> 16 & 0xffff)) ?? -1
  }

  /// Puts the cursor on the server at `position`.
  @inlinable @inline(__always)
  mutating func moveCursor(to position: Int, in servers: RealServerSet) {
    let cursor = UInt64(servers.identifiers[position] &+ 1)
    word = word & ~0xffff_ffff | UInt64(truncatingIfNeeded: position & 0xffff) << 16 | cursor
  }

  /// Puts the cursor before the first server.
  @inlinable @inline(__always)
  mutating func moveCursorToHead() { word &= ~0xffff_ffff }

  /// Weighted round robin: the weight a server must have to be picked in this pass.
  @inlinable @inline(__always)
  var currentWeight: UInt32 {
    get { UInt32(truncatingIfNeeded: word >> 32) }
    set { word = word & 0xffff_ffff | UInt64(newValue) << 32 }
  }
}
