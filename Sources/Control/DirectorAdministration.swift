import Config
import Dataplane
import Kernel
import Wire

// The director and ipvsadm: what comes over the socket becomes one snapshot a request, and is kept in the file of rules.

extension Director.Options {
  /// True when lbd is to be filled by ipvsadm.
  func expectsServices(beside services: VirtualServices) -> Bool {
    socketPath != nil && (statePath != nil || services.listed.isEmpty)
  }
}

/// One request, one snapshot.
extension Director {
  /// What commands are carried out with.
  var place: Administration.Surroundings {
    Administration.Surroundings(
      dataplane: dataplane, topology: watcher.topology, nowNanoseconds: MonotonicClock.nanoseconds(),
      health: { [unowned self] in healthListing() })
  }

  /// What is asked for by HTTP.
  func webText(_ name: WebTexts.Name) -> String {
    switch name {
    case .health: "ok\n"
    case .status: NumbersJSON(whyPlace).text
    case .metrics: MetricsText.text(whyPlace, told: notices?.numbers, uptimeSeconds: UInt64(seconds))
    }
  }

  /// What questions are answered from.
  private var whyPlace: WhyPlace {
    WhyPlace(
      dataplane: dataplane, topology: watcher.topology, ports: ports.portMap, administration: administration,
      markRules: configuration.markRules.rules, nowNanoseconds: MonotonicClock.nanoseconds(),
      health: { [unowned self] in healthListing() })
  }

  /// Opens the socket, where one is wanted.
  func openSocket() throws -> AdminServer? {
    guard let path = options.socketPath else { return nil }
    do {
      return try AdminServer(path: path, log: log) { [unowned self] request, rights in answer(request, rights) }
    } catch {
      guard !options.needsSocket else { throw error }
      log.warning("no ipvsadm for this lbd: \(error)")
      return nil
    }
  }

  private func answer(_ request: AdminRequest, _ rights: AdminRights) -> AdminAnswer {
    if request.isOwn {
      if case .reload(let question)? = try? LbdQuestion(request) { return reload(question, rights) }
      return QuestionDesk().answer(to: request, rights: rights, in: whyPlace)
    }
    // Only mark rules can make a change impossible that is well formed; no other change needs a way back.
    let before = configuration.markRules.rules.isEmpty ? nil : administration
    let daemonCount = administration.daemons.listed.count
    let (answer, effect) = AdminDesk().answer(to: request, rights: rights, &administration, in: place)
    if let before, effect == .rules {
      do {
        try assembler.checkMarks(isXDP: ports.kind == .xdp)
      } catch {
        administration = before
        return AdminAnswer(IpvsadmError("nothing was changed: \(error)", exitCode: 255))
      }
    }
    if administration.daemons.listed.count > daemonCount {
      log.warning("the daemon is remembered and listed, but this version synchronises no connections")
    }
    if effect == .rules { publish() }
    if effect != .none { isUnsaved = true }
    return answer
  }

  // MARK: - Rules over restarts

  /// Rules are either the configuration's or the file's, for what would it mean if one service were in both?
  static func check(_ configuration: Configuration, _ options: Options) throws {
    guard let path = options.statePath, let first = configuration.services.first else { return }
    throw RuleFileRefused(
      description:
        "\(options.configuration.path) has services (\(first.key)), and --state \(path) keeps services as well"
        + " (take the virtual_server blocks out, or leave --state out)")
  }

  /// Takes up the rules that were stored.
  static func loadRules(
    _ options: Options, _ administration: inout Administration, _ topology: Topology
  ) throws {
    guard let path = options.statePath else { return }
    try RuleFile(path: path).load(into: &administration, topology: topology)
  }

  /// Stores what has changed. At most once a second: a script of thousands of commands shall not wait for the disk.
  func storeRules() {
    guard isUnsaved, let path = options.statePath else { return }
    isUnsaved = false
    do {
      try RuleFile(path: path).store(administration, in: place)
    } catch {
      log.error("the rules are not stored: \(error)")
      isUnsaved = true
    }
  }
}
