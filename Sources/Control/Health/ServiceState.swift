import Config
import HealthCheck
import Wire

/// The state of one virtual service: which of its servers live, whether they make up the quorum, and who serves.
///
/// A value and pure: results of checks go in, what is to be told comes out, and `servers` is what the snapshot is made
/// of. Sockets, clocks and scripts are the business of whoever drives it.
///
/// - A server lives while none of its checks has failed, and passive detection has nothing against it. One that starts down (alpha) has failed all of its checks that
///   say so. A server without checks lives.
/// - The quorum is reached when the weights of living servers come to quorum + hysteresis, and lost when they come to
///   nothing or to less than quorum - hysteresis. Before the first look it counts as lost.
/// - Without the quorum the sorry server, if there is one, serves alone. Without a sorry server the living ones go on.
public struct ServiceState: Sendable {
  /// What happens to a service: a check of a server has come to a verdict, or wants another weight.
  public struct Event: Hashable, Sendable {
    /// The server's place in the service.
    public var server: Int
    /// The check's number among the server's.
    public var check: Int
    /// Whether the server is well.
    public var isWell: Bool
    /// What the check wants the weight to be; nil is as configured.
    public var weight: CheckWeight?
    /// When: nanoseconds of CLOCK_MONOTONIC.
    public var atNanoseconds: UInt64

    /// An event.
    public init(server: Int, check: Int, isWell: Bool, weight: CheckWeight? = nil, atNanoseconds: UInt64 = 0) {
      self.atNanoseconds = atNanoseconds
      self.server = server
      self.check = check
      self.isWell = isWell
      self.weight = weight
    }
  }

  /// What is to be told, in the order in which it happened; servers by their places.
  public enum Change: Hashable, Sendable {
    /// A server lives.
    case serverUp(Int)
    /// It does no longer.
    case serverDown(Int)
    /// A server that lives has another weight.
    case weight(Int, from: Int32, to: Int32)
    /// The living servers' weights make up the quorum.
    case quorumGained(weight: Int)
    /// They do no longer.
    case quorumLost(weight: Int)
  }

  private struct Server {
    let spec: RealServer
    let checks: [CheckDefinition]
    /// The checks that have failed, by number.
    var failed: Set<Int>
    /// The weights that checks want, by number.
    var wanted: [Int: CheckWeight] = [:]
    /// Passive detection has taken it out.
    var isSuspect = false
    /// When it came back, while its weight still rises.
    var warmsFrom: UInt64?
    /// How far it has come: parts of 256.
    var warmth: Int64 = 256

    var isAlive: Bool { failed.isEmpty && !isSuspect }

    /// The weight it is picked by: less than its own while it warms up, but never nothing of something.
    var servedWeight: Int32 {
      guard warmth < 256, weight > 0 else { return weight }
      return Int32(max(1, Int64(weight) * warmth / 256))
    }

    /// It has come back: its weight begins to rise.
    mutating func beginWarmup(atNanoseconds now: UInt64) {
      guard let seconds = spec.warmupSeconds, seconds > 0 else { return }
      (warmsFrom, warmth) = (now, 0)
    }

    /// - Returns: true when its weight is another one than before.
    mutating func warm(atNanoseconds now: UInt64) -> Bool {
      guard let begin = warmsFrom, let seconds = spec.warmupSeconds else { return false }
      let before = servedWeight
      let elapsed = Int64(clamping: (now > begin ? now - begin : 0) / 1_000_000)
      warmth = min(256, elapsed * 256 / Int64(max(1, seconds * 1000)))
      if warmth == 256 || !isAlive { (warmsFrom, warmth) = (nil, 256) }
      return servedWeight != before
    }

    /// The differences to the configured weight add up.
    var weight: Int32 {
      let range = -Int(Int32.max)...Int(Int32.max)
      let sum = wanted.values.reduce(Int(spec.weight)) { sum, weight in
        switch weight {
        case .replace(let value): sum + value.clamped(to: range) - Int(spec.weight)
        case .add(let value): sum + value.clamped(to: range)
        }
      }
      return Int32(clamping: max(sum, 0))
    }
  }

  /// As configured.
  public let service: VirtualService
  private var states: [Server]
  /// True while the living servers make up the quorum.
  public private(set) var hasQuorum = false

  /// A service at its start.
  /// - Parameter checks: of each of its servers; none of any where nobody checks: then nothing can start down, or it
  ///   would stay so.
  public init(_ service: VirtualService, checks: [[CheckDefinition]] = []) {
    self.service = service
    states = service.realServers.enumerated().map { index, spec in
      let checks = checks.indices.contains(index) ? checks[index] : []
      return Server(spec: spec, checks: checks, failed: Set(checks.indices.filter { checks[$0].times.alpha }))
    }
    hasQuorum = weight >= service.monitoring.quorum + service.monitoring.hysteresis
  }

  /// What is told of it at its start: the state before is that of a service without the quorum.
  public var beginning: [Change] {
    if hasQuorum { return [.quorumGained(weight: weight)] }
    return service.sorryServer == nil ? [] : [.quorumLost(weight: weight)]
  }

  /// After a reload: checks that ask the same of the same target keep their verdict, as they go on; others begin anew.
  public mutating func takeUp(_ old: ServiceState) -> [Change] {
    let formers = Dictionary(old.states.map { ($0.spec.endpoint, $0) }) { first, _ in first }
    var changes: [Change] = []
    for index in states.indices {
      guard let former = formers[states[index].spec.endpoint] else { continue }
      let known = former.checks.map(\.subject)
      for (number, check) in states[index].checks.enumerated() {
        guard let before = known.firstIndex(of: check.subject) else { continue }
        if former.failed.contains(before) {
          states[index].failed.insert(number)
        } else {
          states[index].failed.remove(number)
        }
        states[index].wanted[number] = former.wanted[before]
      }
      if states[index].spec.warmupSeconds != nil {
        (states[index].warmsFrom, states[index].warmth) = (former.warmsFrom, former.warmth)
      }
      guard states[index].isAlive != former.isAlive else { continue }
      changes.append(states[index].isAlive ? .serverUp(index) : .serverDown(index))
    }
    hasQuorum = old.hasQuorum
    return changes + look()
  }

  /// What the weights of living servers come to.
  public var weight: Int { states.reduce(0) { $0 + ($1.isAlive ? Int($1.weight) : 0) } }

  /// True while the server at that place lives.
  public func isAlive(_ server: Int) -> Bool { states.indices.contains(server) && states[server].isAlive }

  /// Takes note of what has happened.
  public mutating func apply(_ event: Event) -> [Change] {
    let index = event.server
    guard states.indices.contains(index), states[index].checks.indices.contains(event.check) else { return [] }
    let (wasAlive, weight) = (states[index].isAlive, states[index].weight)
    if event.isWell { states[index].failed.remove(event.check) } else { states[index].failed.insert(event.check) }
    states[index].wanted[event.check] = event.weight
    if states[index].isAlive, !wasAlive { states[index].beginWarmup(atNanoseconds: event.atNanoseconds) }
    let server = states[index]
    var changes: [Change] = []
    if server.isAlive != wasAlive { changes.append(server.isAlive ? .serverUp(index) : .serverDown(index)) }
    if server.isAlive, server.weight != weight {
      changes.append(.weight(index, from: weight, to: server.weight))
    }
    return changes + look()
  }

  /// Passive detection takes a server out, or lets it come back.
  mutating func setSuspect(_ index: Int, _ isSuspect: Bool, atNanoseconds now: UInt64) -> [Change] {
    guard states.indices.contains(index), states[index].isSuspect != isSuspect else { return [] }
    let wasAlive = states[index].isAlive
    states[index].isSuspect = isSuspect
    guard states[index].isAlive != wasAlive else { return [] }
    if !wasAlive { states[index].beginWarmup(atNanoseconds: now) }
    return [wasAlive ? .serverDown(index) : .serverUp(index)] + look()
  }

  /// Servers that passive detection has taken out, as it is known before a reload is taken up.
  mutating func noteSuspects(_ isSuspect: (Int) -> Bool) {
    for index in states.indices { states[index].isSuspect = isSuspect(index) }
  }

  /// True for a server that no check keeps out, and that has a weight.
  func isFit(_ server: Int) -> Bool {
    states.indices.contains(server) && states[server].failed.isEmpty && states[server].weight > 0
  }

  /// Lets the weights of servers rise that have come back (`warmup_weight`). The quorum goes by their own weights.
  /// - Returns: true when one has another weight than before.
  mutating func warm(atNanoseconds now: UInt64) -> Bool {
    var hasChanged = false
    for index in states.indices where states[index].warmsFrom != nil {
      hasChanged = states[index].warm(atNanoseconds: now) || hasChanged
    }
    return hasChanged
  }

  /// True while a weight rises.
  var isWarming: Bool { states.contains { $0.warmsFrom != nil } }

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
    for state in states {
      var server = state.spec
      server.weight = state.servedWeight
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

extension CheckDefinition {
  /// What makes it this check and no other: when it runs does not.
  var subject: CheckDefinition { CheckDefinition(kind, target: target) }
}

extension Int {
  fileprivate func clamped(to range: ClosedRange<Int>) -> Int {
    Swift.min(Swift.max(self, range.lowerBound), range.upperBound)
  }
}
