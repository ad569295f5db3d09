import CReference
import Dataplane
import Scheduler
import Wire

/// How a service's real servers are chosen: those methods that both sides know.
enum Scheduling: String, CaseIterable, Sendable {
  case rr
  case wlc
  case sh
  case mh

  /// lbd's; nil while it has no such method.
  var scheduler: Scheduler? { Scheduler(name: rawValue) }

  /// The reference's.
  var reference: creference_scheduler {
    switch self {
    case .rr: CREFERENCE_RR
    case .wlc: CREFERENCE_WLC
    case .sh: CREFERENCE_SH
    case .mh: CREFERENCE_MH
    }
  }
}

/// One virtual service with eight real servers, between clients behind a router on interface 0 and the servers on
/// interface 1; told to lbd and to the reference in their own words.
struct Scenario: Sendable {
  /// How packets reach the servers.
  var mode: Mode
  /// Of all addresses.
  var family: Family
  /// How servers are chosen.
  var scheduling = Scheduling.rr
  /// 6 or 17.
  var transport = TransportProtocol.tcp
  /// Room in the table.
  var connections: Int
  /// Of hashes.
  var seed: UInt64 = 7

  /// A service over TCP that goes around its servers.
  init(_ mode: Mode, _ family: Family, connections: Int) {
    self.mode = mode
    self.family = family
    self.connections = connections
  }

  /// Real servers.
  static let serverCount = 8
  static let localCount = 64
  static let outside: UInt64 = 0x02_0000_000101
  static let inside: UInt64 = 0x02_0000_000201
  static let router: UInt64 = 0x02_0000_0001fe
  static let port: UInt16 = 80
  static let mtu = 1500

  /// The servers' MAC addresses.
  static func station(_ server: Int) -> UInt64 { 0x02_0000_00020b + UInt64(server) }

  /// The servers' port.
  var serverPort: UInt16 { mode.answers ? 8080 : Scenario.port }

  /// The number of a server's address and port.
  func endpoint(_ server: Int) -> UInt16 { mode.answers ? UInt16(101 + server) : 0 }

  private func inner(v4: UInt64, v6: UInt64) -> Address {
    family == .v4 ? Address(low: 0x0a02_0000 + v4) : Address(high: 0xfd00_0002_0000_0000, low: v6)
  }

  /// The service's address.
  var vip: Address {
    family == .v4 ? Address(low: 0x0a01_0064) : Address(high: 0xfd00_0001_0000_0000, low: 0x100)
  }
  /// A server's address.
  func server(_ number: Int) -> Address { inner(v4: 11 + UInt64(number), v6: 17 + UInt64(number)) }
  /// A local address of FULLNAT.
  func local(_ number: Int) -> Address { inner(v4: 0x100 + UInt64(number), v6: 0x100 + UInt64(number)) }
  /// Where tunnels begin.
  var tunnelSource: Address { inner(v4: 1, v6: 1) }

  /// The address of a flow's client.
  @inline(__always)
  func client(_ flow: Int) -> Address {
    family == .v4
      ? Address(low: (0x2000_0000 &+ UInt64(truncatingIfNeeded: flow) &* 7) & 0xffff_ffff)
      : Address(high: 0x2001_0db8_0000_0000, low: UInt64(truncatingIfNeeded: flow) &+ 1)
  }

  /// The port of a flow's client.
  @inline(__always)
  func clientPort(_ flow: Int) -> UInt16 { UInt16(truncatingIfNeeded: 1024 + flow % 60_000) }

  private func ip(_ address: Address) -> IPAddress {
    family == .v4
      ? IPAddress(v4: UInt32(truncatingIfNeeded: address.low)) : IPAddress(high: address.high, low: address.low)
  }

  private var forwarding: Forwarding {
    switch mode {
    case .dr: .directRouting
    case .nat: .masquerading
    case .tun: .tunnelling
    case .fullnat: .fullNAT
    }
  }
}

// MARK: - In lbd's words

extension Scenario {
  /// MAC addresses of the two interfaces.
  static var interfaces: [EthernetAddress] { [EthernetAddress(outside), EthernetAddress(inside)] }

  /// The snapshot to publish.
  func description() throws -> SnapshotDescription {
    guard let scheduler = scheduling.scheduler else {
      throw BenchError("schedule by \(scheduling.rawValue): lbd has no such scheduler yet")
    }
    var description = SnapshotDescription()
    // The reference keeps the connection of a port that is used again.
    description.settings.connectionReuse = .keep
    description.interfaces = [
      .init(
        address: Scenario.interfaces[0], mtu: Scenario.mtu, ipv4: IPAddress("10.1.0.1"), ipv6: IPAddress("fd00:1::1")),
      .init(
        address: Scenario.interfaces[1], mtu: Scenario.mtu, ipv4: IPAddress("10.2.0.1"), ipv6: IPAddress("fd00:2::1")),
    ]
    let locals = mode == .fullnat ? (0..<Scenario.localCount).map { (address: ip(local($0)), isActive: true) } : []
    description.services = [
      .init(
        number: 0, endpoint: 1, address: ip(vip), port: Scenario.port, transport: transport, scheduler: scheduler,
        servers: (0..<Scenario.serverCount).map { UInt16($0 + 1) }, localAddresses: locals)
    ]
    for server in 0..<Scenario.serverCount {
      let hop = NextHop(
        destination: EthernetAddress(Scenario.station(server)), source: Scenario.interfaces[1], interface: 1,
        mtu: Scenario.mtu)
      description.servers.append(
        .init(
          number: UInt16(server + 1), service: 0, endpoint: endpoint(server), address: ip(self.server(server)),
          port: serverPort, method: forwarding, weight: 1, nextHop: hop, tunnelSource: ip(tunnelSource)))
    }
    addRoutes(to: &description)
    return description
  }

  private func addRoutes(to description: inout SnapshotDescription) {
    let router = NextHop(
      destination: EthernetAddress(Scenario.router), source: Scenario.interfaces[0], interface: 0, mtu: Scenario.mtu)
    var onLink = NextHop(.unresolved)
    onLink.interface = 1
    for (prefix, hop, isOnLink) in [
      ("0.0.0.0/0", router, false), ("::/0", router, false), ("10.2.0.0/16", onLink, true),
      ("fd00:2::/64", onLink, true),
    ] {
      guard let prefix = IPPrefix(prefix) else { continue }
      description.routes.append(.init(prefix: prefix, nextHop: hop, isOnLink: isOnLink))
    }
  }
}

// MARK: - In the reference's words

extension Scenario {
  private static func reference(_ address: Address) -> creference_address {
    creference_address(high: address.high, low: address.low)
  }

  /// Calls `body` with the configuration, which is valid for the call.
  func withReference<Result>(
    worker: Int = 0, workerCount: Int = 1, _ body: (UnsafePointer<creference_config>) throws -> Result
  ) rethrows -> Result {
    var servers = [creference_server](repeating: .init(), count: Scenario.serverCount)
    for number in servers.indices {
      servers[number].address = Scenario.reference(server(number))
      servers[number].mac = Scenario.station(number)
      servers[number].weight = 1
      servers[number].port = serverPort
      servers[number].endpoint = endpoint(number)
      servers[number].mtu = UInt16(Scenario.mtu)
      servers[number].interface = 1
    }
    let locals = (0..<Scenario.localCount).map { Scenario.reference(local($0)) }
    return try servers.withUnsafeBufferPointer { servers in
      try locals.withUnsafeBufferPointer { locals in
        var config = base(worker: worker, workerCount: workerCount)
        config.servers = servers.baseAddress
        config.server_count = servers.count
        config.locals = locals.baseAddress
        config.local_count = locals.count
        return try body(&config)
      }
    }
  }

  private func base(worker: Int, workerCount: Int) -> creference_config {
    var config = creference_config()
    config.mode = creference_mode(rawValue: UInt32(Mode.allCases.firstIndex(of: mode) ?? 0))
    config.scheduler = scheduling.reference
    config.ipv6 = family == .v6
    config.transport = transport.rawValue
    config.vip = Scenario.reference(vip)
    config.vport = Scenario.port
    config.endpoint = 1
    config.local_port_first = 1024
    config.local_port_last = 65535
    config.tunnel_source = Scenario.reference(tunnelSource)
    config.interface_macs = (Scenario.outside, Scenario.inside)
    config.gateway_mac = Scenario.router
    config.gateway_mtu = UInt16(Scenario.mtu)
    config.connection_capacity = connections
    config.both_directions = mode.answers
    config.seed = seed
    config.worker = UInt32(worker)
    config.worker_count = UInt32(workerCount)
    return config
  }
}
