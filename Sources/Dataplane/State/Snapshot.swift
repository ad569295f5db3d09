import CShims
import Scheduler
import Wire

/// What workers read: services, servers, next hops, routes, timeouts. Immutable once built.
///
/// Control builds a snapshot whenever something changes and posts its address to every worker's mailbox; a worker takes
/// it up between two batches and reports the generation it has reached; control frees the old one when all have. So a
/// worker never waits, never counts references, and never sees half a change.
struct SnapshotView {
  /// Counts up; what a worker reports.
  var generation: UInt64
  var endpoints4: EndpointTable<NearEndV4>
  var endpoints6: EndpointTable<NearEndV6>
  // By number. Behind the last of each stands one that is nobody's: an entry of the table that outlived what it refers
  // to (which only a lost race can leave behind) leads there and nowhere else.
  fileprivate let endpoints: UnsafeMutablePointer<EndpointRecord>
  var services: UnsafeMutablePointer<ServiceRecord>
  var servers: UnsafeMutablePointer<ServerRecord>
  fileprivate let endpointLimit: UInt32
  let serviceLimit: UInt32
  let serverLimit: UInt32
  var nextHops: UnsafeMutablePointer<NextHop>
  var routes4: UnsafeMutablePointer<RouteTable<UInt32>>
  var routes6: UnsafeMutablePointer<RouteTable<WideAddress>>
  /// By first byte of an address: where all addresses go that begin with it, if frames can be sent there; else nil.
  var directHops4: UnsafeMutablePointer<UnsafePointer<NextHop>?>
  var directHops6: UnsafeMutablePointer<UnsafePointer<NextHop>?>
  var interfaces: UnsafeMutablePointer<InterfaceRecord>
  /// True when some service is not one address and port.
  var hasWide: Bool
  /// True when some real server is this host itself, so that its answers come from there.
  var hasLocalServers: Bool
  /// Servers as checks reach them that go the way of clients' packets, by the way's number.
  var checkWays: UnsafeBufferPointer<ServerRecord>
  /// The same, by family of the packets.
  var hasWideV4: Bool
  var hasWideV6: Bool
  /// True when some service is on port 21 of TCP, which takes the data connections of FTP too.
  var hasFTP: Bool
  /// True when the FTP helper is on, or has been: connections that it has changed need it to their end.
  var hasHelpers: Bool
  /// Ticks, by `timeoutIndex`.
  fileprivate let timeouts: UnsafeMutablePointer<UInt32>
  /// Those before former changes, the latest first, for connections that have had no packet since.
  fileprivate let formerTimeouts: UnsafeMutablePointer<UInt32>
  /// When each of them changed.
  fileprivate let timeoutsChanged: UnsafeMutablePointer<UInt64>
  fileprivate let formerCount: Int
  /// The shortest of all: who is within these is within those that count.
  let leastTimeouts: UnsafeMutablePointer<UInt32>
  /// `net.ipv4.vs.*`.
  var settings: IPVSSettings
  /// Firewall marks of packets.
  var markRules: MarkRules
  /// What schedulers remember of destinations, in order of the services' numbers.
  var caches: UnsafeMutablePointer<DestinationCache>
  var cacheCount: Int

  static var udpTimeout: Int { 16 }
  static var timeoutCount: Int { udpTimeout + 17 }

  /// Where a state's timeout stands: TCP's 16 first, then UDP's one, then SCTP's 16.
  @inline(__always)
  static func timeoutIndex(_ state: UInt8, protocolNumber: UInt8) -> Int {
    if protocolNumber == TransportProtocol.tcp.rawValue { return Int(state) }
    return protocolNumber == TransportProtocol.sctp.rawValue ? udpTimeout + 1 + Int(state) : udpTimeout
  }

  /// Ticks that a connection lives without a packet. A change of the timeouts (`ipvsadm --set`) is for
  /// connections with their next packet, as IPVS's timers are.
  @inline(__always)
  func timeout(_ connection: Connection, protocolNumber: UInt8, idle: UInt64, now: UInt64) -> UInt64 {
    let index = SnapshotView.timeoutIndex(connection.state, protocolNumber: protocolNumber)
    var timeout = timeouts[index]
    for change in 0..<formerCount {
      // By ticks, as stamps are: a packet of the tick of the change came after it.
      let since = now / Clock.nanosecondsPerTick &- timeoutsChanged[change] / Clock.nanosecondsPerTick
      // A coarse stamp may be that much older than the packet.
      guard idle > since &+ (connection.isCoarse ? Clock.ticksPerCoarseTick : 0) else { break }
      timeout = formerTimeouts[change &* SnapshotView.timeoutCount &+ index]
    }
    return UInt64(timeout)
  }

  /// What an endpoint number stands for.
  @inline(__always)
  func endpoint(_ number: UInt16) -> EndpointRecord { endpoints[Int(min(UInt32(number), endpointLimit))] }

  /// A service by its number.
  @inline(__always)
  func service(_ number: UInt16) -> UnsafePointer<ServiceRecord> {
    UnsafePointer(services + Int(min(UInt32(number), serviceLimit)))
  }

  /// A real server by its number.
  @inline(__always)
  func server(_ number: UInt16) -> UnsafePointer<ServerRecord> {
    UnsafePointer(servers + Int(min(UInt32(number), serverLimit)))
  }
}

/// Owner of a snapshot's memory. Freed when the last reference in control goes, which control only lets happen after
/// every worker has moved on.
public final class Snapshot {
  let view: UnsafeMutablePointer<SnapshotView>
  private let arena = Arena()
  /// By service number.
  let caches: [UInt16: ServiceCache]

  /// Counts up with every snapshot built.
  public var generation: UInt64 { view.pointee.generation }

  deinit {
    view.deallocate()
  }

  /// The arrays of a snapshot.
  private final class Arena: MarkRules.Memory {
    private var blocks: [UnsafeMutableRawPointer] = []

    deinit {
      for block in blocks { block.deallocate() }
    }

    func array<Element>(_ values: [Element]) -> UnsafeMutablePointer<Element> {
      let pointer = UnsafeMutablePointer<Element>.allocate(capacity: max(values.count, 1))
      pointer.initialize(from: values, count: values.count)
      blocks.append(UnsafeMutableRawPointer(pointer))
      return pointer
    }
  }

  /// Builds a snapshot.
  /// - Parameters:
  ///   - description: what it shall say.
  ///   - shared: the memory of connection counts that the schedulers' views point into.
  ///   - caches: by service number; for schedulers that have one.
  ///   - former: the timeouts before former changes, and when each changed; the latest first.
  init(
    _ description: SnapshotDescription, generation: UInt64, shared: SharedState, caches: [UInt16: ServiceCache] = [:],
    former: [(timeouts: Timeouts, nanoseconds: UInt64)] = []
  ) {
    view = .allocate(capacity: 1)
    self.caches = caches
    let arena = arena
    func array<Element>(_ values: [Element]) -> UnsafeMutablePointer<Element> { arena.array(values) }

    var nextHops = [NextHop(.unreachable)]
    func index(of nextHop: NextHop) -> UInt32 {
      nextHops.append(nextHop)
      return UInt32(nextHops.count - 1)
    }

    // Endpoints.
    let highest = max(
      description.services.map { Int($0.endpoint) }.max() ?? 0, description.servers.map { Int($0.endpoint) }.max() ?? 0)
    var endpoints = [EndpointRecord](repeating: EndpointRecord(kind: .none, index: 0), count: highest + 1)
    func table<Near>(for count: Int) -> EndpointTable<Near> {
      let capacity = Snapshot.powerOfTwo(atLeast: max(256, count * 4))
      return EndpointTable(
        entries: array([EndpointTable<Near>.Entry](repeating: .init(), count: capacity)), capacity: capacity)
    }
    let ends = description.services.count + description.servers.count
    let endpoints4: EndpointTable<NearEndV4> = table(for: ends)
    let endpoints6: EndpointTable<NearEndV6> = table(for: ends)
    // A family without a service is not looked at: so it is with IPVS, and connections of the last service deleted are the
    // host's from then on.
    let draining = Set(description.servers.lazy.filter { $0.draining != .none }.map(\.service))
    let families = Set(
      description.services.filter { $0.isActive || draining.contains($0.number) }.map(\.address.family))
    func insert(
      _ address: IPAddress, _ port: UInt16, _ transport: TransportProtocol, _ side: Side, _ endpoint: UInt16,
      isTranslated: Bool = false
    ) {
      guard families.contains(address.family) || isTranslated else { return }
      let (high, low) = address.words
      let number = transport.rawValue
      if address.family == .ipv6 {
        endpoints6.insert(
          NearEndV6((high.bigEndian, low.bigEndian), port: UInt64(port) << 16, protocolNumber: number, side: side),
          endpoint: endpoint)
      } else {
        endpoints4.insert(
          NearEndV4(end: low << 32 | UInt64(port) << 16, protocolNumber: number, side: side), endpoint: endpoint)
      }
    }
    func insert(mark: UInt32, _ family: IPAddress.Family, _ endpoint: UInt16) {
      if family == .ipv6 {
        endpoints6.insert(
          NearEndV6((0, UInt64(mark)), port: 0, protocolNumber: 0, side: .mark), endpoint: endpoint)
      } else {
        endpoints4.insert(
          NearEndV4(end: UInt64(mark) << 32, protocolNumber: 0, side: .mark), endpoint: endpoint)
      }
    }
    for service in description.services {
      endpoints[Int(service.endpoint)] = EndpointRecord(kind: .service, index: service.number)
      if service.mark != 0 {
        if service.isActive { insert(mark: service.mark, service.address.family, service.endpoint) }
      } else if service.isOurs {
        let side: Side = service.port == 0 ? .anyPort : .destination
        insert(service.address, service.port, service.transport, side, service.endpoint)
      }
    }

    // Servers. Several services may have the same address:port: then they share the endpoint.
    var servers = [ServerRecord?](
      repeating: nil, count: (description.servers.map { Int($0.number) }.max() ?? 0) + 1)
    let serviceByNumber = Dictionary(
      description.services.map { ($0.number, $0) }, uniquingKeysWith: { _, last in last })
    let nobody = LocalAddress(high: 0, low: 0, isActive: false)
    let noLocals = UnsafePointer(array([LocalAddress](repeating: nobody, count: Limits.localAddressCapacity)))
    var localsByService: [UInt16: UnsafePointer<LocalAddress>] = [:]
    for service in description.services where !service.localAddresses.isEmpty {
      let own = service.localAddresses.prefix(Limits.localAddressCapacity).map {
        LocalAddress(
          high: $0.address.words.high, low: $0.address.words.low, isActive: $0.isActive,
          isIPv6: $0.address.family == .ipv6)
      }
      let spare = [LocalAddress](repeating: nobody, count: Limits.localAddressCapacity - own.count)
      localsByService[service.number] = UnsafePointer(array(own + spare))
    }
    var ages: [UInt16: UInt64] = [:]
    for server in description.servers {
      let service = serviceByNumber[server.service]
      servers[Int(server.number)] = ServerRecord(
        server, of: service, locals: localsByService[server.service] ?? noLocals, paths: shared.paths,
        settings: description.settings)
      guard server.endpoint != 0, let service, service.goesByEndpoint else { continue }
      let place = Int(server.endpoint)
      let isFirst = endpoints[place].kind == .none
      // Which of them it is matters for what a server sends first (SIP): then it is the one that was added last.
      let isLater = server.isAvailable && server.form == server.number && server.age >= ages[server.endpoint] ?? 0
      if isFirst || isLater {
        endpoints[place] = EndpointRecord(kind: .server, index: server.number)
        ages[server.endpoint] = isLater ? server.age : 0
      }
      guard isFirst else { continue }
      let isTranslated = server.address.family != service.address.family && families.contains(service.address.family)
      insert(
        server.address, server.port, service.transport, .source, server.endpoint, isTranslated: isTranslated)
    }

    // Services. Calls are not told apart where replies would need a third end in their key.
    let untranslated = Set(description.servers.lazy.filter { $0.method == .fullNAT }.map(\.service))
    let byCall = Set(
      description.services.lazy.filter { $0.persistence?.engine == .sip && !untranslated.contains($0.number) }
        .map(\.number))
    let mixed = Set(
      description.servers.filter { server in
        server.method == .fullNAT
          && serviceByNumber[server.service].map { $0.address.family != server.address.family }
            ?? false
      }.map(\.service))
    let hashed = Dictionary(
      description.servers.map { ($0.number, $0.hashed) }, uniquingKeysWith: { first, _ in first })
    let unknown = HashedServer(weight: 0, lastWeight: 0, addressFold: 0, port: 0)
    var services = [ServiceRecord?](
      repeating: nil, count: (description.services.map { Int($0.number) }.max() ?? 0) + 1)
    for service in description.services {
      let list = service.servers.map { hashed[$0]?.weight ?? 0 }
      let bucketTable = service.scheduler.makeTable { service.servers.map { hashed[$0] ?? unknown } }
      let pace = Scheduler.pace(of: list)
      let identities =
        service.scheduler.hasCache ? array(service.servers.map { (hashed[$0] ?? unknown).identity }) : nil
      let set = RealServerSet(
        count: service.servers.count, identifiers: array(service.servers), weights: array(list),
        connections: UnsafePointer(shared.connectionCounts), overloaded: UnsafePointer(shared.overloaded),
        table: bucketTable.map { UnsafePointer(array($0)) }, tableCount: bucketTable?.count ?? 0, step: pace.step,
        maximum: pace.maximum, identities: identities.map { UnsafePointer($0) },
        cache: caches[service.number]?.cache)
      let isIPv6 = service.address.family == .ipv6
      services[Int(service.number)] = ServiceRecord(
        addressHigh: service.address.words.high, addressLow: service.address.words.low, port: service.port,
        protocolNumber: service.transport.rawValue, isIPv6: isIPv6, endpoint: service.endpoint,
        isActive: service.isActive, scheduler: service.scheduler, schedulerFlags: service.flags, servers: set,
        localAddresses: localsByService[service.number],
        localAddressCount: min(service.localAddresses.count, Limits.localAddressCapacity),
        localPortFirst: service.localPorts.lowerBound, localPortLast: service.localPorts.upperBound,
        mark: service.mark, persistenceSeconds: service.persistence?.seconds ?? 0,
        persistenceMasks: array(service.masks), persistenceMaskCount: service.masks.count,
        isOnePacket: service.isOnePacket, conveyance: service.conveyance, goesByCall: byCall.contains(service.number),
        opensWide: byCall.contains(service.number)
          || description.helps(service) && !untranslated.contains(service.number)
          || service.conveyance != .none || mixed.contains(service.number))
    }

    let routes4: RouteTable<UInt32> = Snapshot.routes(description, .ipv4, index: index(of:), arena: arena)
    let routes6: RouteTable<WideAddress> = Snapshot.routes(description, .ipv6, index: index(of:), arena: arena)
    let timeouts = Snapshot.ticks(description.timeouts)
    let formerTimeouts = former.map { Snapshot.ticks($0.timeouts) }
    let leastTimeouts = formerTimeouts.reduce(timeouts) { least, other in zip(least, other).map { min($0, $1) } }

    let interfaces = description.interfaces.map {
      InterfaceRecord(
        address: $0.address.number, ipv4: $0.ipv4?.v4 ?? 0, ipv6High: $0.ipv6?.high ?? 0, ipv6Low: $0.ipv6?.low ?? 0)
    }
    let noService = ServiceRecord(
      addressHigh: 0, addressLow: 0, port: 0, protocolNumber: 0, isIPv6: false, endpoint: 0, isActive: false,
      scheduler: .roundRobin, schedulerFlags: [],
      servers: RealServerSet(
        count: 0, identifiers: array([UInt16]()), weights: array([Int32]()),
        connections: UnsafePointer(shared.connectionCounts), overloaded: UnsafePointer(shared.overloaded)),
      localAddresses: nil, localAddressCount: 0, localPortFirst: 1, localPortLast: 1,
      persistenceMasks: array([AddressMask]()))
    var noServer = ServerRecord(
      SnapshotDescription.Server(
        number: 0, service: .max, endpoint: 0, address: IPAddress(v4: 0), port: 0, method: .directRouting, weight: 0,
        nextHop: nextHops[0], isAvailable: false),
      of: nil, locals: noLocals, paths: shared.paths, settings: description.settings)
    (noServer.owner, noServer.form) = (.max, .max)
    var records = servers.map { $0 ?? noServer }
    for number in servers.indices where servers[number] == nil { records[number].owner = UInt16(number) }
    let hops = array(nextHops)
    let checkWays = description.checkWayRecords(noServer) {
      ServerRecord(
        $0, of: serviceByNumber[$0.service], locals: noLocals, paths: shared.paths, settings: description.settings)
    }
    let crossing = description.servers.filter { server in
      serviceByNumber[server.service].map { families.contains($0.address.family) } ?? false
    }
    let seen = families.union(crossing.map(\.address.family))
    view.initialize(
      to: SnapshotView(
        generation: generation, endpoints4: endpoints4, endpoints6: endpoints6,
        endpoints: array(endpoints + [EndpointRecord(kind: .none, index: .max)]),
        services: array((services + [nil]).map { $0 ?? noService }),
        servers: array(records + [noServer]), endpointLimit: UInt32(endpoints.count),
        serviceLimit: UInt32(services.count), serverLimit: UInt32(servers.count), nextHops: hops,
        routes4: array([routes4]), routes6: array([routes6]), directHops4: array(routes4.directHops(among: hops)),
        directHops6: array(routes6.directHops(among: hops)), interfaces: array(interfaces),
        hasWide: !families.isEmpty
          && (description.hasHelpers
            || description.services.contains {
              !$0.goesByEndpoint || Snapshot.isFTP($0) || $0.hasCalls || $0.opensWide || $0.conveyance != .none
                || mixed.contains($0.number)
            }),
        hasLocalServers: description.servers.contains { $0.nextHop.state == .local && $0.method != .fullNAT },
        checkWays: UnsafeBufferPointer(start: array(checkWays), count: checkWays.count),
        hasWideV4: seen.contains(.ipv4), hasWideV6: seen.contains(.ipv6),
        hasFTP: description.services.contains(where: Snapshot.isFTP), hasHelpers: description.hasHelpers,
        timeouts: array(timeouts), formerTimeouts: array(formerTimeouts.flatMap { $0 }),
        timeoutsChanged: array(former.map(\.nanoseconds)), formerCount: former.count,
        leastTimeouts: array(leastTimeouts),
        settings: description.settings, markRules: MarkRules(description.markRules, memory: arena),
        caches: array(caches.sorted { $0.key < $1.key }.map(\.value.cache)), cacheCount: caches.count))
  }

  private static func routes<Address>(
    _ description: SnapshotDescription, _ family: IPAddress.Family, index: (NextHop) -> UInt32, arena: Arena
  ) -> RouteTable<Address> {
    func number(_ address: IPAddress) -> Address { Address(high: address.words.high, low: address.words.low) }
    let ranges = RouteTable<Address>.ranges(
      of: description.routes.filter { $0.prefix.address.family == family }.map { route in
        RouteTable.Route(
          start: number(route.prefix.address), length: route.prefix.length,
          target: RouteTable.Target(
            nextHop: index(route.nextHop), interface: route.nextHop.interface, isOnLink: route.isOnLink))
      })
    let neighbours = description.neighbours.filter { $0.address.family == family }
    let capacity = powerOfTwo(atLeast: max(16, neighbours.count * 4))
    let places = arena.array([RouteTable<Address>.Neighbour](repeating: .none, count: capacity))
    for neighbour in neighbours {
      let address = number(neighbour.address)
      let interface = UInt16(neighbour.nextHop.interface)
      var place = RouteTable.place(of: address, interface) & (capacity - 1)
      while places[place].interface != 0xffff { place = (place + 1) & (capacity - 1) }
      places[place] = RouteTable.Neighbour(
        address: address, interface: interface, nextHop: index(neighbour.nextHop))
    }
    return RouteTable(
      starts: arena.array(ranges.map(\.start)), targets: arena.array(ranges.map(\.target)),
      firsts: arena.array(RouteTable<Address>.index(of: ranges.map(\.start))), neighbours: places,
      neighbourMask: capacity - 1)
  }

  /// By `SnapshotView.timeoutIndex`.
  private static func ticks(_ timeouts: Timeouts) -> [UInt32] {
    var ticks = [UInt32](repeating: 0, count: SnapshotView.timeoutCount)
    for state in ConnectionState.SCTP.allCases {
      ticks[SnapshotView.timeoutIndex(state.rawValue, protocolNumber: TransportProtocol.sctp.rawValue)] =
        state.timeoutSeconds * UInt32(Clock.ticksPerSecond)
    }
    for (state, seconds) in timeouts.tcp.enumerated() { ticks[state] = seconds * UInt32(Clock.ticksPerSecond) }
    ticks[SnapshotView.udpTimeout] = timeouts.udp * UInt32(Clock.ticksPerSecond)
    return ticks
  }

  private static func isFTP(_ service: SnapshotDescription.Service) -> Bool {
    service.mark == 0 && service.port == 21 && service.transport == .tcp
  }

  static func powerOfTwo(atLeast count: Int) -> Int {
    count <= 1 ? 1 : 1 << (Int.bitWidth - (count - 1).leadingZeroBitCount)
  }
}
