import Config
import Wire

/// Applies `ip` lines to a topology, as the kernel would.
extension Topology {
  /// Applies one edit.
  /// - Returns: nil, or why it cannot be done.
  public mutating func apply(_ edit: TopologyEdit) -> String? {
    switch edit {
    case .setLink(let name, let mac, let mtu, let isUp):
      var link = self.link(named: name) ?? newLink(name)
      if let mac { link.address = mac }
      if let mtu { link.mtu = mtu }
      if let isUp { link.isUp = isUp }
      links[link.index] = link
    case .addVLAN(let name, let parent, let id):
      guard let below = link(named: parent) else { return "no interface \(parent)" }
      var link = newLink(name)
      link.address = below.address
      link.mtu = below.mtu
      link.vlan = (below.index, id)
      links[link.index] = link
    case .removeLink(let name):
      guard let gone = link(named: name) else { return "no interface \(name)" }
      remove(gone)
    case .addAddress(let prefix, let device):
      guard let link = link(named: device) else { return "no interface \(device)" }
      let address = LocalAddress(prefix: prefix, link: link.index)
      if addresses.contains(address) { break }
      // The kernel lists an interface's IPv6 addresses with the newest one first, and takes the first where all are alike.
      let newest = addresses.firstIndex { $0.link == link.index && $0.prefix.address.family == .ipv6 }
      addresses.insert(address, at: prefix.address.family == .ipv6 ? newest ?? addresses.endIndex : addresses.endIndex)
    case .removeAddress(let prefix, let device):
      guard let link = link(named: device) else { return "no interface \(device)" }
      addresses.removeAll { $0.link == link.index && $0.prefix == prefix }
    case .addRoute(let prefix, let via, let device, let source, let mtu):
      return addRoute(prefix, via: via, device: device, source: source, mtu: mtu)
    case .removeRoute(let prefix, let via, let device):
      let index = device.flatMap { link(named: $0)?.index }
      routes.removeAll {
        $0.prefix == prefix && (via == nil || $0.gateway == via) && (device == nil || $0.link == index)
      }
    case .addNeighbour(let address, let mac, let device):
      guard let link = link(named: device) else { return "no interface \(device)" }
      neighbours[Station(address: address, link: link.index)] = mac
    case .removeNeighbour(let address, let device):
      guard let link = link(named: device) else { return "no interface \(device)" }
      neighbours[Station(address: address, link: link.index)] = nil
    case .addLocalPrefix(let prefix):
      if !localPrefixes.contains(prefix) { localPrefixes.append(prefix) }
    case .removeLocalPrefix(let prefix):
      localPrefixes.removeAll { $0 == prefix }
    case .setSysctl, .setIPVS:
      break
    }
    return nil
  }

  private func newLink(_ name: String) -> Link {
    Link(index: (links.keys.max() ?? 0) + 1, name: name, address: EthernetAddress(0))
  }

  /// Takes an interface away with all that depends on it, VLAN interfaces on top included.
  private mutating func remove(_ gone: Link) {
    links[gone.index] = nil
    addresses.removeAll { $0.link == gone.index }
    routes.removeAll { $0.link == gone.index }
    neighbours = neighbours.filter { $0.key.link != gone.index }
    for link in links.values where link.vlan?.parent == gone.index { remove(link) }
  }

  private mutating func addRoute(
    _ prefix: IPPrefix, via: IPAddress?, device: String?, source: IPAddress?, mtu: Int?
  ) -> String? {
    var index: Int32?
    if let device {
      guard let link = link(named: device) else { return "no interface \(device)" }
      index = link.index
    } else if let via {
      // The gateway must be a neighbour.
      index = route(to: via)?.link
      if index == nil { return "gateway \(via) cannot be reached directly" }
    }
    // One route for each prefix: `replace` means it, and the kernel refuses a second `add`.
    routes.removeAll { $0.prefix == prefix && $0.metric == 0 }
    routes.append(Route(prefix: prefix, gateway: via, link: index, source: source, mtu: mtu))
    return nil
  }
}
