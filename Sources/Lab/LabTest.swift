import Glibc
import Wire

/// The matrix a release must pass: every mode over every port kind and family, real programs on both ends.
final class LabTest {
  private let options: LabOptions
  private let matrix: LabMatrix
  private let console = Console()
  private var passed = 0
  private var failed = 0
  private var skipped = 0

  init(options: LabOptions, matrix: LabMatrix) {
    self.options = options
    self.matrix = matrix
  }

  /// Runs everything; true when nothing failed.
  func run() throws -> Bool {
    for services in matrix.services {
      for mode in matrix.modes where services.modes(isQuick: matrix.isQuick).contains(mode) { try run(mode, services) }
    }
    console.line("\(passed) passed, \(failed) failed, \(skipped) skipped")
    return failed == 0
  }

  private func run(_ mode: LabMode, _ services: LabServices) throws {
    if options.isTwoArmed && mode == .fullnatRouted {
      skip(mode.rawValue, "two-armed, the director itself stands between the subnets")
      return
    }
    let plan = options.plan(mode, services: services, fileByteCount: matrix.transferByteCount)
    let network = LabNetwork(plan: plan, executable: options.executable)
    defer { LabNetwork.tearDown(prefix: plan.prefix, folder: plan.folder) }
    guard
      try check(
        "\(mode.rawValue)\(services.suffix): the network comes up",
        {
          try network.setUp(); return ""
        })
    else { return }
    for port in matrix.ports { try run(network, port) }
  }

  /// What a reload does is the same for all; these are one of each forwarding method.
  private static let reloadedModes: Set<LabMode> = [.dr, .nat, .tun, .fullnat]

  private func run(_ network: LabNetwork, _ port: String) throws {
    let name = "\(network.plan.mode.rawValue) \(port)\(network.plan.services.suffix)"
    var director: DirectorProcess?
    defer { director?.end() }
    let isUp = try check("\(name): the director comes up") {
      director = try DirectorProcess(network: network, port: port)
      return ""
    }
    guard isUp, let first = director else { return }
    for family in matrix.families {
      try run(Traffic(network: network, family: family), "\(name) IPv\(family.rawValue)")
    }
    if network.plan.services == .address, LabTest.reloadedModes.contains(network.plan.mode) {
      let traffic = Traffic(network: network, family: matrix.families[0])
      try check("\(name): \(matrix.reloadCount) reloads under load") {
        try LabReload(traffic: traffic, director: first, count: matrix.reloadCount, seconds: matrix.reloadSeconds).run()
      }
    }
    try check("\(name): every frame accounted for") { try LabTest.balance(of: first.report()) }
    if network.plan.services.hasLocalServer {
      try check("\(name): the director's own server, there and back") {
        try LabTest.local(in: first.report(), isCounted: network.plan.mode.serversHoldVIP)
      }
    }
    for family in matrix.families {
      try check("\(name) IPv\(family.rawValue): no reset while the director is away") {
        guard let current = director else { throw LabFailure("no director") }
        let traffic = Traffic(network: network, family: family)
        return try LabTest.survivesKill(traffic, current) {
          director = nil
          director = try DirectorProcess(network: network, port: port)
        }
      }
    }
    try check("\(name): clean end, every frame accounted for") {
      guard let last = director else { throw LabFailure("no director") }
      director = nil
      return try LabTest.balance(of: last.stop())
    }
  }

  private func run(_ traffic: Traffic, _ name: String) throws {
    let requests = matrix.requestCount
    var answers: [String] = []
    let isPersistent = traffic.network.plan.services.isPersistent
    try check("\(name): \(requests) requests, \(isPersistent ? "one server" : "equal shares")") {
      answers = try traffic.requests(requests)
      let shares = isPersistent ? try traffic.oneServer(of: answers) : try traffic.equalShares(of: answers)
      return shares.map(String.init).joined(separator: " + ")
    }
    try check("\(name): the VIP is the director's") { try traffic.vipBelongsToDirector() }
    let size = "\(matrix.transferByteCount >> 20) MiB"
    let connections = "\(matrix.connectionCount) connections"
    let rest: [(String, () throws -> String)] = [
      ("download of \(size)", traffic.download),
      ("upload of \(size)", traffic.upload),
      ("\(connections), kept", { [self] in try load(traffic, closing: false) }),
      ("\(connections), a new one per request", { [self] in try load(traffic, closing: true) }),
      ("UDP 512 bytes", { try traffic.echo(byteCount: 512, count: 4) }),
      ("UDP 8192 bytes", { try traffic.echo(byteCount: 8192, count: 4) }),
      ("UDP path by ICMP", traffic.path),
      ("tracepath", traffic.tracepath),
      ("UDP 8192 bytes, fragments out of order", { try traffic.echo(byteCount: 8192, count: 20, isShuffled: true) }),
    ]
    if traffic.network.plan.mode.conveyance != nil {
      try check("\(name): the servers see the client", { try traffic.clients(matrix.clientCount) })
    }
    if traffic.network.plan.hasFTP { try runFTP(FTPTransfer(traffic: traffic), name) }
    for (what, body) in rest {
      // A dead path fails once; waiting for a dozen timeouts tells no more.
      if what.hasPrefix("tracepath"), traffic.network.plan.services != .address {
        skip("\(name): \(what)", "only the closed ports of services by address are as many as it asks for")
      } else if !answers.isEmpty || what.hasPrefix("UDP") || what.hasPrefix("tracepath") {
        try check("\(name): \(what)", body)
      } else {
        skip("\(name): \(what)", "requests are not answered")
      }
    }
  }

  private func runFTP(_ transfer: FTPTransfer, _ name: String) throws {
    for active in [false, true] {
      let kind = "\(name): FTP, \(active ? "active" : "passive")"
      guard FTPTransfer.isInstalled else {
        skip(kind, "needs \(FTPTransfer.server): \(Prerequisites.remedy(FTPTransfer.server))")
        continue
      }
      try check("\(kind), download") { try transfer.downloads(active: active) }
      try check("\(kind), upload") { try transfer.upload(active: active) }
    }
  }

  private func load(_ traffic: Traffic, closing: Bool) throws -> String {
    let load = try traffic.load(connections: matrix.connectionCount, seconds: matrix.loadSeconds, closing: closing)
    if let errors = load.errors { throw LabFailure(errors) }
    guard load.requestsPerSecond > 0 else { throw LabFailure("no request was answered") }
    return "\(Console.grouped(UInt64(load.requestsPerSecond))) requests/s"
  }

  private static func balance(of report: DirectorReport) throws -> String {
    if let imbalance = report.imbalance { throw LabFailure(imbalance) }
    return report.balance
  }

  /// What the director had for itself.
  /// - Parameter isCounted: its answers are right as they are, and have an outcome of their own.
  private static func local(in report: DirectorReport, isCounted: Bool) throws -> String {
    let requests = report.count("passed.localServer")
    let answers = report.count("forwarded.localReply")
    guard requests > 0 else { throw LabFailure("no packet was for it") }
    guard answers > 0 || !isCounted else { throw LabFailure("\(requests) packets were for it, no answer was seen") }
    return "\(requests) packets" + (isCounted ? ", \(answers) answers" : "")
  }

  /// Kills the director under a running download: the client must hear nothing at all until it is back.
  private static func survivesKill(
    _ traffic: Traffic, _ director: DirectorProcess, restart: () throws -> Void
  ) throws -> String {
    let watch = try traffic.resetWatch()
    defer { watch.stop() }
    let transfer = try traffic.slowDownload()
    defer { transfer.stop() }
    try Interruption.sleep(seconds: 0.7)
    let wasRunning = transfer.isRunning
    let complaint = transfer.lastLine
    // What servers reset before that, of connections of earlier tests, came through the director.
    let before = resetCount(watch)
    director.kill9()
    try Interruption.sleep(seconds: 0.3)
    let answer = Result { try traffic.silence() }
    try Interruption.sleep(seconds: 0.2)
    let resets = resetCount(watch) - before
    let stillRuns = transfer.isRunning
    try restart()
    guard wasRunning else { throw LabFailure("the download did not run: \(complaint)") }
    guard resets == 0 else { throw LabFailure("\(resets) resets reached the client") }
    _ = try answer.get()
    guard stillRuns else { throw LabFailure("the download ended: \(transfer.lastLine)") }
    return "1.5 s of silence"
  }

  private static func resetCount(_ watch: BackgroundProcess) -> Int {
    watch.log.split(separator: "\n").count { $0.contains("Flags [R") }
  }

  // MARK: Lines

  @discardableResult
  private func check(_ name: String, _ body: () throws -> String) throws -> Bool {
    do {
      let detail = try body()
      passed += 1
      say(console.paint("ok", .green), 2, name, detail)
      return true
    } catch let failure as LabFailure {
      if failure == .interrupted { throw failure }
      failed += 1
      say(console.paint("FAILED", .red), 6, name, failure.description)
      return false
    }
  }

  private func skip(_ name: String, _ reason: String) {
    skipped += 1
    say(console.paint("skipped", .yellow), 7, name, reason)
  }

  private func say(_ verdict: String, _ width: Int, _ name: String, _ detail: String) {
    let gap = String(repeating: " ", count: 8 - width)
    console.line("\(verdict)\(gap) \(detail.isEmpty ? name : Console.padded(name, to: 58) + "  " + detail)")
  }
}
