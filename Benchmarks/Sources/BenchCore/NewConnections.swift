import Dataplane

/// SYNs of distinct clients into a table with room for four million connections, which is emptied when half full.
final class NewConnections<E: Engine> {
  /// Connections the table has room for.
  static var capacity: Int { 4 << 20 }
  private static var limit: Int { capacity / 2 }

  private let scenario: Scenario
  private let makeEngine: (Scenario) throws -> E
  private var engine: E
  private let flows: FlowSet
  private var before: [UInt64]
  private var opened = 0

  /// - Parameter makeEngine: makes one with an empty table.
  init(_ scenario: Scenario, makeEngine: @escaping (Scenario) throws -> E) throws {
    self.scenario = scenario
    self.makeEngine = makeEngine
    engine = try makeEngine(scenario)
    flows = FlowSet(scenario, count: 0)
    before = engine.outcomes()
    try touch()
  }

  /// Fills and times a round.
  func round(_ random: inout Randomness) throws -> Double {
    if opened + Frames.count > Self.limit { try empty() }
    try fill()
    return try Round.time(engine)
  }

  /// Fills all frames with SYNs. Their keys are in random order in the table, whatever order they come in.
  func fill() throws {
    for flow in opened..<opened + Frames.count {
      try flows.offerRequest(flow, Segment.Flags.syn, to: engine)
    }
    opened += Frames.count
  }

  /// Checks that every SYN opened a connection.
  func verify() throws {
    try flows.verify(engine, since: before, requests: opened, replies: 0, doing: "open \(opened) connections")
    let (active, inactive) = engine.connections()
    guard active + inactive == opened else {
      throw BenchError("open \(opened) connections: \(active + inactive) are there")
    }
  }

  private func empty() throws {
    try verify()
    engine = try makeEngine(scenario)
    before = engine.outcomes()
    opened = 0
    try touch()
  }

  /// What the kernel does when a page of the table is used for the first time is not ours to measure: some rounds reach
  /// all its (huge) pages.
  private func touch() throws {
    for _ in 0..<4 {
      try fill()
      _ = try Round.time(engine)
    }
  }
}

/// New connections of lbd against the reference.
enum NewConnectionsCell {
  /// - Returns: times per connection.
  static func run(_ scenario: Scenario, duel: Duel) throws -> Duel.Result {
    let ours = try NewConnections(scenario) { try LbdEngine($0) }
    let theirs = try NewConnections(scenario) { try ReferenceEngine($0) }
    let result = try duel.run(ours: ours.round, theirs: theirs.round)
    try ours.verify()
    try theirs.verify()
    return result
  }
}
