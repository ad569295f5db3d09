import Config
import Dataplane
import Wire

/// Services + topology -> what workers read. Pure: the same input gives the same snapshot.
struct SnapshotAssembler {
  let services: VirtualServices
  let topology: Topology
  let ports: PortMap
  let timeouts: ConnectionTimeouts

  /// The snapshot, and the neighbours that have to be asked for.
  func assemble() -> (description: SnapshotDescription, missing: Set<Topology.Station>, notes: [String]) {
    var description = SnapshotDescription()
    var missing: Set<Topology.Station> = []
    var notes: [String] = []
    description.interfaces = ports.links.map { interface(of: $0) }
    description.timeouts.set(
      tcp: UInt32(clamping: timeouts.tcpSeconds), tcpFin: UInt32(clamping: timeouts.tcpFinSeconds),
      udp: UInt32(clamping: timeouts.udpSeconds))
    let index = Topology.Index(topology)
    let servers = Dictionary(grouping: services.servers.values, by: \.service)
    for service in services.services.values {
      guard case .address(let transport, let endpoint) = service.spec.key else { continue }
      // IPVS sees only what the host would deliver locally; so does lbd.
      let isLocal = index.isLocal(endpoint.address)
      if service.isActive && !isLocal {
        notes.append(
          "\(service.spec.key): \(endpoint.address) is not an address of this host, its traffic is left to the kernel"
            + " (ip addr add \(endpoint.address)/\(endpoint.address.bitCount) dev …)")
      }
      description.services.append(
        SnapshotDescription.Service(
          number: service.number, endpoint: service.endpoint, address: endpoint.address, port: endpoint.port,
          transport: transport, scheduler: service.scheduler,
          flags: .init(rawValue: service.spec.schedulerFlags.rawValue), servers: service.servers,
          isActive: service.isActive, isOurs: isLocal, localAddresses: service.localAddresses,
          localPorts: service.localPorts))
      for server in servers[service.number] ?? [] {
        description.servers.append(self.server(server, of: service, in: index, &missing, &notes))
      }
    }
    // Stable order: dictionaries have none.
    description.services.sort { $0.number < $1.number }
    description.servers.sort { $0.number < $1.number }
    routes(into: &description, &missing)
    return (description, missing, notes.sorted())
  }

  private func interface(of index: Int32) -> SnapshotDescription.Interface {
    let link = topology.links[index]
    let own = topology.addresses.filter { $0.link == index }.map(\.prefix.address)
    return SnapshotDescription.Interface(
      address: link?.address ?? EthernetAddress(0), mtu: link?.mtu ?? 1500,
      ipv4: own.first { $0.family == .ipv4 }, ipv6: own.first { $0.family == .ipv6 && !$0.isLinkLocal })
  }

  private func server(
    _ server: VirtualServices.Server, of service: VirtualServices.Service, in index: Topology.Index,
    _ missing: inout Set<Topology.Station>,
    _ notes: inout [String]
  ) -> SnapshotDescription.Server {
    let address = server.spec.endpoint.address
    let resolved = ports.resolve(address, in: index, vlan: server.spec.vlan)
    if let station = resolved.missing { missing.insert(station) }
    if server.isAvailable && resolved.hop.state == .unreachable {
      notes.append("\(service.spec.key) -> \(server.spec.endpoint): no route over an interface of lbd's")
    }
    var source: IPAddress?
    if case .tunnelling = server.method, let route = resolved.route {
      source = topology.source(for: address, over: route)
    }
    return SnapshotDescription.Server(
      number: server.number, service: server.service, endpoint: server.endpoint, address: address,
      port: server.spec.endpoint.port, method: SnapshotAssembler.method(server.method), weight: server.spec.weight,
      lastWeight: server.lastWeight, nextHop: resolved.hop, tunnelSource: source, isAvailable: server.isAvailable,
      upperThreshold: server.spec.upperThreshold, lowerThreshold: server.spec.lowerThreshold)
  }

  private static func method(_ method: ForwardingMethod) -> Forwarding {
    switch method {
    case .directRouting: .directRouting
    case .masquerading: .masquerading
    case .tunnelling: .tunnelling
    case .fullNAT: .fullNAT
    }
  }

  private func routes(into description: inout SnapshotDescription, _ missing: inout Set<Topology.Station>) {
    for local in topology.addresses {
      description.routes.append(
        SnapshotDescription.Route(
          prefix: IPPrefix(host: local.prefix.address), nextHop: NextHop(.local), isOnLink: false))
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
      transports[service.number] = service.transport
      guard service.isOurs else { continue }
      entries.append(
        Ours(address: service.address, port: service.port, transport: service.transport, side: .destination))
      for local in service.localAddresses {
        entries.append(
          Ours(address: local.address, transport: service.transport, side: .destination, localPorts: service.localPorts)
        )
      }
    }
    for server in description.servers where server.endpoint != 0 {
      guard let transport = transports[server.service] else { continue }
      entries.append(Ours(address: server.address, port: server.port, transport: transport, side: .source))
    }
    return entries
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
    /// A local address of FULLNAT with its ports.
    var localPorts: ClosedRange<UInt16>?
  }
}
