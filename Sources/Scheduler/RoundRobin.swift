// Round robin (rr): everybody in turn.
//
// The walk starts after the server picked last and takes the first eligible one; past the end it wraps once and goes
// on up to the server it started from, which is the last to be considered. Weights count only as zero or not.
//
// The cursor names a server and not a place, so a list that grows at its head does not disturb the turn: a new server
// is met when the walk wraps. A removed server hands the cursor to its predecessor, so that its successor is next.
// Without an eligible server the cursor stays.

/// Round robin.
public enum RoundRobin {
  /// The next eligible server after the cursor, or -1.
  @inlinable
  static func pick(from servers: RealServerSet, state: inout SchedulerState) -> Int {
    let last = state.cursorPosition(in: servers)
    var position = last &+ 1
    for _ in 0..<servers.count {
      if position >= servers.count { position = 0 }
      if servers.isEligible(at: position) {
        state.moveCursor(to: position, in: servers)
        return position
      }
      position &+= 1
    }
    return -1
  }

  static func serversChanged(_ state: SchedulerState, change: ServerListChange) -> SchedulerState {
    switch change {
    case .bound:
      return SchedulerState()
    case .removed(let identifier, let predecessor) where state.cursor == identifier:
      return SchedulerState(word: predecessor.map { UInt64($0) + 1 } ?? 0)
    case .removed, .added, .edited:
      return state
    }
  }
}
