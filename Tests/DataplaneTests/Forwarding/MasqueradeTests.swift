import Testing
import Wire

@testable import Dataplane

/// NAT: both directions, with the checksums a full computation would give.
@Suite struct MasqueradeTests {
  static let services = [
    TestService(method: .masquerading), TestService(method: .masquerading, transport: .udp),
    TestService(method: .masquerading, family: .ipv6),
    TestService(method: .masquerading, family: .ipv6, transport: .udp),
    TestService(method: .masquerading, serverPort: 80),
  ]

  static func atServer(_ packet: TestPacket, _ service: TestService, _ server: Int = 0) -> TestPacket {
    packet.hopped.with {
      $0.destination = Network.server(service.family, server)
      $0.destinationPort = service.targetPort
    }
  }

  static func atClient(_ packet: TestPacket, _ service: TestService) -> TestPacket {
    packet.hopped.with {
      $0.source = Network.virtual(service.family)
      $0.sourcePort = service.port
    }
  }

  @Test(arguments: services)
  func thereAndBack(service: TestService) throws {
    let director = try Director(service)
    for count in [0, 1, 2, 3, 700] {
      for flags in [TCP.syn, TCP.ack | TCP.psh] {
        let request = TestPacket.request(service, flags).with { $0.payload = .init(repeating: 0xf7, count: count) }
        let translated = Self.atServer(request, service)
        #expect(director.fromClient(request) == .toServer(.masqueradeRequest, translated.leaving()))
        let reply = TestPacket.reply(service, TCP.ack).with { $0.payload = .init(repeating: 3, count: count) }
        let answered = Self.atClient(reply, service)
        #expect(director.fromServer(reply) == .toClient(.masqueradeReply, answered.leavingToClient))
      }
    }
    #expect(director.entryCounts.reduce(0, +) == 2)
    director.verifyEmptyAfterExpiry()
  }

  /// Many ports and payloads: among 65,536 sums every fold and every zero occurs.
  @Test(arguments: services)
  func checksumsOfManyFlows(service: TestService) throws {
    let director = try Director(service)
    for step in 0..<600 {
      let port = UInt16(truncatingIfNeeded: 1024 + step * 107)
      let payload = [UInt8(truncatingIfNeeded: step), UInt8(truncatingIfNeeded: step >> 3), 0xff, 0xff]
      let request = TestPacket.request(service, port: port).with { $0.payload = payload }
      #expect(director.fromClient(request) == .toServer(.masqueradeRequest, Self.atServer(request, service).leaving()))
      let reply = TestPacket.reply(service, port: port).with { $0.payload = payload }
      #expect(director.fromServer(reply) == .toClient(.masqueradeReply, Self.atClient(reply, service).leavingToClient))
    }
    director.verifyEmptyAfterExpiry()
  }

  /// IPVS does not keep a UDP checksum of "none": the whole sum is computed.
  @Test(arguments: [IPAddress.Family.ipv4, .ipv6])
  func noChecksumIsCompleted(family: IPAddress.Family) throws {
    let service = TestService(method: .masquerading, family: family, transport: .udp)
    let director = try Director(service)
    for count in [0, 1, 2, 5, 300] {
      let request = TestPacket.request(service).with {
        $0.payload = .init(repeating: 0x5a, count: count)
        $0.hasChecksum = false
      }
      let complete = request.with { $0.hasChecksum = true }
      let translated = Self.atServer(complete, service).leaving()
      #expect(director.fromClient(request) == .toServer(.masqueradeRequest, translated))
      let reply = TestPacket.reply(service).with {
        $0.payload = .init(repeating: 0x5a, count: count)
        $0.hasChecksum = false
      }
      let answered = Self.atClient(reply.with { $0.hasChecksum = true }, service).leavingToClient
      #expect(director.fromServer(reply) == .toClient(.masqueradeReply, answered))
    }
    director.verifyEmptyAfterExpiry()
  }

  /// A computed UDP checksum of 0 is sent as 0xffff, by correction and by full computation.
  @Test(arguments: [true, false])
  func zeroSumIsSentAsOnes(hasChecksum: Bool) throws {
    let service = TestService(method: .masquerading, transport: .udp)
    let director = try Director(service)
    var seen = 0
    for word in 0...UInt16.max {
      let request = TestPacket.request(service).with {
        $0.payload = [UInt8(word >> 8), UInt8(word & 0xff)]
        $0.hasChecksum = hasChecksum
      }
      let expected = Self.atServer(request.with { $0.hasChecksum = true }, service).leaving()
      guard expected[40] == 0xff && expected[41] == 0xff else { continue }
      seen += 1
      #expect(director.fromClient(request) == .toServer(.masqueradeRequest, expected))
    }
    #expect(seen > 0)
    director.verify()
  }

  @Test(arguments: services)
  func optionsAndExtensionsTravel(service: TestService) throws {
    let director = try Director(service)
    let request = TestPacket.request(service).with {
      $0.options = [7, 7, 4, 0, 0, 0, 0, 1]
      $0.extensions = [(0, [0, 1, 4, 0, 0, 0, 0]), (60, [1] + [UInt8](repeating: 0, count: 14))]
    }
    #expect(director.fromClient(request) == .toServer(.masqueradeRequest, Self.atServer(request, service).leaving()))
    let reply = TestPacket.reply(service).with { $0.extensions = [(60, [0, 1, 4, 0, 0, 0, 0])] }
    #expect(director.fromServer(reply) == .toClient(.masqueradeReply, Self.atClient(reply, service).leavingToClient))
    director.verify()
  }

  @Test(arguments: services)
  func replyWithoutConnectionIsTheHosts(service: TestService) throws {
    let director = try Director(service)
    #expect(director.fromServer(.reply(service)) == Journey(.noReplyConnection))
    #expect(director.fromServer(.reply(service).with { $0.sourcePort += 1 }) == Journey(.notOurs))
    director.verify()
  }

  /// Packet and reply of one new connection in one batch, both found although the lookups came first.
  @Test(arguments: services)
  func openedInTheSameBatch(service: TestService) throws {
    let director = try Director(service)
    let request = TestPacket.request(service)
    let reply = TestPacket.reply(service)
    let journeys = director.send([
      request.arriving, request.with { $0.flags = TCP.ack }.arriving,
      reply.frame(from: Network.station(0), to: Network.outside),
    ])
    #expect(journeys.map(\.outcome) == [.masqueradeRequest, .masqueradeRequest, .masqueradeReply])
    #expect(journeys[2].sent.first?.bytes == Self.atClient(reply, service).leavingToClient)
    director.verifyEmptyAfterExpiry()
  }

  /// The same client port towards one server through two services: replies follow the newest, nothing leaks.
  @Test func twoServicesShareAServer() throws {
    let services = [
      TestService(method: .masquerading, port: 80, serverPort: 8080),
      TestService(method: .masquerading, port: 81, serverPort: 8080),
    ]
    let director = try Director(services)
    #expect(director.fromClient(.request(services[0])).outcome == .masqueradeRequest)
    #expect(director.fromClient(.request(services[1])).outcome == .masqueradeRequest)
    let reply = TestPacket.reply(services[1])
    let expected = Self.atClient(reply, services[1]).leavingToClient
    #expect(director.fromServer(reply) == .toClient(.masqueradeReply, expected))
    director.verifyEmptyAfterExpiry()
  }
}
