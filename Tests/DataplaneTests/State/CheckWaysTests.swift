import Testing
import Wire

@testable import Dataplane

/// Checks that go the way of clients' packets: out as a packet to the VIP, back as one from the server.
@Suite struct CheckWaysTests {
  static let services = [Forwarding.directRouting, .tunnelling].flatMap { method in
    [IPAddress.Family.ipv4, .ipv6].flatMap { family in
      [TransportProtocol.tcp, .udp].map {
        TestService(method: method, family: family, transport: $0, weights: [1, 1])
      }
    }
  }

  private static let localPort: UInt16 = 45_678

  /// The check's packet as the host sends it, to a server's own address.
  private static func question(_ service: TestService, to server: Int) -> TestPacket {
    TestPacket.request(service, port: localPort).with {
      $0.source = Network.inner(service.family)
      $0.destination = Network.server(service.family, server)
    }
  }

  /// The server's answer, off the wire from the VIP.
  private static func answer(_ service: TestService) -> TestPacket {
    question(service, to: 0).with {
      ($0.source, $0.destination) = (Network.virtual(service.family), Network.inner(service.family))
      ($0.sourcePort, $0.destinationPort) = (service.port, localPort)
    }
  }

  private static func director(_ service: TestService, way: UInt16? = 1) throws -> Director {
    let director = try Director(service)
    director.checkedServers = [0, 1]
    director.publish()
    if let way { director.dataplane.checkPortNotes.note(port: localPort, transport: service.transport, way: way) }
    return director
  }

  private static func fromHost(_ director: Director, _ packet: TestPacket) -> Journey {
    director.pipeline.hostSends(packet.packet)
    var turns = 0
    while director.pipeline.turn() == 0, turns < 2 { turns += 1 }
    var sent: [Sent] = []
    director.pipeline.forEachTransmitted { sent.append(Sent(interface: $0.interface, bytes: Array($0.bytes))) }
    return Journey(director.pipeline.outcome(of: 0), sent)
  }

  /// As a client's packet to the VIP, whatever the scheduler would say, and without a connection.
  @Test(arguments: services) func thereGoesAPacketToTheVIP(service: TestService) throws {
    for server in [0, 1] {
      let director = try Self.director(service, way: UInt16(server))
      let journey = Self.fromHost(director, Self.question(service, to: server))
      #expect(journey.outcome == .checkRequest && journey.sent.count == 1)
      let frame = journey.sent.first?.bytes ?? []
      #expect(EthernetAddress(bytes: frame[..<6]) == Network.station(server))
      // The host's own packets cost no hop.
      let inner = Self.question(service, to: server).with { $0.destination = Network.virtual(service.family) }.packet
      #expect(Array(frame.suffix(inner.count)) == inner)
      let isTunnel = service.method == .tunnelling
      #expect(frame.count == 14 + inner.count + (isTunnel ? service.family == .ipv4 ? 20 : 40 : 0))
      #expect(director.connections() == [0, 0])
      director.verifyEmptyAfterExpiry()
    }
  }

  @Test(arguments: services) func backComesOneFromTheServer(service: TestService) throws {
    for server in [0, 1] {
      let director = try Self.director(service, way: UInt16(server))
      let frame = Self.answer(service).frame(from: Network.station(server), to: Network.inside)
      #expect(director.send([frame], interface: 1) == [Journey(.checkAnswer)])
      let expected = Self.answer(service).with { $0.source = Network.server(service.family, server) }
      #expect(Array(director.pipeline.bytes(of: 0)).dropFirst(14) == expected.packet[...])
      director.verifyEmptyAfterExpiry()
    }
  }

  /// What is not of a check is what it was.
  @Test(arguments: services) func othersAreLeftAlone(service: TestService) throws {
    let director = try Self.director(service)
    let answers: [(String, TestPacket)] = [
      ("another port", Self.answer(service).with { $0.destinationPort = 45_679 }),
      ("from no VIP", Self.answer(service).with { $0.source = Network.server(service.family, 0) }),
      ("the other protocol", Self.other(Self.answer(service))),
    ]
    for (name, packet) in answers {
      let frame = packet.frame(from: Network.station(1), to: Network.inside)
      #expect(director.send([frame], interface: 1) == [Journey(.notOurs)], "\(name)")
      #expect(Array(director.pipeline.bytes(of: 0)).dropFirst(14) == packet.packet[...], "\(name)")
    }
    let questions: [(String, TestPacket)] = [
      ("from another port", Self.question(service, to: 1).with { $0.sourcePort = 45_679 }),
      ("to another server", Self.question(service, to: 0)),
      ("the other protocol", Self.other(Self.question(service, to: 1))),
    ]
    for (name, packet) in questions {
      let journey = Self.fromHost(director, packet)
      #expect(journey.outcome == .ownTraffic, "\(name)")
      #expect(journey.sent.first.map { Array($0.bytes.dropFirst(14)) } == packet.packet, "\(name)")
    }
    director.verifyEmptyAfterExpiry()
  }

  private static func other(_ packet: TestPacket) -> TestPacket {
    packet.with { $0.transport = $0.transport == .tcp ? .udp : .tcp }
  }

  /// A way that a later snapshot does not have leads nowhere.
  @Test func aWayEnds() throws {
    let service = TestService(weights: [1, 1])
    let director = try Self.director(service)
    director.checkedServers = [0]
    director.publish()
    #expect(Self.fromHost(director, Self.question(service, to: 1)).outcome != .checkRequest)
    director.checkedServers = []
    director.publish()
    let frame = Self.answer(service).frame(from: Network.station(1), to: Network.inside)
    #expect(director.send([frame], interface: 1) == [Journey(.notOurs)])
  }

  @Test func aServerThatCannotBeReached() throws {
    for state in [NextHop.State.unresolved, .unreachable] {
      let service = TestService(nextHop: NextHop(state))
      let director = try Director(service)
      director.checkedServers = [0]
      director.publish()
      director.dataplane.checkPortNotes.note(port: Self.localPort, transport: .tcp, way: 0)
      let journey = Self.fromHost(director, Self.question(service, to: 0))
      #expect(journey == Journey(state == .unresolved ? .neighbourUnresolved : .noRoute))
    }
  }
}
