import Testing
import Wire

@testable import Dataplane

/// FULLNAT: the server sees a local address, the client the VIP.
@Suite struct FullNATTests {
  static let services = [
    TestService(method: .fullNAT), TestService(method: .fullNAT, transport: .udp),
    TestService(method: .fullNAT, family: .ipv6), TestService(method: .fullNAT, family: .ipv6, transport: .udp),
  ]

  static func atServer(_ packet: TestPacket, _ service: TestService, localPort: UInt16) -> TestPacket {
    packet.hopped.with {
      $0.source = Network.local(service.family)
      $0.sourcePort = localPort
      $0.destination = Network.server(service.family, 0)
      $0.destinationPort = service.targetPort
    }
  }

  static func atClient(_ packet: TestPacket, _ service: TestService, port: UInt16 = 40_000) -> TestPacket {
    packet.hopped.with {
      $0.source = Network.virtual(service.family)
      $0.sourcePort = service.port
      $0.destination = Network.client(service.family)
      $0.destinationPort = port
    }
  }

  static func fromServer(_ service: TestService, localPort: UInt16, _ flags: UInt8 = TCP.ack) -> TestPacket {
    .reply(service, to: Network.local(service.family), port: localPort, flags)
  }

  @Test(arguments: services)
  func thereAndBack(service: TestService) throws {
    let director = try Director(service)
    for hasChecksum in [true, false] {
      for count in [0, 1, 700] {
        let request = TestPacket.request(service).with {
          $0.payload = .init(repeating: 0xf7, count: count)
          $0.hasChecksum = hasChecksum
        }
        let journey = director.fromClient(request)
        let localPort = try #require(director.listed.first?.local?.port)
        let translated = Self.atServer(request.with { $0.hasChecksum = true }, service, localPort: localPort)
        #expect(journey == .toServer(.fullNATRequest, translated.leaving()))
        let reply = Self.fromServer(service, localPort: localPort).with {
          $0.payload = .init(repeating: 3, count: count)
        }
        let answered = Self.atClient(reply, service).leavingToClient
        #expect(director.fromServer(reply) == .toClient(.fullNATReply, answered))
      }
    }
    #expect(director.entryCounts.reduce(0, +) == 2)
    director.verifyEmptyAfterExpiry()
  }

  /// A packet and its reply in one batch: the lookup of the reply came too early, and is made again.
  @Test(arguments: services)
  func replyInTheSameBatch(service: TestService) throws {
    var service = service
    service.localPorts = 5000...5000
    let director = try Director(service)
    let reply = Self.fromServer(service, localPort: 5000)
    let journeys = director.send([
      TestPacket.request(service).arriving, reply.frame(from: Network.station(0), to: Network.outside),
    ])
    #expect(journeys[0].outcome == .fullNATRequest)
    #expect(journeys[1] == .toClient(.fullNATReply, Self.atClient(reply, service).leavingToClient))
    director.verifyEmptyAfterExpiry()
  }

  /// As many connections as there are local ports; then none, until one has timed out.
  @Test(arguments: services)
  func portsRunOut(service: TestService) throws {
    var service = service
    service.localPorts = 5000...5003
    let director = try Director(service)
    for port in UInt16(40_000)..<40_004 {
      #expect(director.fromClient(.request(service, port: port)).outcome == .fullNATRequest)
    }
    #expect(Set(director.listed.compactMap { $0.local?.port }) == [5000, 5001, 5002, 5003])
    #expect(director.fromClient(.request(service, port: 40_004)) == Journey(.localPortsExhausted))
    #expect(director.entryCounts.reduce(0, +) == 8)
    // All but the first stay alive.
    director.advance(seconds: service.transport == .tcp ? 40 : 200)
    for port in UInt16(40_001)..<40_004 {
      #expect(director.fromClient(.request(service, port: port)).outcome == .fullNATRequest)
    }
    director.advance(seconds: service.transport == .tcp ? 30 : 150)
    // Even before the hand comes by.
    #expect(director.fromClient(.request(service, port: 40_004)).outcome == .fullNATRequest)
    #expect(director.fromClient(.request(service, port: 40_005)) == Journey(.localPortsExhausted))
    director.verifyEmptyAfterExpiry()
  }

  /// No two connections to one server ever have the same local port, whatever comes and goes around them.
  @Test(arguments: services)
  func localPortsAreUnique(service: TestService) throws {
    guard service.transport == .udp else { return }
    var service = service
    service.localPorts = 5000...5099
    let director = try Director(service)
    var random = SplitMix(seed: 11)
    for round in 0..<400 {
      for _ in 0..<8 {
        let port = UInt16(1024 + random.next(below: 300))
        let outcome = director.fromClient(.request(service, port: port)).outcome
        #expect(outcome == .fullNATRequest || outcome == .localPortsExhausted)
      }
      director.advance(seconds: 17)
      if round % 3 == 0 { director.sweep() }
      let locals = director.listed.filter { $0.secondsLeft > 0 }.compactMap { $0.local?.port }
      try #require(Set(locals).count == locals.count, "round \(round)")
    }
    director.verifyEmptyAfterExpiry()
  }

  @Test(arguments: services)
  func repliesOfNobody(service: TestService) throws {
    let director = try Director(service)
    #expect(director.fromServer(Self.fromServer(service, localPort: 5000)) == Journey(.noReplyConnection))
    director.verify()
  }
}
