import Config
import Foundation
import Wire

@testable import Control

/// What tests of several files begin with.
enum Samples {
  /// How long random tests are repeated with the seeds that follow; 0: once.
  static let fuzzSeconds = ProcessInfo.processInfo.environment["LBD_FUZZ_SECONDS"].flatMap(Double.init) ?? 0

  static func address(_ text: String) -> IPAddress { IPAddress(text)! }

  /// From `10.0.0.1:80` or `[fd00::1]:80`.
  static func endpoint(_ text: String) -> Endpoint {
    let colon = text.lastIndex(of: ":")!
    let host = text[..<colon].filter { $0 != "[" && $0 != "]" }
    return Endpoint(address: address(host), port: UInt16(text[text.index(after: colon)...])!)
  }

  static func tcp(_ text: String) -> ServiceKey { .address(.tcp, endpoint(text)) }

  /// Addresses, routes and neighbours from `ip` lines; a line that is refused ends the test.
  static func topology(_ lines: String) -> Topology {
    var topology = Topology()
    for line in lines.split(separator: "\n") {
      for edit in try! TopologyText.parse(line: String(line)).get() {
        if let refusal = topology.apply(edit) { fatalError("\(line): \(refusal)") }
      }
    }
    return topology
  }

  /// A director with a client side, a server side and a VLAN on it.
  static let network = topology(
    """
    ip link set eth0 address 02:00:00:00:01:01 mtu 1500 up
    ip link set eth1 address 02:00:00:00:02:01 mtu 1400 up
    ip link add link eth1 name eth1.7 type vlan id 7
    ip addr add 10.1.0.1/24 dev eth0
    ip addr add 10.1.0.100/32 dev eth0
    ip addr add 10.2.0.1/24 dev eth1
    ip addr add 10.7.0.1/24 dev eth1.7
    ip addr add fe80::1/64 dev eth1
    ip addr add fd00:2::1/64 dev eth1
    ip route add default via 10.1.0.254
    ip route add 10.3.0.0/16 via 10.2.0.254 src 10.1.0.100
    ip route add 10.3.1.0/24 via 10.2.0.253 mtu 1300
    ip route add fd00:3::/64 via fe80::2 dev eth1
    ip neigh replace 10.1.0.254 lladdr 02:00:00:00:01:fe dev eth0
    ip neigh replace 10.2.0.11 lladdr 02:00:00:00:02:0b dev eth1
    ip neigh replace 10.2.0.254 lladdr 02:00:00:00:02:fe dev eth1
    ip neigh replace 10.2.0.253 lladdr 02:00:00:00:02:fd dev eth1
    ip neigh replace 10.7.0.11 lladdr 02:00:00:00:07:0b dev eth1.7
    ip neigh replace fd00:2::11 lladdr 02:00:00:00:02:0b dev eth1
    ip neigh replace fe80::2 lladdr 02:00:00:00:02:fe dev eth1
    """)

  /// The dataplane's interfaces in `network`: eth0 and eth1.
  static let ports = PortMap(links: [1, 2])

  /// Services after the given `ipvsadm` lines; a refused one ends the test.
  static func services(_ lines: String) -> VirtualServices {
    var services = VirtualServices()
    for line in lines.split(separator: "\n") { try! services.run(String(line)) }
    return services
  }
}

extension VirtualServices {
  /// Carries out the words behind `ipvsadm`.
  mutating func run(_ line: String) throws {
    try apply(try IpvsadmCommand.parse(line.split(separator: " ").map(String.init)).get())
  }

  /// Numbers of the servers of a service in list order.
  func numbers(_ key: ServiceKey) -> [UInt16] { service(key)?.servers ?? [] }
}
