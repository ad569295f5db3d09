/// A fixed number of packets through one side at a clock that is driven, so that every run is the same to the instruction.
/// Under callgrind only what happens within `countedTurns` is counted.
public enum CountedRun {
  /// A cell: `dr-v4-established`, `new-wlc`.
  public struct Cell: Sendable {
    /// Its name.
    public let name: String
    let mode: Mode
    let family: Family
    let scheduling: Scheduling?

    /// All cells that lbd has what it takes for.
    public static var all: [Cell] {
      let established = Mode.allCases.flatMap { mode in
        Family.allCases.map { Cell(name: "\(mode)-\($0)-established", mode: mode, family: $0, scheduling: nil) }
      }
      let new = Scheduling.allCases.filter { $0.scheduler != nil }.map {
        Cell(name: "new-\($0)", mode: .dr, family: .v4, scheduling: $0)
      }
      return established + new
    }
  }

  /// Which program is counted.
  public enum Side: String, CaseIterable, Sendable {
    case lbd
    case reference
  }

  private static let flows = 1000
  private static let start: UInt64 = 10_000_000_000
  /// About what a batch takes: so the expiry hand moves as often, in packets, as in life.
  private static let step: UInt64 = 1000

  /// Takes `rounds` times 4096 packets through.
  public static func run(_ cell: Cell, _ side: Side, rounds: Int) throws {
    var scenario = Scenario(cell.mode, cell.family, connections: cell.scheduling == nil ? 4096 : 1 << 18)
    scenario.scheduling = cell.scheduling ?? .rr
    switch side {
    case .lbd: try run(LbdEngine(scenario), scenario, rounds, isNew: cell.scheduling != nil) { countedTurns($0, $1) }
    case .reference:
      try run(PortableEngine(scenario), scenario, rounds, isNew: cell.scheduling != nil) { countedTurns($0, $1) }
    }
  }

  private static func run<E: Engine>(
    _ engine: E, _ scenario: Scenario, _ rounds: Int, isNew: Bool, _ turns: (E, UInt64) -> Int
  ) throws {
    var random = Randomness(seed: 1)
    var clock = start
    if isNew {
      let flows = FlowSet(scenario, count: 0)
      let before = engine.outcomes()
      for round in 0..<rounds {
        for flow in 0..<Frames.count {
          try flows.offerRequest(round * Frames.count + flow, Segment.Flags.syn, to: engine)
        }
        try take(engine, &clock, turns)
      }
      let count = rounds * Frames.count
      try flows.verify(engine, since: before, requests: count, replies: 0, doing: "count new connections")
    } else {
      let traffic = try EstablishedTraffic(engine, scenario: scenario, count: flows, atNanoseconds: clock)
      for _ in 0..<rounds {
        try traffic.fill(&random)
        try take(engine, &clock, turns)
      }
      try traffic.verify()
    }
  }

  private static func take<E: Engine>(_ engine: E, _ clock: inout UInt64, _ turns: (E, UInt64) -> Int) throws {
    let packets = turns(engine, clock)
    guard packets == Frames.count else { throw BenchError("count a round: \(packets) packets went through") }
    clock += step * UInt64(Round.turns)
    engine.turn(atNanoseconds: clock)
  }

  @inline(never)
  private static func countedTurns(_ engine: LbdEngine, _ clock: UInt64) -> Int {
    var packets = 0
    for turn in 0..<Round.turns { packets += engine.turn(atNanoseconds: clock &+ step &* UInt64(turn)) }
    return packets
  }

  @inline(never)
  private static func countedTurns(_ engine: PortableEngine, _ clock: UInt64) -> Int {
    var packets = 0
    for turn in 0..<Round.turns { packets += engine.turn(atNanoseconds: clock &+ step &* UInt64(turn)) }
    return packets
  }
}
