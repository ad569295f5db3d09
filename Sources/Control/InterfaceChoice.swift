import Config
import Glibc
import Kernel
import Wire

/// Which interfaces lbd works on.
extension Director {
  /// The interfaces to open: those named, or those that VIPs, real servers and default routes use.
  static func links(
    _ options: Options, _ configuration: Configuration, _ services: VirtualServices, _ topology: Topology
  ) throws -> [Topology.Link] {
    let names = options.interfaces.isEmpty ? configuration.settings.interfaceNames : options.interfaces
    if !names.isEmpty {
      return try names.map { name in
        guard let link = topology.link(named: name) else {
          throw SystemError("open interface \(name)", errno: ENODEV, remedy: "no such interface; see `ip link`")
        }
        return link
      }
    }
    var indices: Set<Int32> = []
    for service in services.listed {
      guard case .address(_, let endpoint) = service.spec.key else { continue }
      if let local = topology.addresses.first(where: { $0.prefix.address == endpoint.address }) {
        indices.insert(local.link)
      }
    }
    indices.formUnion(virtualRouterLinks(configuration, topology))
    for rule in configuration.markRules.rules {
      guard let wanted = rule.destination, !wanted.isNegated else { continue }
      for local in topology.addresses where wanted.value.contains(local.prefix.address) { indices.insert(local.link) }
    }
    for server in services.servers.values {
      if let link = topology.route(to: server.spec.endpoint.address)?.link { indices.insert(link) }
    }
    for route in topology.routes where route.prefix.length == 0 {
      if let link = route.link { indices.insert(link) }
    }
    let links = Set(indices.compactMap { topology.links[$0]?.vlan?.parent ?? $0 })
      .compactMap { topology.links[$0] }.filter { $0.address.number != 0 && $0.name != hostDevice }
    if links.isEmpty || options.expectsServices(beside: services) {
      let all = addressed(topology)
      if !all.isEmpty { return all }
    }
    guard !links.isEmpty else {
      throw SystemError(
        "choose interfaces", errno: ENODEV,
        remedy: "no interface has a VIP or leads to a real server; name them with --interface")
    }
    return links.sorted { $0.index < $1.index }
  }

  /// Where VRRP will set the addresses of services, which are not on the host before.
  private static func virtualRouterLinks(_ configuration: Configuration, _ topology: Topology) -> Set<Int32> {
    let served = Set(
      configuration.services.compactMap { service -> IPAddress? in
        guard case .address(_, let endpoint) = service.key else { return nil }
        return endpoint.address
      })
    var indices: Set<Int32> = []
    for instance in configuration.vrrp.instances {
      for address in instance.addresses.virtual + instance.addresses.excluded
      where served.contains(address.prefix.address) {
        guard let name = address.device ?? instance.interface, let link = topology.link(named: name) else { continue }
        indices.insert(link.index)
      }
    }
    return indices
  }

  /// Whoever starts without services may be given any: every Ethernet interface with an address that
  /// others can reach, plugged in or not yet.
  private static func addressed(_ topology: Topology) -> [Topology.Link] {
    let indices = Set(topology.addresses.filter { !$0.prefix.address.isLinkLocal }.map(\.link))
    return Set(indices.compactMap { topology.links[$0]?.vlan?.parent ?? $0 }).compactMap { topology.links[$0] }
      .filter { $0.address.number != 0 && $0.name != hostDevice }.sorted { $0.index < $1.index }
  }
}
