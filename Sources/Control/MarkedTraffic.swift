import Config
import Dataplane
import Wire

/// Mark rules + topology -> what workers compare, and what has to be taken off the wire for the services that go by mark.
struct MarkedTraffic {
  let rules: [MarkRule]
  let topology: Topology
  let ports: PortMap

  /// Addresses of this host that one rule may lead to: each is an entry of the programs' map for every port.
  static let addressCapacity = 4096
  /// Ports of a rule that are taken one by one; for more, the whole address is.
  private static let portCapacity = 64

  /// The rules for the snapshot.
  var compiled: [SnapshotDescription.MarkRule] {
    rules.map { rule in
      var compiled = SnapshotDescription.MarkRule(clear: rule.clear, flip: rule.flip)
      compiled.family = rule.family
      compiled.interfaces = rule.interface.map { .init(interfaces($0.value), isNegated: $0.isNegated) }
      compiled.source = rule.source.map { .init($0.value, isNegated: $0.isNegated) }
      compiled.destination = rule.destination.map { .init($0.value, isNegated: $0.isNegated) }
      compiled.protocolNumber = rule.protocolNumber.map { .init($0.value, isNegated: $0.isNegated) }
      compiled.sourcePorts = rule.sourcePorts.map { .init($0.value, isNegated: $0.isNegated) }
      compiled.destinationPorts = rule.destinationPorts.map { .init($0.value, isNegated: $0.isNegated) }
      return compiled
    }
  }

  /// The interfaces of that name, VLAN interfaces on the dataplane's ports included; `eth+` is all that begin with `eth`.
  private func interfaces(_ name: String) -> [UInt32] {
    let isOpen = name.hasSuffix("+")
    let matching = topology.links.values.filter { isOpen ? $0.name.hasPrefix(name.dropLast()) : $0.name == name }
    return matching.sorted { $0.index < $1.index }.compactMap { link in
      guard let port = ports.links.firstIndex(of: link.vlan?.parent ?? link.index) else { return nil }
      return Dataplane.markInterface(port: port, vlan: link.vlan?.tag ?? 0)
    }
  }

  /// The rules that can give a packet one of these marks. A rule that sets only some bits may do so together with others.
  private func rules(for marks: Set<Marked>) -> [(rule: MarkRule, families: [IPAddress.Family])] {
    rules.compactMap { rule in
      let families = [IPAddress.Family.ipv4, .ipv6].filter { family in
        guard rule.family ?? family == family else { return false }
        return rule.clear != .max ? marks.contains { $0.family == family } : marks.contains(Marked(rule.flip, family))
      }
      return families.isEmpty ? nil : (rule, families)
    }
  }

  /// A mark that has a service.
  struct Marked: Hashable {
    var mark: UInt32
    var family: IPAddress.Family

    init(_ mark: UInt32, _ family: IPAddress.Family) {
      self.mark = mark
      self.family = family
    }
  }

  /// Where the packets of these marks go: their destinations, as the programs' map has them.
  func ours(for marks: Set<Marked>) -> [SnapshotAssembler.Ours] {
    rules(for: marks).flatMap { rule, families in
      destinations(of: rule, families).flatMap { address in
        transports(of: rule).flatMap { transport -> [SnapshotAssembler.Ours] in
          let ports = ports(of: rule)
          guard !ports.isEmpty else {
            return [.init(address: address, transport: transport, side: .destination, isAnyPort: true)]
          }
          return ports.map { .init(address: address, port: $0, transport: transport, side: .destination) }
        }
      }
    }
  }

  /// Why lbd cannot do what rules ask for.
  struct Refusal: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
  }

  /// Refuses rules whose packets cannot be told from others where frames are taken off the wire.
  /// - Parameter isXDP: every frame that is taken leaves the host's own path, and without a destination all would be.
  func check(for marks: Set<Marked>, isXDP: Bool) throws(Refusal) {
    for (rule, families) in rules(for: marks) {
      let place = rule.position.map { "\($0): " } ?? ""
      guard !isXDP || rule.destination.map({ !$0.isNegated }) ?? false else {
        throw Refusal(
          "\(place)a mark rule without a destination cannot be used with port xdp"
            + " (add the destination's address, or write 'port packet')")
      }
      let count = destinationCount(of: rule, families)
      guard count <= UInt64(MarkedTraffic.addressCapacity) else {
        throw Refusal(
          "\(place)a mark rule leads to \(count) addresses of this host, at most"
            + " \(MarkedTraffic.addressCapacity) can be taken off the wire (write a longer prefix)")
      }
    }
  }

  /// IPVS sees what the host would deliver to itself, and nothing else.
  private func destinations(of rule: MarkRule, _ families: [IPAddress.Family]) -> [IPAddress] {
    var seen: Set<IPAddress> = []
    var list: [IPAddress] = []
    func add(_ address: IPAddress) {
      guard list.count < MarkedTraffic.addressCapacity, seen.insert(address).inserted else { return }
      list.append(address)
    }
    for local in topology.addresses.map(\.prefix.address) where families.contains(local.family) {
      if MarkedTraffic.allows(rule, local) { add(local) }
    }
    for shared in localParts(of: rule, families) where shared.hostCount <= UInt64(MarkedTraffic.addressCapacity) {
      for address in shared.hosts where MarkedTraffic.allows(rule, address) { add(address) }
    }
    return list
  }

  private func destinationCount(of rule: MarkRule, _ families: [IPAddress.Family]) -> UInt64 {
    let own = topology.addresses.filter {
      families.contains($0.prefix.address.family) && MarkedTraffic.allows(rule, $0.prefix.address)
    }
    return localParts(of: rule, families).reduce(UInt64(own.count)) { sum, part in
      let (total, isOver) = sum.addingReportingOverflow(part.hostCount)
      return isOver ? .max : total
    }
  }

  /// What the rule's destination and the prefixes that are this host's have in common.
  private func localParts(of rule: MarkRule, _ families: [IPAddress.Family]) -> [IPPrefix] {
    topology.localPrefixes.filter { families.contains($0.address.family) }.compactMap { local in
      guard let wanted = rule.destination, !wanted.isNegated else { return local }
      if wanted.value.length <= local.length { return wanted.value.contains(local.address) ? local : nil }
      return local.contains(wanted.value.address) ? wanted.value : nil
    }
  }

  private static func allows(_ rule: MarkRule, _ address: IPAddress) -> Bool {
    guard let wanted = rule.destination else { return true }
    return wanted.value.contains(address) != wanted.isNegated
  }

  private func transports(of rule: MarkRule) -> [TransportProtocol] {
    guard let wanted = rule.protocolNumber else { return TransportProtocol.allCases }
    return TransportProtocol.allCases.filter { ($0.rawValue == wanted.value) != wanted.isNegated }
  }

  /// Each port by itself; none for every port.
  private func ports(of rule: MarkRule) -> [UInt16] {
    guard let wanted = rule.destinationPorts, !wanted.isNegated,
      wanted.value.reduce(0, { $0 + $1.count }) <= MarkedTraffic.portCapacity
    else { return [] }
    return Set(wanted.value.flatMap { Array($0) }).sorted()
  }
}

extension IPPrefix {
  /// How many addresses it has; the greatest number there is when they are more.
  fileprivate var hostCount: UInt64 {
    let bits = address.bitCount - length
    return bits >= 64 ? .max : 1 << UInt64(bits)
  }

  /// All of them; only for prefixes with few.
  fileprivate var hosts: [IPAddress] {
    (0..<hostCount).map { offset in
      address.family == .ipv4
        ? IPAddress(v4: address.v4 &+ UInt32(truncatingIfNeeded: offset))
        : IPAddress(high: address.high, low: address.low &+ offset)
    }
  }
}
