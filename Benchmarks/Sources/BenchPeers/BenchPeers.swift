import BenchReport
import Glibc
import Lab

/// The part `peers`: lbd beside other balancers, in a lab with real servers.
public struct BenchPeers {
  /// How it is run.
  public struct Options: Sendable {
    /// Path of `lbd`; nil: the release build beside the benchmarks, then the installed one.
    public var executable: String?
    /// One short round.
    public var isQuick: Bool
    /// Turns of every target; nil: as many as the kind of run has.
    public var rounds: Int?
    /// Words that targets' names must contain one of; empty: all targets.
    public var only: [String]
    /// How the wires are.
    public var wire: PeerWire
    /// For the report.
    public var command: String

    /// Options.
    public init(
      executable: String? = nil, isQuick: Bool = false, rounds: Int? = nil, only: [String] = [],
      wire: PeerWire = PeerWire(), command: String = "lbd-bench peers"
    ) {
      self.executable = executable
      self.isQuick = isQuick
      self.rounds = rounds
      self.only = only
      self.wire = wire
      self.command = command
    }
  }

  private let options: Options
  private let targets: [PeerTarget]
  private var figures = PeerFigures()
  private var complaints: [String] = []

  /// - Throws: when `only` names no target.
  public init(_ options: Options) throws {
    self.options = options
    targets = PeerTarget.matching(options.only)
    guard !targets.isEmpty else {
      let names = PeerTarget.all.map(\.label).joined(separator: ", ")
      throw LabFailure("no target like `\(options.only.joined(separator: " "))`; there are: \(names)")
    }
  }

  private var rounds: Int { options.rounds ?? (options.isQuick ? 1 : 7) }
  private var seconds: Int { options.isQuick ? 1 : 2 }

  /// Why nothing can be measured here, or nil.
  public static func reasonToSkip() -> String? {
    if geteuid() != 0 { return "needs root, for network namespaces" }
    if sysconf(Int32(_SC_NPROCESSORS_ONLN)) < 2 { return "needs two cores" }
    let status = TextFile.read("/proc/self/status") ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("CapEff:") } ?? ""
    let capabilities = line.split(separator: "\t").last.flatMap { UInt64($0, radix: 16) } ?? 0
    let needed: [(UInt64, String)] = [(12, "CAP_NET_ADMIN"), (21, "CAP_SYS_ADMIN")]
    return needed.first { capabilities >> $0.0 & 1 == 0 }.map { "needs \($0.1), for network namespaces" }
  }

  /// Measures everything; what it built is gone afterwards, however it ends.
  public mutating func run() throws -> PartReport {
    let executable = try BenchPeers.locate(options.executable)
    try BenchPeers.checkTools()
    Interruption.install()
    let network = PeerNetwork(executable: executable, wire: options.wire)
    defer { PeerNetwork.tearDown() }
    var progress = Progress(part: "peers", steps: rounds * targets.count + 1)
    progress.step("building the lab")
    try network.setUp()
    for round in 0..<rounds {
      // Up and down by turns, so that nobody always comes after the same one.
      for target in round % 2 == 0 ? targets : targets.reversed() {
        progress.step("round \(round + 1) of \(rounds): \(target.label)")
        try turn(target, round, network)
      }
    }
    progress.finish()
    return PeersReport(figures: figures, targets: targets).report(command: options.command, notes: notes)
  }

  private mutating func turn(_ target: PeerTarget, _ round: Int, _ network: PeerNetwork) throws {
    var said: [String] = []
    do {
      let director = try PeerDirector(target, network: network)
      defer { director.end() }
      let load = PeerLoad(network: network, director: director, seconds: seconds)
      figures.add(try load.measure { said.append($0) }, of: target, round: round)
    } catch let failure as LabFailure where failure != .interrupted {
      said.append(failure.description)
    }
    complaints += said.map { "\(target.label), round \(round + 1): \($0)" }
  }

  // MARK: What it needs

  private static let packages = [
    "ip": "iproute2", "ethtool": "ethtool", "sysctl": "procps", "nginx": "nginx-light libnginx-mod-stream",
    "haproxy": "haproxy", "iperf3": "iperf3", "wrk": "wrk", "nft": "nftables", "curl": "curl", "taskset": "util-linux",
    "chrt": "util-linux",
  ]

  private static func checkTools() throws {
    var missing = packages.filter { Command.locate($0.key) == nil }.map(\.value)
    if access("/usr/lib/nginx/modules/ngx_stream_module.so", R_OK) != 0 { missing.append("libnginx-mod-stream") }
    guard missing.isEmpty else {
      throw LabFailure(
        "peers: not everything is installed: Scripts/install-packages.sh \(missing.sorted().joined(separator: " "))")
    }
  }

  private static func locate(_ given: String?) throws -> String {
    if let given {
      guard let path = realpath(given, nil) else { throw LabFailure("peers: no executable \(given)") }
      defer { free(path) }
      return String(cString: path)
    }
    let results = ResultFiles.defaultDirectory()
    let suffix = "/Benchmarks/results"
    let beside = results.hasSuffix(suffix) ? results.dropLast(suffix.count) + "/.build/release/lbd" : ""
    guard let path = [String(beside), "lbd"].filter({ !$0.isEmpty }).compactMap(Command.locate).first else {
      throw LabFailure("peers: no lbd: build it (swift build -c release) or name it with --lbd")
    }
    return path
  }

  // MARK: Remarks

  private var notes: [String] {
    let client = PeerNetwork.clientCore
    let director = PeerNetwork.directorCore
    return [
      "medians of \(rounds) interleaved rounds of \(seconds) s a load; ratios are the medians of the rounds' ratios;"
        + " /peers is against the best of nftables, haproxy and nginx",
      "client and servers on core \(client), director on core \(director); one bridge, the same wires for all: "
        + options.wire.remark,
      "the director's programs run before all else on their core (SCHED_FIFO), as the kernel's forwarding does; client"
        + " and servers do not: judge by the ratios, on a quiet machine",
      "the director's port finishes no checksum, cuts and joins no segment, for all alike, as lbd could not use that;"
        + " direct does not pass there and keeps its large segments, so that /direct of Gbit/s says little",
      "core us/req: all that core \(director) did while kept connections were busy, whoever was charged; other work on"
        + " the machine is in it. What a director makes core \(client) do is not: unsteered nftables works there",
      "process us/req: the time charged to the director's programs alone; that of the servers' receiving is in it",
      "steered: the director's kernel handles packets on the director's core (RPS), as for the proxies; unsteered: on"
        + " the core they come from. p50 and p99 are those of one connection, loaded of 64",
    ] + complaints
  }
}
