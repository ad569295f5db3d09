import Config
import Dataplane
import Wire

/// What `lbd why` and `lbd top` are answered from. Only read.
struct WhyPlace {
  let dataplane: Dataplane
  let topology: Topology
  let ports: PortMap
  let administration: Administration
  let markRules: [MarkRule]
  let nowNanoseconds: UInt64
  /// Who is well; nil where nobody checks.
  var health: () -> HealthListing? = { nil }

  var services: VirtualServices { administration.services }

  /// The name of one of the dataplane's interfaces.
  func name(ofInterface index: Int) -> String {
    ports.links.indices.contains(index) ? topology.links[ports.links[index]]?.name ?? "?" : "?"
  }

  /// Their MAC addresses.
  var addresses: [EthernetAddress] { ports.links.map { topology.links[$0]?.address ?? EthernetAddress(0) } }

  /// `10.0.0.11:80`, or what there is to say of a server that is no more.
  func name(ofServer number: UInt16) -> String {
    guard let server = services.servers[number] else { return "a server that is no more" }
    return "\(server.spec.endpoint)" + (server.isAvailable ? "" : " (removed)")
  }

  /// What is left to the connections of a server that takes no new ones.
  func drain(ofServer number: UInt16?) -> Drain? { number.flatMap { services.servers[$0] }?.drain }
}
