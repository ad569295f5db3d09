// Weighted round robin (wrr): in turn, the heavier more often.
//
// The list is walked in passes. Each pass has a current weight and takes every server, one per pick, that weighs at
// least as much; the next pass asks for `step` less; below 1 it starts over with `maximum`. With step the greatest
// common divisor of the weights, a server of weight w is taken in w/step passes of a round.
//
// The cursor goes back to the head whenever the list changes, but the current weight is kept if it still makes sense.
// That is why servers added one by one to a running service begin with a round of everybody: the first server had
// left the current weight at its own.
//
// A pass in which nobody can be taken is skipped at once: with weights 65535 and 1, and the heavy server overloaded,
// walking 65534 empty passes for one pick would let a client stall a worker. The picks are those of the plain walk.

/// Weighted round robin.
public enum WeightedRoundRobin {
  /// The next server that weighs enough for the current pass, or -1.
  @inlinable
  static func pick(from servers: RealServerSet, state: inout SchedulerState) -> Int {
    let maximum = Int64(servers.maximum)
    let step = max(1, Int64(servers.step))
    guard maximum > 0, servers.count > 0 else { return -1 }
    let last = state.cursorPosition(in: servers)
    // A word that belongs to another list (a publication is under way) may ask for more than anybody weighs.
    var weight = Int64(state.currentWeight)
    if weight == 0 || weight > maximum { weight = maximum }

    var position = last &+ 1
    var end = servers.count
    var isFinalPass = false
    var hasRestarted = false
    while true {
      while position < end {
        if Int64(servers.weights[position]) >= weight && !servers.isOverloaded(at: position) {
          state.currentWeight = UInt32(truncatingIfNeeded: weight)
          state.moveCursor(to: position, in: servers)
          return position
        }
        position &+= 1
      }
      if isFinalPass && hasRestarted {
        state.currentWeight = UInt32(truncatingIfNeeded: weight)
        state.moveCursor(to: last, in: servers)
        return -1
      }
      weight &-= step
      if weight <= 0 {
        weight = maximum
        if isFinalPass || last < 0 {
          state.currentWeight = UInt32(truncatingIfNeeded: weight)
          state.moveCursorToHead()
          return -1
        }
        hasRestarted = true
      }
      weight = skippingEmptyPasses(weight, step: step, servers: servers)
      isFinalPass = weight <= step
      if isFinalPass && hasRestarted { end = last &+ 1 }
      position = 0
    }
  }

  /// The weight of the next pass that can find somebody, or of the final one.
  @inlinable
  static func skippingEmptyPasses(_ weight: Int64, step: Int64, servers: RealServerSet) -> Int64 {
    var heaviest = step
    for position in 0..<servers.count where !servers.isOverloaded(at: position) {
      heaviest = max(heaviest, Int64(servers.weights[position]))
    }
    guard weight > heaviest else { return weight }
    return weight &- (weight &- heaviest &+ step &- 1) / step &* step
  }

  static func serversChanged(
    _ state: SchedulerState, servers: RealServerSet, change: ServerListChange
  ) -> SchedulerState {
    var next = SchedulerState()
    let current = state.currentWeight
    if change == .bound || current > servers.maximum || current == 0 {
      next.currentWeight = servers.maximum
    } else if servers.step > 1 {
      next.currentWeight = current / servers.step * servers.step + 1
    } else {
      next.currentWeight = current
    }
    return next
  }

  /// The greatest common divisor of the positive weights (1 if there is none), and the weight a round starts with.
  static func pace(of weights: [Int32]) -> (step: UInt32, maximum: UInt32) {
    let positive = weights.compactMap { $0 > 0 ? UInt32($0) : nil }
    guard let heaviest = positive.max() else { return (1, 0) }
    let step = positive.reduce(0, greatestCommonDivisor)
    return (step, heaviest - (step - 1))
  }

  /// The pace of a list to which one more server comes; the same as that of all weights, without walking over them.
  static func pace(
    _ pace: (step: UInt32, maximum: UInt32), adding weight: Int32
  ) -> (step: UInt32, maximum: UInt32) {
    guard weight > 0 else { return pace }
    guard pace.maximum > 0 else { return WeightedRoundRobin.pace(of: [weight]) }
    let step = greatestCommonDivisor(pace.step, UInt32(weight))
    let heaviest = max(pace.maximum + (pace.step - 1), UInt32(weight))
    return (step, heaviest - (step - 1))
  }

  private static func greatestCommonDivisor(_ left: UInt32, _ right: UInt32) -> UInt32 {
    var (left, right) = (left, right)
    while right != 0 { (left, right) = (right, left % right) }
    return left
  }
}
