import BenchReport

/// From figures to cells, goals and columns.
struct PeersReport {
  let figures: PeerFigures
  let targets: [PeerTarget]

  static let requestsGoal = 0.95
  static let addedLatencyGoal = 40.0

  /// The whole report.
  func report(command: String, notes: [String]) -> PartReport {
    var report = PartReport(
      part: "peers", title: "lbd beside other balancers, with real servers", command: command,
      columns: PeersReport.columns, plots: PeersReport.plots)
    for target in targets { report.add(cell(target)) }
    report.notes = notes
    return report
  }

  private func cell(_ target: PeerTarget) -> Cell {
    var cell = Cell(part: "peers")
    cell["target"] = .text(target.name)
    cell["method"] = .text(target.method)
    cell["port"] = .text(target.port)
    for metric in PeerMetric.allCases {
      cell[metric.rawValue] = figures.median(metric, of: target).map { .number($0) }
    }
    guard let direct = targets.first(where: { $0.kind == .direct }) else { return cell }
    for metric in PeerMetric.rates {
      cell[metric.relativeToDirect] = figures.ratio(metric, of: target, to: direct).map { .number($0) }
    }
    cell["addedP50Microseconds"] = figures.difference(.p50, of: target, to: direct).map { .number($0) }
    if target.isOurs { judge(target, &cell) }
    return cell
  }

  private func judge(_ target: PeerTarget, _ cell: inout Cell) {
    let peers = targets.filter(\.isPeer)
    guard !peers.isEmpty else { return }
    for metric in PeerMetric.rates {
      let ratio = peers.compactMap { figures.ratio(metric, of: target, to: $0) }.min()
      cell[metric.relativeToPeers] = ratio.map { .number($0) }
      cell.judge(Goal(metric.relativeToPeers, .atLeast, 1))
    }
    guard target.kind == .lbd(kind: "DR", port: "xdp") else { return }
    cell.judge(Goal(PeerMetric.requests.relativeToDirect, .atLeast, PeersReport.requestsGoal))
    cell.judge(Goal(PeerMetric.connections.relativeToDirect, .atLeast, PeersReport.requestsGoal))
    cell.judge(Goal("addedP50Microseconds", .atMost, PeersReport.addedLatencyGoal))
  }

  // MARK: Looks

  private static let columns = [
    Column("target"), Column("method"), Column("port"), Column("requestsPerSecond", "req/s", .short),
    Column("requestsRelativeToDirect", "/direct", .fixed(2)), Column("requestsRelativeToPeers", "/peers", .fixed(2)),
    Column("connectionsPerSecond", "conn/s", .short),
    Column("connectionsRelativeToDirect", "/direct", .fixed(2)),
    Column("connectionsRelativeToPeers", "/peers", .fixed(2)), Column("gbitPerSecond", "Gbit/s", .fixed(2)),
    Column("gbitRelativeToDirect", "/direct", .fixed(2)), Column("gbitRelativeToPeers", "/peers", .fixed(2)),
    Column("p50Microseconds", "p50 us", .fixed(0)),
    Column("p99Microseconds", "p99 us", .fixed(0)), Column("p50LoadedMicroseconds", "p50 loaded us", .fixed(0)),
    Column("cpuMicrosecondsPerRequest", "core us/req", .fixed(1)),
    Column("processMicrosecondsPerRequest", "process us/req", .fixed(1)),
  ]

  private static let plots: [any Plot] = [
    BarPlot(
      "relative", title: "Rates, relative to no balancer", y: "of direct", group: ["target", "method", "port"],
      bars: .fields([
        ("requestsRelativeToDirect", "requests"), ("connectionsRelativeToDirect", "connections"),
      ])),
    BarPlot(
      "latency", title: "Latency of one connection, p50", y: "microseconds", group: ["target", "method", "port"],
      bars: .fields([("p50Microseconds", "p50"), ("p99Microseconds", "p99")])),
  ]
}
