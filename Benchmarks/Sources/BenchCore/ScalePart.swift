import BenchReport

/// The part `scale`: one worker and two on one table, lbd and the reference.
public struct ScalePart {
  private struct Plan {
    var kind: CorePlan.Kind
    var mode: Mode
    var connections = 0
    var scheduling = Scheduling.rr

    var name: String {
      "\(mode) \(kind.rawValue) " + (connections > 0 ? NumberText.short(Double(connections)) : scheduling.rawValue)
    }
  }

  private let plans: [Plan]
  private let blocks: Int
  private let rounds: Int

  /// - Parameter isQuick: fewer cells and blocks.
  public init(isQuick: Bool) {
    let sizes = isQuick ? [100_000] : [100_000, 1_000_000]
    var plans = [Mode.dr, .nat].flatMap { mode in
      sizes.map { Plan(kind: .established, mode: mode, connections: $0) }
    }
    plans += [Scheduling.rr, .wlc].map { Plan(kind: .new, mode: .dr, scheduling: $0) }
    plans += [Mode.dr, .nat].map { Plan(kind: .mix, mode: $0, connections: 200_000) }
    self.plans = plans
    blocks = isQuick ? 8 : 32
    rounds = isQuick ? 4 : 8
  }

  /// Measures all cells on the first and the last core.
  /// - Throws: when a cell could not be measured, or there is one core only.
  public func run(command: String) throws -> PartReport {
    let cores = BenchCores.available
    guard cores.count > 1, let first = cores.first, let last = cores.last else {
      throw BenchError("choose two cores: this process may use \(cores); the part needs two")
    }
    var report = PartReport(
      part: "scale", title: "Scaling: one worker and two that share a table", command: command,
      columns: [
        Column("mode"), Column("family"), Column("kind"), Column("scheduler"), Column("connections", nil, .short),
        Column("workers"), Column("mppsOne", "Mpps of one", .fixed(1)), Column("mpps", "Mpps of two", .fixed(1)),
        Column("speedup", nil, .fixed(2)), Column("referenceSpeedup", "reference", .fixed(2)), Column("passed"),
      ])
    var progress = Progress(part: "scale", steps: plans.count)
    for plan in plans {
      progress.step(plan.name)
      let scenario = self.scenario(plan)
      let (ours, theirs) = try measure(plan, scenario, cores: [first, last])
      report.add(cell(plan, ours: ours, theirs: theirs))
    }
    progress.finish()
    report.notes = [
      "One worker does what it does beside the other: its own half of the flows, on the same table.",
      "Two workers are timed from when both begin to when the slower one ends. Cores may be threads of one core: the",
      "reference shows what the machine itself allows.",
    ]
    return report
  }

  private func scenario(_ plan: Plan) -> Scenario {
    let room: Int
    switch plan.kind {
    case .new: room = NewConnections<LbdEngine>.capacity
    case .mix: room = 4 * plan.connections
    case .established, .hold: room = plan.connections
    }
    var scenario = Scenario(plan.mode, .v4, connections: room)
    scenario.scheduling = plan.scheduling
    return scenario
  }

  private func measure(
    _ plan: Plan, _ scenario: Scenario, cores: [Int]
  ) throws -> (ours: ScaleRig.Result, theirs: ScaleRig.Result) {
    let dataplane = try LbdEngine.makeDataplane(scenario)
    let ours = try measure(
      plan, scenario, cores, try (0..<2).map { try LbdEngine(dataplane, worker: $0, workerCount: 2) })
    let table = try ReferenceTable(scenario)
    let theirs = try measure(
      plan, scenario, cores,
      try (0..<2).map { try ReferenceEngine(scenario, table: table, worker: $0, workerCount: 2) })
    return (ours, theirs)
  }

  private func measure<E: Engine>(
    _ plan: Plan, _ scenario: Scenario, _ cores: [Int], _ engines: [E]
  ) throws -> ScaleRig.Result {
    let clock = DrivenClock()
    let loads: [ScaleLoad<E>] =
      switch plan.kind {
      case .new: ScaleLoads.new(engines, scenario)
      case .mix: try ScaleLoads.mix(engines, scenario, live: plan.connections / 2, clock: clock)
      case .established, .hold: try ScaleLoads.established(engines, scenario, connections: plan.connections)
      }
    let rig = ScaleRig(loads, cores: cores)
    // Pages of the table are touched, and connections begin to expire, before anything counts.
    try rig.warm(rounds: plan.kind == .mix ? 600 : 4, beforeRound: clock.advance)
    let result = try rig.run(blocks: blocks, rounds: rounds, beforeRound: clock.advance)
    for engine in engines { try ScaleLoads.verify(engine) }
    return result
  }

  private func cell(_ plan: Plan, ours: ScaleRig.Result, theirs: ScaleRig.Result) -> Cell {
    var cell = Cell(part: "scale")
    cell["mode"] = .text(plan.mode.rawValue)
    cell["family"] = .text(Family.v4.rawValue)
    cell["kind"] = .text(plan.kind.rawValue)
    if plan.kind == .new {
      cell["scheduler"] = .text(plan.scheduling.rawValue)
    } else {
      cell["connections"] = .integer(plan.connections)
    }
    cell["workers"] = .integer(2)
    cell["mppsOne"] = .number(Sample(ours.one).median * 1000)
    cell["mpps"] = .number(Sample(ours.two).median * 1000)
    cell["referenceMppsOne"] = .number(Sample(theirs.one).median * 1000)
    cell["referenceMpps"] = .number(Sample(theirs.two).median * 1000)
    cell["speedup"] = .number(ours.speedup)
    cell["referenceSpeedup"] = .number(theirs.speedup)
    cell.judge(Goal("speedup", .atLeast, 1.8))
    return cell
  }
}
