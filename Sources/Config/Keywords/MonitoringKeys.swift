// What `virtual_server` and `real_server` say about health, as tables. What decides where packets go is read elsewhere
// (VirtualServerBlock), because there a wrong value refuses the file.

extension ServiceMonitoring: Timed {
  static let table = KeyTable<ServiceMonitoring>(
    TimingKeys.level() + [
      .integer("quorum", \.quorum, 1...Int(Int32.max)),
      .integer("hysteresis", \.hysteresis, 0...Int(Int32.max)),
      .command("quorum_up", \.quorumUp),
      .command("quorum_down", \.quorumDown),
      .flag("ha_suspend", \.suspendsWithoutAddress),
      .flag("omega", \.omega),
      .flag("smtp_alert", \.smtpAlert),
      .flag("inhibit_on_failure", \.inhibitsOnFailure),
      .text("virtualhost", \.virtualHost, "HOST"),
      .text("snmp_name", \.snmpName, "NAME"),
      .flag("sorry_server_inhibit", \.inhibitsSorryServer),
      Key("sorry_server_lvs_method", "NAT | DR | TUN … | FNAT", show: { $0.sorryServerMethod?.words }) {
        directive, service, diagnostics in
        guard let method = directive.forwardingMethod(&diagnostics) else { return false }
        service.sorryServerMethod = method
        return true
      },
    ])
}

/// A real server's words about health, before the virtual server's are added.
struct ServerMonitoringBlock: Timed {
  var inhibitsOnFailure: Bool?
  var notifyUp: ScriptCommand?
  var notifyDown: ScriptCommand?
  var smtpAlert: Bool?
  var virtualHost: String?
  var snmpName: String?
  var timing = CheckTiming()
  var checkers: [Checker] = []
  var origins = Origins()

  static let table = KeyTable<ServerMonitoringBlock>(
    TimingKeys.level() + [
      .flag("inhibit_on_failure", \.inhibitsOnFailure),
      .command("notify_up", \.notifyUp),
      .command("notify_down", \.notifyDown),
      .flag("smtp_alert", \.smtpAlert),
      .text("virtualhost", \.virtualHost, "HOST"),
      .text("snmp_name", \.snmpName, "NAME"),
    ])

  /// True when nothing at all is said.
  var isEmpty: Bool { origins.entries.isEmpty && checkers.isEmpty }

  /// Takes a directive of the block.
  mutating func read(_ directive: Directive, _ diagnostics: inout DiagnosticList) {
    if ServerMonitoringBlock.table.read(directive, into: &self, &diagnostics) { return }
    guard directive.keyword.hasSuffix("_CHECK") || directive.keyword.hasSuffix("_GET") else { return }
    guard checkers.count < Defaults.checkersMax else {
      diagnostics.warning(
        at: directive.position, "this real_server has \(Defaults.checkersMax) checkers already, the rest is left out")
      return
    }
    if let checker = Checker(directive, &diagnostics) { checkers.append(checker) }
  }

  /// With what stands above it.
  func resolved(under service: ServiceMonitoring, _ globals: GlobalSettings) -> ServerMonitoring {
    var server = ServerMonitoring()
    server.inhibitsOnFailure = inhibitsOnFailure ?? service.inhibitsOnFailure ?? false
    (server.notifyUp, server.notifyDown) = (notifyUp, notifyDown)
    server.smtpAlert = smtpAlert ?? globals.mail.alertsForServers
    server.virtualHost = virtualHost ?? service.virtualHost
    server.snmpName = snmpName
    server.timing = timing.over(service.timing)
    if server.timing.logAllFailures == nil { server.timing.logAllFailures = globals.logsAllCheckFailures }
    server.checkers = checkers.map { checker in
      var checker = checker
      checker.schedule = CheckSchedule(checker.timing.over(server.timing), of: checker.kind)
      if case .http(var http) = checker.kind {
        http.virtualHost = http.virtualHost ?? server.virtualHost
        checker.kind = .http(http)
      }
      return checker
    }
    server.origins = origins
    return server
  }
}
