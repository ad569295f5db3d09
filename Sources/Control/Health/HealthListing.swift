import Config
import HealthCheck
import Wire

/// Who is well, since when, why not, and when that is looked at again: `ipvsadm -L --health`, and what `lbd top` and JSON
/// listings say of it.
///
/// Servers that are out of service are here, too, which listings of ip_vs's kind do not have.
struct HealthListing {
  private let health: Health
  private let statuses: [CheckID: CheckStatus]
  private let nowNanoseconds: UInt64

  init(_ health: Health, _ statuses: [CheckStatus], nowNanoseconds: UInt64) {
    self.health = health
    self.statuses = Dictionary(statuses.map { ($0.id, $0) }) { first, _ in first }
    self.nowNanoseconds = nowNanoseconds
  }

  /// A server, and what is known of it.
  struct Server {
    let name: String
    let endpoint: Endpoint
    let isUp: Bool
    /// How long it has been so; nil when nothing checks it.
    let seconds: UInt64?
    /// Why the last attempt of a check did not end well, or passive detection has taken it out; nil when all is well.
    let lastError: String?
    /// Passive detection has taken it out.
    let isSuspect: Bool
    /// How often it has done so; nil where nobody asks for it.
    let passiveRemovals: UInt64?
    /// Until the next check, in seconds; nil when none is due.
    let nextSeconds: Double?
    let checks: [Check]
  }

  /// A check of a server.
  struct Check {
    let name: String
    let isWell: Bool
    let seconds: UInt64
    let lastError: String?
    let nextSeconds: Double?
    let isSuspended: Bool
  }

  func servers(of unit: Health.Unit) -> [Server] {
    unit.serverNames.indices.map { index in
      let name = unit.serverNames[index]
      let found = unit.checks[index].indices.compactMap {
        statuses[CheckID(service: unit.name, server: name, number: $0)]
      }
      let checks = found.map(check)
      let isUp = unit.first.isAlive(index)
      let absence = unit.passive?.absence(of: index)
      // Up since the last of its checks has been well, down since the first has failed.
      var ages = checks.filter { isUp || !$0.isWell }.map(\.seconds)
      if let absence { ages.append(elapsed(since: absence.sinceNanoseconds)) }
      return Server(
        name: name, endpoint: unit.first.service.realServers[index].endpoint, isUp: isUp,
        seconds: isUp ? ages.min() : ages.max(),
        lastError: unit.passiveReason(of: index) ?? checks.lazy.compactMap(\.lastError).first,
        isSuspect: absence != nil,
        passiveRemovals: unit.passive.map { $0.removalCounts[index] },
        nextSeconds: checks.compactMap(\.nextSeconds).min(), checks: checks)
    }
  }

  private func check(_ status: CheckStatus) -> Check {
    Check(
      name: status.definition.kind.name, isWell: status.verdict == .well,
      seconds: elapsed(since: status.sinceNanoseconds), lastError: status.lastError?.reason,
      nextSeconds: status.nextNanoseconds.map { $0 > nowNanoseconds ? Double($0 - nowNanoseconds) / 1e9 : 0 },
      isSuspended: status.isSuspended)
  }

  private func elapsed(since nanoseconds: UInt64) -> UInt64 {
    nowNanoseconds > nanoseconds ? (nowNanoseconds - nanoseconds) / 1_000_000_000 : 0
  }

  /// A virtual server, and what is known of it.
  struct Summary {
    let name: String
    let isUp: Bool
    let isSorry: Bool
    let servers: [Server]
  }

  /// Of all virtual servers.
  var summaries: [Summary] {
    health.units.map {
      Summary(name: $0.name, isUp: $0.first.hasQuorum, isSorry: $0.first.isSorry, servers: servers(of: $0))
    }
  }

  // MARK: - For people

  /// All services, or one.
  func text(only key: ServiceKey?) -> String {
    var text =
      "Service                      State\n  -> RealServer              State  Since     Next check  Last error\n"
    for unit in health.units where key == nil || unit.keys.contains(where: { $0 == key }) {
      text += HealthListing.padded(unit.name, 28) + " " + HealthListing.state(of: unit) + "\n"
      for server in servers(of: unit) {
        let columns = [
          HealthListing.padded("  -> " + server.name, 28), HealthListing.padded(server.isUp ? "up" : "down", 6),
          HealthListing.padded(server.seconds.map(HealthListing.span) ?? "-", 9),
          HealthListing.padded(HealthListing.next(server), 11), server.lastError ?? "-",
        ]
        text += columns.joined(separator: " ") + "\n"
      }
    }
    return text
  }

  private static func state(of unit: Health.Unit) -> String {
    let state = unit.first
    let quorum = "weight \(state.weight), quorum \(state.service.monitoring.quorum)"
    if state.hasQuorum { return "up (\(quorum))" }
    return state.isSorry
      ? "down (\(quorum)): the sorry server serves"
      : state.weight > 0 ? "down (\(quorum)): the living serve" : "down (\(quorum))"
  }

  private static func next(_ server: Server) -> String {
    if server.checks.isEmpty { return "unchecked" }
    if server.checks.allSatisfy(\.isSuspended) { return "suspended" }
    guard let next = server.nextSeconds else { return "running" }
    return "\(tenths(next))s"
  }

  /// `0.1`, without Foundation.
  private static func tenths(_ seconds: Double) -> String {
    let tenths = UInt64(clamping: Int64((min(seconds, 1e9) * 10).rounded()))
    return "\(tenths / 10).\(tenths % 10)"
  }

  /// `12s`, `3m12s`, `5h3m`, `2d4h`
  static func span(_ seconds: UInt64) -> String {
    switch seconds {
    case ..<60: "\(seconds)s"
    case ..<3600: "\(seconds / 60)m\(seconds % 60)s"
    case ..<86400: "\(seconds / 3600)h\(seconds / 60 % 60)m"
    default: "\(seconds / 86400)d\(seconds / 3600 % 24)h"
    }
  }

  private static func padded(_ text: String, _ width: Int) -> String {
    text.count >= width ? text : text + String(repeating: " ", count: width - text.count)
  }

  // MARK: - For programs

  /// An array of services.
  func json(only key: ServiceKey? = nil) -> String {
    let units = health.units.filter { unit in key == nil || unit.keys.contains { $0 == key } }
    return "["
      + units.map { unit in
        let state = unit.first
        return "\n{\"name\":\(ListingJSON.quoted(unit.name)),\"services\":["
          + unit.keys.map { ListingJSON.quoted("\($0)") }.joined(separator: ",")
          + "],\"up\":\(state.hasQuorum),\"sorry\":\(state.isSorry)"
          + ",\"weight\":\(state.weight),\"quorum\":\(state.service.monitoring.quorum),\"servers\":["
          + servers(of: unit).map(HealthListing.json).joined(separator: ",") + "]}"
      }.joined(separator: ",") + "]"
  }

  private static func json(_ server: Server) -> String {
    "\n {\"name\":\(ListingJSON.quoted(server.name))," + ListingJSON.endpoint(server.endpoint)
      + ",\"up\":\(server.isUp)" + optional("seconds", server.seconds.map(String.init))
      + optional("last_error", server.lastError.map(ListingJSON.quoted))
      + optional("next_check_seconds", server.nextSeconds.map(tenths))
      + optional("passively_removed", server.passiveRemovals.map { _ in "\(server.isSuspect)" }) + ",\"checks\":["
      + server.checks.map { check in
        "{\"check\":\(ListingJSON.quoted(check.name)),\"well\":\(check.isWell),\"seconds\":\(check.seconds)"
          + optional("last_error", check.lastError.map(ListingJSON.quoted))
          + optional("next_check_seconds", check.nextSeconds.map(tenths)) + ",\"suspended\":\(check.isSuspended)}"
      }.joined(separator: ",") + "]}"
  }

  private static func optional(_ name: String, _ value: String?) -> String {
    value.map { ",\"\(name)\":\($0)" } ?? ""
  }
}
