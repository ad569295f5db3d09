import Config
import Dataplane
import HealthCheck
import Kernel

// The director and the health of servers: verdicts of checks become another list of servers, and that one snapshot,
// however many came at once.
extension Director {
  /// Begins to check, once packets are forwarded.
  func startHealth() {
    guard let watch else { return }
    suspendChecks()
    for unit in watch.health.units {
      for (server, checks) in zip(unit.serverNames, unit.checks) where !checks.isEmpty {
        log.info("Activating healthchecker for service \(server) for VS \(unit.name)")
      }
    }
    web?.listen(at: configuration.settings.web)
    notices?.tell(health.beginning(watch.health))
    tell(watch.health.beginning)
    publishWays()
    watch.start()
  }

  /// What checks have found becomes what workers use.
  func followHealth() {
    guard let watch else { return }
    let news = watch.take()
    for report in news.findings.lazy.map(\.report) {
      guard let line = report.phrase else { continue }
      log.log(level: report.verdict == .well ? .info : .warning, "\(line)")
    }
    serve(news.pictures)
    for finding in news.findings {
      write(finding.changes)
      notices?.tell(health.notices(of: finding))
    }
  }

  /// Lets the weights of servers rise that have come back; once a second.
  func warmServers() {
    guard let watch else { return }
    serve(watch.warm(atNanoseconds: MonotonicClock.nanoseconds()))
  }

  /// Looks whether servers leave SYNs without an answer (`passive_check`); once a second.
  func watchAnswers() {
    guard let watch else { return }
    let (services, dataplane) = (administration.services, dataplane)
    let (findings, pictures) = watch.look(atNanoseconds: MonotonicClock.nanoseconds()) { key, server in
      PassiveWatch.Sums(services.known(server.endpoint, of: key)) { dataplane.counters(ofServer: $0) }
    }
    for finding in findings { log.log(level: finding.reason == nil ? .info : .warning, "\(finding.line)") }
    serve(pictures)
    for finding in findings {
      write(finding.changes)
      notices?.tell(health.notices(of: finding))
    }
  }

  /// Services have other servers or weights: one snapshot.
  private func serve(_ pictures: [(former: ServicePicture, new: ServicePicture)]) {
    let plan = ReloadPlan(from: administration.services, changing: pictures)
    guard !plan.isEmpty else { return }
    var services = administration.services
    do {
      try services.apply(plan, localPorts: configuration.settings.localPorts)
      administration.services = services
      publish()
    } catch {
      log.error("a server's health has changed, but not what it is sent: \(error)")
    }
  }

  /// The ways of checks that go as clients' packets do.
  var waysInUse: [VirtualWay] { watch.map { ways.ways(of: $0.health) } ?? [] }

  /// The workers know the ways: checks may go by them.
  func publishWays() {
    let assembler = self.assembler
    guard !assembler.ways.isEmpty else { return }
    do {
      try ways.publish(assembler.waySources, through: dataplane.hostDeviceIndex, dataplane.checkPortNotes)
    } catch {
      log.error("through_vip: \(error)")
    }
  }

  private var health: HealthNotices { HealthNotices(globals: configuration.globals) }

  /// A reload has come into force.
  func replaceHealth(by reload: Reload) {
    guard let watch else { return }
    notices?.configure(configuration.globals)
    web?.listen(at: configuration.settings.web)
    let former = waysInUse.map(\.way)
    watch.replace(by: reload.health)
    if waysInUse.map(\.way) != former { publish() }
    suspendChecks()
    tell(reload.news)
  }

  /// Addresses have come or gone.
  func suspendChecks() {
    guard let watch else { return }
    let index = Topology.Index(watcher.topology)
    let changes = watch.followAddresses { key in
      guard case .address(_, let endpoint) = key else { return true }
      return index.isLocal(endpoint.address)
    }
    for (name, runs) in changes {
      log.info("\(runs ? "Activating" : "Suspending") healthcheckers for VS \(name)")
    }
  }

  /// For listings.
  func healthListing() -> HealthListing? {
    watch.map { HealthListing($0.health, $0.statuses, nowNanoseconds: MonotonicClock.nanoseconds()) }
  }

  /// Checks end, then whoever is to know is told.
  func endHealth() {
    web?.close()
    watch?.stop()
    ways.close()
    if let watch { notices?.tell(health.end(watch.health)) }
    notices?.close(configuration.globals.scripts)
    controlLoop?.stop()
  }

  private func tell(_ changes: [HealthChange]) {
    write(changes)
    notices?.tell(health.notices(of: changes))
  }

  private func write(_ changes: [HealthChange]) {
    for change in changes {
      for line in change.lines { log.log(level: change.isBad ? .warning : .info, "\(line)") }
    }
  }
}

extension PassiveWatch.Sums {
  /// What workers have counted of a server by all of its numbers; nothing of one that is not in the list.
  init(_ server: VirtualServices.Server?, _ counters: (UInt16) -> ServerCounters) {
    guard let server else { return }
    for form in server.forms {
      let counted = counters(form.number)
      opened &+= counted.opened
      answered &+= counted.answered
      refused &+= counted.refused
      numbers.append(form.number)
    }
    numbers.sort()
  }
}
