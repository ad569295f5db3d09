import Dataplane

/// One worker's share of the traffic.
final class ScaleLoad<E: Engine>: WorkerLoad {
  private let engine: E
  private let offer: () throws -> Void
  private let clock: DrivenClock?

  /// - Parameters:
  ///   - clock: the time of each round; nil: the system's.
  ///   - offer: offers 4096 packets.
  init(_ engine: E, clock: DrivenClock? = nil, offer: @escaping () throws -> Void) {
    self.engine = engine
    self.clock = clock
    self.offer = offer
  }

  func fill() throws {
    // The frames that the last turn sent become free in the next.
    turn(0)
    try offer()
  }

  func turns() -> Int {
    var packets = 0
    for number in 0..<Round.turns { packets += turn(number) }
    return packets
  }

  @inline(__always) @discardableResult
  private func turn(_ number: Int) -> Int {
    guard let clock else { return engine.turnNow() }
    return engine.turn(atNanoseconds: clock.nanoseconds + DrivenClock.step * UInt64(number))
  }
}

/// The time of workers whose clock is driven: the same for all, moved on between rounds.
///
/// A round is a quarter of a second, so that no tick of the table (half a second) begins within one: what one worker has
/// stamped is never in the other's future.
final class DrivenClock {
  private(set) var nanoseconds: UInt64 = 10_000_000_000
  static let step: UInt64 = 250_000_000 / UInt64(Round.turns)

  func advance() { nanoseconds += 250_000_000 }
}

/// Both workers of a kind of traffic, on one table.
enum ScaleLoads {
  /// Each has every second flow, as receive-side scaling would share them out.
  static func established<E: Engine>(_ engines: [E], _ scenario: Scenario, connections: Int) throws -> [ScaleLoad<E>] {
    let flows = FlowSet(scenario, count: connections)
    try flows.open(engines[0])
    return engines.enumerated().map { worker, engine in
      let own = FlowSet(sharing: flows)
      var random = Randomness(seed: UInt64(worker))
      return ScaleLoad(engine) {
        for batch in 0..<Round.turns {
          for _ in 0..<Frames.batch {
            let flow = random.below(connections / 2) * 2 + worker
            if scenario.mode.answers, batch % 2 == 1 {
              try own.offerReply(flow, Segment.Flags.ack, to: engine)
            } else {
              try own.offerRequest(flow, Segment.Flags.ack, to: engine)
            }
          }
        }
      }
    }
  }

  /// Each has clients of its own.
  static func new<E: Engine>(_ engines: [E], _ scenario: Scenario) -> [ScaleLoad<E>] {
    engines.enumerated().map { worker, engine in
      let flows = FlowSet(scenario, count: 0)
      var next = worker
      return ScaleLoad(engine) {
        for _ in 0..<Frames.count {
          try flows.offerRequest(next, Segment.Flags.syn, to: engine)
          next += engines.count
        }
      }
    }
  }

  /// Each has connections of its own that come and go.
  static func mix<E: Engine>(
    _ engines: [E], _ scenario: Scenario, live: Int, clock: DrivenClock
  ) throws -> [ScaleLoad<E>] {
    try engines.enumerated().map { worker, engine in
      let traffic = try MixedTraffic(
        engine, scenario: scenario, live: live, first: worker * 50_000_000, atNanoseconds: clock.nanoseconds)
      var random = Randomness(seed: UInt64(worker))
      return ScaleLoad(engine, clock: clock) { try traffic.fill(&random) }
    }
  }

  /// Checks that nothing but forwarding has happened.
  static func verify(_ engine: some Engine) throws {
    for (outcome, count) in zip(Outcome.allCases, engine.outcomes()) where outcome != .pending && count > 0 {
      guard outcome.fate == .forwarded else { throw BenchError("two workers: \(count) frames are \(outcome.name)") }
    }
  }
}
