import Config
import Dataplane

/// A configuration that is to take the place of another, and what comes of it: everything is tried on copies, so that who
/// refuses it has nothing to take back.
struct Reload {
  /// What is to be in force.
  let configuration: Configuration
  /// The health of its services, with what is known of checks that go on.
  private(set) var health: Health
  /// What is to be told of that.
  private(set) var news: [HealthChange] = []
  /// Services and whatever else ipvsadm changes, afterwards.
  private(set) var administration: Administration
  /// What is done for it.
  private(set) var plan = ReloadPlan()
  /// What is not done, and why.
  private(set) var notes: [String] = []

  /// - Parameters:
  ///   - former: what is in force.
  ///   - known: the health of its services; nil where nobody checks.
  ///   - isWhole: see `ReloadPlan`.
  ///   - keepsRules: services are ipvsadm's alone (`--state`).
  init(
    _ new: Configuration, former: Configuration, known: Health? = nil, over administration: Administration,
    isWhole: Bool = false, keepsRules: Bool = false
  ) throws(EditError) {
    configuration = new
    health = Health(new, runsChecks: known != nil)
    if let known { news = health.takeUp(known) }
    self.administration = administration
    self.administration.localPorts = new.settings.localPorts
    self.administration.services.forgetsConnections = IPVSSettings(new.settings).expiresConnectionsWithoutServer
    self.administration.services.noteHelped(new.settings.ftpPorts)
    notes = Reload.lasting(from: former.settings, to: new.settings)
    guard !keepsRules else { return }
    let before = known ?? Health(former, runsChecks: false)
    plan = ReloadPlan(
      from: administration.services, former: isWhole ? nil : before.pictures, to: health.pictures)
    plan.set(new.timeouts, from: isWhole ? nil : former.timeouts, running: administration.timeouts)
    try self.administration.services.apply(plan, localPorts: new.settings.localPorts)
    for case .command(.setTimeouts(let tcp, let tcpFin, let udp)) in plan.steps {
      self.administration.timeouts.set(tcp: tcp, tcpFin: tcpFin, udp: udp)
    }
  }

  /// What only a start can change.
  private static func lasting(from old: LbdSettings, to new: LbdSettings) -> [String] {
    let changed = [
      old.connectionCapacity != new.connectionCapacity ? "connections" : nil,
      old.interfaceNames != new.interfaceNames ? "interface" : nil, old.portKind != new.portKind ? "port" : nil,
      old.workerCount != new.workerCount ? "workers" : nil,
    ].compactMap { $0 }
    return changed.map { "lbd { \($0) } stays as it is until lbd is started again" }
  }
}
