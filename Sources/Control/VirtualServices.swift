import Config
import Dataplane
import Scheduler
import Wire

/// The one model of services and real servers, whoever edits it: configuration, commands, replay.
///
/// Its special care is numbers. Workers know services, servers and endpoints by number, and a connection refers to them
/// for as long as it lives. So a number belongs to a thing (service key; server address within a service; address:port)
/// until nothing refers to it any more: a deleted service keeps its number while it has connections, and the
/// same service added again gets the same numbers, and its connections, back.
public struct VirtualServices {
  var services: [UInt16: Service] = [:]
  var servers: [UInt16: Server] = [:]
  private var serviceNumbers: [ServiceKey: UInt16] = [:]
  private var serverNumbers: [ServerName: UInt16] = [:]
  /// When the next drain is over, in nanoseconds.
  private(set) var nextDrainEnd: UInt64?
  private var endpoints = NumberPool(range: 1...UInt16(Limits.endpointCapacity - 1))
  private var freeServices = NumberPool(range: 0...UInt16(Limits.serverCapacity - 2))
  var freeServers = NumberPool(range: 0...UInt16(Limits.serverCapacity - 2))
  /// Near ends of replies: several services may share a server.
  private var serverEndpoints: [EndpointKey: (number: UInt16, users: Int)] = [:]
  /// Changes since the last time they were taken.
  private var changes: [Change] = []
  /// Servers whose number has just been given to a new server: their counters start at zero.
  var renewed: [UInt16] = []
  /// Servers whose upper threshold has gone or been raised: not overloaded until a connection says so.
  var relieved: [UInt16] = []
  private var serverAge: UInt64 = 0
  /// Ports that the FTP helper is on for, or has been.
  private(set) var helpedPorts: Set<UInt16> = []
  /// `expire_nodest_conn`: a removal makes the director forget the connections of all removed servers.
  var forgetsConnections = false
  private var removals: UInt64 = 0
  private var forgettingRemoval: UInt64 = 0
  private var forgets = false
  /// Servers whose service has been deleted and made again: their counters begin anew.
  var restarted: [UInt16] = []

  private struct ServerName: Hashable {
    var service: UInt16
    var endpoint: Endpoint
  }

  private struct EndpointKey: Hashable {
    /// nil for servers of marks, which are of no one protocol.
    var transport: TransportProtocol?
    var endpoint: Endpoint
  }

  /// No services.
  public init() {}

  /// No services, and only so many numbers for endpoints, services and servers.
  init(endpointCount: UInt16, count: UInt16) {
    endpoints = NumberPool(range: 1...endpointCount)
    freeServices = NumberPool(range: 1...count)
    freeServers = NumberPool(range: 1...count)
  }

  /// The active services, in the order of listings.
  var listed: [Service] {
    ListingOrder.sorted(services.values.filter(\.isActive).sorted { $0.number > $1.number })
  }

  /// True when some server's replies pass through the director (NAT, FULLNAT).
  var needsReplies: Bool { servers.values.contains { $0.forms.contains(where: \.method.translatesPorts) } }

  /// The active service with that key.
  func service(_ key: ServiceKey) -> Service? {
    serviceNumbers[key].flatMap { services[$0] }.flatMap { $0.isActive ? $0 : nil }
  }

  /// That real server of a service, while it is in its list.
  func known(_ endpoint: Endpoint, of key: ServiceKey) -> Server? {
    guard let service = service(key) else { return nil }
    let number = serverNumbers[ServerName(service: service.number, endpoint: endpoint)]
    return number.flatMap { servers[$0] }.flatMap { $0.isAvailable ? $0 : nil }
  }

  /// Says of a real server what no command says.
  mutating func setOwn(_ own: ServicePicture.OwnSettings, of endpoint: Endpoint, in key: ServiceKey) {
    guard let server = known(endpoint, of: key) else { return }
    servers[server.number]?.spec.vlan = own.vlan
    servers[server.number]?.spec.drainSeconds = own.drainSeconds
  }

  /// Before a snapshot is made: which servers' connections still go on, by `drain_timeout`.
  mutating func noteDrains(atNanoseconds now: UInt64) {
    nextDrainEnd = nil
    for server in servers.values where server.drain != nil || server.spec.drainSeconds != nil {
      let drain = Drain(of: server, atNanoseconds: now)
      if drain != server.drain { servers[server.number]?.drain = drain }
      guard let drain, !drain.isOver else { continue }
      nextDrainEnd = min(nextDrainEnd ?? .max, drain.endNanoseconds)
    }
  }

  /// Remembers what a scheduler has to hear, with the list as it is now.
  mutating func note(_ change: ServerListChange, of number: UInt16) {
    guard let service = services[number] else { return }
    let pace: (step: UInt32, maximum: UInt32)
    switch change {
    case _ where service.scheduler != .weightedRoundRobin:
      // Nobody else asks for it, and over thousands of servers it is a long walk.
      pace = Scheduler.pace(of: [])
    case .added(let identifier):
      pace = Scheduler.pace(service.pace, adding: servers[identifier]?.spec.weight ?? 0)
    case .bound, .removed, .edited:
      pace = Scheduler.pace(of: service.servers.map { servers[$0]?.spec.weight ?? 0 })
    }
    services[number]?.pace = pace
    changes.append(Change(service: number, scheduler: service.scheduler, pace: pace, change: change))
  }

  /// Takes the changes that schedulers have to hear, and the servers that start anew.
  mutating func takeChanges() -> News {
    defer {
      changes = []
      renewed = []
      relieved = []
      forgets = false
    }
    return News(changes: changes, renewed: renewed, relieved: relieved, forgets: forgets)
  }

  /// True for a server whose connections are forgotten: it has been removed, and one has been removed with
  /// `expire_nodest_conn` since.
  func isForgotten(_ server: Server) -> Bool {
    !server.isAvailable && server.removal <= forgettingRemoval && server.drain == nil
  }

  private mutating func remove(_ number: UInt16) {
    removals += 1
    servers[number]?.isAvailable = false
    servers[number]?.removal = removals
    guard forgetsConnections else { return }
    forgettingRemoval = removals
    forgets = true
  }

  // MARK: - Services

  mutating func add(_ spec: VirtualService, localPorts: ClosedRange<UInt16>) throws(EditError) {
    guard service(spec.key) == nil else { throw EditError.serviceExists }
    let scheduler = try VirtualServices.scheduler(spec.schedulerName)
    try VirtualServices.checkEngine(of: spec)
    if let number = serviceNumbers[spec.key], var old = services[number] {
      old.rememberMask(before: spec)
      old.spec = spec
      old.scheduler = scheduler
      old.isActive = true
      old.localPorts = localPorts
      old.retired = ServerCounters()
      services[number] = old
      restarted += servers.values.filter { $0.service == number }.map(\.number)
    } else {
      guard let number = freeServices.take() else { throw EditError.tooMany }
      guard let endpoint = endpoints.take() else {
        freeServices.give(number)
        throw EditError.tooMany
      }
      serviceNumbers[spec.key] = number
      services[number] = Service(
        number: number, endpoint: endpoint, spec: spec, scheduler: scheduler, localPorts: localPorts)
    }
    if let number = serviceNumbers[spec.key] { note(.bound, of: number) }
  }

  mutating func edit(_ spec: VirtualService) throws(EditError) {
    guard var service = service(spec.key) else { throw EditError.noService }
    let scheduler = try VirtualServices.scheduler(spec.schedulerName)
    try VirtualServices.checkEngine(of: spec)
    service.rememberMask(before: spec)
    let isOther = scheduler != service.scheduler
    let servers = service.spec.realServers
    let method = service.spec.forwardingMethod
    let group = service.spec.localAddressGroup
    let conveyance = service.spec.clientConveyance
    service.spec = spec
    service.spec.realServers = servers
    service.spec.forwardingMethod = method
    service.spec.localAddressGroup = group
    service.spec.clientConveyance = conveyance
    service.scheduler = scheduler
    services[service.number] = service
    if isOther { note(.bound, of: service.number) }
  }

  mutating func delete(_ key: ServiceKey) throws(EditError) {
    guard var service = service(key) else { throw EditError.noService }
    for number in service.servers { remove(number) }
    service.servers = []
    service.isActive = false
    // Those of another service, should the same one come again; connections that there are keep theirs.
    for index in service.localAddresses.indices { service.localAddresses[index].isActive = false }
    services[service.number] = service
  }

  mutating func clear() {
    for service in services.values where service.isActive { try? delete(service.spec.key) }
  }

  /// The FTP helper is on for connections to these ports. What it has been on for stays known: data connections that it has
  /// announced come after it has been switched off.
  mutating func noteHelped(_ ports: [UInt16]) { helpedPorts.formUnion(ports) }

  /// Says how a FULLNAT service's servers learn of clients: new connections' servers, that is.
  mutating func setConveyance(_ conveyance: ClientConveyance, of key: ServiceKey) {
    guard let service = service(key) else { return }
    services[service.number]?.spec.clientConveyance = conveyance
    if conveyance != .none { services[service.number]?.hasOpenedWide = true }
  }

  /// Says which local addresses a FULLNAT service uses; indices of old ones are kept.
  mutating func setLocalAddresses(_ addresses: [IPAddress], of key: ServiceKey) {
    guard var service = service(key) else { return }
    for index in service.localAddresses.indices {
      service.localAddresses[index].isActive = addresses.contains(service.localAddresses[index].address)
    }
    for address in addresses where !service.localAddresses.contains(where: { $0.address == address }) {
      guard service.localAddresses.count < Limits.localAddressCapacity else { break }
      service.localAddresses.append((address, true))
    }
    services[service.number] = service
  }

  // MARK: - Real servers

  mutating func add(_ spec: RealServer, method: ForwardingMethod, to key: ServiceKey) throws(EditError) {
    guard var service = service(key) else { throw EditError.serviceNotDefined }
    let name = ServerName(service: service.number, endpoint: spec.endpoint)
    var server: Server
    if let old = serverNumbers[name].flatMap({ servers[$0] }) {
      guard !old.isAvailable else { throw EditError.serverExists }
      server = old
      try turn(&server, to: method, key: key)
      noteThreshold(of: old, after: spec)
      server.spec = spec
      server.lastWeight = spec.weight
      server.isAvailable = true
    } else {
      let form = try makeForm(method, of: spec.endpoint, key: key)
      server = Server(
        number: form.number, service: service.number, spec: spec, lastWeight: spec.weight, forms: [form],
        isAvailable: true)
      serverNumbers[name] = server.number
    }
    serverAge += 1
    server.age = serverAge
    servers[server.number] = server
    if method == .fullNAT, spec.endpoint.address.family != key.family { service.hasOpenedWide = true }
    service.servers.insert(server.number, at: 0)
    services[service.number] = service
    note(.added(identifier: server.number), of: service.number)
  }

  mutating func edit(_ spec: RealServer, method: ForwardingMethod, of key: ServiceKey) throws(EditError) {
    guard let service = service(key) else { throw EditError.serviceNotDefined }
    guard let number = serverNumbers[ServerName(service: service.number, endpoint: spec.endpoint)],
      var server = servers[number], server.isAvailable
    else { throw EditError.noServer }
    try turn(&server, to: method, key: key)
    noteThreshold(of: server, after: spec)
    server.spec = spec
    if spec.weight != 0 { server.lastWeight = spec.weight }
    servers[number] = server
    if method == .fullNAT, spec.endpoint.address.family != key.family {
      services[service.number]?.hasOpenedWide = true
    }
    note(.edited, of: service.number)
  }

  mutating func delete(_ endpoint: Endpoint, from key: ServiceKey) throws(EditError) {
    guard var service = service(key) else { throw EditError.serviceNotDefined }
    guard let number = serverNumbers[ServerName(service: service.number, endpoint: endpoint)],
      let position = service.servers.firstIndex(of: number)
    else { throw EditError.noServer }
    service.servers.remove(at: position)
    remove(number)
    services[service.number] = service
    let predecessor = position == 0 ? nil : service.servers[position - 1]
    note(.removed(identifier: number, predecessor: predecessor), of: service.number)
  }

  private mutating func noteThreshold(of server: Server, after spec: RealServer) {
    if spec.upperThreshold == 0 || spec.upperThreshold > server.spec.upperThreshold { relieved.append(server.number) }
  }

  /// Replies of NAT and FULLNAT servers are recognised by the server's address:port, which then needs a number.
  mutating func useEndpoint(_ endpoint: Endpoint, key: ServiceKey) throws(EditError) -> UInt16 {
    let name = EndpointKey(transport: key.transport, endpoint: endpoint)
    if let known = serverEndpoints[name] {
      serverEndpoints[name] = (known.number, known.users + 1)
      return known.number
    }
    guard let number = endpoints.take() else { throw EditError.tooMany }
    serverEndpoints[name] = (number, 1)
    return number
  }

  private static func scheduler(_ name: String) throws(EditError) -> Scheduler {
    guard let scheduler = Scheduler(name: name) else { throw EditError.noScheduler(name) }
    return scheduler
  }

  private static func checkEngine(of spec: VirtualService) throws(EditError) {
    guard let name = spec.persistenceEngine else { return }
    guard Defaults.persistenceEngineNames.contains(name) else { throw EditError.noEngine(name) }
  }

  // MARK: - Numbers

  /// Frees the numbers of what has been deleted and has no connections any more.
  /// - Parameters:
  ///   - isUnused: true for a server number without connections.
  ///   - counters: what a server has been sent, for its service's totals.
  mutating func reclaim(
    isUnused: (UInt16) -> Bool, counters: (UInt16) -> ServerCounters = { _ in ServerCounters() }
  ) {
    for var server in servers.values {
      if server.forms.count > 1 {
        dropForms(of: &server, isUnused: isUnused, counters: counters)
        servers[server.number] = server
      }
      // What its forms have counts as its own.
      guard !server.isAvailable, isUnused(server.number) else { continue }
      services[server.service]?.retired.add(server.counters(counters))
      serverNumbers[ServerName(service: server.service, endpoint: server.spec.endpoint)] = nil
      servers[server.number] = nil
      for form in server.forms { giveUp(form, of: server) }
    }
    forgetUnusedServices()
  }

  /// Frees a form's numbers.
  mutating func giveUp(_ form: ServerForm, of server: Server) {
    freeServers.give(form.number)
    guard form.endpoint != 0, let key = services[server.service]?.spec.key else { return }
    let name = EndpointKey(transport: key.transport, endpoint: server.spec.endpoint)
    guard let known = serverEndpoints[name] else { return }
    serverEndpoints[name] = known.users > 1 ? (known.number, known.users - 1) : nil
    if known.users <= 1 { endpoints.give(known.number) }
  }

  private mutating func forgetUnusedServices() {
    let inUse = Set(servers.values.map(\.service))
    for service in services.values where !service.isActive && !inUse.contains(service.number) {
      services[service.number] = nil
      serviceNumbers[service.spec.key] = nil
      freeServices.give(service.number)
      endpoints.give(service.endpoint)
    }
  }
}
