import BenchReport
import Kernel

/// The part `core`: one pinned worker over frames in memory, beside the same loop in C.
public struct CorePart {
  /// Which cells to measure; nil: all.
  public struct Selection: Sendable {
    /// Forwarding method.
    public var mode: Mode?
    /// Address family.
    public var family: Family?
    /// `established`, `new`, `mix`, `hold`.
    public var kind: String?
    /// Of open connections.
    public var connections: Int?

    /// All.
    public init() {}

    func admits(_ plan: CorePlan) -> Bool {
      (mode == nil || plan.mode == mode) && (family == nil || plan.family == family)
        && (kind == nil || plan.kind.rawValue == kind) && (connections == nil || plan.connections == connections)
    }
  }

  private let plans: [CorePlan]
  private let duel: Duel
  private let isQuick: Bool
  /// True when a cell could not be measured: the report says why.
  public private(set) var failed = false
  private var memory: [String: TableMemory.Filled] = [:]

  /// - Parameter isQuick: a few cells, fewer blocks.
  public init(_ selection: Selection, isQuick: Bool) {
    plans = CorePlan.all(isQuick: isQuick).filter(selection.admits)
    duel = isQuick ? Duel(blocks: 9, rounds: 6) : Duel(blocks: 31, rounds: 16)
    self.isQuick = isQuick
  }

  /// Measures all cells on core 1 and reports them.
  /// - Throws: when nothing was selected.
  public mutating func run(command: String) throws -> PartReport {
    guard !plans.isEmpty else { throw BenchError("select cells: there is none like that") }
    try BenchCores.pinToLast()
    var report = PartReport(
      part: "core", title: "Core: one worker over frames in memory", command: command, columns: CorePart.columns,
      plots: CorePart.plots)
    var progress = Progress(part: "core", steps: plans.count)
    var nanosecondsOf1k: [String: Double] = [:]
    let instructions = InstructionRecord.read()
    for plan in plans {
      progress.step(plan.name)
      if let lack = plan.lackOfMemory {
        report.notes.append("SKIPPED \(plan.name): \(lack)")
        continue
      }
      do {
        var cell = try measure(plan)
        compareWith1k(plan, &cell, &nanosecondsOf1k)
        cell["instructionsPerPacket"] = instructions[plan.countedCell].map { .number($0) }
        judge(plan, &cell)
        report.add(cell)
      } catch let error as BenchError {
        // The other cells are not worse for it.
        report.notes.append("ERROR in \(plan.name): \(error)")
        failed = true
      }
    }
    progress.finish()
    report.notes += CorePart.notes
    report.notes += Scheduling.allCases.filter { $0.scheduler == nil }.map {
      "SKIPPED new by \($0.rawValue): lbd has no such scheduler."
    }
    return report
  }

  private mutating func measure(_ plan: CorePlan) throws -> Cell {
    var cell = plan.cell()
    let scenario = plan.scenario
    switch plan.kind {
    case .established where plan.isAgainstPlainLoop:
      set(try EstablishedCell.runAgainstPlainLoop(scenario, connections: plan.connections, duel: duel), &cell)
    case .established:
      set(try EstablishedCell.run(scenario, connections: plan.connections, duel: duel), &cell)
      let filled = try filledTable(plan)
      cell["bytesPerConnection"] = .number(filled.bytesPerConnection)
      cell["refusedShare"] = .number(filled.refusedShare)
    case .new:
      let result = try NewConnectionsCell.run(scenario, duel: duel)
      set(result, &cell)
      cell["connectionsPerSecond"] = .number(1e9 / result.nanoseconds)
      cell["referenceConnectionsPerSecond"] = .number(1e9 / result.referenceNanoseconds)
    case .mix:
      set(try MixCell.run(plan.mode, live: plan.connections, duel: duel), &cell)
    case .hold:
      let held = try TableMemory.hold(connections: plan.connections)
      cell["residentBytes"] = .integer(held.byteCount)
      cell["bytesPerConnection"] = .number(Double(held.byteCount) / Double(plan.connections))
      cell["listSeconds"] = .number(held.listSeconds)
      cell["expirySeconds"] = .number(held.expirySeconds)
    }
    return cell
  }

  private func set(_ result: Duel.Result, _ cell: inout Cell) {
    cell["nsPerPacket"] = .number(result.nanoseconds)
    cell["referenceNsPerPacket"] = .number(result.referenceNanoseconds)
    cell["ratio"] = .number(result.ratio)
    cell["ratioSpread"] = .number(result.spread)
    cell["mppsPerCore"] = .number(1000 / result.nanoseconds)
  }

  /// The same for all sizes of table: measured once for each method and family.
  private mutating func filledTable(_ plan: CorePlan) throws -> TableMemory.Filled {
    let key = "\(plan.mode) \(plan.family)"
    if let known = memory[key] { return known }
    let measured = try TableMemory.fill(plan.mode, plan.family)
    memory[key] = measured
    return measured
  }

  private func compareWith1k(_ plan: CorePlan, _ cell: inout Cell, _ nanosecondsOf1k: inout [String: Double]) {
    guard plan.kind == .established, !plan.isAgainstPlainLoop, let nanoseconds = cell.number("nsPerPacket") else {
      return
    }
    let key = "\(plan.mode) \(plan.family)"
    if plan.connections == 1000 { nanosecondsOf1k[key] = nanoseconds }
    cell["relativeTo1k"] = nanosecondsOf1k[key].map { .number($0 / nanoseconds) }
  }

  private func judge(_ plan: CorePlan, _ cell: inout Cell) {
    switch plan.kind {
    case .established where plan.isAgainstPlainLoop:
      cell.judge(Goal("ratio", .atMost, plan.mode == .dr ? 1.0 : 1.1))
    case .established:
      cell.judge(Goal("ratio", .atMost, 1.05))
      if cell["relativeTo1k"] != nil, plan.connections >= 1_000_000 {
        cell.judge(Goal("relativeTo1k", .atLeast, plan.connections >= 10_000_000 ? 0.5 : 0.6))
      }
      if plan.family == .v4 { cell.judge(Goal("bytesPerConnection", .atMost, plan.mode.answers ? 64 : 32)) }
    case .new: cell.judge(Goal("connectionsPerSecond", .atLeast, 5e6))
    case .mix: break
    case .hold: cell.judge(Goal("residentBytes", .atMost, Double(1 << 30)))
    }
  }
}
