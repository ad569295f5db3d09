import BenchReport
import CForwarder
import Glibc
import Lab

/// The measurement on the wire: lbd in every mode over both kinds of port, the forwarder in C that does nothing, and the
/// kernel's own forwarding, one stretch after the other, round by round.
public final class WireBench {
  /// What is measured, and for how long.
  public struct Options: Sendable {
    /// The program.
    public var lbd: String
    /// A small grid, short stretches.
    public var isQuick: Bool
    /// Only these modes.
    public var modes: [WireMode]
    /// Only these ports.
    public var ports: [String]
    /// Only these numbers of flows.
    public var flows: [Int]
    /// Rounds for each cell.
    public var rounds: Int?

    /// Everything, unless told otherwise.
    public init(
      lbd: String, isQuick: Bool = false, modes: [WireMode] = WireMode.allCases, ports: [String] = ["xdp", "packet"],
      flows: [Int] = [1000, 100_000, 1_000_000], rounds: Int? = nil
    ) {
      self.lbd = lbd
      self.isQuick = isQuick
      self.modes = modes
      self.ports = ports
      self.flows = flows
      self.rounds = rounds
    }
  }

  private struct Subject {
    let mode: WireMode
    let port: String
    let flows: Int
  }

  private static let generatorCore = 0
  private static let forwarderCore = 1
  /// New flows a second while they are established: half of what the slowest port takes here.
  private static let openingRate = 250_000

  private let options: Options
  private let folder: String
  private let reference: Rig
  private let lbd: Rig
  private let kernel: Rig
  private let calls: CallCounter
  private var progress: Progress

  /// Builds the three rigs. Throws `WireFailure` with `isMissingPrerequisite` where this machine cannot do it.
  public init(_ options: Options) throws {
    try WireBench.checkPrerequisites(options)
    cf_catch_signals()
    self.options = options
    try WireBench.lock()
    WireBench.removeAll()
    folder = WireBench.folder
    guard mkdir(folder, 0o700) == 0 else { throw WireFailure("cannot make \(folder)") }
    progress = Progress(
      part: "wire", steps: WireBench.subjects(options).count + (options.isQuick ? 1 : options.flows.count))
    do {
      let object = try ProgramFile.compile(into: folder)
      reference = try Rig("ref", programs: object)
      lbd = try Rig("lbd", programs: object)
      kernel = try Rig("kernel", programs: object)
      calls = CallCounter(folder: folder)
    } catch {
      WireBench.removeAll()
      throw error
    }
    Priority.raise(getpid())
  }

  /// Removes everything.
  public func close() {
    for rig in [reference, lbd, kernel] { rig.close() }
    calls.close()
    WireBench.removeAll()
  }

  private static func checkPrerequisites(_ options: Options) throws {
    guard geteuid() == 0 else { throw WireFailure.missing("needs root: network namespaces, AF_XDP, BPF") }
    for tool in ["ip", "ethtool", "sysctl"] where Command.locate(tool) == nil {
      throw WireFailure.missing("needs \(tool): make deps-lab")
    }
    guard sysconf(Int32(_SC_NPROCESSORS_ONLN)) >= 2 else {
      throw WireFailure.missing("needs two cores: one for the generator, one for the forwarder")
    }
    guard access(options.lbd, X_OK) == 0 else {
      throw WireFailure("\(options.lbd): no such program; build it (swift build -c release) or name it with --lbd")
    }
  }

  /// One run at a time on a machine: the next one removes what it finds. The lock goes with this process.
  private static func lock() throws {
    let file = open("/run/lbd-bench-wire.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw WireFailure("cannot write /run/lbd-bench-wire.lock") }
    guard flock(file, LOCK_EX | LOCK_NB) == 0 else { throw WireFailure("another lbd-bench wire is running here") }
  }

  private static let folder = "/run/lbd-bench-wire"

  /// Removes namespaces, processes and files of ours: also what a run left that was killed.
  private static func removeAll() {
    Rig.tearDown()
    umount2(folder + "/tracing", Int32(MNT_DETACH))
    _ = try? Command.run(["rm", "-r", "-f", "--one-file-system", "--", folder], interruptible: false)
  }

  // MARK: The grid

  private static func subjects(_ options: Options) -> [Subject] {
    let all = options.flows.flatMap { flows in
      options.ports.flatMap { port in options.modes.map { Subject(mode: $0, port: port, flows: flows) } }
    }
    guard options.isQuick else { return all }
    return all.filter { $0.flows == options.flows.first && ($0.port == "xdp" || $0.mode == .dr) }
  }

  private var flowCounts: [Int] { options.isQuick ? Array(options.flows.prefix(1)) : options.flows }
  private var rounds: Int { options.rounds ?? (options.isQuick ? 3 : 7) }
  private var lengths: (warmUp: Double, window: Double) { options.isQuick ? (0.1, 0.3) : (0.2, 0.6) }

  /// Measures all cells.
  public func run() throws -> [Cell] {
    var cells: [Cell] = []
    try reference.startNothing(core: WireBench.forwarderCore)
    for flows in flowCounts {
      progress.step("kernel, \(flows) flows")
      cells.append(try measureKernel(flows: flows))
    }
    for subject in WireBench.subjects(options) {
      progress.step("\(subject.mode.rawValue) \(subject.port), \(subject.flows) flows")
      cells.append(try measure(subject))
    }
    progress.finish()
    return cells
  }

  // MARK: Stretches

  private func referenceStretch(_ flows: Int) throws -> Stretch {
    try Stretch.measure(
      reference, load: .flood(flows: flows, to: Rig.vip), lengths: lengths, core: WireBench.generatorCore,
      clock: { self.reference.nothingNanoseconds })
  }

  private func measureKernel(flows: Int) throws -> Cell {
    let rounds = try Rounds(wanted: self.rounds) {
      Round(
        theirs: try referenceStretch(flows),
        ours: try Stretch.measure(
          kernel, load: .flood(flows: flows, to: Rig.routed), lengths: lengths, core: WireBench.generatorCore,
          clock: nil))
    }
    return WireCell(mode: "ip_forward", port: "kernel", flows: flows, rounds: rounds).cell
  }

  private func measure(_ subject: Subject) throws -> Cell {
    let director = try DirectorProcess(
      lbd: options.lbd, rig: lbd, mode: subject.mode, port: subject.port, flows: subject.flows, folder: folder)
    defer { director.stop() }
    let before = try establish(subject, director)
    let counters = reference.nothingCounters
    let rounds = try Rounds(wanted: self.rounds) {
      Round(theirs: try referenceStretch(subject.flows), ours: try lbdStretch(subject, director))
    }
    // Both publish what the kernel lost when they go to sleep and when they wake, five times a second.
    try Waiting.sleep(seconds: 0.3)
    let after = try director.report()
    var result = WireCell(mode: subject.mode.rawValue, port: subject.port, flows: subject.flows, rounds: rounds)
    result.established = Int(clamping: WireBench.connections(before))
    result.ringFull = Int(clamping: WireBench.ringFull(after) &- WireBench.ringFull(before))
    let nothing = reference.nothingCounters
    result.referenceRingFull = Int(
      clamping: nothing.missed &+ nothing.transmit_ring_full &- counters.missed &- counters.transmit_ring_full)
    result.strays = Int(
      clamping: (after.sum("passed") &- before.sum("passed")) &+ (after.sum("dropped") &- before.sum("dropped"))
        &- (after.count("dropped.transmitRingFull") &- before.count("dropped.transmitRingFull")))
    try countCalls(subject, director, &result)
    return result.cell
  }

  private func lbdStretch(_ subject: Subject, _ director: DirectorProcess) throws -> Stretch {
    try Stretch.measure(
      lbd, load: .flood(flows: subject.flows, to: Rig.vip), lengths: lengths, core: WireBench.generatorCore,
      clock: { director.nanoseconds })
  }

  /// System calls, in a stretch of their own.
  private func countCalls(_ subject: Subject, _ director: DirectorProcess, _ result: inout WireCell) throws {
    var stretch = Stretch()
    var before: UInt64 = 0
    var packets: UInt64 = 0
    let counts = try calls.count(["sendto", "poll"], threads: director.workers) {
      before = lbd.seen
      stretch = try lbdStretch(subject, director)
      packets = lbd.seen &- before
    }
    if let counts, packets > 0, stretch.packets > 0 {
      result.kicks = Double(counts[0]) * 1000 / Double(packets)
      result.sleeps = Double(counts[1]) * 1000 / Double(packets)
    }
    let first = reference.nothingCounters
    _ = try referenceStretch(subject.flows)
    try Waiting.sleep(seconds: 0.3)
    let last = reference.nothingCounters
    let sent = Double(max(1, last.sent &- first.sent))
    result.referenceKicks = Double(last.kicks &- first.kicks) * 1000 / sent
    result.referenceSleeps = Double(last.sleeps &- first.sleeps) * 1000 / sent
  }

  // MARK: Establishing

  /// Opens every flow (SYN, then ACK), again where packets were lost, and says what the director counts by then.
  private func establish(_ subject: Subject, _ director: DirectorProcess) throws -> DirectorReport {
    for flags in [WIRE_TCP_SYN, WIRE_TCP_SYN, WIRE_TCP_ACK] {
      let load = Load.pass(
        flows: subject.flows, to: Rig.vip, flags: flags, perSecond: WireBench.openingRate)
      let generator = try lbd.generate(load, core: WireBench.generatorCore)
      let isDone = try Waiting.wait(seconds: 5 + Double(subject.flows) / 50_000) {
        generator.sent >= UInt64(subject.flows)
      }
      try generator.stop()
      guard isDone else { throw WireFailure("the generator does not get its packets out") }
    }
    let report = try director.report()
    guard report.count(subject.mode.outcome) > 0 else {
      throw WireFailure("lbd forwards nothing (\(subject.mode.rawValue), \(subject.port)): \(report.balance)")
    }
    return report
  }

  /// From the listing, which says for each real server how many connections are active and inactive.
  private static func connections(_ report: DirectorReport) -> UInt64 {
    report.services.reduce(0) { sum, line in
      let words = line.split(separator: " ")
      guard words.first == "->", words.count >= 6 else { return sum }
      return sum &+ (UInt64(words[words.count - 2]) ?? 0) &+ (UInt64(words[words.count - 1]) ?? 0)
    }
  }

  private static func ringFull(_ report: DirectorReport) -> UInt64 {
    report.count("missed") &+ report.count("dropped.transmitRingFull")
  }
}
