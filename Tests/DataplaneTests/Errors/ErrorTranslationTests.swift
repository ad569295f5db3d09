import Testing
import Wire

@testable import Dataplane

/// ICMP errors about FULLNAT connections between the IP families, byte for byte.
@Suite struct ErrorTranslationTests {
  typealias Message = ErrorRelayTests.Message
  static let services = WideFullNATTests.services

  /// Types, codes and the header's second half on both sides; which side reports is the service's family.
  struct Row: Sendable {
    let name: String
    let ipv4: (type: UInt8, code: UInt8, rest: UInt32)
    let ipv6: (type: UInt8, code: UInt8, rest: UInt32)
  }

  static let rows = [
    Row(name: "host", ipv4: (3, 1, 0), ipv6: (1, 0, 0)),
    Row(name: "port", ipv4: (3, 3, 0), ipv6: (1, 4, 0)),
    Row(name: "too big", ipv4: (3, 4, 1380), ipv6: (2, 0, 1400)),
    Row(name: "prohibited", ipv4: (3, 10, 0), ipv6: (1, 1, 0)),
    Row(name: "protocol", ipv4: (3, 2, 0), ipv6: (4, 1, 6)),
    Row(name: "hops used up", ipv4: (11, 0, 0), ipv6: (3, 0, 0)),
    Row(name: "fragments missing", ipv4: (11, 1, 0), ipv6: (3, 1, 0)),
    Row(name: "pointer at the hop limit", ipv4: (12, 0, 8 << 24), ipv6: (4, 0, 7)),
  ]

  private static func serverFamily(_ service: TestService) -> IPAddress.Family {
    service.serverFamily ?? service.family
  }

  /// The error in the family of its source.
  private static func say(_ row: Row, _ message: inout Message) {
    (message.type, message.code) = ((row.ipv4.type, row.ipv6.type), (row.ipv4.code, row.ipv6.code))
    message.rest = message.source.family == .ipv4 ? row.ipv4.rest : row.ipv6.rest
  }

  /// The packet as a translator would have made it.
  private static func comparable(_ journey: Journey) -> [[UInt8]] {
    journey.sent.map { ClientConveyanceTests.comparable($0.bytes) }
  }

  @Test(arguments: services) func clientsErrorReachesTheServer(service: TestService) throws {
    let director = try Director(service)
    _ = director.fromClient(.request(service))
    let family = Self.serverFamily(service)
    let localPort = try #require(director.listed.first?.local?.port)
    let router = IPAddress(service.family == .ipv4 ? "172.16.9.9" : "2001:db8:9::9")!
    for (source, row) in Self.rows.flatMap({ [(Network.client(service.family), $0), (router, $0)] }) {
      for count in [4, 8, 20, 25] where service.transport == .tcp || count != 20 {
        var message = ErrorRelayTests.fromClient(service).with { ($0.source, $0.count) = (source, count) }
        Self.say(row, &message)
        var expected = message.with {
          $0.timeToLive -= 1
          $0.source = Network.local(family)
          $0.destination = Network.server(family, 0)
          ($0.quoted.source, $0.quoted.sourcePort) = (Network.server(family, 0), service.targetPort)
          ($0.quoted.destination, $0.quoted.destinationPort) = (Network.local(family), localPort)
          $0.quoted.identification = 0
        }
        Self.say(row, &expected)
        let journey = director.send([message.frame(from: Network.router, to: Network.outside)])[0]
        #expect(journey.outcome == .errorToServer && journey.sent.first?.interface == 1)
        let frame = expected.frame(from: Network.inside, to: Network.station(0))
        #expect(Self.comparable(journey) == [ClientConveyanceTests.comparable(frame)], "\(row.name) \(count)")
      }
    }
    director.verifyEmptyAfterExpiry()
  }

  @Test(arguments: services) func serversErrorReachesTheClient(service: TestService) throws {
    let director = try Director(service)
    _ = director.fromClient(.request(service))
    let family = Self.serverFamily(service)
    let localPort = try #require(director.listed.first?.local?.port)
    let question = TestPacket(
      source: Network.local(family), destination: Network.server(family, 0), sourcePort: localPort,
      destinationPort: service.targetPort, transport: service.transport, timeToLive: 60, payload: [1, 2, 3, 4, 5])
    let router = IPAddress(family == .ipv4 ? "10.2.0.99" : "fd00:2::99")!
    for (source, row) in Self.rows.flatMap({ [(Network.server(family, 0), $0), (router, $0)] }) {
      for count in [4, 8, 20, 25] where service.transport == .tcp || count != 20 {
        var message = Message(source: source, destination: Network.local(family), quoted: question, count: count)
        Self.say(row, &message)
        var expected = message.with {
          $0.timeToLive -= 1
          ($0.source, $0.destination) = (Network.virtual(service.family), Network.client(service.family))
          ($0.quoted.source, $0.quoted.sourcePort) = (Network.client(service.family), 40_000)
          ($0.quoted.destination, $0.quoted.destinationPort) = (Network.virtual(service.family), service.port)
          $0.quoted.identification = 0
        }
        Self.say(row, &expected)
        let journey = director.send([message.frame(from: Network.station(0), to: Network.inside)], interface: 1)[0]
        #expect(journey.outcome == .errorToClient && journey.sent.first?.interface == 0)
        let frame = expected.frame(from: Network.outside, to: Network.router)
        #expect(Self.comparable(journey) == [ClientConveyanceTests.comparable(frame)], "\(row.name) \(count)")
      }
    }
    director.verifyEmptyAfterExpiry()
  }

  /// Numbers without a counterpart, and quotes without ports.
  @Test(arguments: services) func notCarriedOver(service: TestService) throws {
    let director = try Director(service)
    _ = director.fromClient(.request(service))
    let isV4 = service.family == .ipv4
    let numbers: [(UInt8, UInt8)] = isV4 ? [(4, 0), (3, 14), (3, 16), (12, 1)] : [(1, 5), (1, 7), (4, 2), (100, 0)]
    for (type, code) in numbers {
      let message = ErrorRelayTests.fromClient(service).with { ($0.type, $0.code) = ((type, type), (code, code)) }
      let journey = director.send([message.frame(from: Network.router, to: Network.outside)])[0]
      #expect(journey == Journey(.notTranslatable), "\(type)/\(code)")
    }
    var bent = ErrorRelayTests.fromClient(service).frame(from: Network.router, to: Network.outside)
    bent[isV4 ? 36 : 56] ^= 1
    #expect(director.send([bent])[0] == Journey(.badErrorChecksum))
    let old = ErrorRelayTests.fromClient(service).with { $0.timeToLive = 1 }
    #expect(director.send([old.frame(from: Network.router, to: Network.outside)])[0] == Journey(.errorHopsUsedUp))
    director.verifyEmptyAfterExpiry()
  }

  /// No more is quoted than fits an error of the family (RFC 1812 section 4.3.2.3, RFC 4443 section 2.4 c).
  @Test(arguments: services.filter { $0.transport == .udp }) func longQuotes(service: TestService) throws {
    let director = try Director(service)
    _ = director.fromClient(.request(service))
    let quoted = ErrorRelayTests.answer(service).with { $0.payload = .init(repeating: 7, count: 1400) }
    let message = ErrorRelayTests.fromClient(service).with { ($0.quoted, $0.count) = (quoted, 1200) }
    let journey = director.send([message.frame(from: Network.router, to: Network.outside)])[0]
    #expect(journey.outcome == .errorToServer)
    #expect(journey.sent.map(\.bytes.count) == [14 + (service.family == .ipv4 ? 1280 : 576)])
    // With extensions behind the first 128 bytes (RFC 4884), which are left out.
    let extended = ErrorRelayTests.fromClient(service).with {
      ($0.quoted, $0.count) = (quoted, 200)
      $0.rest = service.family == .ipv4 ? 32 << 16 : 16 << 24
    }
    let short = director.send([extended.frame(from: Network.router, to: Network.outside)])[0]
    let headers = service.family == .ipv4 ? 20 : -20
    #expect(short.sent.map(\.bytes.count) == [14 + (service.family == .ipv4 ? 28 : 48) + headers + 128 + headers])
    director.verifyEmptyAfterExpiry()
  }

  /// schedule_icmp.
  @Test(arguments: services) func opensAConnection(service: TestService) throws {
    let director = try Director(service)
    director.settings.schedulesICMP = true
    director.publish()
    let frame = ErrorRelayTests.fromClient(service).frame(from: Network.router, to: Network.outside)
    let journey = director.send([frame])[0]
    #expect(journey.outcome == .errorToServer && journey.sent.first?.interface == 1)
    #expect(director.listed.map(\.client.port) == [40_000])
    #expect(director.fromClient(.request(service)).outcome == .fullNATRequest)
    #expect(director.wideEntryCount == 2)
    director.verifyEmptyAfterExpiry()
  }

  /// A PROXY header stands in front of the stream: who is told about a segment knows it by its own number.
  @Test(arguments: ClientConveyanceTests.services.filter { $0.conveyance.proxy != nil })
  func quotedSequenceNumbers(service: TestService) throws {
    let play = try ClientConveyanceTests.Play(service)
    let family = Self.serverFamily(service)
    let shift = UInt32(play.header.count)
    _ = play.sent(play.request())
    _ = play.sent(play.request(at: 1, [1, 2, 3]))
    _ = play.answered(play.reply(ack: 1001 + shift + 3))
    // The router behind the director reports a segment as the server would have got it.
    for (asSent, asClients) in [(1004 + shift, 1004), (1001 + shift, 1001), (1001, 1001), (1000, 1000)]
      as [(UInt32, UInt32)]
    {
      let segment = TestPacket(
        source: Network.local(family), destination: Network.server(family, 0), sourcePort: play.localPort,
        destinationPort: service.targetPort, flags: TCP.ack, payload: [5, 6]
      ).with { ($0.sequence, $0.acknowledgement) = (asSent, 7_000_001) }
      let message = Message(
        source: Network.server(family, 0), destination: Network.local(family), quoted: segment, count: 22)
      let journey = play.director.send([message.frame(from: Network.station(0), to: Network.inside)], interface: 1)[0]
      let expected = message.with {
        $0.timeToLive -= 1
        ($0.source, $0.destination) = (Network.virtual(service.family), Network.client(service.family))
        ($0.quoted.source, $0.quoted.sourcePort) = (Network.client(service.family), 40_000)
        ($0.quoted.destination, $0.quoted.destinationPort) = (Network.virtual(service.family), service.port)
        $0.quoted.sequence = asClients
        if family != service.family { $0.quoted.identification = 0 }
      }
      let frame = expected.frame(from: Network.outside, to: Network.router)
      #expect(Self.comparable(journey) == [ClientConveyanceTests.comparable(frame)], "\(asSent)")
    }
    // The client's side reports a segment of the server's.
    let answer = ErrorRelayTests.answer(service).with { ($0.flags, $0.acknowledgement) = (TCP.ack, 1004) }
    let message = ErrorRelayTests.fromClient(service).with { ($0.quoted, $0.count) = (answer, 25) }
    let journey = play.director.send([message.frame(from: Network.router, to: Network.outside)])[0]
    let expected = message.with {
      $0.timeToLive -= 1
      ($0.source, $0.destination) = (Network.local(family), Network.server(family, 0))
      ($0.quoted.source, $0.quoted.sourcePort) = (Network.server(family, 0), service.targetPort)
      ($0.quoted.destination, $0.quoted.destinationPort) = (Network.local(family), play.localPort)
      $0.quoted.acknowledgement = 1004 + shift
      if family != service.family { $0.quoted.identification = 0 }
    }
    let frame = expected.frame(from: Network.inside, to: Network.station(0))
    #expect(Self.comparable(journey) == [ClientConveyanceTests.comparable(frame)])
    play.director.verifyEmptyAfterExpiry()
  }
}
