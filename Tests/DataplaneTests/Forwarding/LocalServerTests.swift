import Testing
import Wire

@testable import Dataplane

/// A real server that is the director itself: what the host is given, and what becomes of what it says.
@Suite struct LocalServerTests {
  static let services = [Forwarding.directRouting, .masquerading, .tunnelling].flatMap { method in
    [IPAddress.Family.ipv4, .ipv6].flatMap { family in
      [TransportProtocol.tcp, .udp].flatMap { transport in
        [0, 7].map {
          TestService(
            method: method, family: family, transport: transport, serverPort: method == .masquerading ? 8080 : 80,
            nextHop: NextHop(.local), mark: $0)
        }
      }
    }
  }

  /// What the host is left of a frame.
  private static func left(_ director: Director) -> [UInt8] { Array(director.pipeline.bytes(of: 0)) }

  /// The request as its server shall get it.
  private static func delivered(_ packet: TestPacket, _ service: TestService) -> TestPacket {
    guard service.method == .masquerading else { return packet }
    return packet.with {
      $0.destination = Network.server(service.family, 0)
      $0.destinationPort = service.targetPort
    }
  }

  /// What the host sends, and what of it has left.
  private static func fromHost(_ director: Director, _ packet: [UInt8]) -> Journey {
    director.pipeline.hostSends(packet)
    // Every other turn is the host's.
    var turns = 0
    while director.pipeline.turn() == 0, turns < 2 { turns += 1 }
    var sent: [Sent] = []
    director.pipeline.forEachTransmitted { sent.append(Sent(interface: $0.interface, bytes: Array($0.bytes))) }
    return Journey(director.pipeline.outcome(of: 0), sent)
  }

  private static func reply(_ service: TestService, _ flags: UInt8) -> TestPacket {
    let isNAT = service.method == .masquerading
    return TestPacket.reply(service, flags).with {
      if !isNAT {
        $0.source = Network.virtual(service.family)
        $0.sourcePort = service.port
      }
    }
  }

  /// No hop is taken either way, and no packet is too large.
  @Test(arguments: services) func journeyThereAndBack(service: TestService) throws {
    for hops in [UInt8(1), 64] {
      let director = try Director(service)
      let request = TestPacket.request(service).with {
        $0.timeToLive = hops
        $0.payload = [UInt8](repeating: 7, count: 1600)
      }
      #expect(director.fromClient(request) == Journey(.localServer))
      let expected = Self.delivered(request, service).frame(from: Network.router, to: Network.outside)
      #expect(Self.left(director) == expected)
      let answer = Self.reply(service, TCP.syn | TCP.ack)
      let isNAT = service.method == .masquerading
      let sent = answer.with {
        $0.source = Network.virtual(service.family)
        $0.sourcePort = service.port
      }
      #expect(
        Self.fromHost(director, answer.packet)
          == .toClient(isNAT ? .masqueradeReply : .localReply, sent.leavingToClient))
      let counters = director.dataplane.counters(ofServer: Director.serverNumber(0, 0))
      #expect(counters.inPackets == 1 && counters.outPackets == 1 && counters.outBytes == UInt64(answer.packet.count))
      director.verifyEmptyAfterExpiry()
    }
  }

  /// Whatever the method, the server's packets move the state machine on.
  @Test(arguments: services.filter { $0.transport == .tcp }) func resetCloses(service: TestService) throws {
    let director = try Director(service)
    _ = director.fromClient(.request(service))
    #expect(director.connections() == [1, 0])
    _ = Self.fromHost(director, Self.reply(service, TCP.rst | TCP.ack).packet)
    #expect(director.connections() == [0, 1])
    #expect(director.listed.first.map(\.stateName) == "CLOSE")
    director.verifyEmptyAfterExpiry()
  }

  /// The host that replay plays does the same without being asked.
  @Test(arguments: services) func nobodyListens(service: TestService) throws {
    let director = try Director(service)
    director.pipeline.letHostAnswer()
    _ = director.fromClient(.request(service))
    #expect(director.pipeline.hasHostAnswers)
    while director.pipeline.hasHostAnswers { director.pipeline.turn() }
    #expect(director.connections() == [0, 1])
    #expect(director.dataplane.counters(ofServer: Director.serverNumber(0, 0)).outPackets == 1)
    director.verifyEmptyAfterExpiry()
  }

  @Test(arguments: services) func errorsReachTheHost(service: TestService) throws {
    let director = try Director(service)
    _ = director.fromClient(.request(service))
    let message = ErrorRelayTests.fromClient(service)
    let journey = director.send([message.frame(from: Network.router, to: Network.outside)])[0]
    #expect(journey == Journey(.errorToLocalServer))
    var expected = message
    if service.method == .masquerading {
      expected.destination = Network.server(service.family, 0)
      let tail = message.quoted.packet.dropFirst((service.family == .ipv4 ? 20 : 40) + 4)
      expected.tail = Array(tail)
      expected.quoted.source = Network.server(service.family, 0)
      expected.quoted.sourcePort = service.targetPort
    }
    #expect(Self.left(director) == expected.frame(from: Network.router, to: Network.outside))
    director.verifyEmptyAfterExpiry()
  }

  /// A datagram larger than the link: the host cuts it, and it counts as one.
  @Test(arguments: services.filter { $0.transport == .udp }, ReassemblyTests.orders)
  func answersInPieces(service: TestService, order: [Int]) throws {
    let director = try Director(service)
    _ = director.fromClient(.request(service))
    let answer = Self.reply(service, 0).with { $0.payload = (0..<1100).map { UInt8(truncatingIfNeeded: $0) } }
    let pieces = ReassemblyTests.fragments(of: answer, payload: 400)
    try #require(pieces.count == 3)
    for piece in order { director.pipeline.hostSends(Array(pieces[piece].dropFirst(14))) }
    var turns = 0
    while director.pipeline.turn() == 0, turns < 2 { turns += 1 }
    var sent: [[UInt8]] = []
    director.pipeline.forEachTransmitted {
      #expect($0.interface == 0)
      sent.append(Array($0.bytes))
    }
    #expect(sent.count == 3 && sent.allSatisfy { $0.starts(with: answer.leavingToClient.prefix(14)) })
    if service.method == .masquerading {
      let whole = try #require(ReassemblyTests.joined(sent))
      #expect(whole.suffix(1100) == answer.payload[...])
    } else {
      #expect(Set(sent.map { $0.dropFirst(14) }) == Set(pieces.map { $0.dropFirst(14) }))
    }
    let counters = director.dataplane.counters(ofServer: Director.serverNumber(0, 0))
    #expect(counters.outPackets == 1 && counters.outBytes == UInt64(answer.packet.count))
    director.verifyEmptyAfterExpiry()
  }

  static let refused: [(method: Forwarding, family: IPAddress.Family)] = [
    (.fullNAT, .ipv4), (.fullNAT, .ipv6),
  ]

  @Test(arguments: refused) func fullNATCannot(method: Forwarding, family: IPAddress.Family) throws {
    let director = try Director(TestService(method: method, family: family, nextHop: NextHop(.local)))
    #expect(director.fromClient(.request(director.services[0])) == Journey(.serverLocal))
    #expect(!director.pipeline.hasLocalServers)
    director.verifyEmptyAfterExpiry()
  }

  /// What is no answer of a connection, or cannot be parsed, leaves as it is, or not at all; never back to the host.
  @Test(arguments: services) func strangersGoOn(service: TestService) throws {
    let director = try Director(service)
    let stranger = TestPacket.reply(service).with {
      $0.source = Network.inner(service.family)
      $0.sourcePort = 22
    }
    #expect(Self.fromHost(director, stranger.packet) == .toClient(.ownTraffic, stranger.leavingToClient))
    let late = Self.reply(service, TCP.ack)
    #expect(Self.fromHost(director, late.packet) == .toClient(.ownTraffic, late.leavingToClient))
    let group = IPAddress(service.family == .ipv4 ? "224.0.0.22" : "ff02::16")!
    #expect(Self.fromHost(director, stranger.with { $0.destination = group }.packet) == Journey(.noRoute))
    let lost = Self.fromHost(director, [UInt8](stranger.packet.prefix(21)))
    #expect(lost.outcome.fate == .dropped && lost.sent.isEmpty)
    _ = Self.fromHost(director, [0x45])
    _ = Self.fromHost(director, [UInt8](repeating: 0xff, count: 60))
    director.verifyEmptyAfterExpiry()
  }
}
