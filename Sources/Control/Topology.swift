import Dataplane
import Wire

/// What is known of the network around this host: interfaces, addresses, routes, neighbours.
///
/// A value. In the running director it is filled from netlink and follows the kernel; in replay it is filled from `ip`
/// lines. Where a packet to some address goes is a pure function of it.
public struct Topology: Sendable, Equatable {
  /// An interface.
  public struct Link: Sendable, Equatable {
    /// The kernel's number for it.
    public var index: Int32
    /// `eth0`.
    public var name: String
    /// MAC address.
    public var address: EthernetAddress
    /// Largest IP packet in bytes.
    public var mtu: Int
    /// Set up, with a carrier.
    public var isUp: Bool
    /// For a VLAN interface: the one it lies on, and the tag.
    public var vlan: (parent: Int32, tag: UInt16)?

    /// An interface.
    public init(
      index: Int32, name: String, address: EthernetAddress, mtu: Int = 1500, isUp: Bool = true,
      vlan: (parent: Int32, tag: UInt16)? = nil
    ) {
      self.index = index
      self.name = name
      self.address = address
      self.mtu = mtu
      self.isUp = isUp
      self.vlan = vlan
    }

    /// Equal in everything.
    public static func == (left: Link, right: Link) -> Bool {
      left.index == right.index && left.name == right.name && left.address == right.address && left.mtu == right.mtu
        && left.isUp == right.isUp && left.vlan?.parent == right.vlan?.parent && left.vlan?.tag == right.vlan?.tag
    }
  }

  /// One of this host's own addresses.
  public struct LocalAddress: Sendable, Hashable {
    /// The address, with the network it is on.
    public var prefix: IPPrefix
    /// Index of the interface.
    public var link: Int32

    /// An address with its on-link prefix.
    public init(prefix: IPPrefix, link: Int32) {
      self.prefix = prefix
      self.link = link
    }
  }

  /// A route.
  public struct Route: Sendable, Hashable {
    /// What it matches.
    public var prefix: IPPrefix
    /// nil: destinations are on the link.
    public var gateway: IPAddress?
    /// nil: packets are refused.
    public var link: Int32?
    /// The source address it asks for.
    public var source: IPAddress?
    /// A smaller packet size than the interface's.
    public var mtu: Int?
    /// The smaller wins.
    public var metric: UInt32

    /// A route.
    public init(
      prefix: IPPrefix, gateway: IPAddress? = nil, link: Int32?, source: IPAddress? = nil, mtu: Int? = nil,
      metric: UInt32 = 0
    ) {
      self.prefix = prefix
      self.gateway = gateway
      self.link = link
      self.source = source
      self.mtu = mtu
      self.metric = metric
    }
  }

  /// A host on a link.
  public struct Station: Sendable, Hashable {
    /// IP address.
    public var address: IPAddress
    /// Index of the interface.
    public var link: Int32

    /// An address on a link.
    public init(address: IPAddress, link: Int32) {
      self.address = address
      self.link = link
    }
  }

  /// By index.
  public var links: [Int32: Link] = [:]
  /// This host's own.
  public var addresses: [LocalAddress] = []
  /// Networks that are this host's own without standing on an interface: routes of type `local`.
  public var localPrefixes: [IPPrefix] = []
  /// Without those that addresses imply.
  public var routes: [Route] = []
  /// MAC addresses that are known.
  public var neighbours: [Station: EthernetAddress] = [:]

  /// An empty network.
  public init() {}

  /// The interface of that name.
  public func link(named name: String) -> Link? { links.values.first { $0.name == name } }

  /// True when the address is one of this host's.
  public func isLocal(_ address: IPAddress) -> Bool {
    address.isLoopback || addresses.contains { $0.prefix.address == address }
      || localPrefixes.contains { $0.contains(address) }
  }

  /// The routes, most specific first, then by metric; those of addresses' own networks among them.
  public var orderedRoutes: [Route] {
    let connected = addresses.compactMap { local -> Route? in
      guard local.prefix.length < local.prefix.address.bitCount else { return nil }
      return Route(prefix: local.prefix, link: local.link, source: local.prefix.address)
    }
    return (routes + connected).enumerated().sorted { left, right in
      (right.element.prefix.length, left.element.metric, left.offset)
        < (left.element.prefix.length, right.element.metric, right.offset)
    }.map(\.element)
  }

  /// The route that a packet to `address` takes, or nil. Whoever asks more than once takes an `Index`.
  public func route(to address: IPAddress) -> Route? { Index(self).route(to: address) }

  /// A topology made ready for many questions.
  public struct Index: Sendable {
    /// What it was made of.
    public let topology: Topology
    /// `orderedRoutes`.
    public let routes: [Route]
    private let local: Set<IPAddress>

    /// Sorts the routes once.
    public init(_ topology: Topology) {
      self.topology = topology
      routes = topology.orderedRoutes
      local = Set(topology.addresses.map(\.prefix.address))
    }

    /// True when the address is one of this host's.
    public func isLocal(_ address: IPAddress) -> Bool {
      address.isLoopback || local.contains(address) || topology.localPrefixes.contains { $0.contains(address) }
    }

    /// The route that a packet to `address` takes, or nil.
    public func route(to address: IPAddress) -> Route? { routes.first { $0.prefix.contains(address) } }
  }

  /// The source address this host would use towards `address` over `route`.
  public func source(for address: IPAddress, over route: Route) -> IPAddress? {
    if let source = route.source { return source }
    let target = route.gateway ?? address
    let family = addresses.filter { $0.prefix.address.family == address.family && !$0.prefix.address.isLinkLocal }
    let onLink = family.filter { $0.link == route.link }
    return (onLink.first { $0.prefix.contains(target) } ?? onLink.first ?? family.first)?.prefix.address
  }
}

/// Which interfaces are the dataplane's, and how next hops over them look.
public struct PortMap: Sendable {
  /// Link indices in the dataplane's numbering.
  public let links: [Int32]

  /// The dataplane's interfaces in order.
  public init(links: [Int32]) { self.links = links }

  /// Where a packet to `address` goes, and the neighbour that has to be asked for when that is not known.
  /// - Parameter vlan: a tag that the configuration asks for, instead of the route's.
  public func resolve(
    _ address: IPAddress, in topology: Topology, vlan: UInt16? = nil
  ) -> (hop: NextHop, route: Topology.Route?, missing: Topology.Station?) {
    resolve(address, in: Topology.Index(topology), vlan: vlan)
  }

  /// The same for one of many addresses.
  public func resolve(
    _ address: IPAddress, in index: Topology.Index, vlan: UInt16? = nil
  ) -> (hop: NextHop, route: Topology.Route?, missing: Topology.Station?) {
    if index.isLocal(address) { return (NextHop(.local), nil, nil) }
    guard let route = index.route(to: address), let link = route.link else {
      return (NextHop(.unreachable), nil, nil)
    }
    let station = Topology.Station(address: route.gateway ?? address, link: link)
    let (hop, isMissing) = self.hop(to: station, in: index.topology, mtu: route.mtu, vlan: vlan)
    return (hop, route, isMissing ? station : nil)
  }

  /// The next hop that is `station` itself.
  /// - Returns: and true when its MAC address is not known.
  public func hop(
    to station: Topology.Station, in topology: Topology, mtu: Int? = nil, vlan: UInt16? = nil
  ) -> (hop: NextHop, isMissing: Bool) {
    guard let link = topology.links[station.link], let port = port(of: link, in: topology) else {
      return (NextHop(.unreachable), false)
    }
    guard link.isUp, let address = topology.neighbours[station] else {
      var unresolved = NextHop(.unresolved)
      unresolved.interface = port.interface
      return (unresolved, link.isUp)
    }
    let hop = NextHop(
      destination: address, source: port.address, interface: port.interface, mtu: min(mtu ?? link.mtu, link.mtu),
      vlan: vlan ?? link.vlan?.tag ?? 0)
    return (hop, false)
  }

  private func port(of link: Topology.Link, in topology: Topology) -> (interface: UInt8, address: EthernetAddress)? {
    if let index = links.firstIndex(of: link.index) { return (UInt8(index), link.address) }
    guard let vlan = link.vlan, let index = links.firstIndex(of: vlan.parent), topology.links[vlan.parent] != nil
    else { return nil }
    return (UInt8(index), link.address)
  }
}
