import Testing
import Wire

@testable import Dataplane

/// TUN with something between the headers: GRE and GUE, for each pair of families.
@Suite struct EncapsulationTests {
  static let encapsulations: [Encapsulation] = [
    .gre(hasChecksum: false), .gre(hasChecksum: true), .gue(port: 6080, hasChecksum: false),
    .gue(port: 65_535, hasChecksum: true),
  ]
  static let services = encapsulations.flatMap { encapsulation in
    [IPAddress.Family.ipv4, .ipv6].flatMap { inner in
      [IPAddress.Family.ipv4, .ipv6].map { outer in
        var service = TestService(method: .tunnelling, family: inner, serverFamily: outer)
        service.encapsulation = encapsulation
        return service
      }
    }
  }

  /// One's complement, the plain way.
  private static func sum(_ bytes: [UInt8]) -> Int {
    let even = bytes.count % 2 == 0 ? bytes : bytes + [0]
    var sum = stride(from: 0, to: even.count, by: 2).reduce(0) { $0 + Int(even[$1]) << 8 + Int(even[$1 + 1]) }
    while sum > 0xffff { sum = sum & 0xffff + sum >> 16 }
    return sum
  }

  private static func big(_ number: Int) -> [UInt8] { [UInt8(number >> 8 & 255), UInt8(number & 255)] }

  /// The outer packet in front of `packet`; identification and GUE's source port are taken from `sent`.
  static func wrap(_ packet: TestPacket, _ service: TestService, sent: [UInt8]) -> [UInt8] {
    let family = service.serverFamily ?? service.family
    let number = packet.source.family == .ipv4 ? IPProtocol.ipv4 : IPProtocol.ipv6
    let inner = packet.packet
    let start = family == .ipv4 ? 34 : 54
    let (source, target) = (Network.inner(family), Network.server(family, 0))
    var body: [UInt8]
    var outerNumber = IPProtocol.gre
    switch service.encapsulation {
    case .ipip: return []
    case .gre(let hasChecksum):
      let type = big(packet.source.family == .ipv4 ? 0x0800 : 0x86dd)
      body = (hasChecksum ? [0x80, 0] : [0, 0]) + type + (hasChecksum ? [0, 0, 0, 0] : []) + inner
      if hasChecksum { body.replaceSubrange(4..<6, with: big(~sum(body))) }
    case .gue(let port, let hasChecksum):
      outerNumber = IPProtocol.udp
      let length = big(inner.count + 12)
      body = Array(sent.dropFirst(start).prefix(2)) + big(Int(port)) + length + [0, 0, 0, number, 0, 0] + inner
      if hasChecksum {
        let value = ~sum(source.bytes + target.bytes + [0, 17] + length + body) & 0xffff
        body.replaceSubrange(6..<8, with: big(value == 0 ? 0xffff : value))
      }
    }
    let builder = FrameBuilder(from: Network.inside, to: Network.station(0))
    let doNotFragment = packet.source.family == .ipv4 ? packet.fragment & 0x4000 : 0
    let identification = sent.count > 20 ? UInt16(sent[18]) << 8 | UInt16(sent[19]) : 0
    let outer =
      family == .ipv4
      ? builder.ipv4(
        from: source, to: target, timeToLive: packet.timeToLive,
        identification: doNotFragment != 0 ? 0 : identification, fragment: doNotFragment, protocolNumber: outerNumber)
      : builder.ipv6(from: source, to: target, hopLimit: packet.timeToLive, protocolNumber: outerNumber)
    return outer.payload(body).frame
  }

  @Test(arguments: services)
  func packetTravelsInside(service: TestService) throws {
    let director = try Director(service)
    for count in [0, 1, 2, 3, 700, 1001] {
      for fragment: UInt16 in [0, 0x4000] {
        let packet = TestPacket.request(service).with {
          $0.payload = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 7) }
          $0.fragment = fragment
        }
        let journey = director.fromClient(packet)
        #expect(journey == .toServer(.tunnel, Self.wrap(packet.hopped, service, sent: journey.sent.first?.bytes ?? [])))
      }
    }
    director.verifyEmptyAfterExpiry()
  }

  /// A packet that fits exactly, and one byte more.
  @Test(arguments: services)
  func edge(service: TestService) throws {
    let director = try Director(service)
    let family = service.serverFamily ?? service.family
    let between = [4, 8, 12, 12][Self.encapsulations.firstIndex(of: service.encapsulation)!]
    let limit = 1500 - (family == .ipv4 ? 20 : 40) - between
    let fits = TestPacket.request(service).with {
      $0.payload = .init(repeating: 1, count: limit - (service.family == .ipv4 ? 40 : 60))
      $0.fragment = 0x4000
    }
    let journey = director.fromClient(fits)
    #expect(journey == .toServer(.tunnel, Self.wrap(fits.hopped, service, sent: journey.sent.first?.bytes ?? [])))
    let large = fits.with { $0.payload.append(1) }
    let refused = director.fromClient(large)
    #expect(refused == .toClient(.tooBig, ReplyTests.error(.tooBig(limit), about: large.hopped, sent: refused)))
    director.verify()
  }

  /// GUE's source port tells connections apart, and is the same for all packets of one.
  @Test(arguments: [IPAddress.Family.ipv4, .ipv6])
  func sourcePorts(family: IPAddress.Family) throws {
    var service = TestService(method: .tunnelling, family: family)
    service.encapsulation = .gue(port: 6080, hasChecksum: false)
    let director = try Director(service)
    let start = family == .ipv4 ? 34 : 54
    var ports: [[UInt16]] = []
    for client in 0..<32 {
      let packets = [TCP.syn, TCP.ack].map { TestPacket.request(service, port: 40_000 + UInt16(client), $0) }
      ports.append(
        packets.map { packet in
          let bytes = director.fromClient(packet).sent.first?.bytes ?? []
          return UInt16(bytes[start]) << 8 | UInt16(bytes[start + 1])
        })
    }
    #expect(ports.allSatisfy { $0[0] == $0[1] })
    #expect(ports.allSatisfy { (32_768..<60_999).contains($0[0]) })
    #expect(Set(ports.map { $0[0] }).count > 28)
    director.verify()
  }

  /// With `pmtu_disc` 0 the outer packet may be fragmented, whatever the one inside says.
  @Test(arguments: encapsulations + [.ipip])
  func withoutPathMTUDiscovery(encapsulation: Encapsulation) throws {
    var service = TestService(method: .tunnelling)
    service.encapsulation = encapsulation
    let director = try Director(service)
    director.settings.honoursDontFragment = false
    director.publish()
    let large = TestPacket.request(service).with {
      $0.payload = .init(repeating: 3, count: 1460)
      $0.fragment = 0x4000
    }
    let journey = director.fromClient(large)
    #expect(journey.outcome == .tunnel)
    let pieces = try journey.sent.map { try FragmentationTests.pieceV4($0.bytes).piece }
    #expect(pieces.map(\.more) == [true, false])
    #expect(FragmentationTests.joined(pieces).suffix(1500) == large.hopped.packet[...])
    director.verify()
  }

  /// A path that cannot carry what every link has to carries no tunnel.
  @Test(arguments: services)
  func narrow(service: TestService) throws {
    let family = service.serverFamily ?? service.family
    let between = [4, 8, 12, 12][Self.encapsulations.firstIndex(of: service.encapsulation)!]
    let least = (family == .ipv4 ? 20 + 68 : 40 + 1280) + between
    for (mtu, outcome) in [(least, Outcome.tunnel), (least - 1, .tunnelTooNarrow)] {
      let director = try Director([service], serverMTU: mtu)
      #expect(director.fromClient(.request(service)).outcome == outcome)
      director.verify()
    }
  }
}
