import Dataplane

/// Connections that come and go: of a hundred packets ten open one, ten are the ACKs that follow, ten close one (FIN
/// and RST in turns), seventy belong to open ones at random. So many are open at any time; those that were closed stay
/// in the table until the expiry hand takes them.
///
/// The clock is driven: it runs so much faster than the machine's that about as many closed connections as open ones wait
/// for their end. At the machine's own pace that would take a table of hundreds of millions, because a closed
/// connection is kept for one or two minutes. The hand therefore has many times more to do than in life.
final class MixedTraffic<E: Engine> {
  private let engine: E
  private let flows: FlowSet
  private let live: Int
  private let first: Int
  private var oldest: Int
  private var newest: Int
  /// The time of the next round.
  var clock: UInt64
  private let before: [UInt64]
  private var packets = 0

  /// Packets of each kind in a round.
  static var perRound: Int { Frames.count / 10 }
  /// Half are closed by FIN (two minutes), half by RST (ten seconds).
  private static var meanSeconds: Double { 65 }

  /// Room that the table must have.
  static func capacity(live: Int) -> Int { live * 5 / 2 }

  /// Opens `live` connections.
  /// - Parameter first: number of the first one; so that two may work beside each other.
  init(
    _ engine: E, scenario: Scenario, live: Int, first: Int = 0, atNanoseconds clock: UInt64 = 10_000_000_000
  ) throws {
    self.engine = engine
    self.live = live
    self.first = first
    self.clock = clock
    flows = FlowSet(scenario, count: 0)
    oldest = first
    newest = first
    before = engine.outcomes()
    while newest < first + live {
      let batch = newest..<min(newest + Frames.batch, first + live)
      for flags in [Segment.Flags.syn, Segment.Flags.ack] {
        for flow in batch { try flows.offerRequest(flow, flags, to: engine) }
        engine.turn(atNanoseconds: clock)
        packets += batch.count
      }
      newest = batch.upperBound
    }
    engine.turn(atNanoseconds: clock)
  }

  /// Rounds until as many connections expire as are opened.
  var roundsUntilSteady: Int { Int(130e9 / Double(step) / Double(Round.turns)) }

  /// How far the clock goes in a turn.
  var step: UInt64 {
    let closedPerSecond = Double(live) / Self.meanSeconds
    return UInt64(Double(Self.perRound) / closedPerSecond * 1e9 / Double(Round.turns))
  }

  /// Fills and times a round.
  func round(_ random: inout Randomness) throws -> Double {
    try fill(&random)
    return try Round.time(engine, clock: &clock, step: step)
  }

  /// Fills all frames.
  func fill(_ random: inout Randomness) throws {
    let share = Self.perRound
    var opened = newest
    var acknowledged = newest - share
    for position in 0..<Frames.count {
      // One of each in every ten, spread over the round.
      switch position % 10 {
      case 0 where opened < newest + share:
        try flows.offerRequest(opened, Segment.Flags.syn, to: engine)
        opened += 1
      case 3 where acknowledged < newest:
        try flows.offerRequest(acknowledged, Segment.Flags.ack, to: engine)
        acknowledged += 1
      case 6 where oldest < newest + share - live:
        let flags = oldest % 2 == 0 ? Segment.Flags.finAck : Segment.Flags.rst
        try flows.offerRequest(oldest, flags, to: engine)
        oldest += 1
      default:
        // Only those that no packet of this round closes.
        let first = newest + share - live
        let flow = first + random.below(live - 2 * share)
        try flows.offerRequest(flow, Segment.Flags.ack, to: engine)
      }
    }
    newest = opened
    packets += Frames.count
  }

  /// Checks that every packet was forwarded, and that connections have been expiring.
  func verify() throws {
    try flows.verify(engine, since: before, requests: packets, replies: 0, doing: "mixed traffic")
    let (active, inactive) = engine.connections()
    let there = active + inactive
    let opened = newest - first
    guard there < opened, there + Int(engine.expired()) == opened else {
      throw BenchError(
        "mixed traffic: \(opened) connections opened, \(there) there, \(engine.expired()) expired: it does not add up")
    }
  }
}

/// Mixed traffic of lbd against the reference.
enum MixCell {
  /// - Returns: times per packet.
  static func run(_ mode: Mode, live: Int, duel: Duel) throws -> Duel.Result {
    let scenario = Scenario(mode, .v4, connections: MixedTraffic<LbdEngine>.capacity(live: live))
    let ours = try MixedTraffic(LbdEngine(scenario), scenario: scenario, live: live)
    let theirs = try MixedTraffic(ReferenceEngine(scenario), scenario: scenario, live: live)
    var random = Randomness(seed: 1)
    for _ in 0..<ours.roundsUntilSteady { _ = try ours.round(&random) }
    random = Randomness(seed: 1)
    for _ in 0..<theirs.roundsUntilSteady { _ = try theirs.round(&random) }
    let result = try duel.run(ours: ours.round, theirs: theirs.round)
    try ours.verify()
    try theirs.verify()
    return result
  }
}
