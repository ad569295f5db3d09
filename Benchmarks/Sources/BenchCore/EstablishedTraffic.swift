/// Packets of open connections in random order: of clients alone where replies do not pass here, else batches of
/// requests and batches of replies in turns, as two busy ports give.
final class EstablishedTraffic<E: Engine> {
  private let engine: E
  private let flows: FlowSet
  private let hasReplies: Bool
  private let before: [UInt64]
  private var rounds = 0

  /// Opens the flows.
  /// - Parameter clock: the time to do it at; nil: the system's.
  init(
    _ engine: E, scenario: Scenario, count: Int, requestsOnly: Bool = false, atNanoseconds clock: UInt64? = nil
  ) throws {
    self.engine = engine
    flows = FlowSet(scenario, count: count)
    hasReplies = scenario.mode.answers && !requestsOnly
    try flows.open(engine, atNanoseconds: clock)
    before = engine.outcomes()
  }

  /// Fills all frames.
  func fill(_ random: inout Randomness) throws {
    for batch in 0..<Round.turns {
      let isReply = hasReplies && batch % 2 == 1
      for _ in 0..<Frames.batch {
        let flow = random.below(flows.count)
        if isReply {
          try flows.offerReply(flow, Segment.Flags.ack, to: engine)
        } else {
          try flows.offerRequest(flow, Segment.Flags.ack, to: engine)
        }
      }
    }
    rounds += 1
  }

  /// Fills and times a round.
  func round(_ random: inout Randomness) throws -> Double {
    try fill(&random)
    return try Round.time(engine)
  }

  /// Checks that every packet went where it should.
  func verify() throws {
    let packets = rounds * Frames.count
    let replies = hasReplies ? packets / 2 : 0
    try flows.verify(
      engine, since: before, requests: packets - replies, replies: replies,
      doing: "established traffic over \(flows.count) flows")
  }
}

/// Established traffic of lbd against one of its references.
enum EstablishedCell {
  /// Against the same loop in C.
  static func run(_ scenario: Scenario, connections: Int, duel: Duel) throws -> Duel.Result {
    try duel.inLives(isLong: connections >= 10_000_000) { duel, isOursFirst in
      func ours() throws -> EstablishedTraffic<LbdEngine> {
        try EstablishedTraffic(LbdEngine(scenario), scenario: scenario, count: connections)
      }
      func theirs() throws -> EstablishedTraffic<ReferenceEngine> {
        try EstablishedTraffic(ReferenceEngine(scenario), scenario: scenario, count: connections)
      }
      let early = isOursFirst ? try ours() : nil
      let reference = try theirs()
      let lbd = try early ?? ours()
      let result = try duel.run(ours: lbd.round, theirs: reference.round)
      try lbd.verify()
      try reference.verify()
      return result
    }
  }

  /// Against the plain loop, whose table has two lines a flow: requests only.
  static func runAgainstPlainLoop(_ scenario: Scenario, connections: Int, duel: Duel) throws -> Duel.Result {
    let ours = try EstablishedTraffic(
      LbdEngine(scenario), scenario: scenario, count: connections, requestsOnly: true)
    let theirs = try PlainLoopEngine(scenario, flows: connections)
    let flows = FlowSet(scenario, count: connections)
    let result = try duel.run(ours: ours.round) { random in
      for _ in 0..<Frames.count { theirs.offer(flows.request(random.below(connections), Segment.Flags.ack)) }
      let (elapsed, forwarded) = theirs.process()
      guard forwarded == Frames.count else {
        throw BenchError("plain loop: \(forwarded) of \(Frames.count) frames forwarded")
      }
      return Double(elapsed) / Double(Frames.count)
    }
    try ours.verify()
    return result
  }
}
