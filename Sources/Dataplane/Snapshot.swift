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
  var endpoints4: EndpointTable
  var endpoints6: EndpointTable
  // By number. Behind the last of each stands one that is nobody's: an entry of the table that outlived what it refers
  // to (which only a lost race can leave behind) leads there and nowhere else.
  fileprivate let endpoints: UnsafeMutablePointer<EndpointRecord>
  fileprivate let services: UnsafeMutablePointer<ServiceRecord>
  fileprivate let servers: UnsafeMutablePointer<ServerRecord>
  fileprivate let endpointLimit: UInt32
  fileprivate let serviceLimit: UInt32
  fileprivate let serverLimit: UInt32
  var nextHops: UnsafeMutablePointer<NextHop>
  var routes4: RouteTable
  var routes6: RouteTable
  var interfaces: UnsafeMutablePointer<InterfaceRecord>
  /// Ticks by state: TCP's 16 first, then UDP's one.
  var timeouts: UnsafeMutablePointer<UInt32>

  static var udpTimeout: Int { 16 }

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

/// An interface as workers see it.
struct InterfaceRecord {
  var address: UInt64
  var ipv4: UInt32
  var ipv6High: UInt64
  var ipv6Low: UInt64
}

/// Owner of a snapshot's memory. Freed when the last reference in control goes, which control only lets happen after
/// every worker has moved on.
public final class Snapshot {
  let view: UnsafeMutablePointer<SnapshotView>
  private let arena = Arena()

  /// Counts up with every snapshot built.
  public var generation: UInt64 { view.pointee.generation }

  deinit {
    view.deallocate()
  }

  /// The arrays of a snapshot.
  private final class Arena {
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
  init(_ description: SnapshotDescription, generation: UInt64, shared: SharedState) {
    view = .allocate(capacity: 1)
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
    func table(for count: Int) -> EndpointTable {
      let capacity = Snapshot.powerOfTwo(atLeast: max(16, count * 4))
      return EndpointTable(
        entries: array([EndpointTable.Entry](repeating: .init(), count: capacity)), mask: capacity - 1)
    }
    let endpoints4 = table(for: description.services.count + description.servers.count)
    let endpoints6 = table(for: description.services.count + description.servers.count)
    for service in description.services {
      endpoints[Int(service.endpoint)] = EndpointRecord(kind: .service, index: service.number)
      let tag = EndpointTable.tag(
        port: service.port, protocolNumber: service.transport.rawValue, side: .destination)
      guard service.isOurs else { continue }
      let isIPv6 = service.address.family == .ipv6
      (isIPv6 ? endpoints6 : endpoints4).insert(service.address, tag: tag, endpoint: service.endpoint)
    }

    // Servers. Several services may have the same address:port: then they share the endpoint.
    var servers = [ServerRecord?](
      repeating: nil, count: (description.servers.map { Int($0.number) }.max() ?? 0) + 1)
    var transports: [UInt16: TransportProtocol] = [:]
    for service in description.services { transports[service.number] = service.transport }
    for server in description.servers {
      let isIPv6 = server.address.family == .ipv6
      let source = server.tunnelSource
      servers[Int(server.number)] = ServerRecord(
        addressHigh: server.address.high, addressLow: isIPv6 ? server.address.low : UInt64(server.address.v4),
        tunnelSourceHigh: source?.high ?? 0,
        tunnelSourceLow: source.map { $0.family == .ipv6 ? $0.low : UInt64($0.v4) } ?? 0,
        nextHop: index(of: server.nextHop), port: server.port, service: server.service, endpoint: server.endpoint,
        method: server.method, isIPv6: isIPv6, isAvailable: server.isAvailable,
        upperThreshold: server.upperThreshold, lowerThreshold: server.lowerThreshold)
      guard server.endpoint != 0, endpoints[Int(server.endpoint)].kind == .none,
        let transport = transports[server.service]
      else { continue }
      endpoints[Int(server.endpoint)] = EndpointRecord(kind: .server, index: server.number)
      let tag = EndpointTable.tag(port: server.port, protocolNumber: transport.rawValue, side: .source)
      (isIPv6 ? endpoints6 : endpoints4).insert(server.address, tag: tag, endpoint: server.endpoint)
    }

    // Services.
    let hashed = Dictionary(
      description.servers.map { ($0.number, $0.hashed) }, uniquingKeysWith: { first, _ in first })
    let unknown = HashedServer(weight: 0, lastWeight: 0, addressFold: 0, port: 0)
    var services = [ServiceRecord?](
      repeating: nil, count: (description.services.map { Int($0.number) }.max() ?? 0) + 1)
    for service in description.services {
      let list = service.servers.map { hashed[$0]?.weight ?? 0 }
      let bucketTable = service.scheduler.makeTable { service.servers.map { hashed[$0] ?? unknown } }
      let pace = Scheduler.pace(of: list)
      let set = RealServerSet(
        count: service.servers.count, identifiers: array(service.servers), weights: array(list),
        connections: UnsafePointer(shared.connectionCounts), overloaded: UnsafePointer(shared.overloaded),
        table: bucketTable.map { UnsafePointer(array($0)) }, tableCount: bucketTable?.count ?? 0, step: pace.step,
        maximum: pace.maximum)
      let locals = service.localAddresses.map {
        LocalAddress(
          high: $0.address.high, low: $0.address.family == .ipv6 ? $0.address.low : UInt64($0.address.v4),
          isActive: $0.isActive)
      }
      let isIPv6 = service.address.family == .ipv6
      services[Int(service.number)] = ServiceRecord(
        addressHigh: service.address.high, addressLow: isIPv6 ? service.address.low : UInt64(service.address.v4),
        port: service.port, protocolNumber: service.transport.rawValue, isIPv6: isIPv6, endpoint: service.endpoint,
        isActive: service.isActive, scheduler: service.scheduler, schedulerFlags: service.flags, servers: set,
        localAddresses: UnsafePointer(array(locals)), localAddressCount: locals.count,
        localPortFirst: service.localPorts.lowerBound, localPortLast: service.localPorts.upperBound)
    }

    let routes4 = Snapshot.routes(description, family: .ipv4, index: index(of:), arena: arena)
    let routes6 = Snapshot.routes(description, family: .ipv6, index: index(of:), arena: arena)
    var timeouts = [UInt32](repeating: 0, count: SnapshotView.udpTimeout + 1)
    for (state, seconds) in description.timeouts.tcp.enumerated() {
      timeouts[state] = seconds * UInt32(Clock.ticksPerSecond)
    }
    timeouts[SnapshotView.udpTimeout] = description.timeouts.udp * UInt32(Clock.ticksPerSecond)

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
      localAddresses: nil, localAddressCount: 0, localPortFirst: 1, localPortLast: 1)
    let noServer = ServerRecord(
      addressHigh: 0, addressLow: 0, tunnelSourceHigh: 0, tunnelSourceLow: 0, nextHop: 0, port: 0,
      service: .max, endpoint: 0, method: .directRouting, isIPv6: false, isAvailable: false, upperThreshold: 0,
      lowerThreshold: 0)
    view.initialize(
      to: SnapshotView(
        generation: generation, endpoints4: endpoints4, endpoints6: endpoints6,
        endpoints: array(endpoints + [EndpointRecord(kind: .none, index: .max)]),
        services: array((services + [nil]).map { $0 ?? noService }),
        servers: array((servers + [nil]).map { $0 ?? noServer }), endpointLimit: UInt32(endpoints.count),
        serviceLimit: UInt32(services.count), serverLimit: UInt32(servers.count), nextHops: array(nextHops),
        routes4: routes4, routes6: routes6, interfaces: array(interfaces),
        timeouts: array(timeouts)))
  }

  private static func routes(
    _ description: SnapshotDescription, family: IPAddress.Family, index: (NextHop) -> UInt32, arena: Arena
  ) -> RouteTable {
    let routes = description.routes.filter { $0.prefix.address.family == family }
    let neighbours = description.neighbours.filter { $0.address.family == family }
    let capacity = powerOfTwo(atLeast: max(16, routes.count * 4))
    let neighbourCapacity = powerOfTwo(atLeast: max(16, neighbours.count * 4))
    let isIPv6 = family == .ipv6
    let lengths = Set(routes.map { $0.prefix.length }).sorted(by: >)
    let table = RouteTable(
      entries: arena.array([RouteTable.Entry](repeating: .init(), count: capacity)), mask: capacity - 1,
      lengths: arena.array(lengths.map { UInt8($0) }), lengthCount: lengths.count, isIPv6: isIPv6,
      neighbours: arena.array([RouteTable.Entry](repeating: .init(), count: neighbourCapacity)),
      neighbourMask: neighbourCapacity - 1)
    func words(_ address: IPAddress) -> (UInt64, UInt64) {
      isIPv6 ? (address.high, address.low) : (0, UInt64(address.v4))
    }
    for route in routes {
      let (high, low) = words(route.prefix.address)
      let masked = RouteTable.mask(high: high, low: low, length: UInt8(route.prefix.length), isIPv6: isIPv6)
      RouteTable.insert(
        RouteTable.Entry(
          high: masked.0, low: masked.1, tag: UInt16(route.prefix.length) + 1, isOnLink: route.isOnLink,
          interface: route.nextHop.interface, nextHop: index(route.nextHop)),
        into: table.entries, mask: table.mask)
    }
    for neighbour in neighbours {
      let (high, low) = words(neighbour.address)
      RouteTable.insert(
        RouteTable.Entry(
          high: high, low: low, tag: RouteTable.neighbourTag(neighbour.nextHop.interface),
          nextHop: index(neighbour.nextHop)),
        into: table.neighbours, mask: table.neighbourMask)
    }
    return table
  }

  static func powerOfTwo(atLeast count: Int) -> Int {
    count <= 1 ? 1 : 1 << (Int.bitWidth - (count - 1).leadingZeroBitCount)
  }
}
