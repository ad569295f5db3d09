import BenchReport

/// A cell to be measured.
struct CorePlan: Sendable {
  enum Kind: String, CaseIterable, Sendable {
    case established
    case new
    case mix
    case hold
  }

  var kind: Kind
  var mode: Mode
  var family: Family
  var connections: Int
  var scheduling = Scheduling.rr
  var isAgainstPlainLoop = false

  /// The whole grid, or a few of its cells.
  static func all(isQuick: Bool) -> [CorePlan] {
    let sizes = isQuick ? [1000, 100_000] : [1000, 10_000, 100_000, 1_000_000, 10_000_000]
    var plans: [CorePlan] = []
    for mode in Mode.allCases {
      for family in Family.allCases {
        plans += sizes.map { CorePlan(kind: .established, mode: mode, family: family, connections: $0) }
      }
    }
    for mode in [Mode.dr, .nat] {
      plans.append(
        CorePlan(
          kind: .established, mode: mode, family: .v4, connections: isQuick ? 100_000 : 1_000_000,
          isAgainstPlainLoop: true))
    }
    plans += Scheduling.allCases.filter { $0.scheduler != nil }.map {
      CorePlan(kind: .new, mode: .dr, family: .v4, connections: 0, scheduling: $0)
    }
    plans.append(CorePlan(kind: .new, mode: .nat, family: .v4, connections: 0))
    for mode in [Mode.dr, .nat] {
      for live in isQuick ? [100_000] : [100_000, 1_000_000] {
        plans.append(CorePlan(kind: .mix, mode: mode, family: .v4, connections: live))
      }
    }
    plans.append(CorePlan(kind: .hold, mode: .dr, family: .v4, connections: isQuick ? 1_000_000 : 10_000_000))
    return plans
  }

  /// The service, with a table of the size that the kind of traffic wants.
  var scenario: Scenario {
    var room = kind == .new ? NewConnections<LbdEngine>.capacity : max(connections, 4096)
    // Its replies' entries are pairs, of IPv6 whole lines: a table that is nominally full refuses some.
    if mode == .fullnat { room += family == .v6 ? room : room / 2 }
    var scenario = Scenario(mode, family, connections: room)
    scenario.scheduling = scheduling
    return scenario
  }

  /// For the progress line.
  var name: String {
    let size = kind == .new ? scheduling.rawValue : NumberText.short(Double(connections))
    return "\(mode) \(family) \(kind.rawValue) \(size)" + (isAgainstPlainLoop ? " against the plain loop" : "")
  }

  /// Which of the counted cells does the same; empty for none.
  var countedCell: String {
    switch kind {
    case .established: connections == 1000 ? "\(mode)-\(family)-established" : ""
    case .new: mode == .dr ? "new-\(scheduling)" : ""
    case .mix, .hold: ""
    }
  }

  /// The cell, with what says which one it is.
  func cell() -> Cell {
    var cell = Cell(part: "core")
    cell["mode"] = .text(mode.rawValue)
    cell["family"] = .text(family.rawValue)
    cell["kind"] = .text(kind.rawValue)
    if kind == .new {
      cell["scheduler"] = .text(scheduling.rawValue)
    } else {
      cell["connections"] = .integer(connections)
    }
    if kind != .hold { cell["reference"] = .text(isAgainstPlainLoop ? "plain" : "same") }
    return cell
  }

  /// Why it cannot be measured here; nil when it can.
  var lackOfMemory: String? {
    guard let available = TableMemory.availableByteCount() else { return nil }
    // Two tables at twice as many slots as connections, rounded up to a power of two; and what is known of the flows.
    let slotBytes = family == .v4 ? 16 : 32
    let slots = 1 << (Int.bitWidth - (max(scenario.connections, 2) - 1).leadingZeroBitCount)
    let needed = 2 * slots * (mode.answers ? 4 : 2) * slotBytes + connections * 16 + (256 << 20)
    guard needed > available else { return nil }
    return "it takes \(needed >> 20) MiB, and only \(available >> 20) MiB are free"
  }
}
