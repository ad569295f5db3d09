import Wire

/// The demonstration: build, ask, show what the director saw, judge. Meant to be watched.
struct LabDemo {
  let options: LabOptions
  let modes: [LabMode]
  let requestCount: Int
  let loadSeconds: Int
  let console = Console()

  private var family: IPAddress.Family { options.isIPv6 ? .ipv6 : .ipv4 }

  /// True when every server of every mode got its exact share and every byte arrived.
  func run() throws -> Bool {
    picture.forEach { console.line($0) }
    var verdicts: [(LabMode, LabFailure?)] = []
    for mode in modes {
      console.line()
      console.line("\(console.paint(mode.rawValue, .bold))  \(mode.summary)")
      do {
        try show(mode)
        verdicts.append((mode, nil))
      } catch let failure as LabFailure {
        if failure == .interrupted { throw failure }
        console.line("  \(console.paint("FAILED", .red)): \(failure)")
        verdicts.append((mode, failure))
      }
    }
    console.line()
    let failed = verdicts.filter { $0.1 != nil }.map { $0.0.rawValue }
    console.line(
      failed.isEmpty
        ? console.paint("all \(verdicts.count) modes: exact shares, every byte arrived", .green)
        : console.paint("failed: \(failed.joined(separator: ", "))", .red))
    return failed.isEmpty
  }

  private var picture: [String] {
    let client = Console.padded("client \(LabPlan.front(LabPlan.clientHost, family)) ", to: 22, with: "-")
    let director = Console.padded("director \(LabPlan.front(LabPlan.directorHost, family)) ", to: 22, with: "-")
    let gap = String(repeating: " ", count: 22)
    return [
      "  \(client)+            +-- rs1  \"\(LabConfiguration.greeting(1))\"",
      "  \(gap)|            |",
      "  \(gap)+-- switch --+",
      "  \(gap)|            |",
      "  \(director)+            +-- rs2  \"\(LabConfiguration.greeting(2))\"",
      "  every name is a network namespace; the VIP is \(LabPlan.vip(family)), round robin over rs1 and rs2",
    ]
  }

  private func show(_ mode: LabMode) throws {
    let started = monotonicSeconds()
    let network = LabNetwork(plan: options.plan(mode), executable: options.executable)
    defer { LabNetwork.tearDown(prefix: network.plan.prefix, folder: network.plan.folder) }
    try network.setUp()
    let director = try DirectorProcess(network: network, port: options.port)
    let seconds = Console.tenths(monotonicSeconds() - started)
    console.line("  up in \(seconds) s, director takes frames by \(options.port)")

    let traffic = Traffic(network: network, family: family)
    let answers = try ask(traffic)
    let digest = try traffic.download()
    console.line("  download of \(network.plan.fileByteCount >> 20) MiB  ->  every byte arrived (\(digest))")
    let before = try director.report()
    describe(before)
    try showLoad(traffic, director, before)
    let last = try director.stop()
    if let imbalance = last.imbalance { throw LabFailure(imbalance) }
    console.line("  \(last.balance)")
    let shares = try traffic.equalShares(of: answers)
    let text = shares.enumerated().map { "RS0\($0.offset + 1) \($0.element)" }.joined(separator: ", ")
    console.line("  \(console.paint("ok", .green)): \(text); every byte arrived; every frame accounted for")
  }

  private func ask(_ traffic: Traffic) throws -> [String] {
    try (0..<requestCount).map { _ in
      let answer = try traffic.requests(1)[0]
      console.line("  curl \(LabPlan.url(family))  ->  \(answer)")
      return answer
    }
  }

  private func describe(_ report: DirectorReport) {
    console.line(console.paint("  services", .dim))
    report.services.forEach { console.line("    \($0)") }
    console.line(console.paint("  connections", .dim))
    let shown = report.connections.prefix(requestCount + 3)
    shown.forEach { console.line("    \($0)") }
    let more = report.connections.count - shown.count
    if more > 0 { console.line("    ... and \(more) more") }
    console.line(console.paint("  frames by outcome", .dim))
    for outcome in report.outcomes where outcome.count > 0 {
      console.line("    \(Console.padded(outcome.name, to: 28)) \(Console.grouped(outcome.count))")
    }
  }

  /// Load through the director: requests a second by the client's count, packets a second by the director's.
  private func showLoad(_ traffic: Traffic, _ director: DirectorProcess, _ before: DirectorReport) throws {
    let started = monotonicSeconds()
    let requestsPerSecond: Double
    let tool: String
    if Command.locate("wrk") != nil {
      let load = try traffic.load(connections: 64, seconds: loadSeconds)
      if let errors = load.errors { throw LabFailure("wrk: \(errors)") }
      requestsPerSecond = load.requestsPerSecond
      tool = "wrk, 64 connections"
    } else {
      let count = 500
      _ = try traffic.requests(count)
      requestsPerSecond = Double(count) / (monotonicSeconds() - started)
      tool = "curl, one after another"
    }
    let seconds = monotonicSeconds() - started
    let frames = try director.report().count("received") &- before.count("received")
    let rate = Console.grouped(UInt64(Double(frames) / seconds))
    console.line(
      "  \(Console.grouped(UInt64(requestsPerSecond))) requests/s, \(rate) packets/s through the director (\(tool))")
  }
}
