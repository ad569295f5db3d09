import Glibc
import Wire

/// What a client does to a lab: requests, transfers, load, datagrams. Each method throws a line when it went wrong.
struct Traffic {
  let network: LabNetwork
  let family: IPAddress.Family

  private var plan: LabPlan { network.plan }
  private static let curl = ["curl", "-q", "-s", "-S", "-f", "--connect-timeout", "5"]

  // MARK: Requests

  /// `count` requests one after another, each on a connection of its own; the answers in order.
  func requests(_ count: Int) throws -> [String] {
    let url = LabPlan.url(family, count > 1 ? "/?[1-\(count)]" : "/")
    let result = try Command.run(
      inClient(Traffic.curl + ["--fail-early", "--max-time", "5", "-H", "Connection: close", url]),
      timeoutSeconds: 15 + Double(count) / 20)
    let answers = result.output.split(separator: "\n").map(String.init).filter { !$0.hasPrefix("--_curl_--") }
    guard result.status == 0 || !answers.isEmpty else {
      throw LabFailure(Command.complaint(["curl", LabPlan.url(family)], result))
    }
    guard result.status == 0, answers.count == count else {
      throw LabFailure("\(answers.count) of \(count) requests answered")
    }
    return answers
  }

  /// How many of the answers each server gave; throws unless one gave all.
  func oneServer(of answers: [String]) throws -> [Int] {
    let shares = try shares(of: answers)
    guard shares.max() == answers.count else {
      throw LabFailure("not one server's: \(shares.map(String.init).joined(separator: " + "))")
    }
    return shares
  }

  private func shares(of answers: [String]) throws -> [Int] {
    let shares = (1...plan.hosts.count).map { number in
      answers.filter { $0 == LabConfiguration.greeting(number) }.count
    }
    guard shares.reduce(0, +) == answers.count else {
      let text = shares.map(String.init).joined(separator: " + ")
      throw LabFailure("\(text) answers of \(answers.count) are a server's")
    }
    return shares
  }

  /// How many of the answers each server gave; throws unless all gave equally many, but for one connection that was
  /// scheduled twice. After a director that was killed, a server may have an old connection from the address and port that
  /// FULLNAT chooses, and refuse the new one; its SYN comes again and is scheduled anew (`conn_reuse_mode`), so that one
  /// server gives one answer more and another one less.
  func equalShares(of answers: [String]) throws -> [Int] {
    let shares = try shares(of: answers)
    let (most, least) = (shares.max() ?? 0, shares.min() ?? 0)
    guard least > 0, most - least <= 2 else {
      throw LabFailure("not the same share: \(shares.map(String.init).joined(separator: " + "))")
    }
    return shares
  }

  /// Connections, one after another, whose server says who its client is: it must be this one, address and port. The ports are
  /// few, so that each is used many times.
  func clients(_ count: Int) throws -> String {
    let result = try Command.run(
      inClient(
        Traffic.curl + [
          // It goes on until the server closes: who closes first cannot use its port again for a minute.
          "--local-port", "20000-20099", "--max-time", "5", "-H", "Connection: close", "--ignore-content-length", "-w",
          "%{local_ip} %{local_port}\n", LabPlan.url(family, "/client?[1-\(count)]"),
        ]), timeoutSeconds: 15 + Double(count) / 20)
    // An IPv4 client on an IPv6 socket is one of ::ffff:0:0/96.
    let lines = result.output.split(separator: "\n").filter { !$0.hasPrefix("--_curl_--") }
      .map { $0.hasPrefix("::ffff:") ? $0.dropFirst(7) : $0 }
    guard result.status == 0, lines.count == 2 * count else {
      throw LabFailure("\(lines.count / 2) of \(count) connections answered")
    }
    let right = stride(from: 0, to: lines.count, by: 2).filter { lines[$0] == lines[$0 + 1] }.count
    guard right == count else {
      let wrong = stride(from: 0, to: lines.count, by: 2).first { lines[$0] != lines[$0 + 1] } ?? 0
      throw LabFailure("\(right) of \(count); it is \(lines[wrong + 1]), the server says \(lines[wrong])")
    }
    return "\(count) of \(count)"
  }

  /// One request that must find silence: neither an answer nor a refusal.
  func silence() throws -> String {
    let result = try Command.run(
      inClient(["curl", "-q", "-s", "-S", "--connect-timeout", "1", LabPlan.url(family)]))
    guard result.status == 28 else { throw LabFailure("curl ended with \(result.status) instead of a timeout") }
    return "silent"
  }

  // MARK: Transfers

  /// Fetches `/download` and compares digests.
  func download() throws -> String {
    let received = "\(plan.folder)/received"
    defer { unlink(received) }
    try transfer(["-o", received, LabPlan.url(family, "/download")])
    return try compare(network.downloadPath, received)
  }

  /// Puts the same file under a fresh name and compares digests at the server that took it.
  func upload() throws -> String {
    try upload(named: "\(family)-\(plan.mode.rawValue)") {
      try transfer(["-o", "/dev/null", "-T", network.downloadPath, LabPlan.url(family, "/\($0)")])
    }
  }

  /// What is put to the path `put` is given has to be at one of the servers.
  func upload(named name: String, put: (String) throws -> Void) throws -> String {
    let name = "upload/\(name)"
    let copies = (1...plan.hosts.count).map { "\(plan.folder)/rs\($0)/\(name)" }
    copies.forEach { unlink($0) }
    defer { copies.forEach { unlink($0) } }
    try put(name)
    guard let copy = copies.first(where: { access($0, F_OK) == 0 }) else {
      throw LabFailure("no server has the uploaded file")
    }
    return try compare(network.downloadPath, copy)
  }

  func transfer(_ arguments: [String]) throws {
    let seconds = 30 + plan.fileByteCount >> 22
    let command = inClient(Traffic.curl + ["--max-time", "\(seconds)"] + arguments)
    let result = try Command.run(command, timeoutSeconds: Double(seconds) + 5)
    guard result.status == 0 else { throw LabFailure(Command.complaint(["curl"] + arguments.suffix(1), result)) }
  }

  func compare(_ sent: String, _ received: String) throws -> String {
    let digests = try Command.check(["sha256sum", sent, received], timeoutSeconds: 60)
      .split(separator: "\n").compactMap { $0.split(separator: " ").first }
    guard digests.count == 2, digests[0] == digests[1] else { throw LabFailure("the digests differ") }
    return "sha256 \(digests[0].prefix(12))"
  }

  /// A download slow enough to be watched.
  func slowDownload() throws -> BackgroundProcess {
    try BackgroundProcess(
      inClient(
        Traffic.curl + ["--limit-rate", "1M", "-o", "/dev/null", LabPlan.url(family, "/download")]),
      logPath: "\(plan.folder)/slow.log")
  }

  /// Begins a download that comes no further than it is let.
  func heldDownload() throws -> HeldDownload {
    try HeldDownload(
      inClient(Traffic.curl + [LabPlan.url(family, "/download"), "-o"]), path: "\(plan.folder)/held",
      logPath: "\(plan.folder)/held.log")
  }

  // MARK: Load

  /// What wrk measured.
  struct Load: Equatable {
    let requestsPerSecond: Double
    /// All of them.
    let requests: UInt64
    let errors: String?

    /// Parses wrk's summary; nil when there is none.
    init?(_ text: String) {
      let lines = text.split(separator: "\n").map { $0.drop { $0 == " " } }
      guard let rate = lines.first(where: { $0.hasPrefix("Requests/sec:") })?.split(separator: " ").last,
        let number = Double(rate)
      else { return nil }
      requestsPerSecond = number
      let total = lines.first { $0.split(separator: " ").dropFirst().starts(with: ["requests", "in"]) }
      requests = total.flatMap { UInt64($0.prefix { $0 != " " }) } ?? 0
      errors = lines.first { $0.hasPrefix("Socket errors:") || $0.hasPrefix("Non-2xx") }.map(String.init)
    }
  }

  /// Parallel connections for a few seconds.
  func load(connections: Int, seconds: Int, closing: Bool = false) throws -> Load {
    // The blank after the colon matters: without it wrk drops the header silently.
    let header = closing ? ["-H", "Connection: close"] : []
    let command = inClient(
      ["wrk", "-t", "1", "-c", "\(connections)", "-d", "\(seconds)s"] + header + [LabPlan.url(family)])
    let result = try Command.run(command, timeoutSeconds: Double(seconds) + 15)
    guard result.status == 0, let load = Load(result.output) else {
      throw LabFailure(Command.complaint(["wrk", LabPlan.url(family)], result))
    }
    return load
  }

  /// The same beside others; it ends by itself.
  func backgroundLoad(connections: Int, seconds: Int, closing: Bool) throws -> BackgroundProcess {
    let header = closing ? ["-H", "Connection: close"] : []
    let words = ["wrk", "-t", "1", "-c", "\(connections)", "-d", "\(seconds)s", "--timeout", "5s"]
    return try BackgroundProcess(
      inClient(words + header + [LabPlan.url(family)]), logPath: "\(plan.folder)/wrk-\(closing).log")
  }

  // MARK: Datagrams

  /// Datagrams that must come back unchanged.
  /// - Parameter isShuffled: their fragments leave out of order.
  func echo(byteCount: Int, count: Int, isShuffled: Bool = false) throws -> String {
    var words = [
      network.executable, "lab", "udp-probe", "--address", LabPlan.vip(family), "--port", "\(LabPlan.echoPort)",
      "--size", "\(byteCount)", "--count", "\(count)",
    ]
    if isShuffled {
      words.append("--shuffled")
      // The kernel sends no fragment that is larger than the path it has learned of.
      try Command.check(["ip", family == .ipv4 ? "-4" : "-6", "-n", plan.client, "route", "flush", "cache"])
    }
    let result = try Command.run(inClient(words), timeoutSeconds: 10 + 2 * Double(count))
    let said = result.output.split(separator: "\n").last.map(String.init)
    guard result.status == 0 else { throw LabFailure(said ?? Command.complaint(["udp-probe"], result)) }
    return said ?? "came back"
  }

  /// The way to a port where nobody listens, as ICMP tells it: the director, a router, the server. To the client they all are
  /// the VIP.
  func path() throws -> String {
    let command = inClient([
      network.executable, "lab", "udp-path", "--address", LabPlan.vip(family), "--port", "\(LabPlan.closedPort)",
    ])
    let result = try Command.run(command, timeoutSeconds: 15)
    let said = result.output.split(separator: "\n").last.map(String.init) ?? ""
    guard result.status == 0 else { throw LabFailure(Command.complaint(["udp-path"], result)) }
    var hops = said.split(separator: ",").map { String($0.drop { $0 == " " }) }
    let vip = LabPlan.vip(family)
    // What a tunnel's own routers say only the director hears, and of IPv6 it passes nothing on, as IPVS.
    let isSilent = plan.mode.isTunnel && family == .ipv6
    if isSilent, plan.hasRouter, !plan.services.hasLocalServer, hops.count == 3 { hops.remove(at: 1) }
    var expected = [vip, "\(vip) unreachable"]
    if plan.hasRouter, !isSilent { expected.insert(vip, at: 0) }
    // To get there takes no hop.
    if plan.services.hasLocalServer { expected = ["\(vip) unreachable"] }
    guard hops == expected else { throw LabFailure("the path is \(said)") }
    return said
  }

  /// What tracepath(8) says of the way: how many hops, and the largest packet that arrives uncut.
  func tracepath() throws -> String {
    let command = ["tracepath", "-n", "-m", "6", "-p", "\(LabPlan.closedPort)", LabPlan.vip(family)]
    let result = try Command.run(inClient(command), timeoutSeconds: 30)
    guard result.status == 0, let said = Traffic.summary(ofTracepath: result.output) else {
      throw LabFailure(Command.complaint(command, result))
    }
    let hops = plan.hasRouter ? 3 : 2
    guard result.output.contains("reached"), said == [plan.pathMTU(family), hops] else {
      throw LabFailure("\(said[0]) bytes, \(said[1]) hops, for \(plan.pathMTU(family)) and \(hops)")
    }
    return "\(said[0]) bytes, \(said[1]) hops"
  }

  /// `Resume: pmtu 1500 hops 2 back 2`; nil when there is no such line.
  static func summary(ofTracepath text: String) -> [Int]? {
    let words = text.split { $0 == " " || $0 == "\n" }
    guard let start = words.firstIndex(of: "Resume:"), start + 4 < words.count, words[start + 1] == "pmtu",
      words[start + 3] == "hops", let size = Int(words[start + 2]), let hops = Int(words[start + 4])
    else { return nil }
    return [size, hops]
  }

  // MARK: Who answers for the VIP

  /// The VIP must resolve to the director: were it a server, the test would pass without a balancer.
  func vipBelongsToDirector() throws -> String {
    let entry = try Command.check(["ip", "-n", plan.client, "neighbour", "show", LabPlan.vip(family)])
    let director = LabPlan.ethernet(side: 1, host: LabPlan.directorHost)
    guard entry.contains(director) else {
      throw LabFailure("the VIP resolves to `\(entry.split(separator: "\n").first ?? "nothing")`, not \(director)")
    }
    return director
  }

  /// A capture of the TCP resets that reach the client from the VIP.
  func resetWatch() throws -> BackgroundProcess {
    let resets = family == .ipv4 ? "tcp[tcpflags] & tcp-rst != 0" : "ip6[6] = 6 and ip6[53] & 4 != 0"
    let watch = try BackgroundProcess(
      inClient([
        "tcpdump", "-i", "eth0", "-n", "-l", "--immediate-mode", "src host \(LabPlan.vip(family)) and \(resets)",
      ]),
      logPath: "\(plan.folder)/resets.log")
    let isUp = try Interruption.wait(seconds: 5) { watch.log.contains("listening on") || !watch.isRunning }
    guard isUp, watch.isRunning else { throw LabFailure("tcpdump does not start: \(watch.lastLine)") }
    return watch
  }

  private func inClient(_ command: [String]) -> [String] { network.inside(plan.client, command) }
}
