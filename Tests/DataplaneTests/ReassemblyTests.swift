import Testing
import Wire

@testable import Dataplane

/// Fragments that arrive: put together, decided about as one packet, and cut again.
@Suite struct ReassemblyTests {
  /// Frames of an IPv4 or IPv6 datagram cut by its sender.
  static func fragments(of packet: TestPacket, payload: Int, identification: UInt16 = 77) -> [[UInt8]] {
    let header = packet.source.family == .ipv4 ? 20 : 40
    let bytes = Array(packet.packet.dropFirst(header))
    return stride(from: 0, to: bytes.count, by: payload).map { offset in
      let piece = Array(bytes[offset..<min(offset + payload, bytes.count)])
      let more = offset + payload < bytes.count
      let builder = FrameBuilder(from: Network.router, to: Network.outside)
      let number = packet.transport.rawValue
      guard packet.source.family == .ipv4 else {
        let word = UInt16(offset) | (more ? 1 : 0)
        let body: [UInt8] = [
          0, UInt8(word >> 8), UInt8(word & 0xff), 0, 0, UInt8(identification >> 8), UInt8(identification & 0xff),
        ]
        return builder.ipv6(
          from: packet.source, to: packet.destination, hopLimit: packet.timeToLive, extensions: [(44, body)],
          protocolNumber: number
        ).payload(piece).frame
      }
      return builder.ipv4(
        from: packet.source, to: packet.destination, timeToLive: packet.timeToLive, identification: identification,
        fragment: UInt16(offset / 8) | (more ? 0x2000 : 0), protocolNumber: number
      ).payload(piece).frame
    }
  }

  static func restationed(_ frame: [UInt8]) -> [UInt8] {
    Network.station(0).bytes + Network.inside.bytes + frame.dropFirst(12)
  }

  /// The order in which fragments arrive, by number.
  static let orders = [[0, 1, 2], [2, 1, 0], [1, 2, 0], [2, 0, 1]]

  static let services = [Forwarding.directRouting, .masquerading, .tunnelling, .fullNAT].flatMap { method in
    [IPAddress.Family.ipv4, .ipv6].flatMap { family in
      [TransportProtocol.udp, .tcp].map { TestService(method: method, family: family, transport: $0) }
    }
  }

  /// A datagram put together from frames; nil when they are not all of it.
  static func joined(_ frames: [[UInt8]]) -> [UInt8]? {
    var data: [UInt8] = []
    var header: [UInt8] = []
    for (index, frame) in frames.enumerated() {
      let isV4 = frame[12] == 8
      let count = isV4 ? Int(frame[14] & 15) * 4 : frame[20] == IPProtocol.fragment ? 48 : 40
      let word = Int(frame[isV4 ? 20 : 56]) << 8 | Int(frame[isV4 ? 21 : 57])
      let more = isV4 ? word & 0x2000 != 0 : count == 48 && word & 1 != 0
      let offset = isV4 ? (word & 0x1fff) * 8 : count == 48 ? word & 0xfff8 : 0
      guard offset == data.count, more == (index + 1 < frames.count) else { return nil }
      if index == 0 { header = Array(frame[14..<14 + count]) }
      data += frame.dropFirst(14 + count)
    }
    return header.isEmpty ? nil : header + data
  }

  /// Any order, one batch or several: nothing leaves before the last, then all of it to one server.
  @Test(arguments: services)
  func anyOrder(service: TestService) throws {
    for order in Self.orders {
      for isOneBatch in [true, false] {
        let director = try Director(service)
        let packet = TestPacket.request(service).with { $0.payload = (0..<3000).map { UInt8(truncatingIfNeeded: $0) } }
        let fragments = Self.fragments(of: packet, payload: 1200)
        let frames = order.map { fragments[$0] }
        let journeys = isOneBatch ? director.send(frames) : frames.flatMap { director.send([$0]) }
        #expect(journeys.dropLast().allSatisfy { $0 == Journey(.fragmentHeld) })
        let last = try #require(journeys.last)
        #expect(last.outcome.isForwarded && last.sent.allSatisfy { $0.interface == 1 && $0.bytes.count <= 1514 })
        let whole = try #require(Self.joined(last.sent.map(\.bytes)))
        let isFullNAT = service.method == .fullNAT
        let port = isFullNAT ? director.listed.first?.local?.port ?? 0 : 0
        let expected =
          switch service.method {
          case .masquerading: MasqueradeTests.atServer(packet, service)
          case .fullNAT: FullNATTests.atServer(packet, service, localPort: port)
          case .directRouting, .tunnelling: packet.hopped
          }
        let header = service.family == .ipv4 ? 20 : 40
        let data = Array(expected.packet.dropFirst(header))
        #expect(whole.suffix(data.count) == data[...])
        #expect(director.dataplane.statistics().outcomes[last.outcome] == 3)
        #expect(director.dataplane.shared.state.fragments.usedBlockCount == 0)
        director.verifyEmptyAfterExpiry()
      }
    }
  }
}
