import Testing
import Wire

@testable import Dataplane

/// `tunnel_fragments inside`: what is too large for a tunnel is cut before it is put in.
@Suite struct TunnelPiecesTests {
  static let encapsulations: [Encapsulation] = [
    .ipip, .gre(hasChecksum: false), .gre(hasChecksum: true), .gue(port: 6080, hasChecksum: false),
    .gue(port: 6080, hasChecksum: true),
  ]
  static let services = [IPAddress.Family.ipv4, .ipv6].flatMap { inner in
    [IPAddress.Family.ipv4, .ipv6].flatMap { outer in
      encapsulations.map {
        TestService(
          method: .tunnelling, family: inner, serverFamily: outer, transport: .udp, encapsulation: $0)
      }
    }
  }

  private static func director(_ service: TestService, serverMTU: Int = 1500) throws -> Director {
    let director = try Director([service], serverMTU: serverMTU)
    director.settings.cutsInsideTunnels = true
    director.publish()
    return director
  }

  /// What a server without a memory unpacks: each frame by itself.
  private static func unpacked(_ journey: Journey, _ service: TestService, mtu: Int = 1500) -> [[UInt8]] {
    let isOuterV4 = service.serverFamily == .ipv4
    let type: [UInt8] = service.family == .ipv4 ? [8, 0] : [0x86, 0xdd]
    return journey.sent.map { sent in
      let bytes = sent.bytes
      #expect(bytes.count <= 14 + mtu && FuzzTests.fault(bytes) == nil)
      if isOuterV4 { #expect(bytes[20] & 0x3f == 0 && bytes[21] == 0, "no fragment outside") }
      let start = 14 + (isOuterV4 ? 20 : 40)
      #expect(isWhole(bytes, service, start: start), "checksum of the tunnel's header")
      let inner = Array(bytes.prefix(12)) + type + bytes.dropFirst(start + service.encapsulation.byteCount)
      #expect(FuzzTests.fault(inner) == nil)
      return inner
    }
  }

  private static func isWhole(_ bytes: [UInt8], _ service: TestService, start: Int) -> Bool {
    var sum = Checksum()
    bytes.withUnsafeBytes { bytes in
      guard let base = bytes.baseAddress else { return }
      if case .gue(_, true) = service.encapsulation {
        let count = bytes.count - start
        if service.serverFamily == .ipv4 {
          sum.addPseudoHeader4(addresses: base + 26, protocolNumber: IPProtocol.udp, byteCount: count)
        } else {
          sum.addPseudoHeader6(addresses: base + 22, protocolNumber: IPProtocol.udp, byteCount: count)
        }
      }
      sum.add(UnsafeRawBufferPointer(rebasing: bytes[start...]))
    }
    switch service.encapsulation {
    case .gre(true), .gue(_, true): return sum.folded == 0xffff
    default: return true
    }
  }

  @Test(arguments: services) func datagramInFragments(service: TestService) throws {
    for order in [[0, 1, 2, 3, 4, 5], [5, 3, 1, 0, 2, 4]] {
      let director = try Self.director(service)
      let packet = TestPacket.request(service).with {
        $0.payload = (0..<8192).map { UInt8(truncatingIfNeeded: $0 * 7) }
      }
      let fragments = ReassemblyTests.fragments(of: packet, payload: 1448)
      let last = try #require(director.send(order.map { fragments[$0] }).last)
      #expect(last.outcome == .tunnel)
      let data = packet.packet.dropFirst(service.family == .ipv4 ? 20 : 40)
      let joined = try #require(ReassemblyTests.joined(Self.unpacked(last, service)))
      #expect(joined.suffix(data.count) == data)
      director.verifyEmptyAfterExpiry()
    }
  }

  /// Fragments that fit as they are keep their bounds.
  @Test(arguments: services) func smallFragments(service: TestService) throws {
    let director = try Self.director(service)
    let packet = TestPacket.request(service).with { $0.payload = .init(repeating: 3, count: 1208 * 2 - 8) }
    let last = try #require(director.send(ReassemblyTests.fragments(of: packet, payload: 1208)).last)
    let inner = Self.unpacked(last, service)
    #expect(inner.map { $0.count - 14 } == [1208, 1208].map { $0 + (service.family == .ipv4 ? 20 : 48) })
    director.verifyEmptyAfterExpiry()
  }

  /// The longest datagram has no room for headers around all of it.
  @Test func longestDatagram() throws {
    let service = TestService(
      method: .tunnelling, transport: .udp, encapsulation: .gue(port: 6080, hasChecksum: true))
    let director = try Director([service], frameCount: 512)
    let packet = TestPacket.request(service).with { $0.payload = .init(repeating: 1, count: 65_507) }
    let fragments = ReassemblyTests.fragments(of: packet, payload: 1480)
    #expect(director.send(fragments).last?.outcome == .tooBig)
    director.settings.cutsInsideTunnels = true
    director.publish()
    let last = try #require(director.send(fragments).last)
    #expect(last.outcome == .tunnel && last.sent.count == 46)
    director.verifyEmptyAfterExpiry()
  }

  private static func piece(_ data: [UInt8], _ range: Range<Int>) -> [UInt8] {
    let more: UInt16 = range.upperBound < data.count ? 0x2000 : 0
    let builder = FrameBuilder(from: Network.router, to: Network.outside).ipv4(
      from: Network.client(.ipv4), to: Network.virtual(.ipv4), identification: 9,
      fragment: UInt16(range.lowerBound / 8) | more, protocolNumber: IPProtocol.icmpv4)
    return builder.payload(Array(data[range])).frame
  }

  /// An ICMP error in fragments, over a link with room for tunnels: to the server of the connection that it is about.
  @Test(arguments: encapsulations) func errorInFragments(encapsulation: Encapsulation) throws {
    let service = TestService(
      method: .tunnelling, serverFamily: .ipv4, transport: .udp, weights: [1, 1], encapsulation: encapsulation)
    let director = try Director([service], serverMTU: 1600)
    for port in UInt16(40_000)...40_001 { _ = director.fromClient(.request(service, port: port)) }
    for port in UInt16(40_000)...40_001 {
      let station = director.station(of: director.fromClient(.request(service, port: port)))
      let quoted = ErrorRelayTests.answer(service, port: port).with { $0.payload = .init(repeating: 1, count: 400) }
      let error = ErrorRelayTests.fromClient(service).with { ($0.quoted, $0.count) = (quoted, 408) }
      let data = Array(error.frame(from: Network.router, to: Network.outside).dropFirst(34))
      let pieces = [Self.piece(data, 0..<208), Self.piece(data, 208..<data.count)]
      let last = try #require(director.send(pieces).last)
      #expect(last.outcome == .errorToServer && director.station(of: last) == station)
      let joined = try #require(ReassemblyTests.joined(Self.unpacked(last, service, mtu: 1600)))
      #expect(joined.dropFirst(20) == data[...])
    }
    director.verifyEmptyAfterExpiry()
  }

  /// A packet that came whole: it is cut where its sender allows that, and refused as before where not.
  @Test(arguments: services) func wholePacket(service: TestService) throws {
    for (mtu, fragment) in [(1500, 0), (1400, 0), (1500, 0x4000)] as [(Int, UInt16)] {
      let director = try Self.director(service, serverMTU: mtu)
      let header = service.family == .ipv4 ? 28 : 48
      let packet = TestPacket.request(service).with {
        $0.payload = (0..<(1500 - header)).map { UInt8(truncatingIfNeeded: $0) }
        $0.fragment = fragment
      }
      let journey = director.fromClient(packet)
      if service.family == .ipv4, fragment == 0 {
        #expect(journey.outcome == .tunnel && journey.sent.count == 2)
        let joined = try #require(ReassemblyTests.joined(Self.unpacked(journey, service, mtu: mtu)))
        #expect(joined.suffix(1480) == packet.packet.dropFirst(20))
      } else {
        #expect(journey.outcome == .tooBig && journey.sent.map(\.interface) == [0])
      }
      director.verifyEmptyAfterExpiry()
    }
  }
}
