import Testing
import Wire

@testable import Dataplane

/// The ICMP errors that lbd originates, byte for byte.
@Suite struct ReplyTests {
  enum Cause {
    case portUnreachable, timeExceeded
    case tooBig(Int)
  }

  /// The error about `packet` as its sender gets it; the identification is taken from what was sent.
  static func error(
    _ cause: Cause, about packet: TestPacket, sent: Journey, source: IPAddress? = nil,
    from station: EthernetAddress = Network.outside, to sender: EthernetAddress = Network.router
  ) -> [UInt8] {
    let bytes = sent.sent.first?.bytes ?? []
    let source = source ?? packet.destination
    let builder = FrameBuilder(from: station, to: sender)
    guard packet.source.family == .ipv4 else {
      let header =
        switch cause {
        case .portUnreachable: (UInt8(1), UInt8(4), UInt32(0))
        case .timeExceeded: (UInt8(3), UInt8(0), UInt32(0))
        case .tooBig(let limit): (UInt8(2), UInt8(0), UInt32(limit))
        }
      return builder.ipv6(from: source, to: packet.source).icmp(type: header.0, code: header.1, rest: header.2)
        .payload(Array(packet.packet.prefix(1280 - 48))).frame
    }
    let header =
      switch cause {
      case .portUnreachable: (UInt8(3), UInt8(3), UInt32(0))
      case .timeExceeded: (UInt8(11), UInt8(0), UInt32(0))
      case .tooBig(let limit): (UInt8(3), UInt8(4), UInt32(limit))
      }
    let identification = bytes.count > 20 ? UInt16(bytes[18]) << 8 | UInt16(bytes[19]) : 0
    return builder.ipv4(from: source, to: packet.source, identification: identification, service: 0xc0)
      .icmp(type: header.0, code: header.1, rest: header.2).payload(Array(packet.packet.prefix(576 - 28))).frame
  }

  static let services = [Forwarding.directRouting, .masquerading, .tunnelling, .fullNAT].flatMap { method in
    [IPAddress.Family.ipv4, .ipv6].flatMap { family in
      [TransportProtocol.tcp, .udp].map { TestService(method: method, family: family, transport: $0) }
    }
  }

  @Test(arguments: services)
  func timeToLive(service: TestService) throws {
    let director = try Director(service)
    for limit: UInt8 in [0, 1] {
      let packet = TestPacket.request(service).with { $0.timeToLive = limit }
      let journey = director.fromClient(packet)
      #expect(journey == .toClient(.timeExceeded, Self.error(.timeExceeded, about: packet, sent: journey)))
    }
    let last = director.fromClient(.request(service).with { $0.timeToLive = 2 })
    #expect(last.outcome.isForwarded)
    let offset = service.family == .ipv4 ? 14 + 8 : 14 + 7
    #expect(last.sent.first?.bytes[offset] == 1)
    director.verifyEmptyAfterExpiry()
  }

  @Test(arguments: services)
  func noServer(service: TestService) throws {
    var service = service
    for weights: [Int32] in [[], [0], [0, 0]] {
      service.weights = weights
      let director = try Director(service)
      let packet = TestPacket.request(service).with { $0.payload = .init(repeating: 1, count: 1300) }
      let journey = director.fromClient(packet)
      #expect(journey == .toClient(.noServerAvailable, Self.error(.portUnreachable, about: packet, sent: journey)))
      #expect(director.entryCounts == [0, 0])
      director.verify()
    }
  }

  /// Without DF a packet is cut, not answered: FragmentationTests. An IPv6 packet is always answered.
  @Test(arguments: services)
  func tooBig(service: TestService) throws {
    let director = try Director([service], serverMTU: 1400)
    let room = service.method == .tunnelling ? (service.family == .ipv4 ? 1380 : 1360) : 1400
    let packet = TestPacket.request(service).with {
      $0.payload = .init(repeating: 1, count: 1440)
      $0.fragment = 0x4000
    }
    let journey = director.fromClient(packet)
    #expect(journey == .toClient(.tooBig, Self.error(.tooBig(room), about: packet.hopped, sent: journey)))
    director.verifyEmptyAfterExpiry()
  }

  /// A server's packet is answered to the server, about the packet as the server sent it.
  @Test(arguments: services)
  func repliesTooBig(service: TestService) throws {
    guard service.method == .masquerading || service.method == .fullNAT else { return }
    let director = try Director([service], clientMTU: 1400)
    #expect(director.fromClient(.request(service)).outcome.isForwarded)
    let local = service.method == .fullNAT ? director.listed.first?.local : nil
    let packet = TestPacket.reply(service, to: local?.address, port: local?.port ?? 40_000, TCP.ack).with {
      $0.payload = .init(repeating: 1, count: 1440)
      $0.fragment = 0x4000
    }
    let journey = director.fromServer(packet)
    let expected = Self.error(
      .tooBig(1400), about: packet, sent: journey, source: Network.inner(service.family), from: Network.inside,
      to: Network.station(0))
    #expect(journey == Journey(.tooBig, [Sent(interface: 1, bytes: expected)]))

    let old = packet.with {
      $0.payload = []
      $0.timeToLive = 1
    }
    let second = director.fromServer(old)
    let exceeded = Self.error(
      .timeExceeded, about: old, sent: second, source: Network.inner(service.family), from: Network.inside,
      to: Network.station(0))
    #expect(second == Journey(.timeExceeded, [Sent(interface: 1, bytes: exceeded)]))
    director.verifyEmptyAfterExpiry()
  }

  /// RFC 1122 section 3.2.2: nobody is asked to answer a group, nobody, or itself.
  @Test(arguments: ["224.0.0.1", "255.255.255.255", "0.0.0.0", "127.0.0.1"])
  func neverToAGroup(source: String) throws {
    let service = TestService(weights: [])
    let director = try Director(service)
    let packet = TestPacket.request(service).with { $0.source = IPAddress(source)! }
    #expect(director.fromClient(packet) == Journey(.noServerAvailable))
    director.verify()
  }

  /// The kernel's defaults: six at once to one host, then one a second; fifty at once to all.
  @Test func errorsAreLimited() throws {
    let service = TestService(weights: [])
    let director = try Director(service)
    let packet = TestPacket.request(service)
    func answers(_ packet: TestPacket, _ count: Int) -> Int {
      director.send([[UInt8]](repeating: packet.arriving, count: count)).reduce(0) { $0 + $1.sent.count }
    }
    #expect(answers(packet, 60) == 6)
    #expect(answers(packet.with { $0.source = IPAddress("172.16.1.2")! }, 60) == 6)
    director.advance(seconds: 1)
    #expect(answers(packet, 60) == 1)
    director.advance(seconds: 3)
    #expect(answers(packet, 60) == 3)
    var all = 0
    for host in 1...60 {
      all += answers(packet.with { $0.source = IPAddress("172.16.2.\(host)")! }, 1)
    }
    #expect(all == 50 - 3)
    director.verify()
  }

  /// Of "too big", which path MTU discovery lives on, there is no limit.
  @Test(arguments: [IPAddress.Family.ipv4, .ipv6])
  func pathDiscoveryIsNotLimited(family: IPAddress.Family) throws {
    let service = TestService(family: family)
    let director = try Director(service)
    director.serverMTU = 1400
    director.publish()
    _ = director.fromClient(.request(service))
    let big = TestPacket.request(service, TCP.ack).with {
      $0.payload = [UInt8](repeating: 1, count: 1400)
      $0.fragment = 0x4000
    }
    let journeys = director.send([[UInt8]](repeating: big.arriving, count: 60))
    #expect(journeys.allSatisfy { $0.sent.count == 1 && $0.outcome == .tooBig })
  }
}
