import Kernel
import Wire

/// Keeps a `Topology` equal to what the kernel knows, by netlink.
///
/// The kernel goes on doing ARP and neighbour discovery; this only listens, and asks the kernel to look for a
/// neighbour that traffic will need (`solicit`). Events are applied one by one; when the kernel says that it had to
/// drop some, everything is listed anew.
final class NetworkWatcher {
  private(set) var topology = Topology()
  /// Neighbours that an operator has set: the kernel does not ask for them, and neither may we.
  private var fixed: Set<Topology.Station> = []
  private var monitor: NetlinkMonitor
  private var socket: NetlinkSocket

  /// Subscribes, then lists: what changes in between is heard.
  init() throws {
    monitor = try NetlinkMonitor()
    socket = try NetlinkSocket()
    try list()
  }

  /// Readable when something has changed.
  var descriptor: Int32 { monitor.descriptor }

  /// Applies what has happened.
  /// - Returns: true when the topology is another one now.
  func update() throws -> Bool {
    let before = topology
    for event in try monitor.drain() {
      switch event {
      case .overrun: try list()
      case .link(let change, let link): apply(change, link)
      case .address(let change, let address): apply(change, address)
      case .route(let change, let route): apply(change, route)
      case .neighbour(let change, let neighbour): apply(change, neighbour)
      }
    }
    return topology != before
  }

  /// Has the kernel look for a neighbour, or make sure that it is still there.
  func solicit(_ station: Topology.Station) {
    // Using a permanent entry takes its permanence away (Linux clears the state and asks the network).
    if fixed.contains(station) { return }
    // A refusal (the link has just gone down) shows as a link event; there is nothing to do about it here.
    try? socket.solicit(neighbour: station.address, linkIndex: station.link)
  }

  private func list() throws {
    topology = Topology()
    fixed = []
    for link in try socket.links() { apply(.added, link) }
    for address in try socket.addresses() { apply(.added, address) }
    for route in try socket.routes(inTables: [Route.mainTable, Route.localTable]) { apply(.added, route) }
    for neighbour in try socket.neighbours() { apply(.added, neighbour) }
  }

  private func apply(_ change: NetlinkEvent.Change, _ link: Link) {
    guard change == .added, !link.isLoopback, let address = link.address else {
      topology.links[link.index] = nil
      return
    }
    let vlan = link.vlan.flatMap { tag in link.parentIndex.map { (parent: $0, tag: tag.identifier) } }
    topology.links[link.index] = Topology.Link(
      index: link.index, name: link.name, address: address, mtu: link.mtu, isUp: link.isUp && link.isCarrierUp,
      vlan: vlan)
  }

  private func apply(_ change: NetlinkEvent.Change, _ address: InterfaceAddress) {
    let local = Topology.LocalAddress(prefix: address.prefix, link: address.linkIndex)
    topology.addresses.removeAll { $0 == local }
    if change == .added && !address.isTentative { topology.addresses.append(local) }
  }

  private func apply(_ change: NetlinkEvent.Change, _ route: Kernel.Route) {
    if route.kind == .local { return applyLocal(change, route.destination) }
    guard route.table == Route.mainTable else { return }
    let isUsable = route.kind == .unicast && route.isAlive
    let known = Topology.Route(
      prefix: route.destination, gateway: route.gateway, link: isUsable ? route.linkIndex : nil,
      source: route.preferredSource, mtu: route.mtu, metric: route.metric)
    topology.routes.removeAll {
      $0.prefix == known.prefix && $0.metric == known.metric && $0.gateway == known.gateway && $0.link == known.link
    }
    if change == .added { topology.routes.append(known) }
  }

  /// Of this host's own addresses those on interfaces are known already, and those of the loopback are nobody else's.
  private func applyLocal(_ change: NetlinkEvent.Change, _ prefix: IPPrefix) {
    let isLoopback = prefix.address.family == .ipv4 && prefix.address.v4 >> 24 == 127
    guard prefix.length < prefix.address.bitCount, prefix.length > 0, !isLoopback else { return }
    topology.localPrefixes.removeAll { $0 == prefix }
    if change == .added { topology.localPrefixes.append(prefix) }
  }

  private func apply(_ change: NetlinkEvent.Change, _ neighbour: Kernel.Neighbour) {
    let station = Topology.Station(address: neighbour.address, link: neighbour.linkIndex)
    let isKnown = change == .added && neighbour.state.isUsable
    let isFixed = isKnown && (neighbour.state == .permanent || neighbour.state == .noARP)
    if isFixed { fixed.insert(station) } else { fixed.remove(station) }
    topology.neighbours[station] = isKnown ? neighbour.linkAddress : nil
  }
}
