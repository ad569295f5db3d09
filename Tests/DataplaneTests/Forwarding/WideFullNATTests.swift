import Testing
import Wire

@testable import Dataplane

/// FULLNAT between the families (RFC 7915), and local ports shared with connections of the small tables.
@Suite struct WideFullNATTests {
  typealias Play = ClientConveyanceTests.Play

  static let services = [TransportProtocol.tcp, .udp].flatMap { transport in
    [(IPAddress.Family.ipv6, IPAddress.Family.ipv4), (.ipv4, .ipv6)].map {
      TestService(method: .fullNAT, family: $0.0, serverFamily: $0.1, transport: transport)
    }
  }

  private static func translated(
    _ packet: TestPacket, _ service: TestService, localPort: UInt16
  ) -> TestPacket {
    let family = service.serverFamily ?? service.family
    return packet.hopped.with {
      $0.source = Network.local(family)
      $0.destination = Network.server(family, 0)
      $0.sourcePort = localPort
      $0.destinationPort = service.targetPort
      $0.extensions = []
      $0.options = []
      $0.hasChecksum = true
    }
  }

  private static func answered(_ reply: TestPacket, _ service: TestService) -> TestPacket {
    reply.hopped.with {
      $0.source = Network.virtual(service.family)
      $0.destination = Network.client(service.family)
      $0.sourcePort = service.port
      $0.destinationPort = 40_000
      $0.hasChecksum = true
    }
  }

  @Test(arguments: services) func thereAndBack(service: TestService) throws {
    let director = try Director(service)
    for (count, hasChecksum) in [(0, true), (1, true), (700, true), (701, false)] {
      let request = TestPacket.request(service).with {
        $0.payload = .init(repeating: 0xf7, count: count)
        $0.service = 0xb8
        $0.hasChecksum = hasChecksum || service.family == .ipv6
      }
      let journey = director.fromClient(request)
      #expect(journey.outcome == .fullNATRequest)
      let localPort = try #require(director.listed.first?.local?.port)
      #expect(director.listed.first?.local?.address == Network.local(service.serverFamily!))
      #expect(
        journey.sent.map { ClientConveyanceTests.comparable($0.bytes) } == [
          ClientConveyanceTests.comparable(Self.translated(request, service, localPort: localPort).leaving())
        ])
      let reply = TestPacket.reply(service, to: Network.local(service.serverFamily!), port: localPort, TCP.ack).with {
        $0.payload = .init(repeating: 3, count: count)
        $0.service = 0x28
      }
      let answer = director.fromServer(reply)
      #expect(answer.outcome == .fullNATReply)
      #expect(
        answer.sent.map { ClientConveyanceTests.comparable($0.bytes) } == [
          ClientConveyanceTests.comparable(Self.answered(reply, service).leavingToClient)
        ])
    }
    #expect(director.wideEntryCount == 2)
    director.verifyEmptyAfterExpiry()
  }

  /// Section 5.1: packets that IPv6 would not have made smaller may be cut as IPv4.
  @Test func mayBeCut() throws {
    let service = TestService(method: .fullNAT, family: .ipv6, serverFamily: .ipv4, transport: .udp)
    let director = try Director(service)
    for (count, field) in [(1232, [0, 0]), (1233, [0x40, 0])] as [(Int, [UInt8])] {
      let journey = director.fromClient(.request(service).with { $0.payload = .init(repeating: 1, count: count) })
      #expect(Array(journey.sent[0].bytes[20..<22]) == field)
    }
    director.verifyEmptyAfterExpiry()
  }

  struct SizeRow: CustomTestStringConvertible {
    let name: String
    let family: IPAddress.Family
    let mtu: Int
    let byteCount: Int
    var mustNotBeCut = false
    /// What the sender is told; nil: it goes out, in that many pieces.
    var told: Int?
    var pieces = 1
    var testDescription: String { name }
  }

  static let sizes = [
    SizeRow(name: "IPv6 that fits as IPv4 just so", family: .ipv6, mtu: 1400, byteCount: 1420),
    SizeRow(name: "IPv6 too big as IPv4", family: .ipv6, mtu: 1400, byteCount: 1421, told: 1420),
    SizeRow(name: "IPv6 at its least, on a small IPv4 path", family: .ipv6, mtu: 600, byteCount: 1280, pieces: 3),
    SizeRow(name: "IPv6, the least is told", family: .ipv6, mtu: 600, byteCount: 1281, told: 1280),
    SizeRow(name: "IPv4 that fits as IPv6 just so", family: .ipv4, mtu: 1400, byteCount: 1380, mustNotBeCut: true),
    SizeRow(name: "IPv4 too big as IPv6", family: .ipv4, mtu: 1400, byteCount: 1381, mustNotBeCut: true, told: 1380),
    SizeRow(name: "IPv4 that may be cut", family: .ipv4, mtu: 1400, byteCount: 1381, pieces: 2),
  ]

  @Test(arguments: sizes) func largePackets(row: SizeRow) throws {
    let service = TestService(
      method: .fullNAT, family: row.family, serverFamily: row.family == .ipv4 ? .ipv6 : .ipv4, transport: .udp)
    let director = try Director([service], serverMTU: row.mtu)
    let header = row.family == .ipv4 ? 28 : 48
    let journey = director.fromClient(
      .request(service).with {
        $0.payload = .init(repeating: 9, count: row.byteCount - header)
        $0.fragment = row.mustNotBeCut ? IPv4.dontFragment : 0
      })
    if let told = row.told {
      #expect(journey.outcome == .tooBig)
      let bytes = try #require(journey.sent.first?.bytes)
      let field = row.family == .ipv4 ? bytes[40..<42] : bytes[60..<62]
      #expect(Array(field) == [UInt8(told >> 8), UInt8(told & 0xff)])
    } else {
      #expect(journey.outcome == .fullNATRequest && journey.sent.count == row.pieces)
      for frame in journey.sent { #expect(frame.bytes.count <= row.mtu + 14) }
    }
    director.verifyEmptyAfterExpiry()
  }

  /// Any order; they leave in pieces of the other family's, which may be cut on (sections 4 and 5.1.1).
  @Test(arguments: services) func fragments(service: TestService) throws {
    for (order, count) in zip(ReassemblyTests.orders, [3000, 2401, 3571, 3000]) {
      let director = try Director(service)
      let payload = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
      let request = TestPacket.request(service).with {
        $0.payload = payload
        // IPv4 without a checksum: IPv6 needs one.
        $0.hasChecksum = service.family == .ipv6
      }
      let pieces = ReassemblyTests.fragments(of: request, payload: 1200)
      let last = try #require(director.send(order.map { pieces[$0] }).last)
      #expect(last.outcome == .fullNATRequest)
      let localPort = try #require(director.listed.first?.local?.port)
      try Self.verifyPieces(last, of: Self.translated(request, service, localPort: localPort))
      let reply = TestPacket.reply(service, to: Network.local(service.serverFamily!), port: localPort, TCP.ack).with {
        $0.payload = payload
        $0.hasChecksum = service.serverFamily == .ipv6
      }
      let answers = ReassemblyTests.fragments(of: reply, payload: 1200)
      let answer = try #require(director.send(order.map { answers[$0] }, interface: 1).last)
      #expect(answer.outcome == .fullNATReply)
      try Self.verifyPieces(answer, of: Self.answered(reply, service))
      director.verifyEmptyAfterExpiry()
    }
  }

  private static func verifyPieces(_ journey: Journey, of packet: TestPacket) throws {
    let isV4 = packet.source.family == .ipv4
    let limit = isV4 ? 1500 : 1280
    for frame in journey.sent {
      #expect(frame.bytes.count <= 14 + limit)
      if isV4 { #expect(frame.bytes[20] & 0x40 == 0, "may be cut") }
    }
    let whole = try #require(ReassemblyTests.joined(journey.sent.map(\.bytes)))
    let data = packet.packet.dropFirst(isV4 ? 20 : 40)
    #expect(whole.suffix(data.count) == data && whole.count == data.count + (isV4 ? 20 : 48))
  }

  /// The longest IPv4 datagram is too long for IPv6, whose length has no room for a second header.
  @Test func longestDatagram() throws {
    let service = TestService(method: .fullNAT, family: .ipv4, serverFamily: .ipv6, transport: .udp)
    for (count, outcome) in [(65_507, Outcome.tooBig), (65_487, .fullNATRequest)] {
      let director = try Director([service], frameCount: 512)
      let packet = TestPacket.request(service).with { $0.payload = .init(repeating: 1, count: count) }
      let fragments = ReassemblyTests.fragments(of: packet, payload: 1480)
      #expect(director.send(fragments).last?.outcome == outcome)
      director.verifyEmptyAfterExpiry()
    }
  }

  /// A source route that has not been followed to its end.
  @Test func sourceRoutesAreNotCarriedOver() throws {
    let service = TestService(method: .fullNAT, family: .ipv4, serverFamily: .ipv6, transport: .udp)
    let director = try Director(service)
    let open = TestPacket.request(service).with { $0.options = [131, 7, 4, 10, 0, 0, 1, 0] }
    #expect(director.fromClient(open) == Journey(.notTranslatable))
    let followed = TestPacket.request(service).with { $0.options = [131, 7, 8, 10, 0, 0, 1, 0] }
    #expect(director.fromClient(followed).outcome == .fullNATRequest)
    director.verifyEmptyAfterExpiry()
  }

  /// Two services to one server, one of them in the wide table: no port towards it is used twice.
  @Test func portsAreSharedWithTheSmallTables() throws {
    let plain = TestService(method: .fullNAT, port: 80, serverPort: 8080, localPorts: 5000...5007)
    let told = TestService(
      method: .fullNAT, port: 81, serverPort: 8080, localPorts: 5000...5007, conveyance: .option)
    let director = try Director([plain, told])
    var outcomes: [Outcome] = []
    for port in UInt16(40_000)..<40_005 {
      outcomes += [plain, told].map { director.fromClient(.request($0, port: port)).outcome }
    }
    #expect(outcomes.filter { $0 == .fullNATRequest }.count == 8)
    #expect(outcomes.filter { $0 == .localPortsExhausted }.count == 2)
    #expect(Set(director.listed.compactMap { $0.local?.port }).count == 8)
    #expect(director.wideEntryCount > 0 && director.entryCounts[0] > 0)
    director.verifyEmptyAfterExpiry()
  }

  /// TIME_WAIT of the server: whatever the timeouts are set to, nobody else gets the port within a minute.
  @Test(arguments: [Conveyance.none, .option]) func portsRest(conveyance: Conveyance) throws {
    let service = TestService(method: .fullNAT, localPorts: 5000...5000, conveyance: conveyance)
    let director = try Director(service)
    director.timeouts.set(tcp: 0, tcpFin: 1, udp: 0)
    director.publish()
    let play: (UInt8) -> Void = { flags in _ = director.fromClient(.request(service, flags)) }
    let answer: (UInt8) -> Void = { flags in
      _ = director.fromServer(.reply(service, to: Network.local(.ipv4), port: 5000, flags))
    }
    play(TCP.syn)
    answer(TCP.syn | TCP.ack)
    play(TCP.ack)
    answer(TCP.fin | TCP.ack)
    #expect(director.listed.first?.stateName == "FIN_WAIT")
    director.advance(seconds: 59)
    director.sweep()
    #expect(director.fromClient(.request(service, port: 41_000)) == Journey(.localPortsExhausted))
    director.advance(seconds: 3)
    #expect(director.fromClient(.request(service, port: 41_000)).outcome == .fullNATRequest)
    director.verifyEmptyAfterExpiry()
  }
}
