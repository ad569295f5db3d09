import Config
import Dataplane
import HealthCheck
import Wire

/// Services + topology -> what workers read. Pure: the same input gives the same snapshot.
struct SnapshotAssembler {
  let services: VirtualServices
  let topology: Topology
  let ports: PortMap
  let timeouts: ConnectionTimeouts
  /// `net.ipv4.vs.*`.
  var settings = IPVSSettings()
  /// Which packets carry which firewall mark.
  var markRules: [MarkRule] = []
  /// The ways of checks that go as clients' packets do.
  var ways: [VirtualWay] = []

  /// The snapshot, and the neighbours that have to be asked for.
  func assemble() -> (description: SnapshotDescription, missing: Set<Topology.Station>, notes: [String]) {
    var description = SnapshotDescription()
    var missing: Set<Topology.Station> = []
    var notes: [String] = []
    description.interfaces = ports.links.map { interface(of: $0) }
    description.timeouts.set(
      tcp: UInt32(clamping: timeouts.tcpSeconds), tcpFin: UInt32(clamping: timeouts.tcpFinSeconds),
      udp: UInt32(clamping: timeouts.udpSeconds))
    description.settings = settings
    description.hasHelped = !services.helpedPorts.isEmpty
    description.markRules = marked.compiled
    let index = Topology.Index(topology)
    let servers = Dictionary(grouping: services.servers.values, by: \.service)
    for service in services.services.values {
      description.services.append(self.service(service, in: index, &notes))
      for server in servers[service.number] ?? [] {
        description.servers += forms(of: server, of: service, in: index, &missing, &notes)
      }
    }
    description.checkWays = checkWays(in: index, &missing)
    // Stable order: dictionaries have none.
    description.services.sort { $0.number < $1.number }
    description.servers.sort { $0.number < $1.number }
    routes(into: &description, &missing)
    return (description, missing, notes.sorted())
  }

  private func service(
    _ service: VirtualServices.Service, in index: Topology.Index, _ notes: inout [String]
  ) -> SnapshotDescription.Service {
    let (transport, endpoint) = service.spec.key.ends
    // IPVS sees only what the host would deliver locally; so does lbd. A mark has no address to tell by.
    var isOurs = true
    if case .address = service.spec.key { isOurs = index.isLocal(endpoint.address) }
    if service.isActive && !isOurs {
      notes.append(
        "\(service.spec.key): \(endpoint.address) is not an address of this host, its traffic is left to the kernel"
          + " (ip addr add \(endpoint.address)/\(endpoint.address.bitCount) dev …)")
    }
    if service.isActive, let mark = service.spec.key.mark, !hasRule(for: mark) {
      notes.append("\(service.spec.key): no mark rule gives packets this mark (lbd { mark_rules { … } })")
    }
    let isFullNAT = service.servers.contains { services.servers[$0]?.method == .fullNAT }
    if service.isActive, isFullNAT, let engine = service.spec.persistenceEngine {
      notes.append("\(service.spec.key): engine \(engine) is not for FULLNAT, clients go by their addresses")
    }
    var description = SnapshotDescription.Service(
      number: service.number, endpoint: service.endpoint, address: endpoint.address, port: endpoint.port,
      transport: transport, scheduler: service.scheduler,
      flags: .init(rawValue: service.spec.schedulerFlags.rawValue), servers: service.servers,
      isActive: service.isActive, isOurs: isOurs, localAddresses: service.localAddresses,
      localPorts: service.localPorts)
    description.mark = service.spec.key.mark?.mark ?? 0
    description.isOnePacket = service.spec.onePacket
    description.conveyance = SnapshotAssembler.conveyance(service.spec.clientConveyance)
    description.opensWide = service.hasOpenedWide
    description.persistence = service.spec.persistence
    description.hadCalls = service.hadEngine
    description.formerMasks = service.formerMasks.map { SnapshotAssembler.persistence(seconds: 0, mask: $0) }
    return description
  }

  /// Rules that set only some bits may make any mark together.
  private func hasRule(for marked: MarkedTraffic.Marked) -> Bool {
    markRules.contains { rule in
      rule.family ?? marked.family == marked.family && (rule.clear != .max || rule.flip == marked.mark)
    }
  }

  private var marked: MarkedTraffic { MarkedTraffic(rules: markRules, topology: topology, ports: ports) }

  /// The marks that have a service, deleted ones with connections included.
  private var marks: Set<MarkedTraffic.Marked> { Set(services.services.values.compactMap(\.spec.key.mark)) }

  /// Refuses mark rules whose packets cannot be told from others on the wire.
  func checkMarks(isXDP: Bool) throws(MarkedTraffic.Refusal) {
    try marked.check(for: Set(services.listed.compactMap(\.spec.key.mark)), isXDP: isXDP)
  }

  private func interface(of index: Int32) -> SnapshotDescription.Interface {
    let link = topology.links[index]
    let own = topology.addresses.filter { $0.link == index }.map(\.prefix.address)
    return SnapshotDescription.Interface(
      address: link?.address ?? EthernetAddress(0), mtu: link?.mtu ?? 1500,
      ipv4: own.first { $0.family == .ipv4 }, ipv6: own.first { $0.family == .ipv6 && !$0.isLinkLocal })
  }

  /// A server by each of its methods.
  private func forms(
    of server: VirtualServices.Server, of service: VirtualServices.Service, in index: Topology.Index,
    _ missing: inout Set<Topology.Station>, _ notes: inout [String]
  ) -> [SnapshotDescription.Server] {
    let address = server.spec.endpoint.address
    let resolved = ports.resolve(address, in: index, vlan: server.spec.vlan)
    if let station = resolved.missing { missing.insert(station) }
    if server.isAvailable && resolved.hop.state == .unreachable {
      notes.append("\(service.spec.key) -> \(server.spec.endpoint): no route over an interface of lbd's")
    }
    if server.isAvailable, resolved.hop.state == .local {
      let isLoopbackNAT = server.method == .masquerading && address.isLoopback
      if server.method == .fullNAT || isLoopbackNAT {
        notes.append(
          "\(service.spec.key) -> \(server.spec.endpoint): is this host itself, which does not work by "
            + (isLoopbackNAT ? "NAT with a loopback address (take another one of its own)" : "FULLNAT (take NAT or DR)")
        )
      }
    }
    return server.forms.map { form in
      var source: IPAddress?
      if form.method.isTunnelling, let route = resolved.route { source = topology.source(for: address, over: route) }
      var description = SnapshotDescription.Server(
        number: form.number, service: server.service, endpoint: form.endpoint, address: address,
        port: server.spec.endpoint.port, method: SnapshotAssembler.method(form.method), weight: server.spec.weight,
        lastWeight: server.lastWeight, nextHop: resolved.hop, tunnelSource: source, isAvailable: server.isAvailable,
        upperThreshold: server.spec.upperThreshold, lowerThreshold: server.spec.lowerThreshold)
      if case .tunnelling(let tunnel) = form.method { description.encapsulation = Encapsulation(tunnel) }
      description.owner = server.number
      description.form = server.forms[0].number
      description.age = server.age
      description.isForgotten = services.isForgotten(server)
      description.draining = server.drain?.state ?? .none
      return description
    }
  }

  private static func method(_ method: ForwardingMethod) -> Forwarding {
    switch method {
    case .directRouting: .directRouting
    case .masquerading: .masquerading
    case .tunnelling: .tunnelling
    case .fullNAT: .fullNAT
    }
  }

  private static func conveyance(_ conveyance: ClientConveyance) -> Conveyance {
    switch conveyance {
    case .none: .none
    case .toa: .option
    case .proxyV1: .proxyV1
    case .proxyV2: .proxyV2
    }
  }

  private func routes(into description: inout SnapshotDescription, _ missing: inout Set<Topology.Station>) {
    for local in topology.addresses {
      description.routes.append(
        SnapshotDescription.Route(
          prefix: IPPrefix(host: local.prefix.address), nextHop: NextHop(.local), isOnLink: false))
    }
    for prefix in topology.localPrefixes {
      description.routes.append(.init(prefix: prefix, nextHop: NextHop(.local), isOnLink: false))
    }
    for route in topology.orderedRoutes {
      guard let link = route.link else {
        description.routes.append(.init(prefix: route.prefix, nextHop: NextHop(.unreachable), isOnLink: false))
        continue
      }
      let station = Topology.Station(address: route.gateway ?? route.prefix.address, link: link)
      let (hop, isMissing) = ports.hop(to: station, in: topology, mtu: route.mtu)
      if route.gateway != nil {
        if isMissing { missing.insert(station) }
        description.routes.append(.init(prefix: route.prefix, nextHop: hop, isOnLink: false))
      } else if hop.state == .unreachable {
        description.routes.append(.init(prefix: route.prefix, nextHop: hop, isOnLink: false))
      } else {
        var onLink = NextHop(.unresolved)
        onLink.interface = hop.interface
        description.routes.append(.init(prefix: route.prefix, nextHop: onLink, isOnLink: true))
      }
    }
    for station in topology.neighbours.keys {
      let (hop, _) = ports.hop(to: station, in: topology)
      guard hop.state == .resolved else { continue }
      description.neighbours.append(.init(address: station.address, nextHop: hop))
    }
    // The same (link-local) address may be a neighbour on several links.
    description.neighbours.sort {
      ($0.address, $0.nextHop.interface, $0.nextHop.vlan) < ($1.address, $1.nextHop.interface, $1.nextHop.vlan)
    }
  }
}

extension SnapshotAssembler {
  /// What the XDP program, the guard and the socket filter have to know: the entries of their map, as values.
  func ours(_ description: SnapshotDescription) -> [Ours] {
    var entries: [Ours] = []
    var transports: [UInt16: TransportProtocol] = [:]
    for service in description.services {
      if service.mark == 0 { transports[service.number] = service.transport }
      guard service.isOurs, service.mark == 0 else { continue }
      entries.append(
        Ours(
          address: service.address, port: service.port, transport: service.transport, side: .destination,
          isAnyPort: service.port == 0))
      // FTP's data connections go to any port.
      if service.transport == .tcp, service.port == FTP.controlPort || services.helpedPorts.contains(service.port) {
        entries.append(Ours(address: service.address, transport: .tcp, side: .destination, isAnyPort: true))
      }
      for local in service.localAddresses {
        entries.append(
          Ours(address: local.address, transport: service.transport, side: .destination, localPorts: service.localPorts)
        )
      }
    }
    // Whatever the service: what is asked of an error is whom the tunnel packet was sent to.
    for address in Set(description.servers.filter { $0.method == .tunnelling }.map(\.address)).sorted() {
      entries.append(Ours(address: address, transport: .tcp, side: .source, isTunnel: true))
    }
    for server in description.servers where server.endpoint != 0 {
      // Servers of a mark answer in any protocol.
      for transport in transports[server.service].map({ [$0] }) ?? TransportProtocol.allCases {
        entries.append(
          Ours(
            address: server.address, port: server.port, transport: transport, side: .source,
            isAnyPort: server.port == 0))
      }
    }
    return entries + dataConnections(description) + marked.ours(for: marks) + wayAnswers
  }

  /// What servers send over FTP's data connections: from any port of theirs, since it is the server that chooses.
  private func dataConnections(_ description: SnapshotDescription) -> [Ours] {
    let helped = Set(
      description.services.filter { isHelped($0) }.map(\.number))
    let servers = description.servers.filter { $0.method == .masquerading && helped.contains($0.service) }
    return Set(servers.map(\.address)).sorted().map {
      Ours(address: $0, transport: .tcp, side: .source, isAnyPort: true)
    }
  }

  /// Connections to a helper's port may come to a service by mark, or for every port, too.
  private func isHelped(_ service: SnapshotDescription.Service) -> Bool {
    if service.goesByEndpoint { return service.transport == .tcp && services.helpedPorts.contains(service.port) }
    return !services.helpedPorts.isEmpty && (service.mark != 0 || service.transport == .tcp)
  }

  /// What real servers on this host send: NAT's from their own address and port, the others from the service's, or from where
  /// the rules of its mark lead to.
  func answers(_ description: SnapshotDescription) -> [Ours] {
    let services = Dictionary(description.services.map { ($0.number, $0) }, uniquingKeysWith: { first, _ in first })
    return description.servers.filter { $0.nextHop.state == .local && $0.method != .fullNAT }.flatMap {
      server -> [Ours] in
      guard let service = services[server.service] else { return [] }
      let isNAT = server.method == .masquerading
      if !isNAT, service.mark != 0 {
        return marked.ours(for: [.init(service.mark, service.address.family)]).map { $0.turned }
      }
      let (address, port) = isNAT ? (server.address, server.port) : (service.address, service.port)
      return (service.mark == 0 ? [service.transport] : TransportProtocol.allCases).map {
        Ours(address: address, port: port, transport: $0, side: .source, isAnyPort: port == 0)
      }
    }
  }

  /// One thing that is ours.
  struct Ours: Hashable {
    enum Side {
      case destination
      case source
    }
    var address: IPAddress
    var port: UInt16 = 0
    var transport: TransportProtocol
    var side: Side
    /// Every port of the address.
    var isAnyPort = false
    /// A local address of FULLNAT with its ports.
    var localPorts: ClosedRange<UInt16>?
    /// A tunnel's server: errors about tunnel packets sent to it are ours, and nothing else.
    var isTunnel = false

    /// What is sent from there instead of to there, or the other way round.
    var turned: Ours {
      var turned = self
      turned.side = side == .source ? .destination : .source
      return turned
    }
  }
}

extension ServiceKey {
  /// As a service of a mark is kept: TCP to nowhere.
  fileprivate var ends: (transport: TransportProtocol, endpoint: Endpoint) {
    switch self {
    case .address(let transport, let endpoint): return (transport, endpoint)
    case .mark(_, let family):
      let nowhere = family == .ipv4 ? IPAddress(v4: 0) : IPAddress(high: 0, low: 0)
      return (.tcp, Endpoint(address: nowhere, port: 0))
    }
  }

  /// The mark; nil for an address.
  fileprivate var mark: MarkedTraffic.Marked? {
    if case .mark(let mark, let family) = self { return MarkedTraffic.Marked(mark, family) }
    return nil
  }
}

extension VirtualService {
  /// As workers see it.
  fileprivate var persistence: SnapshotDescription.Persistence? {
    guard let persistenceSeconds else { return nil }
    var made = SnapshotAssembler.persistence(seconds: UInt32(clamping: persistenceSeconds), mask: persistenceMask)
    if persistenceEngine == "sip" { made.engine = .sip }
    return made
  }
}

extension SnapshotAssembler {
  fileprivate static func persistence(seconds: UInt32, mask: PersistenceMask) -> SnapshotDescription.Persistence {
    switch mask {
    case .ipv4(let mask): .init(seconds: seconds, maskHigh: 0, maskLow: UInt64(mask))
    case .ipv6(let length):
      .init(
        seconds: seconds, maskHigh: length >= 64 ? .max : UInt64.max << UInt64(64 - length),
        maskLow: length <= 64 ? 0 : UInt64.max << UInt64(128 - length))
    }
  }
}

extension Encapsulation {
  /// Remote checksum offload is for packets whose checksum is not computed yet. Those off the wire have theirs: for them
  /// it is the plain checksum.
  fileprivate init(_ tunnel: Tunnel) {
    let hasChecksum = tunnel.checksum != .none
    switch tunnel.kind {
    case .ipip: self = .ipip
    case .gre: self = .gre(hasChecksum: hasChecksum)
    case .gue(let port): self = .gue(port: port, hasChecksum: hasChecksum)
    }
  }
}

extension SnapshotAssembler {
  /// Servers as checks reach them that go the way of clients' packets: those that are out of the pool, too.
  private func checkWays(
    in index: Topology.Index, _ missing: inout Set<Topology.Station>
  ) -> [(number: UInt16, server: SnapshotDescription.Server)] {
    ways.compactMap { way in
      guard let service = services.service(way.service) else { return nil }
      let address = way.way.server.address
      let resolved = ports.resolve(address, in: index, vlan: way.server.vlan)
      if let station = resolved.missing { missing.insert(station) }
      let source = resolved.route.flatMap { topology.source(for: address, over: $0) }
      var server = SnapshotDescription.Server(
        number: .max, service: service.number, endpoint: 0, address: address, port: way.way.server.port,
        method: SnapshotAssembler.method(way.method), weight: 0, nextHop: resolved.hop, tunnelSource: source)
      if case .tunnelling(let tunnel) = way.method { server.encapsulation = Encapsulation(tunnel) }
      return (way.number, server)
    }
  }

  /// What answers to such checks are sent to, where there is a route.
  var waySources: [CheckWay: IPAddress] {
    let index = Topology.Index(topology)
    var sources: [CheckWay: IPAddress] = [:]
    for way in ways {
      let address = way.way.server.address
      guard var route = ports.resolve(address, in: index, vlan: way.server.vlan).route else { continue }
      // The server has the VIP itself: an answer to it would not leave the server.
      let virtual = way.way.service.address
      if route.source == virtual { route.source = nil }
      var others = topology
      others.addresses.removeAll { $0.prefix.address == virtual }
      sources[way.way] = others.source(for: address, over: route)
    }
    return sources
  }

  /// The answers come from the VIPs.
  fileprivate var wayAnswers: [Ours] {
    Set(ways.map(\.way)).map { way in
      Ours(
        address: way.service.address, port: way.service.port, transport: way.transport, side: .source,
        isAnyPort: way.service.port == 0)
    }
  }
}
