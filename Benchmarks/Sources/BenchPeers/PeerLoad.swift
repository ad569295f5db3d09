import Lab

/// What the client does to a target.
struct PeerLoad {
  let network: PeerNetwork
  let director: PeerDirector
  /// How long each load lasts.
  let seconds: Int

  private var plan: LabPlan { network.plan }
  private static let connectionCount = 64

  /// The figures of one turn by name; whatever fails says so and the rest goes on.
  func measure(_ complain: (String) -> Void) throws -> [PeerMetric: Double] {
    var figures: [PeerMetric: Double] = [:]
    // The quiet one comes first: it also opens tables, neighbours and pages for the others.
    try attempt("latency", complain) {
      let quiet = try wrk(connections: 1, seconds: max(1, seconds / 2))
      figures[.p50] = quiet.p50Microseconds
      figures[.p99] = quiet.p99Microseconds
    }
    try attempt("keep-alive", complain) { try requests(into: &figures) }
    try attempt("short connections", complain) {
      figures[.connections] = try shortConnections().requestsPerSecond
    }
    try attempt("transfer", complain) { figures[.gbit] = try transfer() }
    return figures
  }

  private func attempt(_ what: String, _ complain: (String) -> Void, _ body: () throws -> Void) throws {
    do {
      try body()
    } catch let failure as LabFailure where failure != .interrupted {
      complain("\(what): \(failure)")
      try director.checkAlive()
    }
  }

  // MARK: Loads

  /// Kept connections; what the director's core did meanwhile.
  private func requests(into figures: inout [PeerMetric: Double]) throws {
    let before = (core: CoreTime(core: PeerNetwork.directorCore), program: try ProcessTime(namespace: plan.director))
    let load = try wrk(connections: PeerLoad.connectionCount, seconds: seconds)
    let after = (core: CoreTime(core: PeerNetwork.directorCore), program: try ProcessTime(namespace: plan.director))
    figures[.requests] = load.requestsPerSecond
    figures[.p50Loaded] = load.p50Microseconds
    guard load.requestCount > 0 else { return }
    if let start = before.core, let end = after.core {
      figures[.cpu] = (end.busySeconds - start.busySeconds) * 1e6 / Double(load.requestCount)
    }
    if let start = before.program, let end = after.program {
      figures[.process] = (end.seconds - start.seconds) * 1e6 / Double(load.requestCount)
    }
  }

  /// A connection for each request; the client's kernel must have counted them.
  private func shortConnections() throws -> WrkSummary {
    let before = try openedConnections()
    let load = try wrk(connections: PeerLoad.connectionCount, seconds: seconds, closing: true)
    let opened = try openedConnections() - before
    guard opened >= load.requestCount else {
      throw LabFailure("\(opened) connections for \(load.requestCount) requests: they were kept")
    }
    return load
  }

  private func wrk(connections: Int, seconds: Int, closing: Bool = false) throws -> WrkSummary {
    // Without the blank after the colon wrk drops the header and says nothing.
    let header = closing ? ["-H", "Connection: close"] : []
    let text = try run(
      ["wrk", "-t", "1", "-c", "\(connections)", "-d", "\(seconds)s", "--latency"] + header + [
        "http://\(network.vip)/"
      ],
      seconds: seconds)
    guard let summary = WrkSummary(text) else {
      throw LabFailure("wrk said: \(text.split(separator: "\n").last ?? "")")
    }
    if let errors = summary.errors { throw LabFailure(errors) }
    return summary
  }

  private func transfer() throws -> Double {
    let text = try run(
      [
        "iperf3", "-c", director.transferAddress, "-p", "\(PeerConfiguration.transferPort)", "-t", "\(seconds)", "-f",
        "m",
        "--connect-timeout", "3000",
      ], seconds: seconds)
    guard let rate = TransferSummary.gbitPerSecond(text) else {
      throw LabFailure("iperf3 said: \(text.split(separator: "\n").last ?? "nothing")")
    }
    return rate
  }

  /// In a session of its own, so that it has the servers' share of the core.
  private func run(_ command: [String], seconds: Int) throws -> String {
    let process = try network.start(plan.client, command, log: "load")
    let isOver = try stoppingOnThrow(process) {
      try Interruption.wait(seconds: Double(seconds) + 10) { !process.isRunning }
    }
    guard isOver else {
      process.stop()
      throw LabFailure("\(command[0]) does not end: \(process.lastLine)")
    }
    return process.log
  }

  private func stoppingOnThrow<Result>(_ process: BackgroundProcess, _ body: () throws -> Result) throws -> Result {
    do { return try body() } catch {
      process.stop()
      throw error
    }
  }

  /// ActiveOpens of the client's TCP.
  private func openedConnections() throws -> Int {
    let text = try network.inside(plan.client, ["cat", "/proc/net/snmp"])
    let lines = text.split(separator: "\n").filter { $0.hasPrefix("Tcp:") }.map { $0.split(separator: " ") }
    guard lines.count == 2, let column = lines[0].firstIndex(of: "ActiveOpens"), column < lines[1].count,
      let count = Int(lines[1][column])
    else { throw LabFailure("no ActiveOpens in /proc/net/snmp") }
    return count
  }
}
