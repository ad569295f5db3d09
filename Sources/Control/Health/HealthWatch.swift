import Config
import HealthCheck
import Kernel

/// A report, and what came of it.
struct HealthFinding {
  let report: CheckReport
  /// That it is about.
  let server: RealServer?
  /// In the order in which they are to be told.
  let changes: [HealthChange]
}

/// The checks of a running director, and what is made of their verdicts.
///
/// Checks have a thread of their own, an event loop: a slow name server or a script must not keep the director from its
/// signals. What they find comes to the director's thread by an inbox, and only there the state of services changes.
final class HealthWatch {
  /// As the verdicts so far have it.
  private(set) var health: Health
  private let inbox: Inbox<[CheckReport]>
  private let runner: CheckRunner
  private var suspended: Set<String> = []

  /// Nothing runs before `start`.
  /// - Parameter sources: of probes that are not the engine's own, as for scripts.
  init(_ health: Health, on loop: ControlLoop, sources: [any ProbeSource]) throws {
    self.health = health
    let inbox = try Inbox<[CheckReport]>()
    self.inbox = inbox
    runner = CheckRunner(
      on: loop.eventLoop, seed: .random(in: .min ... .max), sources: sources
    ) { inbox.post($0) }
  }

  /// Readable while there is news.
  var descriptor: Int32 { inbox.descriptor }

  /// Checks begin, but for those of services that are suspended from the start.
  func start() { runner.update(to: health.checks) }

  /// Ends all checks, and waits for that.
  func stop() { try? runner.stop().wait() }

  /// What is known of each check now.
  var statuses: [CheckStatus] { (try? runner.statuses().wait()) ?? [] }

  /// The configuration has changed.
  func replace(by health: Health) {
    self.health = health
    runner.update(to: health.checks)
    for check in health.awaitedChecks { runner.confirm(check.id, sinceNanoseconds: check.sinceNanoseconds) }
  }

  /// What the checks have found since the last time.
  struct News {
    /// In their order.
    var findings: [HealthFinding] = []
    /// The services that have other servers or weights, as they were and as they are.
    var pictures: [(former: ServicePicture, new: ServicePicture)] = []
  }

  /// Takes what has come.
  func take() -> News {
    var news = News()
    var before: [Int: [ServicePicture]] = [:]
    for report in inbox.take().joined() {
      guard let unit = health.unit(of: report) else { continue }
      if before[unit] == nil { before[unit] = health.pictures(of: unit) }
      let server = health.server(of: report)
      news.findings.append(HealthFinding(report: report, server: server, changes: health.apply(report)))
    }
    for (unit, former) in before.sorted(by: { $0.key < $1.key }) {
      news.pictures += zip(former, health.pictures(of: unit)).filter { $0 != $1 }.map { (former: $0, new: $1) }
    }
    return news
  }

  /// Lets the weights of servers rise that have come back.
  /// - Returns: the services that have other weights, as they were and as they are.
  func warm(atNanoseconds now: UInt64) -> [(former: ServicePicture, new: ServicePicture)] {
    health.warmingUnits.flatMap { unit in
      let former = health.pictures(of: unit)
      health.warm(unit: unit, atNanoseconds: now)
      return zip(former, health.pictures(of: unit)).filter { $0 != $1 }.map { (former: $0, new: $1) }
    }
  }

  /// Looks at what workers have counted for the servers of services with `passive_check`.
  /// - Returns: what has been found, and the services that have other servers, as they were and as they are.
  func look(
    atNanoseconds now: UInt64, sums: (ServiceKey, RealServer) -> PassiveWatch.Sums
  ) -> (findings: [PassiveFinding], pictures: [(former: ServicePicture, new: ServicePicture)]) {
    var all: [PassiveFinding] = []
    var pictures: [(former: ServicePicture, new: ServicePicture)] = []
    for unit in health.watchedUnits {
      let decisions = health.look(at: unit, atNanoseconds: now, sums: sums)
      guard !decisions.isEmpty else { continue }
      let former = health.pictures(of: unit)
      all += health.carryOut(decisions, for: unit, atNanoseconds: now)
      pictures += zip(former, health.pictures(of: unit)).filter { $0 != $1 }.map { (former: $0, new: $1) }
    }
    for finding in all {
      for check in finding.checks { runner.confirm(check, sinceNanoseconds: now) }
    }
    return (all, pictures)
  }

  /// Checks of a service run only while its address is on this host, where the service says so (`ha_suspend`).
  /// - Returns: names of services, and whether their checks now run.
  func followAddresses(isLocal: (ServiceKey) -> Bool) -> [(name: String, runs: Bool)] {
    var changes: [(name: String, runs: Bool)] = []
    for unit in health.units where unit.first.service.monitoring.suspendsWithoutAddress {
      let runs = unit.keys.contains(where: isLocal)
      guard runs == suspended.contains(unit.name) else { continue }
      if runs {
        suspended.remove(unit.name)
        runner.resume(service: unit.name)
      } else {
        suspended.insert(unit.name)
        runner.suspend(service: unit.name)
      }
      changes.append((unit.name, runs))
    }
    return changes
  }
}
