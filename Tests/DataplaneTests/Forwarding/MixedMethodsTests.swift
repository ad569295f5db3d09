import Testing
import Wire

@testable import Dataplane

/// FULLNAT beside other methods in one service: each server is served as if it had the service to itself.
@Suite struct MixedMethodsTests {
  typealias Kind = TestService.Kind

  private static func kinds(_ family: IPAddress.Family, _ methods: [Forwarding]) -> [Kind] {
    methods.map { Kind(method: $0, family: family) }
  }

  private static func other(_ family: IPAddress.Family) -> IPAddress.Family { family == .ipv4 ? .ipv6 : .ipv4 }

  /// Services with all four methods; the same with a FULLNAT server of the other family; with servers that are told the
  /// client; for every port.
  static let services = [IPAddress.Family.ipv4, .ipv6].flatMap { family in
    [TransportProtocol.tcp, .udp].flatMap { transport in
      let all = kinds(family, [.fullNAT, .masquerading, .directRouting, .tunnelling])
      let translated = [Kind(method: .fullNAT, family: other(family))] + all.dropLast()
      let conveyance: Conveyance = transport == .tcp ? .option : .none
      return [
        TestService(family: family, transport: transport, weights: [1, 1, 1, 1], kinds: all),
        TestService(family: family, transport: transport, weights: [1, 1, 1, 1], kinds: translated),
        TestService(
          family: family, transport: transport, weights: [1, 1, 1, 1], conveyance: conveyance, kinds: all),
      ]
    }
  }

  /// The same service with one of its servers only, by whose method and family all of it goes.
  private static func alone(_ service: TestService, _ server: Int) -> TestService {
    var alone = service
    alone.removed = Set(service.weights.indices).subtracting([server])
    let kind = service.kind(of: server)
    alone.kinds = service.weights.indices.map { _ in kind }
    return alone
  }

  /// A connection of the mixed service, and the same of the service with one server.
  private struct Pair {
    let mixed: Director
    let alone: Director
    let service: TestService
    let server: Int
    let port: UInt16

    var kind: Kind { service.kind(of: server) }
    var passesBack: Bool { kind.method == .masquerading || kind.method == .fullNAT }

    private func local(_ director: Director) -> UInt16 {
      director.listed.first { $0.client.port == port && $0.local != nil }?.local?.port ?? 0
    }

    /// What the server speaks to.
    private func near(_ director: Director) -> Endpoint {
      kind.method == .fullNAT
        ? Endpoint(address: Network.local(kind.family), port: local(director))
        : Endpoint(address: Network.client(service.family), port: port)
    }

    func request(_ flags: UInt8, _ payload: [UInt8] = []) throws {
      let packet = TestPacket.request(service, port: port, flags).with { $0.payload = payload }
      try compare(mixed.fromClient(packet), alone.fromClient(packet), isRequest: true)
    }

    func reply(_ flags: UInt8, _ payload: [UInt8] = []) throws {
      let journeys = [mixed, alone].map { director in
        let near = near(director)
        let packet = TestPacket(
          source: Network.server(kind.family, server), destination: near.address,
          sourcePort: service.targetPort(of: server), destinationPort: near.port, transport: service.transport,
          flags: flags, payload: payload)
        return director.fromServer(packet, server)
      }
      try compare(journeys[0], journeys[1], isRequest: false)
    }

    func errorFromClient() throws {
      let message = ErrorRelayTests.fromClient(service).with {
        $0.quoted = ErrorRelayTests.answer(service, port: port)
        $0.count = 24
      }
      let frame = message.frame(from: Network.router, to: Network.outside)
      try compare(mixed.send([frame])[0], alone.send([frame])[0], isRequest: true)
    }

    func errorFromServer() throws {
      let journeys = [mixed, alone].map { director in
        let near = near(director)
        let question = TestPacket(
          source: near.address, destination: Network.server(kind.family, server), sourcePort: near.port,
          destinationPort: service.targetPort(of: server), transport: service.transport, flags: TCP.ack,
          payload: [1, 2, 3])
        let message = ErrorRelayTests.Message(
          source: Network.server(kind.family, server), destination: near.address, quoted: question)
        return director.send([message.frame(from: Network.station(server), to: Network.inside)], interface: 1)[0]
      }
      #expect(journeys[0].outcome == .errorToClient)
      try compare(journeys[0], journeys[1], isRequest: false)
    }

    private func compare(_ one: Journey, _ other: Journey, isRequest: Bool) throws {
      let what = "server \(server), \(kind.method): \(one), alone \(other)"
      try #require(one.outcome.isForwarded && one.outcome == other.outcome, "\(what)")
      for sent in one.sent {
        try #require(FuzzTests.fault(sent.bytes) == nil, "\(what)")
        try #require(isRequest ? mixed.station(of: one) == server : sent.interface == 0, "\(what)")
      }
      let shapes = [one, other].map { journey in
        journey.sent.map {
          isRequest && kind.method == .fullNAT ? Self.withoutLocalPort($0.bytes) : Self.shape($0.bytes)
        }
      }
      #expect(shapes[0] == shapes[1], "\(what)")
    }

    /// Identifications are counted.
    private static func shape(_ frame: [UInt8]) -> [UInt8] { ClientConveyanceTests.comparable(frame) }

    /// Which local port is taken depends on which others are, and on the table. All checksums must be right with it.
    private static func withoutLocalPort(_ frame: [UInt8]) -> [UInt8] {
      var frame = shape(frame)
      let isIPv4 = frame[14] >> 4 == 4
      let transport = isIPv4 ? 34 : 54
      let number = isIPv4 ? frame[23] : frame[20]
      #expect(isTransportChecksumRight(frame, at: transport, number))
      let isError = number == IPProtocol.icmpv4 || number == IPProtocol.icmpv6
      let port = isError ? transport + 8 + (isIPv4 ? 20 : 40) + 2 : transport
      let checksum = transport + (isError ? 2 : number == TransportProtocol.tcp.rawValue ? 16 : 6)
      for offset in [port, port + 1, checksum, checksum + 1] { frame[offset] = 0 }
      if isError {
        // So has the quoted packet a checksum, and one that was carried over a header that was made for it.
        let quote = transport + 8
        let inner = quote + (isIPv4 ? 20 : 40)
        let isTCP = (isIPv4 ? frame[quote + 9] : frame[quote + 6]) == TransportProtocol.tcp.rawValue
        for offset in [0, 1] { frame[inner + (isTCP ? 16 : 6) + offset] = 0 }
        if isIPv4 { for offset in [4, 5, 10, 11] { frame[quote + offset] = 0 } }
      }
      return frame
    }

    private static func isTransportChecksumRight(_ frame: [UInt8], at transport: Int, _ number: UInt8) -> Bool {
      frame.withUnsafeBytes { bytes in
        guard let base = bytes.baseAddress else { return false }
        var sum = Checksum()
        let count = frame.count - transport
        if frame[14] >> 4 == 6 {
          sum.addPseudoHeader6(addresses: base + 22, protocolNumber: number, byteCount: count)
        } else if number != IPProtocol.icmpv4 {
          sum.addPseudoHeader4(addresses: base + 26, protocolNumber: number, byteCount: count)
        }
        sum.add(UnsafeRawBufferPointer(rebasing: bytes[transport...]))
        return sum.folded == 0xffff
      }
    }
  }

  /// Connections through all servers at the same time, both ways, ICMP errors both ways, and the end.
  @Test(arguments: services) func eachServerAsIfAlone(service: TestService) throws {
    let mixed = try Director([service])
    let alone = try service.weights.indices.map { try Director([Self.alone(service, $0)]) }
    var met: Set<Int> = []
    var pairs: [Pair] = []
    for port in UInt16(40_000)..<40_012 {
      // A first look tells which server it is.
      let probe = mixed.fromClient(.request(service, port: port))
      let server = try #require(mixed.station(of: probe))
      met.insert(server)
      let pair = Pair(mixed: mixed, alone: alone[server], service: service, server: server, port: port)
      _ = pair.alone.fromClient(.request(service, port: port))
      try pair.request(TCP.syn)
      pairs.append(pair)
    }
    #expect(met == Set(service.weights.indices))
    for pair in pairs where pair.passesBack { try pair.reply(TCP.syn | TCP.ack) }
    for pair in pairs {
      try pair.request(TCP.ack)
      try pair.request(TCP.ack, .init(repeating: 7, count: 333))
      try pair.errorFromClient()
    }
    for pair in pairs where pair.passesBack {
      try pair.reply(TCP.ack, [1, 2, 3])
      try pair.errorFromServer()
    }
    for pair in pairs {
      try pair.request(TCP.fin | TCP.ack)
      if pair.passesBack { try pair.reply(TCP.fin | TCP.ack) }
    }
    for director in [mixed] + alone { director.verifyEmptyAfterExpiry() }
  }

  /// A client comes again from the port of its last connection, and meets a server that is reached by another method.
  @Test(arguments: services.filter { $0.transport == .tcp }) func samePortAgain(service: TestService) throws {
    let director = try Director([service])
    var met: [Int] = []
    for _ in 0..<12 {
      let journey = director.fromClient(.request(service))
      met.append(try #require(director.station(of: journey)))
      _ = director.fromClient(.request(service, TCP.ack))
      _ = director.fromClient(.request(service, TCP.rst))
      #expect(director.connectionCount == 1)
    }
    #expect(Set(met).count == 4)
    director.verifyEmptyAfterExpiry()
  }

  /// A template leads to a server, which is removed, or made quiescent: the client's next template leads to another one, by
  /// another method, and the connections of the first one end when they should.
  @Test(arguments: services, [false, true]) func templateLeadsElsewhere(plain: TestService, isQuiescent: Bool) throws {
    var service = plain
    service.persistence = SnapshotDescription.Persistence(seconds: 120, maskHigh: .max, maskLow: .max)
    let director = try Director([service])
    director.settings.expiresQuiescentTemplates = true
    director.publish()
    var former: [(server: Int, port: UInt16)] = []
    for round in 0..<4 {
      let ports = (0..<3).map { UInt16(41_000 + round * 3 + $0) }
      let journeys = ports.map { director.fromClient(.request(service, port: $0)) }
      let servers = Set(journeys.compactMap { director.station(of: $0) })
      #expect(servers.count == 1, "one client, one server")
      let server = try #require(servers.first)
      #expect(!former.contains { $0.server == server })
      for (port, journey) in zip(ports, journeys) {
        #expect(journey.outcome == director.fromClient(.request(service, port: port)).outcome)
      }
      // Those before go where they went, or nowhere.
      for (old, port) in former {
        let journey = director.fromClient(.request(service, port: port, TCP.ack))
        #expect(isQuiescent ? director.station(of: journey) == old : journey == Journey(.serverRemoved))
      }
      former += ports.map { (server, $0) }
      if isQuiescent {
        director.services[0].weights[server] = 0
      } else {
        director.services[0].removed.insert(server)
      }
      director.publish()
    }
    #expect(director.fromClient(.request(service, port: 45_000)).outcome == .noServerAvailable)
    director.verifyEmptyAfterExpiry()
    let templates = service.weights.indices.map { director.dataplane.templates(ofServer: Director.serverNumber(0, $0)) }
    #expect(templates == [0, 0, 0, 0])
  }
}
