import Glibc
import Wire

/// Reloads under load: a director takes over one configuration after the other, while clients ask all the time and one
/// download goes on for as long as there are reloads. The files differ in services and servers beside the one that is used; some are
/// broken, and must be refused. Not one request may fail, and the download must arrive whole.
struct LabReload {
  let traffic: Traffic
  let director: DirectorProcess
  /// How often the file is replaced.
  let count: Int
  /// How long all of it takes, in seconds.
  let seconds: Int

  /// What a file is to the director.
  enum Kind: CaseIterable {
    case servicesAdded
    case serversEdited
    case serversReplaced
    case unknownScheduler
    case serviceEdited
    case addressMissing
    case servicesDeleted

    /// Whether it must be refused.
    var isBroken: Bool { self == .unknownScheduler || self == .addressMissing }
  }

  private var network: LabNetwork { traffic.network }
  private var plan: LabPlan { network.plan }

  /// - Returns: what there is to say of it.
  func run() throws -> String {
    let original = LabConfiguration(plan: plan).director
    defer { try? TextFile.write(original, to: network.configurationPath) }
    let watch = try traffic.resetWatch()
    defer { watch.stop() }
    // They end by themselves, after the last reload.
    let loads = try [false, true].map { try traffic.backgroundLoad(connections: 8, seconds: seconds + 2, closing: $0) }
    defer { loads.forEach { $0.stop() } }
    let download = try traffic.heldDownload()
    defer { download.process.stop() }
    let resets = watch.log.split(separator: "\n").count { $0.contains("Flags [R") }
    let refused = try reloadAll(beside: original, while: download)
    let status = try download.finish(seconds: 60)
    guard status == 0 else {
      throw LabFailure("the download ended with \(status.map(String.init) ?? "nothing"): \(download.process.lastLine)")
    }
    _ = try traffic.compare(network.downloadPath, download.path)
    unlink(download.path)
    let requests = try loads.map { try LabReload.requests(of: $0) }
    let later = watch.log.split(separator: "\n").count { $0.contains("Flags [R") }
    // wrk resets what it has open at its end; what comes from the VIP is the director's or a server's.
    guard later == resets else { throw LabFailure("\(later - resets) resets reached the client") }
    let total = Console.grouped(requests.reduce(0, +))
    return
      "\(count - refused) taken over, \(refused) refused; \(total) requests, none failed; a download beside them whole"
  }

  /// - Returns: how many were refused.
  private func reloadAll(beside original: String, while download: HeldDownload) throws -> Int {
    let start = monotonicSeconds()
    var refused = 0
    for number in 0..<count {
      let kind = Kind.allCases[number % Kind.allCases.count]
      try TextFile.write(original + LabReload.text(kind, number, plan, traffic.family), to: network.configurationPath)
      let result = try Command.run(
        [network.executable, "reload", "--socket", director.socketPath], timeoutSeconds: 60)
      guard result.status == (kind.isBroken ? 4 : 0) else {
        throw LabFailure("reload \(number + 1), \(kind): \(Command.complaint(["lbd", "reload"], result))")
      }
      refused += kind.isBroken ? 1 : 0
      guard download.process.isRunning else {
        throw LabFailure("the download ended: \(download.process.lastLine)")
      }
      try download.take(upTo: plan.fileByteCount / (count + 1) * (number + 1))
      // Spread over the time, and done before it is over.
      let due = start + Double(number + 1) * (Double(seconds) - 1) / Double(count)
      let wait = due - monotonicSeconds()
      if wait > 0 { try Interruption.sleep(seconds: wait) }
    }
    return refused
  }

  /// What stands behind the lab's own services.
  static func text(_ kind: Kind, _ number: Int, _ plan: LabPlan, _ family: IPAddress.Family) -> String {
    let group = LabConfiguration.groupName(plan.serverFamily(family))
    let locals = plan.mode.usesLocalAddresses ? "  laddr_group_name \(group)\n" : ""
    func services(
      _ numbers: Range<Int>, weight: Int = 1, hosts: Range<Int> = 0..<2, scheduler: String = "wrr"
    ) -> String {
      numbers.map { service in
        let port = firstPort + service
        let servers = hosts.map { host in
          let address = plan.serverAddress(host, plan.serverFamily(family))
          return "  real_server \(address) \(port) {\n    weight \(weight + host)\n  }\n"
        }
        return
          "\nvirtual_server \(LabPlan.vip(family)) \(port) {\n  lb_algo \(scheduler)\n  lb_kind \(plan.mode.kind)\n"
          + "  protocol TCP\n\(locals)  drain_timeout 2\n\(servers.joined())}\n"
      }.joined()
    }
    return switch kind {
    case .servicesAdded: services(0..<20)
    case .serversEdited: services(0..<20, weight: 1 + number % 7)
    case .serversReplaced: services(0..<20, hosts: 1..<2)
    case .unknownScheduler: services(0..<20, scheduler: "wrrr")
    case .serviceEdited: services(0..<20, scheduler: "lc")
    case .addressMissing: services(5..<9).replacing("real_server", with: "real_server nowhere")
    case .servicesDeleted: services(5..<9)
    }
  }

  private static let firstPort = 9000

  private static func requests(of load: BackgroundProcess) throws -> UInt64 {
    guard load.waitForEnd(seconds: 30) == 0, let result = Traffic.Load(load.log) else {
      throw LabFailure("wrk: \(load.lastLine)")
    }
    if let errors = result.errors { throw LabFailure(errors) }
    guard result.requests > 0 else { throw LabFailure("no request was answered") }
    return result.requests
  }
}

extension String {
  /// With every `part` replaced.
  fileprivate func replacing(_ part: String, with other: String) -> String {
    split(separator: part, omittingEmptySubsequences: false).joined(separator: other)
  }
}
