import Config
import HealthCheck
import Wire

// The health of all services as a value: what checks there are, what their verdicts make of the services, and what is to be
// told. Reports of the engine go in; changes, and services as a reload compares them, come out.
//
// The unit is what the configuration calls a virtual server. One of a group is many services with the same servers: they
// share their checks, and one of them, the first, speaks for all.

/// The health of all services.
public struct Health: Sendable {
  /// A virtual server of the configuration.
  struct Unit: Sendable {
    /// As log lines have it; unique.
    let name: String
    /// Of its servers, in their order.
    let serverNames: [String]
    /// Of its servers, in their order.
    let checks: [[CheckDefinition]]
    /// Passive detection, where it is asked for.
    fileprivate(set) var passive: PassiveWatch?
    /// A state for each of its services.
    fileprivate(set) var states: [ServiceState]

    /// The service that speaks for all.
    var first: ServiceState { states[0] }
    /// Of its services.
    var keys: [ServiceKey] { states.map(\.service.key) }
  }

  /// In the order of the configuration.
  private(set) var units: [Unit] = []
  private var numbers: [String: Int] = [:]
  private let groups: [String: [IPAddress]]

  /// The state of a configuration at its start.
  /// - Parameter runsChecks: false where nobody checks: then every server is up.
  public init(_ configuration: Configuration, runsChecks: Bool = true) {
    groups = ServicePicture.localAddresses(of: configuration)
    let definitions = CheckDefinitions(configuration)
    var groupUnits: [GroupedBlock: Int] = [:]
    for service in configuration.services {
      let block = service.groupName.map { GroupedBlock(group: $0, position: service.position) }
      if let block, let known = groupUnits[block],
        units[known].first.service.realServers.count == service.realServers.count
      {
        units[known].states.append(ServiceState(service, checks: units[known].checks))
        continue
      }
      let checks = service.realServers.map { runsChecks ? definitions.all(of: $0, in: service) : [] }
      var name = service.monitoredName
      if numbers[name] != nil { name += " (\(service.key))" }
      numbers[name] = units.count
      if let block { groupUnits[block] = units.count }
      units.append(
        Unit(
          name: name, serverNames: service.realServers.map { service.monitoredName(of: $0.endpoint) }, checks: checks,
          passive: runsChecks ? PassiveWatch(service) : nil, states: [ServiceState(service, checks: checks)]))
    }
  }

  private struct GroupedBlock: Hashable {
    let group: String
    let position: Position?
  }

  /// All checks there are, for the engine.
  public var checks: [NamedCheck] {
    units.flatMap { unit in
      zip(unit.serverNames, unit.checks).flatMap { server, checks in
        checks.enumerated().map { number, definition in
          NamedCheck(id: CheckID(service: unit.name, server: server, number: number), definition: definition)
        }
      }
    }
  }

  /// Takes up what was known before a reload.
  /// - Returns: what is to be told of it.
  mutating func takeUp(_ old: Health) -> [HealthChange] {
    var changes: [HealthChange] = []
    for index in units.indices {
      guard let number = old.numbers[units[index].name] else {
        changes += told(units[index].first.beginning, of: index)
        continue
      }
      takeUpPassive(of: index, from: old.units[number])
      for service in units[index].states.indices {
        let key = units[index].states[service].service.key
        guard let former = old.units[number].states.first(where: { $0.service.key == key }) else { continue }
        let news = units[index].states[service].takeUp(former)
        if service == 0 { changes += told(news, of: index) }
      }
    }
    return changes
  }

  private mutating func takeUpPassive(of index: Int, from old: Unit) {
    guard let former = old.passive else { return }
    let places = units[index].serverNames.map { old.serverNames.firstIndex(of: $0) }
    units[index].passive?.takeUp(former, places: places)
    let passive = units[index].passive
    for service in units[index].states.indices {
      units[index].states[service].noteSuspects { passive?.absence(of: $0) != nil }
    }
  }

  /// What is to be told at the start.
  var beginning: [HealthChange] { units.indices.flatMap { told(units[$0].first.beginning, of: $0) } }

  /// The unit that a report is about; nil for a check that is no more, as a reload may have made it while the report
  /// was under way.
  func unit(of report: CheckReport) -> Int? { place(of: report)?.unit }

  private func place(of report: CheckReport) -> (unit: Int, server: Int)? {
    guard let number = numbers[report.id.service],
      let server = units[number].serverNames.firstIndex(of: report.id.server),
      units[number].checks[server].indices.contains(report.id.number),
      units[number].checks[server][report.id.number].subject == report.definition.subject
    else { return nil }
    return (number, server)
  }

  /// The server that a report is about.
  func server(of report: CheckReport) -> RealServer? {
    place(of: report).map { units[$0.unit].first.service.realServers[$0.server] }
  }

  /// Takes note of a report.
  /// - Returns: what is to be told.
  mutating func apply(_ report: CheckReport) -> [HealthChange] {
    guard let (number, server) = place(of: report) else { return [] }
    let event = ServiceState.Event(
      server: server, check: report.id.number, isWell: report.verdict == .well, weight: report.weight,
      atNanoseconds: report.atNanoseconds)
    var changes: [ServiceState.Change] = []
    for service in units[number].states.indices {
      let news = units[number].states[service].apply(event)
      if service == 0 { changes = news }
    }
    if report.confirms { units[number].passive?.confirm(server: server, check: report.id.number) }
    return told(changes, of: number)
  }

  /// What passive detection makes of what has been counted.
  mutating func decide(
    _ unit: Int, _ sights: [PassiveWatch.Sight], atNanoseconds now: UInt64
  ) -> [PassiveWatch.Decision] {
    units[unit].passive?.look(sights, atNanoseconds: now) ?? []
  }

  /// Passive detection takes a server out of all services of its unit, or lets it come back.
  /// - Returns: what is to be told.
  mutating func setSuspect(
    _ unit: Int, _ server: Int, _ isSuspect: Bool, atNanoseconds now: UInt64
  ) -> [HealthChange] {
    var changes: [ServiceState.Change] = []
    for service in units[unit].states.indices {
      let news = units[unit].states[service].setSuspect(server, isSuspect, atNanoseconds: now)
      if service == 0 { changes = news }
    }
    return told(changes, of: unit)
  }

  /// The units with a weight that rises.
  var warmingUnits: [Int] { units.indices.filter { units[$0].states.contains(where: \.isWarming) } }

  /// Lets weights rise.
  mutating func warm(unit: Int, atNanoseconds now: UInt64) {
    for service in units[unit].states.indices { _ = units[unit].states[service].warm(atNanoseconds: now) }
  }

  private func told(_ changes: [ServiceState.Change], of number: Int) -> [HealthChange] {
    changes.map { HealthChange(unit: units[number], change: $0) }
  }

  // MARK: - As a reload compares it

  /// The services of one unit, as they serve now.
  func pictures(of unit: Int) -> [ServicePicture] {
    units[unit].states.map { ServicePicture(serving: $0.serving, groups: groups) }
  }

  /// All services as they serve now.
  var pictures: [ServicePicture] { units.indices.flatMap { pictures(of: $0) } }
}
