import Config
import Dataplane
import Glibc
import HealthCheck
import Kernel
import Logging
import Wire

/// The running director: the one writer. It reads the configuration, watches the kernel's network, publishes snapshots, and
/// ends cleanly.
///
/// A single thread and an epoll loop: signals, netlink, workers' notices, and a timer once a second. What it never does is
/// touch a packet.
public final class Director {
  /// What the command line says.
  public struct Options: Sendable {
    /// The configuration file.
    public var configuration: ConfigurationFile
    /// Overrides the configuration's.
    public var port: LbdSettings.PortKind?
    /// Overrides the configuration's, and the automatic choice.
    public var interfaces: [String] = []
    /// Overrides the configuration's.
    public var workers: Int?
    /// Where SIGUSR1, and the end, leave the report.
    public var reportPath: String?

    /// Where `ipvsadm` finds lbd; nil is nowhere.
    public var socketPath: String?
    /// False when lbd runs as well without it.
    public var needsSocket = false
    /// Keeps the rules over restarts.
    public var statePath: String?
    /// False: every server counts as up, whatever checks are configured.
    public var runsChecks = true
    /// False when lbd starts empty if there is no such file.
    public var needsConfiguration = true

    /// The defaults.
    public init(configuration: ConfigurationFile) { self.configuration = configuration }
  }

  let options: Options
  let log: Logger
  var configuration = Configuration() { didSet { configurationCount += 1 } }
  /// Counts the configurations that came into force.
  private(set) var configurationCount = 0
  /// Services, timeouts and whatever else ipvsadm changes.
  var administration = Administration()
  let watcher: NetworkWatcher
  let dataplane: Dataplane
  let ports: PortSelection
  private var needed: Set<Topology.Station> = []
  private var notes: [String] = []
  private(set) var seconds = 0
  private var defence = AutomaticDefence()
  private let signals: SignalDescriptor
  let manager = ServiceManager()
  private var admin: AdminServer?
  private weak var companion: (any DirectorCompanion)?
  /// The checks of servers; nil where none run.
  private(set) var watch: HealthWatch?
  let controlLoop: ControlLoop?
  /// Who is told of what; nil where nobody is.
  let notices: Notices?
  let ways = VirtualWays()
  /// What is shown by HTTP; nil where nothing ever is.
  let web: WebDesk?
  /// The rules have changed since they were stored.
  var isUnsaved = false

  static let hostDevice = "lbd0"
  /// Neighbours in use are confirmed this often, before the kernel forgets them.
  private static let confirmSeconds = 15

  /// Reads the configuration and opens everything but the ports.
  public init(_ options: Options, log: Logger, companion: (any DirectorCompanion)? = nil) throws {
    self.options = options
    self.log = log
    self.companion = companion
    signals = try SignalDescriptor(SignalDescriptor.usual + (companion?.signals ?? []))
    if options.needsConfiguration || options.configuration.exists {
      configuration = try options.configuration.load { log.log(level: $0.level, "\($0)") }
    }
    try Director.check(configuration, options)
    watcher = try NetworkWatcher()
    let settings = configuration.settings
    administration.rates = RateEstimator()
    administration.timeouts = configuration.timeouts
    administration.localPorts = settings.localPorts
    administration.services.forgetsConnections = IPVSSettings(settings).expiresConnectionsWithoutServer
    let health = options.runsChecks && options.statePath == nil ? Health(configuration) : nil
    try administration.services.load(configuration, health: health)
    administration.services.noteHelped(settings.ftpPorts)
    try Director.loadRules(options, &administration, watcher.topology)
    let services = administration.services
    let links = try Director.links(options, configuration, services, watcher.topology)
    // Some of the services to come may need replies.
    dataplane = try Dataplane(
      connections: settings.connectionCapacity,
      bothDirections: services.needsReplies || options.expectsServices(beside: services))
    ports = PortSelection(links: links, dataplane: dataplane, log: log)
    controlLoop = health == nil ? nil : ControlLoop()
    notices = controlLoop.map { Notices(on: $0, log: log) }
    web = try controlLoop.map { try WebDesk(on: $0, log: log) }
    if let health, let controlLoop, let notices {
      watch = try HealthWatch(
        health, on: controlLoop, sources: [NetworkProbes(ways: ways), ScriptProbes(runner: notices.runner)])
    }
  }

  /// Runs until it is told to end.
  public func run() throws {
    notices?.configure(configuration.globals)
    notices?.run(
      configuration.globals.scripts.startup, named: "startup_script",
      seconds: configuration.globals.scripts.startupTimeoutSeconds)
    let hostWarning = openHostPath()
    admin = try openSocket()
    let description = assemble()
    dataplane.publish(description, of: &administration.services)
    let assembler = self.assembler
    try ports.open(
      try portKind(), workers: options.workers ?? configuration.settings.workerCount, ours: assembler.ours(description))
    defer { end() }
    updateAnswers(description)
    // What is only worth saying when lbd does run.
    for note in notes + [hostWarning].compactMap({ $0 }) { log.warning("\(note)") }
    let table = dataplane.tableDescription
    log.info(
      "ready: \(administration.services.listed.count) services, room for \(table.connections) connections\(table.usesHugePages ? " on huge pages" : "")"
    )
    startHealth()
    companion?.isReady(self)
    manager.ready(status: "forwarding")
    try loop()
  }

  // MARK: - The loop

  private enum Token: UInt64 {
    case signal
    case network
    case timer
    case notice
    case publish
    case admin
    case health
    case web
  }

  /// The kernel tells of changes one by one, and thousands of neighbours may change at once: what comes within this time
  /// makes one snapshot.
  private static let gatherNanoseconds: UInt64 = 2_000_000

  private func loop() throws {
    let epoll = try Epoll()
    let timer = try TimerDescriptor()
    try timer.arm(afterNanoseconds: 100_000_000, everyNanoseconds: 1_000_000_000)
    try epoll.add(signals.descriptor, events: .readable, token: Token.signal.rawValue)
    try epoll.add(watcher.descriptor, events: .readable, token: Token.network.rawValue)
    try epoll.add(timer.descriptor, events: .readable, token: Token.timer.rawValue)
    let gathering = try TimerDescriptor()
    try epoll.add(gathering.descriptor, events: .readable, token: Token.publish.rawValue)
    var isGathering = false
    for descriptor in dataplane.noticeDescriptors {
      try epoll.add(descriptor, events: .readable, token: Token.notice.rawValue)
    }
    if let watch { try epoll.add(watch.descriptor, events: .readable, token: Token.health.rawValue) }
    if let web { try epoll.add(web.descriptor, events: .readable, token: Token.web.rawValue) }
    if let admin { try epoll.add(admin.descriptor, events: .readable, token: Token.admin.rawValue) }
    var isEnding = false
    while !isEnding {
      _ = try epoll.wait(timeoutMilliseconds: -1) { ready in
        switch Token(rawValue: ready.token) {
        case .signal:
          while let signal = signals.next() { isEnding = handle(signal: signal) || isEnding }
        case .network:
          if try watcher.update(), !isGathering {
            isGathering = true
            try gathering.arm(afterNanoseconds: Director.gatherNanoseconds)
          }
        case .publish:
          _ = gathering.expirations()
          isGathering = false
          suspendChecks()
          publish()
        case .timer:
          _ = timer.expirations()
          everySecond()
        case .notice:
          for address in dataplane.drainNotices() { find(address) }
        case .admin:
          admin?.serve()
        case .health:
          followHealth()
        case .web:
          web?.serve { webText($0) }
        case nil:
          break
        }
      }
    }
  }

  /// - Returns: true when the director shall end.
  private func handle(signal: Int32) -> Bool {
    if companion?.handle(signal: signal, of: self) == true { return false }
    switch signal {
    case SIGHUP: reload()
    case SIGUSR1: writeReport()
    case SIGUSR2: break
    default: return true
    }
    return false
  }

  private func everySecond() {
    seconds += 1
    dataplane.reclaim()
    for station in needed {
      let isKnown = watcher.topology.neighbours[station] != nil
      if !isKnown || seconds % Director.confirmSeconds == 0 { watcher.solicit(station) }
    }
    defend()
    warmServers()
    watchAnswers()
    if let end = administration.services.nextDrainEnd, MonotonicClock.nanoseconds() >= end { publish() }
    do {
      try ports.confirmAnswers()
    } catch {
      log.error("\(error)")
    }
    admin?.everySecond()
    storeRules()
    if seconds % RateEstimator.seconds == 0 { administration.estimate(dataplane) }
    if seconds % 60 == 0 {
      administration.services.reclaim(
        isUnused: { [dataplane] in
          dataplane.connections(ofServer: $0) == (0, 0) && dataplane.templates(ofServer: $0) == 0
        },
        counters: { [dataplane] in dataplane.counters(ofServer: $0) })
    }
  }

  /// The automatic modes of IPVS's defences.
  private func defend() {
    let settings = IPVSSettings(configuration.settings)
    guard AutomaticDefence.isWanted(settings) else { return }
    let before = defence.effective(settings)
    defence.look(
      availablePages: SystemMemory.availablePages(), thresholdPages: settings.memoryThresholdPages,
      tableFill: dataplane.tableFill)
    let after = defence.effective(settings)
    guard before != after else { return }
    publish()
    if before.dropRate != after.dropRate, defence.shortage != nil, before.dropPacket == after.dropPacket { return }
    log.warning("\(defence.shortage.map { "\($0): the automatic defences act" } ?? "the automatic defences rest")")
  }

  /// A worker could not send to `address` for want of a MAC address.
  private func find(_ address: IPAddress) {
    guard let station = ports.portMap.resolve(address, in: watcher.topology).missing else { return }
    watcher.solicit(station)
  }

  private func end() {
    manager.stopping()
    endHealth()
    log.info("ending: \(Report(listing: listing, statistics: dataplane.statistics()).balance())")
    admin = nil
    storeRules()
    // The workers' sockets go with the workers; then the program is detached, and only then may the kernel see frames again.
    ports.close()
    dataplane.stop()
    writeReport()
  }

  // MARK: - Publishing

  var assembler: SnapshotAssembler {
    assembler(of: administration.services, configuration)
  }

  func assembler(of services: VirtualServices, _ configuration: Configuration) -> SnapshotAssembler {
    SnapshotAssembler(
      services: services, topology: watcher.topology, ports: ports.portMap, timeouts: administration.timeouts,
      settings: defence.effective(IPVSSettings(configuration.settings)), markRules: configuration.markRules.rules,
      ways: waysInUse)
  }

  /// Builds the description, remembers which neighbours it needs and what is wrong.
  private func assemble() -> SnapshotDescription {
    administration.services.noteDrains(atNanoseconds: MonotonicClock.nanoseconds())
    let (description, missing, notes) = assembler.assemble()
    for station in missing { watcher.solicit(station) }
    needed = missing.union(neighboursInUse())
    self.notes = notes
    return description
  }

  /// The next hops of all real servers and gateways.
  private func neighboursInUse() -> Set<Topology.Station> {
    let index = Topology.Index(watcher.topology)
    var stations: Set<Topology.Station> = []
    let inUse = administration.services.servers.values.filter { $0.isAvailable || $0.drain != nil }
    for address in inUse.map(\.spec.endpoint.address) + waysInUse.map(\.way.server.address) {
      guard !index.isLocal(address), let route = index.route(to: address), let link = route.link else { continue }
      stations.insert(Topology.Station(address: route.gateway ?? address, link: link))
    }
    for route in index.routes {
      if let gateway = route.gateway, let link = route.link {
        stations.insert(Topology.Station(address: gateway, link: link))
      }
    }
    return stations
  }

  func publish() {
    let known = notes
    let description = assemble()
    for note in notes where !known.contains(note) { log.warning("\(note)") }
    dataplane.publish(description, of: &administration.services)
    do {
      try ports.update(ours: assembler.ours(description))
    } catch {
      log.error("\(error)")
    }
    updateAnswers(description)
    publishWays()
  }

  /// Real servers on this host answer through lbd; where that cannot be, they answer as if they were none.
  private func updateAnswers(_ description: SnapshotDescription) {
    do {
      try ports.update(answers: assembler.answers(description))
    } catch {
      log.error("answers of real servers on this host are not translated back: \(error)")
    }
  }

  func report(_ diagnostic: Diagnostic) { log.log(level: diagnostic.level, "\(diagnostic)") }

  // MARK: - Reports

  var listing: Listing { administration.listing(in: place) }

  private func writeReport() {
    guard let path = options.reportPath else { return }
    let text = Report(listing: listing, statistics: dataplane.statistics())
      .text(nowNanoseconds: MonotonicClock.nanoseconds())
    do {
      try TextFile.replace(path, with: text)
    } catch {
      log.error("\(error)")
    }
  }

  // MARK: - Start

  /// As configured; mark rules that XDP cannot serve leave only AF_PACKET of an automatic choice.
  private func portKind() throws -> LbdSettings.PortKind {
    let wanted = options.port ?? configuration.settings.portKind
    do {
      try assembler.checkMarks(isXDP: wanted != .packet)
      return wanted
    } catch {
      guard wanted == .auto else { throw error }
      try assembler.checkMarks(isXDP: false)
      log.info("port packet is chosen: \(error)")
      return .packet
    }
  }

  /// - Returns: a warning.
  private func openHostPath() -> String? {
    do {
      return try dataplane.openHostPath(deviceName: Director.hostDevice)
        ? "net.ipv4.conf.all.rp_filter is 1: the kernel drops what lbd hands back to it (set it to 0 or 2)" : nil
    } catch {
      return "frames for the host's own stack will be dropped: \(error)"
    }
  }
}

extension Diagnostic {
  /// How loud the log is about it.
  var level: Logger.Level {
    switch severity {
    case .note: .info
    case .warning: .warning
    case .fault, .error: .error
    }
  }
}
