import Scheduler
import Testing
import Wire

@testable import Dataplane

/// The network that journeys are made in: clients behind a router on interface 0, real servers on interface 1.
enum Network {
  static let router = EthernetAddress(0x02_0000_0001fe)
  static let outside = EthernetAddress(0x02_0000_000101)
  static let inside = EthernetAddress(0x02_0000_000201)
  static let tick: UInt64 = 500_000_000

  static func station(_ server: Int) -> EthernetAddress { EthernetAddress(0x02_0000_00020b + UInt64(server)) }

  private static func address(_ family: IPAddress.Family, _ v4: String, _ v6: String) -> IPAddress {
    IPAddress(family == .ipv4 ? v4 : v6)!
  }
  static func client(_ family: IPAddress.Family) -> IPAddress { address(family, "172.16.1.1", "2001:db8::5") }
  static func virtual(_ family: IPAddress.Family) -> IPAddress { address(family, "10.1.0.100", "fd00:1::100") }
  static func outer(_ family: IPAddress.Family) -> IPAddress { address(family, "10.1.0.1", "fd00:1::1") }
  static func inner(_ family: IPAddress.Family) -> IPAddress { address(family, "10.2.0.1", "fd00:2::1") }
  static func local(_ family: IPAddress.Family) -> IPAddress { address(family, "10.2.0.200", "fd00:2::200") }
  static func server(_ family: IPAddress.Family, _ number: Int) -> IPAddress {
    address(family, "10.2.0.\(11 + number)", "fd00:2::\(11 + number)")
  }
}

/// A virtual service of a test, with its real servers.
struct TestService: Sendable, CustomTestStringConvertible {
  var method = Forwarding.directRouting
  var family = IPAddress.Family.ipv4
  /// Of the servers; nil: the service's own.
  var serverFamily: IPAddress.Family?
  var transport = TransportProtocol.tcp
  var port: UInt16 = 80
  var serverPort: UInt16?
  var weights: [Int32] = [1]
  var removed: Set<Int> = []
  var draining: [Int: Draining] = [:]
  var scheduler = Scheduler.roundRobin
  var localPorts: ClosedRange<UInt16> = 1024...65535
  var upperThreshold: UInt32 = 0
  var lowerThreshold: UInt32 = 0
  var isActive = true
  var nextHop: NextHop?
  /// Not 0: all packets from the clients' side carry this mark, and the service goes by it.
  var mark: UInt32 = 0
  var persistence: SnapshotDescription.Persistence?
  var isOnePacket = false
  var encapsulation = Encapsulation.ipip
  var conveyance = Conveyance.none
  /// By server, where it is not the service's own method or family.
  var kinds: [Kind] = []

  /// How one server is reached.
  struct Kind: Sendable, Equatable {
    var method: Forwarding
    var family: IPAddress.Family
  }

  func kind(of server: Int) -> Kind {
    server < kinds.count ? kinds[server] : Kind(method: method, family: serverFamily ?? family)
  }

  func targetPort(of server: Int) -> UInt16 {
    let method = kind(of: server).method
    return serverPort ?? (method == .directRouting || method == .tunnelling ? port : port &+ 8000)
  }

  var testDescription: String {
    "\(method) \(transport.name) \(family)" + (serverFamily.map { " to \($0)" } ?? "") + " \(weights)"
  }

  var targetPort: UInt16 { targetPort(of: 0) }
}

/// A frame on its way out, as the tests compare it.
struct Sent: Equatable, CustomStringConvertible {
  let interface: Int
  let bytes: [UInt8]

  var description: String {
    let hex = bytes.prefix(120).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    return "\(interface): \(PacketDescription.frame(bytes)) [\(bytes.count)] \(hex)"
  }
}

/// What became of one frame.
struct Journey: Equatable, CustomStringConvertible {
  let outcome: Outcome
  let sent: [Sent]

  init(_ outcome: Outcome, _ sent: [Sent] = []) {
    self.outcome = outcome
    self.sent = sent
  }

  /// One frame to a real server.
  static func toServer(_ outcome: Outcome, _ frame: [UInt8]) -> Journey {
    Journey(outcome, [Sent(interface: 1, bytes: frame)])
  }
  /// One frame to the router.
  static func toClient(_ outcome: Outcome, _ frame: [UInt8]) -> Journey {
    Journey(outcome, [Sent(interface: 0, bytes: frame)])
  }

  var description: String { "\(outcome) " + sent.map(\.description).joined(separator: "; ") }
}

/// lbd between the two interfaces, driven frame by frame.
final class Director {
  let dataplane: Dataplane
  let pipeline: MemoryPipeline
  var services: [TestService]
  var clientMTU = 1500
  var serverMTU = 1500
  var serverVLAN: UInt16 = 0
  var timeouts = Timeouts()
  var settings = IPVSSettings()
  /// The FTP helper has been on.
  var hasHelped = false
  /// Servers of the first service, by number, that checks go to the way of clients' packets.
  var checkedServers: [Int] = []
  private(set) var nanoseconds: UInt64 = 10_000_000_000
  private let freeFrames: Int

  init(
    _ services: [TestService], connections: Int = 1024, frameCount: Int = 256, seed: UInt64 = 7,
    clientMTU: Int = 1500, serverMTU: Int = 1500, serverVLAN: UInt16 = 0
  ) throws {
    self.services = services
    self.clientMTU = clientMTU
    self.serverMTU = serverMTU
    self.serverVLAN = serverVLAN
    dataplane = try Dataplane(connections: connections, bothDirections: true, seed: seed)
    pipeline = try MemoryPipeline(dataplane, interfaces: [Network.outside, Network.inside], frameCount: frameCount)
    freeFrames = pipeline.freeFrameCount
    pipeline.setClock(nanoseconds: nanoseconds)
    publish()
  }

  convenience init(_ service: TestService, connections: Int = 1024) throws {
    try self.init([service], connections: connections)
  }

  func publish() {
    dataplane.publish(description, atNanoseconds: nanoseconds)
    pipeline.turn()
  }

  static func serverNumber(_ service: Int, _ server: Int) -> UInt16 { UInt16(service * 8 + server + 1) }

  var description: SnapshotDescription {
    var description = SnapshotDescription()
    description.timeouts = timeouts
    description.settings = settings
    description.hasHelped = hasHelped
    description.interfaces = [
      .init(address: Network.outside, mtu: clientMTU, ipv4: Network.outer(.ipv4), ipv6: Network.outer(.ipv6)),
      .init(address: Network.inside, mtu: serverMTU, ipv4: Network.inner(.ipv4), ipv6: Network.inner(.ipv6)),
    ]
    var endpoints: [String: UInt16] = [:]
    for (index, service) in services.enumerated() {
      let address = Network.virtual(service.family)
      let families = Set(service.weights.indices.map { service.kind(of: $0).family })
      var made = SnapshotDescription.Service(
        number: UInt16(index), endpoint: UInt16(index + 1), address: address, port: service.port,
        transport: service.transport, scheduler: service.scheduler,
        servers: service.weights.indices.filter { !service.removed.contains($0) }.map {
          Director.serverNumber(index, $0)
        }, isActive: service.isActive,
        localAddresses: [.ipv4, .ipv6].filter(families.contains).map { (address: Network.local($0), isActive: true) },
        localPorts: service.localPorts)
      made.persistence = service.persistence
      made.isOnePacket = service.isOnePacket
      made.conveyance = service.conveyance
      description.services.append(made)
      if service.mark != 0 { addMark(service, at: index, to: &description) }
      for (number, weight) in service.weights.enumerated() {
        let kind = service.kind(of: number)
        let target = Network.server(kind.family, number)
        let port = service.targetPort(of: number)
        let key = "\(target) \(port) \(service.transport)"
        let endpoint = endpoints[key] ?? UInt16(100 + endpoints.count)
        endpoints[key] = endpoint
        let answers = kind.method == .masquerading || kind.method == .fullNAT
        let hop = NextHop(
          destination: Network.station(number), source: Network.inside, interface: 1, mtu: serverMTU, vlan: serverVLAN)
        description.servers.append(
          .init(
            number: Director.serverNumber(index, number), service: UInt16(index), endpoint: answers ? endpoint : 0,
            address: target, port: port, method: kind.method, weight: weight,
            nextHop: service.nextHop ?? hop, tunnelSource: Network.inner(kind.family),
            isAvailable: !service.removed.contains(number), upperThreshold: service.upperThreshold,
            lowerThreshold: service.lowerThreshold))
        description.servers[description.servers.count - 1].encapsulation = service.encapsulation
        description.servers[description.servers.count - 1].draining = service.draining[number] ?? .none
      }
    }
    description.checkWays = checkedServers.map { number in
      (UInt16(number), description.servers.first { $0.number == Director.serverNumber(0, number) }!)
    }
    addRoutes(to: &description)
    return description
  }

  private func addMark(_ service: TestService, at index: Int, to description: inout SnapshotDescription) {
    description.services[index].mark = service.mark
    description.services[index].port = 0
    description.services[index].address = IPAddress(service.family == .ipv4 ? "0.0.0.0" : "::")!
    var rule = SnapshotDescription.MarkRule(flip: service.mark)
    rule.family = service.family
    rule.interfaces = .init([Dataplane.markInterface(port: 0, vlan: 0)])
    description.markRules.append(rule)
  }

  private func addRoutes(to description: inout SnapshotDescription) {
    var onLink = NextHop(.unresolved)
    onLink.interface = 1
    for (family, all, servers) in [(IPAddress.Family.ipv4, "0.0.0.0/0", "10.2.0.0/24"), (.ipv6, "::/0", "fd00:2::/64")]
    {
      let router = NextHop(destination: Network.router, source: Network.outside, interface: 0, mtu: clientMTU)
      description.routes.append(.init(prefix: IPPrefix(all)!, nextHop: router, isOnLink: false))
      description.routes.append(.init(prefix: IPPrefix(servers)!, nextHop: onLink, isOnLink: true))
      for own in [Network.virtual(family), Network.outer(family), Network.inner(family), Network.local(family)] {
        let length = family == .ipv4 ? 32 : 128
        description.routes.append(
          .init(prefix: IPPrefix(address: own, length: length)!, nextHop: NextHop(.local), isOnLink: false))
      }
      for number in 0..<4 {
        let hop = NextHop(
          destination: Network.station(number), source: Network.inside, interface: 1, mtu: serverMTU, vlan: serverVLAN)
        description.neighbours.append(.init(address: Network.server(family, number), nextHop: hop))
      }
    }
  }

  // MARK: - Driving

  /// Takes frames through the pipeline as one batch.
  func send(_ frames: [[UInt8]], interface: Int = 0) -> [Journey] {
    for frame in frames {
      guard let staged = frame.withUnsafeBytes({ pipeline.stage($0) }), pipeline.arrive(staged, interface: interface)
      else {
        Issue.record("the pipeline did not take a frame")
        continue
      }
      FrameFence.close(
        behind: staged, in: pipeline, hasProxyHeaders: services.contains { $0.conveyance.proxy != nil })
    }
    pipeline.setClock(nanoseconds: nanoseconds)
    #expect(pipeline.turn() == frames.count)
    FrameFence.open(pipeline)
    var sent = [[Sent]](repeating: [], count: frames.count)
    pipeline.forEachTransmitted { sent[$0.input].append(Sent(interface: $0.interface, bytes: Array($0.bytes))) }
    return frames.indices.map { Journey(pipeline.outcome(of: $0), sent[$0]) }
  }

  /// A turn without frames: what leaves because time has passed.
  func timed() -> [Sent] {
    pipeline.setClock(nanoseconds: nanoseconds)
    pipeline.turn()
    var sent: [Sent] = []
    pipeline.forEachTimed { sent.append(Sent(interface: $0.interface, bytes: Array($0.bytes))) }
    return sent
  }

  /// Takes one frame from the clients' side.
  func fromClient(_ packet: TestPacket) -> Journey {
    send([packet.frame(from: Network.router, to: Network.outside)], interface: 0)[0]
  }

  /// Takes one frame from a real server.
  func fromServer(_ packet: TestPacket, _ server: Int = 0) -> Journey {
    send([packet.frame(from: Network.station(server), to: Network.inside)], interface: 1)[0]
  }

  /// Lets time pass without a turn.
  func advance(seconds: Double) { nanoseconds += UInt64(seconds * 1e9) }

  /// The hand once around.
  func sweep() {
    pipeline.setClock(nanoseconds: nanoseconds)
    pipeline.sweep()
  }

  func connections(_ service: Int = 0, _ server: Int = 0) -> [UInt32] {
    let (active, inactive) = dataplane.connections(ofServer: Director.serverNumber(service, server))
    return [active, inactive]
  }

  /// Connections of all servers, by their counts.
  var connectionCount: UInt32 {
    services.indices.reduce(0) { sum, service in
      services[service].weights.indices.reduce(sum) { $0 + connections(service, $1).reduce(0, +) }
    }
  }

  /// Which server a journey led to.
  func station(of journey: Journey) -> Int? {
    journey.sent.first.flatMap { sent in
      (0..<8).first {
        sent.bytes.starts(with: FrameBuilder(from: Network.inside, to: Network.station($0)).frame.prefix(6))
      }
    }
  }

  /// What the listing shows.
  var listed: [ListedConnection] {
    var found: [ListedConnection] = []
    dataplane.forEachConnection(atNanoseconds: nanoseconds) { found.append($0) }
    return found
  }

  /// Slots in use: connections, replies.
  var entryCounts: [UInt64] {
    [dataplane.shared.state.entryCounts[0], dataplane.shared.state.entryCounts[8]]
  }

  /// The same of the wide table.
  var wideEntryCount: UInt64 { dataplane.shared.state.entryCounts[12] }

  /// Every frame is accounted for, and its memory is free again.
  func verify(sourceLocation: SourceLocation = #_sourceLocation) {
    // Incomplete datagrams are given up a number at a time; what a turn sends about them comes back in the next one.
    for _ in 0..<20 { pipeline.turn() }
    let statistics = dataplane.statistics()
    #expect(statistics.isBalanced, "\(statistics)", sourceLocation: sourceLocation)
    #expect(pipeline.freeFrameCount == freeFrames, "frames leaked", sourceLocation: sourceLocation)
  }

  /// Lets everything time out and looks whether anything is left.
  func verifyEmptyAfterExpiry(after seconds: Double = 1000, sourceLocation: SourceLocation = #_sourceLocation) {
    for _ in 0..<3 {
      advance(seconds: seconds)
      sweep()
    }
    #expect(entryCounts == [0, 0], "entries left", sourceLocation: sourceLocation)
    #expect(wideEntryCount == 0, "wide entries left", sourceLocation: sourceLocation)
    for (index, service) in services.enumerated() {
      for server in service.weights.indices {
        #expect(connections(index, server) == [0, 0], "connections left", sourceLocation: sourceLocation)
      }
    }
    verify(sourceLocation: sourceLocation)
  }
}
