import Testing
import Wire

@testable import Dataplane

/// ICMP errors about tunnel packets: what the client is told, and what is learned of the path.
@Suite struct TunnelErrorTests {
  static let router = (ipv4: IPAddress("10.2.0.99")!, ipv6: IPAddress("fd00:2::99")!)

  /// An error that a router on the way to the server sends about `quoted`, an IP packet.
  static func error(
    type: UInt8, code: UInt8 = 0, rest: UInt32 = 0, quoting quoted: [UInt8], from: IPAddress = router.ipv4
  ) -> [UInt8] {
    let builder = FrameBuilder(from: Network.station(0), to: Network.inside)
    return builder.ip(from: from, to: Network.inner(from.family)).icmp(type: type, code: code, rest: rest)
      .payload(quoted).frame
  }

  private static func tooBig(_ size: Int, quoting quoted: [UInt8]) -> [UInt8] {
    quoted[0] >> 4 == 4
      ? error(type: 3, code: 4, rest: UInt32(size), quoting: quoted)
      : error(type: 2, rest: UInt32(size), quoting: quoted, from: router.ipv6)
  }

  static let encapsulations: [Encapsulation] = [
    .ipip, .gre(hasChecksum: false), .gre(hasChecksum: true), .gue(port: 6080, hasChecksum: true),
  ]

  private static func service(
    _ encapsulation: Encapsulation = .ipip, _ inner: IPAddress.Family = .ipv4, _ outer: IPAddress.Family = .ipv4
  ) -> TestService {
    var service = TestService(method: .tunnelling, family: inner, serverFamily: outer, weights: [1, 0])
    service.encapsulation = encapsulation
    return service
  }

  private static func data(_ service: TestService, _ byteCount: Int, fragment: UInt16 = 0x4000) -> TestPacket {
    TestPacket.request(service, TCP.ack).with {
      $0.payload = .init(repeating: 9, count: byteCount - (service.family == .ipv4 ? 40 : 60))
      $0.fragment = fragment
    }
  }

  /// A director with a connection, and a tunnel packet that it has sent.
  private static func connected(
    _ service: TestService, byteCount: Int = 600, fragment: UInt16 = 0x4000
  ) throws -> (director: Director, tunnelled: [UInt8]) {
    let director = try Director(service)
    #expect(director.fromClient(.request(service)).outcome == .tunnel)
    let sent = director.fromClient(data(service, byteCount, fragment: fragment)).sent
    return (director, Array(sent[0].bytes.dropFirst(14)))
  }

  private static func fromRouter(_ director: Director, _ frame: [UInt8]) -> Journey {
    director.send([frame], interface: 1)[0]
  }

  /// The size in an answer, if there is one.
  private static func size(_ journey: Journey) -> Int? {
    guard let bytes = journey.sent.first?.bytes, journey.sent.count == 1 else { return nil }
    if bytes[12] == 8 { return bytes[23] == 1 ? Int(bytes[40]) << 8 | Int(bytes[41]) : nil }
    return bytes[20] == 58 ? Int(bytes[60]) << 8 | Int(bytes[61]) : nil
  }

  @Test(arguments: encapsulations)
  func clientIsTold(encapsulation: Encapsulation) throws {
    let service = Self.service(encapsulation)
    let (director, tunnelled) = try Self.connected(service)
    let inner = Self.data(service, 600).hopped
    let between = tunnelled.count - 600
    for (type, code, rest): (UInt8, UInt8, UInt32) in [(3, 1, 0), (3, 3, 7), (11, 0, 0), (11, 1, 3), (4, 0, 0)] {
      for count in [between + 24, between + 28, 500, tunnelled.count] {
        let journey = Self.fromRouter(
          director, Self.error(type: type, code: code, rest: rest, quoting: Array(tunnelled.prefix(count))))
        let bytes = journey.sent.first?.bytes ?? []
        let identification = bytes.count > 20 ? UInt16(bytes[18]) << 8 | UInt16(bytes[19]) : 0
        let expected = FrameBuilder(from: Network.outside, to: Network.router)
          .ipv4(
            from: Network.virtual(.ipv4), to: Network.client(.ipv4), identification: identification, service: 0xc0
          ).icmp(type: type, code: code, rest: rest)
          .payload(Array(inner.packet.prefix(min(count - between, 548)))).frame
        #expect(journey == .toClient(.errorToClient, expected), "\(type) \(code) \(count)")
        director.advance(seconds: 10)
      }
    }
    director.verify()
  }

  /// What the client of IPVS sees: the old size once, then the new one less the outer header; and its own large packets
  /// are answered with what fits.
  @Test(arguments: encapsulations)
  func pathIsLearned(encapsulation: Encapsulation) throws {
    let service = Self.service(encapsulation)
    let (director, tunnelled) = try Self.connected(service)
    let room = 1300 - 20 - encapsulation.byteCount
    let error = Self.tooBig(1300, quoting: tunnelled)
    #expect(Self.size(Self.fromRouter(director, error)) == 1480)
    #expect(Self.size(Self.fromRouter(director, error)) == 1480)
    #expect(Self.size(director.fromClient(Self.data(service, room + 1))) == room)
    #expect(director.fromClient(Self.data(service, room)).outcome == .tunnel)
    #expect(Self.size(Self.fromRouter(director, error)) == 1280)
    // Not to be widened by an error.
    #expect(Self.size(Self.fromRouter(director, Self.tooBig(1400, quoting: tunnelled))) == 1280)
    #expect(Self.size(director.fromClient(Self.data(service, room + 1))) == room)
    // What may be fragmented is.
    let pieces = director.fromClient(Self.data(service, 1400, fragment: 0)).sent
    #expect(pieces.count == 2 && pieces.allSatisfy { $0.bytes.count <= 1314 })
    director.advance(seconds: 599)
    #expect(director.fromClient(Self.data(service, room + 1)).outcome == .tooBig)
    director.advance(seconds: 2)
    #expect(director.fromClient(Self.data(service, room + 1)).outcome == .tunnel)
    director.verify()
  }

  /// The path leads to the server, from whatever service; other servers' paths are others.
  @Test func pathIsTheServersAlone() throws {
    var second = Self.service()
    second.port = 81
    second.weights = [1]
    var other = Self.service()
    other.port = 82
    other.weights = [0, 1]
    let services = [Self.service(), second, other]
    let director = try Director(services)
    for service in services { #expect(director.fromClient(.request(service)).outcome == .tunnel) }
    let sent = director.fromClient(Self.data(services[0], 600)).sent
    _ = Self.fromRouter(director, Self.tooBig(1300, quoting: Array(sent[0].bytes.dropFirst(14))))
    let outcomes = services.map { director.fromClient(Self.data($0, 1400)).outcome }
    #expect(outcomes == [.tooBig, .tooBig, .tunnel])
    director.verify()
  }

  /// With IPv6 inside or outside the client hears of it when it sends its next large packet.
  @Test(arguments: [
    (IPAddress.Family.ipv4, IPAddress.Family.ipv6), (.ipv6, .ipv4), (.ipv6, .ipv6),
  ])
  func pathIsLearnedInSilence(inner: IPAddress.Family, outer: IPAddress.Family) throws {
    let service = Self.service(.ipip, inner, outer)
    let (director, tunnelled) = try Self.connected(service)
    let room = 1400 - (outer == .ipv4 ? 20 : 40)
    #expect(director.fromClient(Self.data(service, room + 1)).outcome == .tunnel)
    #expect(Self.fromRouter(director, Self.tooBig(1400, quoting: tunnelled)) == Journey(.icmp))
    #expect(Self.size(director.fromClient(Self.data(service, room + 1))) == room)
    #expect(director.fromClient(Self.data(service, room)).outcome == .tunnel)
    director.verify()
  }

  /// An outer packet that lbd has fragmented is quoted with a fragment header.
  @Test func firstPieceIsQuoted() throws {
    let service = Self.service(.ipip, .ipv4, .ipv6)
    let director = try Director(service)
    #expect(director.fromClient(.request(service)).outcome == .tunnel)
    let pieces = director.fromClient(Self.data(service, 1500, fragment: 0)).sent.map { Array($0.bytes.dropFirst(14)) }
    #expect(pieces.count == 2)
    _ = Self.fromRouter(director, Self.tooBig(1400, quoting: Array(pieces[1].prefix(1232))))
    #expect(director.fromClient(Self.data(service, 1400)).outcome == .tunnel)
    _ = Self.fromRouter(director, Self.tooBig(1400, quoting: Array(pieces[0].prefix(1232))))
    #expect(director.fromClient(Self.data(service, 1400)).outcome == .tooBig)
    director.verify()
  }

  /// Lies: what remains possible afterwards.
  @Test func lies() throws {
    let service = Self.service()
    let (director, tunnelled) = try Self.connected(service)
    var elsewhere = tunnelled
    elsewhere[19] = 12
    var stranger = tunnelled
    stranger[40] ^= 1
    var later = tunnelled
    later[7] = 5
    let gre = Self.service(.gre(hasChecksum: false))
    let (_, otherTunnel) = try Self.connected(gre)
    var badChecksum = Self.tooBig(1000, quoting: tunnelled)
    badChecksum[36] ^= 1
    let rows: [(String, [UInt8], Outcome)] = [
      ("another server", Self.tooBig(1000, quoting: elsewhere), .icmp),
      ("another connection", Self.tooBig(1000, quoting: stranger), .icmp),
      ("a later piece", Self.tooBig(1000, quoting: later), .icmp),
      ("another tunnel", Self.tooBig(1000, quoting: otherTunnel), .icmp),
      ("too short", Self.tooBig(1000, quoting: Array(tunnelled.prefix(43))), .icmp),
      ("not to this host", Self.error(type: 3, code: 4, rest: 1000, quoting: tunnelled), .icmp),
      ("checksum", badChecksum, .badErrorChecksum),
      ("more than the link takes", Self.tooBig(9000, quoting: tunnelled), .errorToClient),
    ]
    for (name, frame, outcome) in rows {
      var frame = frame
      if name == "not to this host" {
        frame[33] = 77
        frame.withUnsafeMutableBytes { WorkerState.finishIPv4Header($0.baseAddress! + 14, byteCount: 20) }
      }
      #expect(Self.fromRouter(director, frame).outcome == outcome, "\(name)")
      #expect(director.fromClient(Self.data(service, 1480)).outcome == .tunnel, "\(name)")
    }
    for size in [0, 67, 551] {
      _ = Self.fromRouter(director, Self.tooBig(size, quoting: tunnelled))
      #expect(Self.size(director.fromClient(Self.data(service, 1480))) == 532)
    }
    director.verify()
    let wide = Self.service(.ipip, .ipv6, .ipv6)
    let (directorV6, tunnelledV6) = try Self.connected(wide)
    _ = Self.fromRouter(directorV6, Self.tooBig(1279, quoting: tunnelledV6))
    #expect(directorV6.fromClient(Self.data(wide, 1460)).outcome == .tunnel)
    directorV6.verify()
  }

  /// A path that is narrower than what IPv6 has to carry and a tunnel around it: the tunnel's packets are fragmented.
  @Test(arguments: [(IPAddress.Family.ipv6, IPAddress.Family.ipv4, 700), (.ipv6, .ipv6, 1280), (.ipv4, .ipv6, 1280)])
  func least(inner: IPAddress.Family, outer: IPAddress.Family, said: Int) throws {
    let service = Self.service(.ipip, inner, outer)
    let (director, tunnelled) = try Self.connected(service)
    _ = Self.fromRouter(director, Self.tooBig(said, quoting: tunnelled))
    #expect(Self.size(director.fromClient(Self.data(service, 1281))) == 1280)
    let pieces = director.fromClient(Self.data(service, 1280)).sent
    #expect(pieces.count == 2 && pieces.allSatisfy { $0.bytes.count <= said + 14 })
    #expect(director.fromClient(Self.data(service, 600)).sent.count == 1)
    director.verify()
  }

  /// A client that does not look for the path's size is not told.
  @Test func mayBeFragmented() throws {
    let service = Self.service()
    let (director, tunnelled) = try Self.connected(service, fragment: 0)
    #expect(Self.fromRouter(director, Self.tooBig(1300, quoting: tunnelled)) == Journey(.tunnelErrorEnded))
    #expect(Self.size(director.fromClient(Self.data(service, 1400))) == 1280)
    director.verify()
  }

  /// A number that is used again does not inherit what was learned.
  @Test func numbersAreUsedAgain() throws {
    let service = Self.service()
    let (director, tunnelled) = try Self.connected(service)
    _ = Self.fromRouter(director, Self.tooBig(1300, quoting: tunnelled))
    #expect(director.fromClient(Self.data(service, 1400)).outcome == .tooBig)
    director.services[0].serverFamily = .ipv6
    director.publish()
    #expect(director.fromClient(Self.data(service, 1400)).outcome == .tunnel)
    director.verify()
  }
}
