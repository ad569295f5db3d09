import Config
import HealthCheck
import Notify

/// Who is told of what has become of servers and services: changes of health as notices. A value, without an effect.
///
/// There is mail about every check that changes its mind, as in keepalived, and only once when that decides about its server;
/// scripts and pipes hear of servers and services alone.
struct HealthNotices {
  let globals: GlobalSettings

  /// Of a check's report, and of all that came of it.
  func notices(of finding: HealthFinding) -> [Notice] {
    var notices: [Notice] = []
    let detail = HealthNotices.detail(of: finding.report)
    let decides = finding.changes.contains { $0.serverName == finding.report.id.server && $0.isAboutServerState }
    if let server = finding.server, !decides {
      notices += HealthNotices.notices(of: finding.report, about: server, detail)
    }
    for change in finding.changes {
      guard let notice = notice(of: change, detail: change.server == nil ? nil : detail) else { continue }
      notices.append(notice)
    }
    return notices
  }

  /// Of what passive detection has found.
  func notices(of finding: PassiveFinding) -> [Notice] {
    let detail = finding.reason.map { "passive check failed on service: \($0)" } ?? "passive check succeeded on service"
    return finding.changes.compactMap { notice(of: $0, detail: $0.server == nil ? nil : detail) }
  }

  /// Of changes that no check has brought about now: the start, a reload.
  func notices(of changes: [HealthChange]) -> [Notice] { changes.compactMap { notice(of: $0, detail: nil) } }

  /// At the start, where `rs_init_notifies` asks for it: servers that are up. There is no mail about them.
  func beginning(_ health: Health) -> [Notice] {
    guard globals.notifiesAtStart else { return [] }
    return health.units.flatMap { unit in
      unit.serverNames.indices.filter { unit.first.isAlive($0) }.map { server(of: unit, $0, .up) }
    }
  }

  /// At the end, where `omega` asks for it: what is up goes down. There is no mail about it.
  func end(_ health: Health) -> [Notice] {
    health.units.filter(\.first.service.monitoring.omega).flatMap { unit in
      let servers = unit.serverNames.indices.filter { unit.first.isAlive($0) }.map { server(of: unit, $0, .down) }
      guard unit.first.hasQuorum else { return servers }
      return servers + [
        Notice(.virtualServer(unit.name), .down, scripts: HealthNotices.scripts(of: unit.first.service.monitoring))
      ]
    }
  }

  // MARK: - One thing each

  private func notice(of change: HealthChange, detail: String?) -> Notice? {
    let event: Notice.Event
    switch change.change {
    case .serverUp, .quorumGained: event = .up
    case .serverDown, .quorumLost: event = .down
    case .weight: return nil
    }
    if let server = change.server, let name = change.serverName {
      return Notice(
        .realServer(name, of: change.serviceName), event, detail: detail,
        scripts: HealthNotices.scripts(of: server.monitoring), sendsMail: server.monitoring.smtpAlert)
    }
    let monitoring = change.service.monitoring
    return Notice(
      .virtualServer(change.serviceName), event, detail: change.quorumWords,
      scripts: HealthNotices.scripts(of: monitoring),
      sendsMail: monitoring.smtpAlert ?? globals.mail.alertsForServices)
  }

  private func server(of unit: Health.Unit, _ index: Int, _ event: Notice.Event) -> Notice {
    Notice(
      .realServer(unit.serverNames[index], of: unit.name), event,
      scripts: HealthNotices.scripts(of: unit.first.service.realServers[index].monitoring))
  }

  /// Of a check whose verdict leaves its server as it is.
  private static func notices(of report: CheckReport, about server: RealServer, _ detail: String) -> [Notice] {
    guard case .verdict(let isFirst, _) = report.event else { return [] }
    let isUp = report.verdict == .well
    let subject = Notice.Subject.realServer(report.id.server, of: report.id.service)
    let presumed = !report.definition.times.alpha
    if isFirst, presumed == isUp {
      // A server that starts down and is found to be so: that is told, though nothing has changed.
      guard !isUp else { return [] }
      return [Notice(subject, .down, detail: detail, scripts: scripts(of: server.monitoring))]
    }
    guard server.monitoring.smtpAlert else { return [] }
    return [Notice(subject, .checker(isUp: isUp), detail: detail, sendsMail: true, tellsFIFOs: false)]
  }

  /// `TCP_CHECK failed on service: no connection in time`
  private static func detail(of report: CheckReport) -> String {
    guard report.verdict == .failed else { return "\(report.definition.kind.name) succeeded on service" }
    return "\(report.definition.kind.name) failed on service" + (report.error.map { ": \($0.reason)" } ?? "")
  }

  private static func scripts(of monitoring: ServerMonitoring) -> [String: NotifyScript] {
    ["notify_up": monitoring.notifyUp, "notify_down": monitoring.notifyDown].compactMapValues {
      $0.map { NotifyScript($0) }
    }
  }

  private static func scripts(of monitoring: ServiceMonitoring) -> [String: NotifyScript] {
    ["quorum_up": monitoring.quorumUp, "quorum_down": monitoring.quorumDown].compactMapValues {
      $0.map { NotifyScript($0) }
    }
  }
}
