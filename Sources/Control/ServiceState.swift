import Config
import Wire

/// The state of one virtual service: which of its servers live, whether they make up the quorum, and who serves.
///
/// A value and pure: results of checks and changes of weight go in, what is to be told comes out, and `servers` is what
/// the snapshot is made of. Sockets, clocks and scripts are the business of whoever drives it.
///
/// - A server lives while none of its checks has failed. One that starts down (alpha) has failed all of its checks that
///   say so. A server without checks lives.
/// - The quorum is reached when the weights of living servers come to quorum + hysteresis, and lost when they come to
///   nothing or to less than quorum - hysteresis. Before the first look it counts as lost.
/// - Without the quorum the sorry server, if there is one, serves alone. Without a sorry server the living ones go on.
public struct ServiceState: Sendable {
  /// What happens to a service.
  public enum Event: Hashable, Sendable {
    /// A check has come to a verdict.
    case checked(Endpoint, checker: Int, isWell: Bool)
    /// A check has given a server another weight.
    case weighed(Endpoint, weight: Int32)
  }

  /// What is to be told, in the order in which it happened.
  public enum Change: Hashable, Sendable {
    /// A server lives.
    case serverUp(Endpoint)
    /// It does no longer.
    case serverDown(Endpoint)
    /// The living servers' weights make up the quorum.
    case quorumGained(weight: Int)
    /// They do no longer.
    case quorumLost(weight: Int)
  }

  private struct Server {
    var spec: RealServer
    /// The checks that have failed, by number.
    var failed: Set<Int>
    var weight: Int32

    var isAlive: Bool { failed.isEmpty }
  }

  /// As configured.
  public let service: VirtualService
  private var order: [Endpoint] = []
  private var states: [Endpoint: Server] = [:]
  /// True while the living servers make up the quorum.
  public private(set) var hasQuorum = false

  /// A service at its start.
  /// - Parameter runsChecks: false where nobody checks anything: then nothing can start down, or it would stay so.
  public init(_ service: VirtualService, runsChecks: Bool) {
    self.service = service
    for spec in service.realServers {
      let checkers = spec.monitoring.checkers
      let down = runsChecks ? checkers.indices.filter { checkers[$0].schedule.alpha } : []
      order.append(spec.endpoint)
      states[spec.endpoint] = Server(spec: spec, failed: Set(down), weight: spec.weight)
    }
    hasQuorum = weight >= service.monitoring.quorum + service.monitoring.hysteresis
  }

  /// A service after a reload: checks that are the same keep their verdict, others begin anew.
  public init(_ service: VirtualService, after old: ServiceState) {
    self.init(service, runsChecks: true)
    for endpoint in order {
      guard var server = states[endpoint], let former = old.states[endpoint] else { continue }
      let known = former.spec.monitoring.checkers.map(\.definition)
      for (number, checker) in server.spec.monitoring.checkers.enumerated() {
        guard let before = known.firstIndex(of: checker.definition) else { continue }
        if former.failed.contains(before) { server.failed.insert(number) } else { server.failed.remove(number) }
      }
      states[endpoint] = server
    }
    hasQuorum = old.hasQuorum
    _ = look()
  }

  /// What the weights of living servers come to.
  public var weight: Int {
    states.values.reduce(0) { $0 + ($1.isAlive ? Int(max($1.weight, 0)) : 0) }
  }

  /// True while that server lives.
  public func isAlive(_ endpoint: Endpoint) -> Bool { states[endpoint]?.isAlive ?? false }

  /// Takes note of what has happened.
  public mutating func apply(_ event: Event) -> [Change] {
    var changes: [Change] = []
    switch event {
    case .checked(let endpoint, let checker, let isWell):
      guard var server = states[endpoint], server.spec.monitoring.checkers.indices.contains(checker) else { return [] }
      let wasAlive = server.isAlive
      if isWell { server.failed.remove(checker) } else { server.failed.insert(checker) }
      states[endpoint] = server
      if server.isAlive != wasAlive { changes.append(server.isAlive ? .serverUp(endpoint) : .serverDown(endpoint)) }
    case .weighed(let endpoint, let weight):
      guard states[endpoint] != nil else { return [] }
      states[endpoint]?.weight = max(weight, 0)
    }
    return changes + look()
  }

  /// Looks whether the quorum is reached or lost.
  private mutating func look() -> [Change] {
    let (weight, monitoring) = (weight, service.monitoring)
    if !hasQuorum, weight >= monitoring.quorum + monitoring.hysteresis {
      hasQuorum = true
      return [.quorumGained(weight: weight)]
    }
    if hasQuorum, weight == 0 || weight < monitoring.quorum - monitoring.hysteresis {
      hasQuorum = false
      return [.quorumLost(weight: weight)]
    }
    return []
  }

  // MARK: - Who serves

  /// True while the sorry server stands in.
  public var isSorry: Bool { !hasQuorum && service.sorryServer != nil }

  /// Who is in the list of servers now, with weights that count. A server that is out of service, but is to be kept in its
  /// place (`inhibit_on_failure`), has the weight 0.
  public var servers: [RealServer] {
    var servers: [RealServer] = []
    for endpoint in order {
      guard let state = states[endpoint] else { continue }
      var server = state.spec
      server.weight = state.weight
      if !state.isAlive || isSorry {
        guard server.monitoring.inhibitsOnFailure else { continue }
        server.weight = 0
      }
      servers.append(server)
    }
    guard let endpoint = service.sorryServer, isSorry || service.monitoring.inhibitsSorryServer else { return servers }
    var sorry = RealServer(endpoint: endpoint)
    sorry.weight = isSorry ? 1 : 0
    let method = service.sorryServerMethod
    sorry.methodOverride = method == service.forwardingMethod ? nil : method
    if let index = servers.firstIndex(where: { $0.endpoint == endpoint }) {
      if isSorry { servers[index] = sorry }
    } else {
      servers.append(sorry)
    }
    return servers
  }

  /// The service with these servers.
  public var serving: VirtualService {
    var serving = service
    serving.realServers = servers
    return serving
  }
}

extension Checker {
  /// What makes it this check and no other.
  fileprivate var definition: Checker {
    var copy = Checker(kind)
    if case .http(var http) = kind {
      for index in http.pages.indices {
        http.pages[index].origins = Origins()
        http.pages[index].position = nil
      }
      copy.kind = .http(http)
    }
    copy.connection = connection
    copy.schedule = schedule
    return copy
  }
}
