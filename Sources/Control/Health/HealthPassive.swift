import Config
import HealthCheck

// Passive detection as a part of health: what the watch of each virtual server decides becomes the state of its services.

/// A server that passive detection has taken out, or has let come back.
struct PassiveFinding {
  /// What has been decided.
  let decision: PassiveWatch.Decision
  let serviceName: String
  let serverName: String
  /// `of 40 connections in 10 s 38 were not answered`; nil when it comes back.
  let reason: String?
  /// The checks that have to pass before it comes back, with attempts that begin from now on.
  let checks: [CheckID]
  /// In the order in which they are to be told.
  let changes: [HealthChange]

  /// What the log says before what has changed.
  var line: String {
    guard let reason else { return "Passive check on service \(serverName) of VS \(serviceName) lets it come back." }
    return "Passive check on service \(serverName) of VS \(serviceName) failed: \(reason)."
  }
}

extension PassiveWatch {
  /// Of a service that asks for it, and has SYNs.
  init?(_ service: VirtualService) {
    guard let rule = service.monitoring.passive else { return nil }
    if case .address(let transport, _) = service.key, transport != .tcp { return nil }
    self.init(rule, serverCount: service.realServers.count)
  }
}

extension Health.Unit {
  /// The numbers of a server's checks that ask again and again.
  fileprivate func askingChecks(of server: Int) -> Set<Int> {
    Set(checks[server].indices.filter { checks[server][$0].kind.asksAgain })
  }

  /// Their names.
  fileprivate func names(ofChecksOf server: Int) -> [CheckID] {
    askingChecks(of: server).sorted().map { CheckID(service: name, server: serverNames[server], number: $0) }
  }

  /// Why passive detection has taken a server out; nil when it has not.
  func passiveReason(of server: Int) -> String? {
    passive.flatMap { watch in
      watch.absence(of: server).map { $0.share.words(windowSeconds: watch.rule.windowSeconds) }
    }
  }

  /// The servers as a look finds them.
  fileprivate func sights(_ sums: (ServiceKey, RealServer) -> PassiveWatch.Sums) -> [PassiveWatch.Sight] {
    first.service.realServers.indices.map { index in
      var sight = PassiveWatch.Sight(isFit: first.isFit(index), checks: askingChecks(of: index))
      for state in states where state.service.realServers.indices.contains(index) {
        sight.sums.add(sums(state.service.key, state.service.realServers[index]))
      }
      return sight
    }
  }
}

extension PassiveWatch.Sums {
  /// What the same server has had by another service of its group.
  fileprivate mutating func add(_ other: PassiveWatch.Sums) {
    opened &+= other.opened
    answered &+= other.answered
    refused &+= other.refused
    numbers += other.numbers
  }
}

extension Health {
  /// The units that are watched.
  var watchedUnits: [Int] { units.indices.filter { units[$0].passive != nil } }

  /// Looks at what workers have counted for a unit's servers.
  mutating func look(
    at unit: Int, atNanoseconds now: UInt64, sums: (ServiceKey, RealServer) -> PassiveWatch.Sums
  ) -> [PassiveWatch.Decision] {
    decide(unit, units[unit].sights(sums), atNanoseconds: now)
  }

  /// Carries out what has been decided.
  mutating func carryOut(
    _ decisions: [PassiveWatch.Decision], for unit: Int, atNanoseconds now: UInt64
  ) -> [PassiveFinding] {
    decisions.map { decision in
      let (server, isOut) =
        switch decision {
        case .remove(let server): (server, true)
        case .restore(let server): (server, false)
        }
      let changes = setSuspect(unit, server, isOut, atNanoseconds: now)
      return PassiveFinding(
        decision: decision, serviceName: units[unit].name, serverName: units[unit].serverNames[server],
        reason: isOut ? units[unit].passiveReason(of: server) : nil,
        checks: isOut ? units[unit].names(ofChecksOf: server) : [], changes: changes)
    }
  }

  /// Of servers that are out: the checks that are waited for, and since when.
  var awaitedChecks: [(id: CheckID, sinceNanoseconds: UInt64)] {
    units.flatMap { unit in
      unit.serverNames.indices.flatMap { server in
        guard let absence = unit.passive?.absence(of: server) else {
          return [(id: CheckID, sinceNanoseconds: UInt64)]()
        }
        return unit.names(ofChecksOf: server).map { (id: $0, sinceNanoseconds: absence.sinceNanoseconds) }
      }
    }
  }
}
