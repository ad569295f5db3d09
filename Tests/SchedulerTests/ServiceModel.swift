@testable import Scheduler

/// The protocol of a modelled connection: what its first packet does to the counts.
enum ModelProtocol {
  case tcp
  case udp
}

/// A service small enough to read: a list of named servers, their counts and the scheduler's word.
///
/// It stands in for control (list events) and for a worker (a pick, then the connection is counted).
struct ServiceModel {
  struct Server {
    var name: String
    var identifier: UInt16
    var weight: Int32
    var lastWeight: Int32
    var upper: UInt64 = 0

    var port: UInt16 = 80

    /// By the weights, and an address: that which the name is, or 10.1.0.11 and so on for A, B and so on.
    var hashed: HashedServer {
      let bytes = name.split(separator: ".").compactMap { UInt32($0) }
      let letter = UInt32(name.utf8.first ?? 0) &- 65
      let address = bytes.count == 4 ? bytes.reduce(0) { $0 << 8 | $1 } : 0x0a01_000b &+ letter
      return HashedServer(
        weight: weight, lastWeight: lastWeight, addressFold: address, port: port,
        identity: ServerIdentity.of(high: 0, low: UInt64(address), port: port, isIPv6: false))
    }
  }

  let scheduler: Scheduler
  var flags: SchedulerFlags = []
  var state = SchedulerState()
  /// List order: newest first.
  private(set) var servers: [Server] = []
  private(set) var connections = [UInt64](repeating: 0, count: 1024)
  private(set) var overloaded = [UInt8](repeating: 0, count: 1024)
  private var nextIdentifier: UInt16 = 3
  /// What the scheduler remembers; shared by copies of the model.
  let memory: CacheMemory?
  /// Of servers added from here on.
  var port: UInt16 = 80

  /// A service without servers, just bound to its scheduler.
  init(_ scheduler: Scheduler, flags: SchedulerFlags = []) {
    self.scheduler = scheduler
    self.flags = flags
    memory = scheduler.hasCache ? CacheMemory(holdsSets: scheduler.cacheHoldsSets) : nil
    tell(.bound)
  }

  /// A service whose servers were all there when the scheduler was bound; added in the order of the text `A3 B2 C1`.
  init(_ scheduler: Scheduler, boundWith text: String, flags: SchedulerFlags = []) {
    self.init(scheduler, flags: flags)
    addAll(text)
    tell(.bound)
  }

  mutating func addAll(_ text: String) {
    for part in text.split(separator: " ") { add(String(part.prefix(1)), weight: Int32(part.dropFirst())!) }
  }

  mutating func add(_ name: String, weight: Int32, upper: UInt64 = 0) {
    servers.insert(
      Server(
        name: name, identifier: nextIdentifier, weight: weight, lastWeight: weight, upper: upper, port: port), at: 0)
    nextIdentifier += 1
    tell(.added(identifier: servers[0].identifier))
  }

  mutating func remove(_ name: String) {
    let position = servers.firstIndex { $0.name == name }!
    let gone = servers.remove(at: position)
    let predecessor = position > 0 ? servers[position - 1].identifier : nil
    tell(.removed(identifier: gone.identifier, predecessor: predecessor))
  }

  mutating func edit(_ name: String, weight: Int32) {
    let position = servers.firstIndex { $0.name == name }!
    servers[position].weight = weight
    if weight != 0 { servers[position].lastWeight = weight }
    tell(.edited)
  }

  mutating func overload(_ name: String, _ value: Bool = true) {
    overloaded[Int(identifier(of: name))] = value ? 1 : 0
  }

  mutating func load(_ name: String, active: UInt64 = 0, inactive: UInt64 = 0) {
    connections[Int(identifier(of: name))] = active << 32 | inactive
  }

  func identifier(of name: String) -> UInt16 { servers.first { $0.name == name }!.identifier }

  /// A new connection: the name of its server, or nil. It counts as active (TCP) or inactive (UDP) from then on.
  mutating func connect(_ flow: ScheduledFlow = ScheduledFlow(clientFold: 0), as kind: ModelProtocol = .tcp) -> String?
  {
    var next = state
    let position = withServers { scheduler.pick(from: $0, state: &next, flow: flow, flags: flags) }
    state = next
    guard position < servers.count else { return "outside of the list" }
    guard position >= 0 else { return nil }
    let server = servers[position]
    let index = Int(server.identifier)
    connections[index] += kind == .tcp ? 1 << 32 : 1
    let total = (connections[index] >> 32) + (connections[index] & 0xffff_ffff)
    if server.upper != 0 && total >= server.upper { overloaded[index] = 1 }
    return server.name
  }

  /// The names of the next `count` picks, `-` for none.
  mutating func picks(
    _ count: Int, as kind: ModelProtocol = .tcp, _ flow: ScheduledFlow = ScheduledFlow(clientFold: 0)
  ) -> String {
    var names: [String] = []
    for _ in 0..<count { names.append(connect(flow, as: kind) ?? "-") }
    return names.joined(separator: " ")
  }

  /// The client has sent its FIN: an active connection becomes an inactive one.
  mutating func finish(_ name: String) {
    connections[Int(identifier(of: name))] += 1
    connections[Int(identifier(of: name))] -= 1 << 32
  }

  /// The list as published for this moment.
  func withServers<Result>(_ body: (RealServerSet) -> Result) -> Result {
    let identifiers = servers.map(\.identifier)
    let weights = servers.map(\.weight)
    let pace = Scheduler.pace(of: weights)
    let table = scheduler.makeTable { servers.map(\.hashed) }
    let identities = UnsafeMutablePointer<UInt64>.allocate(capacity: max(1, servers.count))
    defer { identities.deallocate() }
    for (position, server) in servers.enumerated() { identities[position] = server.hashed.identity }
    // A list may be empty, an array's address may not: one spare element each.
    return (identifiers + [0]).withUnsafeBufferPointer { identifiers in
      (weights + [0]).withUnsafeBufferPointer { weights in
        connections.withUnsafeBufferPointer { connections in
          overloaded.withUnsafeBufferPointer { overloaded in
            (table ?? [0]).withUnsafeBufferPointer { buckets in
              body(
                RealServerSet(
                  count: servers.count, identifiers: identifiers.baseAddress!, weights: weights.baseAddress!,
                  connections: connections.baseAddress!, overloaded: overloaded.baseAddress!,
                  table: table == nil ? nil : buckets.baseAddress, tableCount: table?.count ?? 0, step: pace.step,
                  maximum: pace.maximum, identities: identities, cache: memory?.cache))
            }
          }
        }
      }
    }
  }

  private mutating func tell(_ change: ServerListChange) {
    if change == .bound { memory?.cache.clear() }
    state = withServers { scheduler.serversChanged(state, servers: $0, change: change) }
  }
}

/// Memory for a cache of destinations.
final class CacheMemory: @unchecked Sendable {
  let cache: DestinationCache
  private let memory: UnsafeMutableRawPointer

  init(holdsSets: Bool, seed: UInt64 = 1) {
    let byteCount = DestinationCache.byteCount(holdsSets: holdsSets)
    memory = .allocate(byteCount: byteCount, alignment: 64)
    memory.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
    cache = DestinationCache.initialize(memory, holdsSets: holdsSets, seed: seed)
  }

  deinit { memory.deallocate() }
}

extension ScheduledFlow {
  /// A flow to an IPv4 destination.
  init(to destination: UInt32, seconds: UInt32 = 0) {
    self.init(
      clientFold: 0, destinationFold: destination, destinationLow: UInt64(destination), seconds: seconds)
  }
}
