import Config
import Wire

/// A network made up around a configuration: the clients behind a router on one interface, the real servers on another.
struct CaptureNetwork {
  /// Lines of ip(8).
  let text: String
  /// What they say.
  let topology: Topology
  /// Frames from clients come from here.
  let router = EthernetAddress(0x02_00_00_00_01_fe)
  /// And go here.
  let clientSide = EthernetAddress(0x02_00_00_00_01_01)
  /// Frames from real servers go here.
  let serverSide = EthernetAddress(0x02_00_00_00_02_01)
  private let servers: [IPAddress: EthernetAddress]

  init(_ configuration: Configuration, name: String) throws {
    var lines = ["# A network for the services of \(name), made up by `lbd bench capture`."]
    lines.append("ip link set eth0 address \(clientSide) mtu 1500 up")
    lines.append("ip link set eth1 address \(serverSide) mtu 1500 up")
    lines += CaptureNetwork.surroundings(router)
    var known: Set<IPAddress> = []
    for case .address(_, let endpoint) in configuration.services.map(\.key)
    where known.insert(endpoint.address).inserted {
      lines.append("ip addr add \(CaptureNetwork.alone(endpoint.address)) dev eth0")
    }
    for address in configuration.localAddressGroups.flatMap(\.addresses) where known.insert(address).inserted {
      lines.append("ip addr add \(CaptureNetwork.alone(address)) dev eth1")
    }
    var servers: [IPAddress: EthernetAddress] = [:]
    for server in configuration.services.flatMap(\.realServers) {
      let address = server.endpoint.address
      guard !known.contains(address), servers[address] == nil else { continue }
      let station = EthernetAddress(0x02_00_00_01_00_00 + UInt64(servers.count))
      servers[address] = station
      lines.append("ip route add \(CaptureNetwork.alone(address)) dev eth1")
      lines.append("ip neigh replace \(address) lladdr \(station) dev eth1")
    }
    text = lines.joined(separator: "\n") + "\n"
    self.servers = servers
    topology = try TopologyFile.parse(text, name: "the network made up for \(name)")
  }

  /// The real server's own.
  func station(of address: IPAddress) -> EthernetAddress { servers[address] ?? router }

  /// From the ranges that are set aside for measuring (RFC 2544, RFC 5180), so that they hardly meet a user's own.
  private static func surroundings(_ router: EthernetAddress) -> [String] {
    [
      "ip addr add 198.18.0.1/24 dev eth0",
      "ip addr add 198.18.1.1/24 dev eth1",
      "ip addr add 2001:2::1/64 dev eth0",
      "ip addr add 2001:2:0:1::1/64 dev eth1",
      "ip neigh replace 198.18.0.254 lladdr \(router) dev eth0",
      "ip neigh replace 2001:2::fe lladdr \(router) dev eth0",
      "ip route add default via 198.18.0.254",
      "ip -6 route add default via 2001:2::fe",
    ]
  }

  private static func alone(_ address: IPAddress) -> String { "\(address)/\(address.bitCount)" }
}
