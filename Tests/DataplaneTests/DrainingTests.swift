import Testing
import Wire

@testable import Dataplane

/// Servers that take no new connections, and those they have.
@Suite struct DrainingTests {
  static let services: [TestService] = {
    var rows: [TestService] = []
    for family in [IPAddress.Family.ipv4, .ipv6] {
      for method in OutcomeTests.methods { rows.append(TestService(method: method, family: family, weights: [1, 1])) }
      rows.append(TestService(method: .directRouting, family: family, weights: [1, 1], mark: 7))
      rows.append(TestService(method: .masquerading, family: family, weights: [1, 1], mark: 7))
      rows.append(TestService(method: .fullNAT, family: family, weights: [1, 1], conveyance: .proxyV2))
      rows.append(
        TestService(
          method: .tunnelling, family: family, weights: [1, 1],
          encapsulation: .gue(port: 6080, hasChecksum: true)))
    }
    rows.append(TestService(method: .fullNAT, serverFamily: .ipv6, weights: [1, 1]))
    return rows
  }()

  /// A connection of the usual client to server 0 that has carried data, if it is the first.
  private static func established(_ service: TestService) throws -> Director {
    let director = try Director(service)
    #expect(director.fromClient(.request(service)).outcome.isForwarded)
    if let local = director.listed.first, service.method.rewritesTransport {
      let answer = TestPacket.reply(
        service, to: local.local?.address, port: local.local?.port ?? 40_000
      ).with {
        $0.sequence = 6999
        $0.acknowledgement = 1001
      }
      #expect(director.fromServer(answer).outcome.isForwarded)
    }
    for size in [0, 20] {
      let segment = segment(service).with {
        $0.sequence = 1001
        $0.payload = [UInt8](repeating: 7, count: size)
      }
      #expect(director.fromClient(segment).outcome.isForwarded)
    }
    return director
  }

  /// Some data of the client's.
  private static func segment(_ service: TestService) -> TestPacket {
    TestPacket.request(service, TCP.ack | TCP.psh).with {
      $0.sequence = 1021
      $0.acknowledgement = 7000
      $0.payload = [UInt8](repeating: 0x55, count: 10)
      $0.segmentOptions = [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2]
    }
  }

  /// The client's own reset, as the pipeline sends it on where nothing drains.
  private static func reset(_ service: TestService, _ sequence: UInt32, acknowledges: Bool = true) throws -> Sent {
    let director = try established(service)
    let reset = segment(service).with {
      $0.flags = TCP.rst | (acknowledges ? TCP.ack : 0)
      $0.sequence = sequence
      $0.window = 0
      $0.payload = []
      $0.segmentOptions = []
    }
    return try #require(director.fromClient(reset).sent.first)
  }

  /// What the client gets.
  private static func answer(_ service: TestService, _ flags: UInt8, sequence: UInt32, acknowledges: UInt32 = 0) -> Sent
  {
    let packet = TestPacket(
      source: Network.virtual(service.family), destination: Network.client(service.family), sourcePort: service.port,
      destinationPort: 40_000, flags: flags, identification: 0, fragment: 0x4000, sequence: sequence,
      acknowledgement: acknowledges, window: 0)
    return Sent(interface: 0, bytes: packet.leavingToClient)
  }

  @Test(arguments: services, [false, true])
  func connectionsGoOnWhileItDrains(service: TestService, isRemoved: Bool) throws {
    let director = try DrainingTests.established(service)
    director.services[0].draining = [0: .going]
    director.services[0].weights[0] = 0
    if isRemoved { director.services[0].removed = [0] }
    director.publish()
    let journey = director.fromClient(DrainingTests.segment(service))
    #expect(journey.outcome.isForwarded && journey.outcome != .drainedReset, "\(journey)")
    #expect(director.station(of: journey) == 0)
    for port in UInt16(41_000)..<41_004 {
      #expect(director.station(of: director.fromClient(.request(service, port: port))) == 1)
    }
    director.verifyEmptyAfterExpiry()
  }

  /// Without `drain_timeout` it is as in IPVS.
  @Test func aRemovedServerDropsWithoutIt() throws {
    let service = TestService(weights: [1, 1])
    let director = try DrainingTests.established(service)
    director.services[0].removed = [0]
    director.publish()
    #expect(director.fromClient(DrainingTests.segment(service)).outcome == .serverRemoved)
  }

  @Test(arguments: services) func aConnectionEndsWithItsNextSegment(service: TestService) throws {
    let director = try DrainingTests.established(service)
    director.services[0].draining = [0: .over]
    director.services[0].removed = [0]
    director.publish()
    let expected = [
      try DrainingTests.reset(service, 1021), DrainingTests.answer(service, TCP.rst, sequence: 7000),
      try DrainingTests.reset(service, 1031),
    ]
    #expect(director.fromClient(DrainingTests.segment(service)) == Journey(.drainedReset, expected))
    #expect(director.connections(0, 0) == [0, 1], "it is closed, and stays for what is asked back")
    #expect(director.fromClient(DrainingTests.segment(service)).outcome == .drainedReset, "and again")
    let reset = DrainingTests.segment(service).with {
      $0.flags = TCP.rst
      $0.payload = []
    }
    let passed = director.fromClient(reset)
    #expect(passed.outcome.isForwarded && passed.outcome != .drainedReset && passed.sent.count == 1)
    director.verifyEmptyAfterExpiry()
  }

  /// A keep-alive has the number before the one that is expected next.
  @Test func aKeepAliveEndsItToo() throws {
    for service in [TestService(weights: [1, 1]), TestService(method: .masquerading, weights: [1, 1])] {
      let director = try DrainingTests.established(service)
      director.services[0].draining = [0: .over]
      director.publish()
      let probe = DrainingTests.segment(service).with {
        $0.flags = TCP.ack
        $0.sequence = 1020
        $0.payload = []
      }
      let expected = [
        try DrainingTests.reset(service, 1020), DrainingTests.answer(service, TCP.rst, sequence: 7000),
        try DrainingTests.reset(service, 1021),
      ]
      #expect(director.fromClient(probe) == Journey(.drainedReset, expected))
      director.verifyEmptyAfterExpiry()
    }
  }

  /// RFC 9293 section 3.10.7.1: who says no number gets his own acknowledged.
  @Test func aSegmentWithoutAcknowledgement() throws {
    let service = TestService(weights: [1, 1])
    let director = try DrainingTests.established(service)
    director.services[0].draining = [0: .over]
    director.publish()
    let last = DrainingTests.segment(service).with { $0.flags = TCP.fin }
    let expected = [
      try DrainingTests.reset(service, 1021, acknowledges: false),
      DrainingTests.answer(service, TCP.rst | TCP.ack, sequence: 0, acknowledges: 1032),
      try DrainingTests.reset(service, 1032, acknowledges: false),
    ]
    #expect(director.fromClient(last) == Journey(.drainedReset, expected))
    director.verifyEmptyAfterExpiry()
  }

  /// A server's segment ends it as well, where it passes here and is not one of those that change nothing.
  @Test(arguments: services.filter { $0.method.rewritesTransport && $0.conveyance == .none })
  func aServersSegmentEndsIt(service: TestService) throws {
    let director = try DrainingTests.established(service)
    let local = try #require(director.listed.first)
    let last = TestPacket.reply(
      service, to: local.local?.address, port: local.local?.port ?? 40_000, TCP.fin | TCP.ack
    ).with {
      $0.sequence = 7000
      $0.acknowledgement = 1021
    }
    func reset(_ sequence: UInt32) throws -> Sent {
      let twin = try DrainingTests.established(service)
      let own = last.with {
        $0.flags = TCP.rst | TCP.ack
        $0.sequence = sequence
        $0.window = 0
      }
      return try #require(twin.fromServer(own).sent.first)
    }
    director.services[0].draining = [0: .over]
    director.publish()
    let toServer = TestPacket(
      source: last.destination, destination: last.source, sourcePort: last.destinationPort,
      destinationPort: last.sourcePort, flags: TCP.rst, identification: 0, fragment: 0x4000, sequence: 1021, window: 0)
    let expected = [
      try reset(7000), Sent(interface: 1, bytes: toServer.leaving()), try reset(7001),
    ]
    #expect(director.fromServer(last) == Journey(.drainedReset, expected))
    #expect(director.connections(0, 0) == [0, 1])
    director.verifyEmptyAfterExpiry()
  }

  @Test(arguments: services) func aClientThatBeginsAnewGetsAnotherServer(service: TestService) throws {
    let director = try DrainingTests.established(service)
    director.services[0].draining = [0: .over]
    director.services[0].weights[0] = 0
    director.publish()
    #expect(director.station(of: director.fromClient(.request(service))) == 1)
    #expect(director.connections(0, 0) == [0, 0] && director.connections(0, 1) == [1, 0])
    director.verifyEmptyAfterExpiry()
  }

  /// What cannot be made a reset is dropped; the sender says it again.
  @Test func aDatagramInFragmentsIsDropped() throws {
    let service = TestService(weights: [1, 1])
    let director = try DrainingTests.established(service)
    director.services[0].draining = [0: .over]
    director.publish()
    let whole = DrainingTests.segment(service).with { $0.payload = [UInt8](repeating: 1, count: 32) }
    let bytes = Array(whole.packet.dropFirst(20))
    func piece(_ range: Range<Int>, more: Bool) -> [UInt8] {
      FrameBuilder(from: Network.router, to: Network.outside).ipv4(
        from: whole.source, to: whole.destination, timeToLive: 64, identification: 9,
        fragment: UInt16(range.lowerBound / 8) | (more ? 0x2000 : 0), service: 0, options: [],
        protocolNumber: TransportProtocol.tcp.rawValue
      ).payload(Array(bytes[range])).frame
    }
    let journeys = director.send([piece(0..<40, more: true), piece(40..<bytes.count, more: false)])
    #expect(journeys.map(\.outcome) == [.fragmentHeld, .drained])
    director.verifyEmptyAfterExpiry()
  }

  @Test(arguments: OutcomeTests.methods) func datagramsGoToAnotherServer(method: Forwarding) throws {
    let service = TestService(method: method, transport: .udp, weights: [1, 1])
    let director = try Director(service)
    for port in UInt16(40_000)..<40_004 { _ = director.fromClient(.request(service, port: port)) }
    director.services[0].draining = [0: .over]
    director.services[0].removed = [0]
    director.publish()
    for port in UInt16(40_000)..<40_002 {
      #expect(director.station(of: director.fromClient(.request(service, port: port))) == 1)
    }
    #expect(director.connections(0, 0) == [0, 1] && director.connections(0, 1) == [0, 3])
    director.sweep()
    #expect(director.connections(0, 0) == [0, 0], "without a packet")
    director.verifyEmptyAfterExpiry()
  }

  @Test func noTemplateLeadsToIt() throws {
    var service = TestService(weights: [1, 1])
    service.persistence = SnapshotDescription.Persistence(seconds: 300)
    let director = try Director(service)
    #expect(director.station(of: director.fromClient(.request(service))) == 0)
    director.services[0].weights[0] = 0
    director.publish()
    #expect(director.station(of: director.fromClient(.request(service, port: 40_001))) == 0, "as in IPVS")
    director.services[0].draining = [0: .going]
    director.publish()
    #expect(director.station(of: director.fromClient(.request(service, port: 40_002))) == 1)
  }

  /// The last service of its family has been deleted: its connections still go on.
  @Test(arguments: services.filter { $0.mark == 0 }) func connectionsOfADeletedServiceGoOn(service: TestService) throws
  {
    let director = try DrainingTests.established(service)
    director.services[0].isActive = false
    director.services[0].removed = [0, 1]
    director.services[0].draining = [0: .going, 1: .going]
    director.publish()
    #expect(director.fromClient(DrainingTests.segment(service)).outcome.isForwarded)
    #expect(director.fromClient(.request(service, port: 41_000)).outcome == .notOurs)
    director.verifyEmptyAfterExpiry()
  }
}
