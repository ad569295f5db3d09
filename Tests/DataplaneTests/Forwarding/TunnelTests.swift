import Testing
import Wire

@testable import Dataplane

/// TUN: the packet inside another, for each pair of families.
@Suite struct TunnelTests {
  static let services = [IPAddress.Family.ipv4, .ipv6].flatMap { inner in
    [IPAddress.Family.ipv4, .ipv6].flatMap { outer in
      [TransportProtocol.tcp, .udp].map {
        TestService(method: .tunnelling, family: inner, serverFamily: outer, transport: $0)
      }
    }
  }

  /// The outer header in front of `packet`. The identification is the director's own: it is taken from `sent`.
  static func wrap(
    _ packet: TestPacket, _ service: TestService, sent: [UInt8], service outerService: UInt8 = 0
  ) -> [UInt8] {
    let family = service.serverFamily ?? service.family
    let number = packet.source.family == .ipv4 ? IPProtocol.ipv4 : IPProtocol.ipv6
    let builder = FrameBuilder(from: Network.inside, to: Network.station(0))
    let source = Network.inner(family)
    let target = Network.server(family, 0)
    let doNotFragment = packet.source.family == .ipv4 ? packet.fragment & 0x4000 : 0
    let outer =
      family == .ipv4
      ? builder.ipv4(
        from: source, to: target, timeToLive: packet.timeToLive,
        identification: sent.count > 20 ? UInt16(sent[18]) << 8 | UInt16(sent[19]) : 0, fragment: doNotFragment,
        service: outerService, protocolNumber: number)
      : builder.ipv6(
        from: source, to: target, hopLimit: packet.timeToLive, trafficClass: outerService, protocolNumber: number)
    return outer.payload(packet.packet).frame
  }

  @Test(arguments: services)
  func packetTravelsInside(service: TestService) throws {
    let director = try Director(service)
    for count in [0, 1, 1000] {
      for fragment: UInt16 in [0, 0x4000] {
        let packet = TestPacket.request(service).with {
          $0.payload = .init(repeating: 9, count: count)
          $0.fragment = fragment
        }
        let journey = director.fromClient(packet)
        #expect(journey.sent.count == 1)
        let expected = Self.wrap(packet.hopped, service, sent: journey.sent.first?.bytes ?? [])
        #expect(journey == .toServer(.tunnel, expected))
      }
    }
    director.verifyEmptyAfterExpiry()
  }

  /// Congestion experienced is not copied, but becomes ECT(0).
  @Test(arguments: services)
  func trafficClass(service: TestService) throws {
    let director = try Director(service)
    for (inner, outer): (UInt8, UInt8) in [(0xb8, 0xb8), (0x01, 0x01), (0x02, 0x02), (0x03, 0x02), (0xff, 0xfe)] {
      let packet = TestPacket.request(service).with { $0.service = inner }
      let journey = director.fromClient(packet)
      let expected = Self.wrap(packet.hopped, service, sent: journey.sent.first?.bytes ?? [], service: outer)
      #expect(journey == .toServer(.tunnel, expected))
    }
    director.verify()
  }

  @Test(arguments: services)
  func paddingStaysOutside(service: TestService) throws {
    let director = try Director(service)
    let packet = TestPacket.request(service)
    let journey = director.send([packet.arriving + [UInt8](repeating: 0xaa, count: 30)])[0]
    let expected = Self.wrap(packet.hopped, service, sent: journey.sent.first?.bytes ?? [])
    #expect(journey == .toServer(.tunnel, expected))
    director.verify()
  }

  /// Each tunnel packet has an identification of its own.
  @Test func identificationsDiffer() throws {
    let service = TestService(method: .tunnelling)
    let director = try Director(service)
    let frames = [[UInt8]](repeating: TestPacket.request(service).arriving, count: 64)
    let identifications = director.send(frames).map { $0.sent.first.map { Array($0.bytes[18..<20]) } ?? [] }
    #expect(Set(identifications).count == 64)
    director.verify()
  }

  /// A packet that fits exactly, and one byte more: answered with the room that is left.
  @Test(arguments: services)
  func tooBig(service: TestService) throws {
    let director = try Director(service)
    let family = service.serverFamily ?? service.family
    let limit = 1500 - (family == .ipv4 ? 20 : 40)
    let header = (service.family == .ipv4 ? 20 : 40) + (service.transport == .tcp ? 20 : 8)
    let fits = TestPacket.request(service).with {
      $0.payload = .init(repeating: 1, count: limit - header)
      $0.fragment = 0x4000
    }
    let journey = director.fromClient(fits)
    #expect(journey == .toServer(.tunnel, Self.wrap(fits.hopped, service, sent: journey.sent.first?.bytes ?? [])))
    let large = fits.with { $0.payload.append(1) }
    let refused = director.fromClient(large)
    #expect(refused == .toClient(.tooBig, ReplyTests.error(.tooBig(limit), about: large.hopped, sent: refused)))
    director.verify()
  }
}
