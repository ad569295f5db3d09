import Config
import Dataplane
import Wire

/// The director without a network: the very pipeline over frames from a capture, with the capture's clock.
///
/// Same input, same output: the clock is given, the seed is fixed, and frames are taken strictly in order. It needs
/// no privileges. Who drives it feeds commands, time and frames; what comes out is told frame by frame.
public final class Replay {
  /// What became of one input frame.
  public struct Result {
    /// Number of the input frame.
    public let input: Int
    /// Its fate.
    public let outcome: Outcome
  }

  /// The network.
  public private(set) var topology = Topology()
  /// Services, timeouts and whatever else ipvsadm changes.
  private var administration = Administration()
  /// `net.ipv4.vs.*`.
  public private(set) var settings = IPVSSettings() {
    didSet { administration.services.forgetsConnections = settings.expiresConnectionsWithoutServer }
  }
  /// Which packets carry which firewall mark.
  public private(set) var markRules = MarkRuleList()
  /// Called with each frame that leaves: the input that caused it, which of its outputs it is, the bytes.
  public var onTransmit: (Int, Int, UnsafeRawBufferPointer) -> Void = { _, _, _ in }
  /// Called with each frame that leaves because time has passed, and no input.
  public var onTimer: (UnsafeRawBufferPointer) -> Void = { _ in }
  /// Called with each input that is left to the host.
  public var onResult: (Result) -> Void = { _ in }

  private let dataplane: Dataplane
  private var pipeline: MemoryPipeline?
  private var ports = PortMap(links: [])
  private var wantedLinks: [Int32]?
  private var isStale = true
  private var nanoseconds: UInt64 = 1_000_000_000
  private var sweptTick: UInt64 = 0
  private var estimatedTick: UInt64 = 0
  private var pending: [Int] = []
  private var pendingPort = 0

  /// Until a configuration is loaded, it is as recorded cases want it: ICMP errors are not limited as long as nothing sets their
  /// limits, and IPVS's faults are repeated.
  ///
  /// - Parameters:
  ///   - connections: room in the connection table.
  ///   - seed: of everything drawn by lot.
  public init(connections: Int = 65_536, seed: UInt64 = 1) throws {
    settings.errorLimits = .unlimited
    settings.repeatsFaults = true
    dataplane = try Dataplane(connections: connections, bothDirections: true, seed: seed)
    administration.rates = RateEstimator()
  }

  /// Changes the network.
  /// - Returns: nil, or why it cannot be done.
  public func apply(_ edit: TopologyEdit) -> String? {
    flush()
    isStale = true
    switch edit {
    case .setIPVS(let setting, let value): settings.set(setting, to: value)
    case .setSysctl(let name, let value):
      if case .success(let parsed) = ICMPSetting.parse(name: name, value: value) {
        settings.errorLimits.set(parsed.setting, to: parsed.value)
      }
    default: break
    }
    return topology.apply(edit)
  }

  /// Takes over a whole network, before any frame.
  /// - Parameter links: the interfaces to use, by number; nil for all of them.
  func use(_ topology: Topology, links: [Int32]?) {
    self.topology = topology
    wantedLinks = links
    isStale = true
  }

  /// Changes the mark rules.
  public func apply(_ edit: MarkRuleList.Edit) throws {
    flush()
    isStale = true
    try markRules.apply(edit)
  }

  /// Switches the FTP helper on, for connections to these ports.
  public func helpFTP(_ ports: [UInt16]) {
    flush()
    isStale = true
    settings.ftpPorts = HelperPorts(ports)
    administration.services.noteHelped(ports)
  }

  /// Carries out an `ipvsadm` command.
  /// - Returns: what it prints.
  @discardableResult
  public func apply(_ command: IpvsadmCommand) throws -> String {
    if case .restore = command {
      throw IpvsadmError("-R has nothing to read here, write its lines as commands", exitCode: 2, isMissing: true)
    }
    flush()
    if command.isQuestion {
      sweepIfDue(always: true)
      return try administration.apply(command, in: place)
    }
    isStale = true
    let text = try administration.apply(command, in: place)
    publish()
    return text
  }

  /// Answers a request as `lbd run` does over its socket, everything allowed.
  func answer(to request: AdminRequest) -> AdminAnswer {
    if request.isOwn { try? prepare() }
    flush()
    sweepIfDue(always: true)
    if request.isOwn { return QuestionDesk().answer(to: request, rights: .change, in: whyPlace) }
    isStale = true
    let (answer, effect) = AdminDesk().answer(to: request, rights: .change, &administration, in: place)
    if effect == .rules { publish() }
    return answer
  }

  private var place: Administration.Surroundings {
    Administration.Surroundings(dataplane: dataplane, topology: topology, nowNanoseconds: nanoseconds)
  }

  /// Answers one of `lbd`'s own questions, as of now.
  /// - Returns: the text, which a question about packets may ask for as JSON.
  public func answer(to question: LbdQuestion) throws -> String {
    try prepare()
    flush()
    return try QuestionDesk().text(for: question, in: whyPlace)
  }

  var whyPlace: WhyPlace {
    WhyPlace(
      dataplane: dataplane, topology: topology, ports: ports, administration: administration,
      markRules: markRules.rules, nowNanoseconds: nanoseconds)
  }

  /// Loads a whole configuration.
  public func apply(_ configuration: Configuration) throws {
    flush()
    isStale = true
    administration.timeouts = configuration.timeouts
    try administration.services.load(configuration)
    administration.services.noteHelped(configuration.settings.ftpPorts)
    settings = IPVSSettings(configuration.settings)
    markRules = configuration.markRules
    publish()
  }

  /// Lets time pass, in steps: what times out starts other times (a template with connections is given 60 s more), and
  /// entries are dropped by the second.
  public func advance(nanoseconds amount: UInt64) {
    flush()
    var left = amount
    for _ in 0..<Replay.stepLimit where left > Replay.step {
      guard let pipeline, pipeline.hasTemplates || settings.dropEntry.isInEffect else { break }
      pass(Replay.step)
      left -= Replay.step
      sweepIfDue()
      if settings.dropEntry.isInEffect { pipeline.turn() }
    }
    pass(left)
    sweepIfDue()
  }

  private static let step: UInt64 = 500_000_000
  /// By then all that can end has ended.
  private static let stepLimit = 10_000

  /// The clock stops at its end, in 146 years, rather than wrap round.
  private func pass(_ amount: UInt64) {
    let end: UInt64 = 1 << 62
    nanoseconds = amount < end - nanoseconds ? nanoseconds + amount : end
  }

  /// Feeds a frame; its outcome is told before the next command, sleep or listing at the latest.
  /// - Parameter elapsedNanoseconds: time since the frame before.
  public func feed(
    _ bytes: UnsafeRawBufferPointer, input: Int, elapsedNanoseconds: UInt64 = 1_000_000
  ) throws {
    pass(elapsedNanoseconds)
    if nanoseconds / 500_000_000 != sweptTick {
      flush()
      sweepIfDue()
    }
    try prepare()
    guard let pipeline else { return }
    let port = self.port(of: bytes)
    if port != pendingPort || pending.count == Limits.batchCapacity { flush() }
    pendingPort = port
    guard pipeline.offer(bytes, interface: port) else {
      throw ReplayError.tooLong(input: input, byteCount: bytes.count, limit: pipeline.packetByteCountLimit)
    }
    pending.append(input)
    // The host's answer comes before the next frame.
    if pipeline.hasLocalServers { flush() }
  }

  /// Takes what has been fed through the pipeline.
  public func flush() {
    guard let pipeline, !pending.isEmpty else { return }
    pipeline.setClock(nanoseconds: nanoseconds)
    pipeline.letHostAnswer()
    defer { while pipeline.hasHostAnswers { pipeline.turn() } }
    while pipeline.turn() > 0, !pending.isEmpty {
      var previous = -1
      var position = 0
      pipeline.forEachTransmitted { frame in
        position = frame.input == previous ? position + 1 : 0
        previous = frame.input
        onTransmit(pending[frame.input], position, frame.bytes)
      }
      pipeline.forEachTimed { onTimer($0.bytes) }
      for (index, input) in pending.enumerated() {
        onResult(Result(input: input, outcome: pipeline.outcome(of: index)))
      }
      pending.removeAll(keepingCapacity: true)
    }
  }

  /// Listings of the present state.
  public var listing: Listing {
    flush()
    sweepIfDue(always: true)
    return administration.listing(in: place)
  }

  /// The account of all frames so far.
  public var report: Report { Report(listing: listing, statistics: dataplane.statistics()) }

  /// The replay's time.
  public var clockNanoseconds: UInt64 { nanoseconds }

  private func port(of bytes: UnsafeRawBufferPointer) -> Int {
    guard bytes.count >= 6, let address = EthernetAddress(bytes: bytes[0..<6]) else { return 0 }
    return ports.links.firstIndex { topology.links[$0]?.address == address } ?? 0
  }

  func prepare() throws {
    if pipeline == nil {
      let all = topology.links.values.filter { $0.vlan == nil }.map(\.index).sorted()
      ports = PortMap(links: wantedLinks ?? Array(all.prefix(Limits.portCapacity)))
      guard !ports.links.isEmpty else { throw ReplayError.noInterface }
      pipeline = try MemoryPipeline(
        dataplane, interfaces: ports.links.map { topology.links[$0]?.address ?? EthernetAddress(0) })
      isStale = true
    }
    if isStale { publish() }
  }

  private func publish() {
    guard pipeline != nil else { return }
    isStale = false
    administration.services.noteDrains(atNanoseconds: nanoseconds)
    let assembler = SnapshotAssembler(
      services: administration.services, topology: topology, ports: ports, timeouts: administration.timeouts,
      settings: settings, markRules: markRules.rules)
    let description = assembler.assemble().description
    let news = dataplane.publish(description, of: &administration.services, atNanoseconds: nanoseconds)
    guard news.forgets, let pipeline else { return }
    // The hand of a worker takes its time; here nobody could tell when.
    pipeline.setClock(nanoseconds: nanoseconds)
    pipeline.turn()
    pipeline.sweep()
  }

  private func sweepIfDue(always: Bool = false) {
    let tick = nanoseconds / 500_000_000
    guard let pipeline, always || tick != sweptTick else { return }
    sweptTick = tick
    if let end = administration.services.nextDrainEnd, nanoseconds >= end { publish() }
    pipeline.setClock(nanoseconds: nanoseconds)
    pipeline.sweep()
    pipeline.turn()
    pipeline.forEachTimed { onTimer($0.bytes) }
    estimateIfDue()
  }

  /// After so many looks at nothing new an average does not move any more.
  private static let estimateLimit: UInt64 = 128

  private func estimateIfDue() {
    let tick = nanoseconds / (UInt64(RateEstimator.seconds) * 1_000_000_000)
    for _ in 0..<min(tick - estimatedTick, Replay.estimateLimit) { administration.estimate(dataplane) }
    estimatedTick = tick
  }
}

/// Why a replay cannot go on.
public enum ReplayError: Error, CustomStringConvertible {
  case noInterface
  case tooLong(input: Int, byteCount: Int, limit: Int)

  /// The message.
  public var description: String {
    switch self {
    case .noInterface: "the topology has no interface (write `ip link set eth0 address …`)"
    case .tooLong(let input, let byteCount, let limit):
      "frame \(input) of the capture has \(byteCount) bytes, a frame holds \(limit)"
    }
  }
}
