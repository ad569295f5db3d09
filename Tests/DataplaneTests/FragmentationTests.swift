import Testing
import Wire

@testable import Dataplane

/// Packets that do not fit, and fragments that arrive.
@Suite struct FragmentationTests {
  struct Piece: Equatable {
    let offset: Int
    let more: Bool
    let bytes: [UInt8]
  }

  /// What an IPv4 frame carries: header without length, fragment word and checksum, and the piece.
  static func pieceV4(_ frame: [UInt8]) throws -> (header: [UInt8], piece: Piece) {
    let packet = Array(frame.dropFirst(14))
    let count = Int(packet[0] & 15) * 4
    let sum = packet.prefix(count).withUnsafeBytes { bytes in
      var sum = Checksum()
      sum.add(bytes)
      return sum.folded
    }
    #expect(sum == 0xffff, "header checksum")
    #expect(Int(packet[2]) << 8 | Int(packet[3]) == packet.count, "length")
    let word = Int(packet[6]) << 8 | Int(packet[7])
    var header = Array(packet.prefix(count))
    for index in [2, 3, 6, 7, 10, 11] { header[index] = 0 }
    let piece = Piece(offset: (word & 0x1fff) * 8, more: word & 0x2000 != 0, bytes: Array(packet.dropFirst(count)))
    return (header, piece)
  }

  /// Puts the pieces of one datagram together again.
  static func joined(_ pieces: [Piece], firstOffset: Int = 0) -> [UInt8] {
    var bytes: [UInt8] = []
    for piece in pieces {
      #expect(piece.offset == firstOffset + bytes.count)
      bytes += piece.bytes
    }
    return bytes
  }

  static let methods = [Forwarding.directRouting, .masquerading, .fullNAT]

  @Test(arguments: methods)
  func requestIsCut(method: Forwarding) throws {
    for transport in [TransportProtocol.tcp, .udp] {
      for mtu in [1400, 999, 576] {
        let service = TestService(method: method, transport: transport)
        let director = try Director([service], serverMTU: mtu)
        let packet = TestPacket.request(service).with { $0.payload = (0..<1450).map { UInt8(truncatingIfNeeded: $0) } }
        let journey = director.fromClient(packet)
        let whole =
          switch method {
          case .masquerading: MasqueradeTests.atServer(packet, service)
          case .fullNAT: FullNATTests.atServer(packet, service, localPort: director.listed.first?.local?.port ?? 0)
          case .directRouting, .tunnelling: packet.hopped
          }
        #expect(journey.outcome.isForwarded)
        let pieces = try journey.sent.map { try Self.pieceV4($0.bytes) }
        let expected = try Self.pieceV4(whole.leaving())
        #expect(pieces.count == (1450 + 20 + (mtu - 20) / 8 * 8 - 1) / ((mtu - 20) / 8 * 8))
        #expect(pieces.allSatisfy { $0.header == expected.header && $0.piece.bytes.count + 20 <= mtu })
        #expect(pieces.dropLast().allSatisfy { $0.piece.more } && pieces.last?.piece.more == false)
        #expect(Self.joined(pieces.map(\.piece)) == expected.piece.bytes)
        #expect(journey.sent.allSatisfy { $0.interface == 1 && $0.bytes.prefix(14) == whole.leaving().prefix(14) })
        #expect(director.dataplane.statistics().originated == UInt64(pieces.count - 1))
        director.verifyEmptyAfterExpiry()
      }
    }
  }

  @Test(arguments: [Forwarding.masquerading, .fullNAT])
  func replyIsCut(method: Forwarding) throws {
    let service = TestService(method: method)
    let director = try Director([service], clientMTU: 1400)
    #expect(director.fromClient(.request(service)).outcome.isForwarded)
    let local = director.listed.first?.local
    let reply = TestPacket.reply(service, to: local?.address, port: local?.port ?? 40_000, TCP.ack).with {
      $0.payload = .init(repeating: 8, count: 1460)
    }
    let whole = FullNATTests.atClient(reply, service)
    let journey = director.fromServer(reply)
    let pieces = try journey.sent.map { try Self.pieceV4($0.bytes) }
    let expected = try Self.pieceV4(whole.leavingToClient)
    // As IPVS: 1376 bytes and the rest.
    #expect(pieces.map(\.piece.bytes.count) == [1376, 104])
    #expect(pieces.allSatisfy { $0.header == expected.header })
    #expect(Self.joined(pieces.map(\.piece)) == expected.piece.bytes)
    director.verifyEmptyAfterExpiry()
  }

  /// IPv4 without DF in a tunnel: the outer packet is cut.
  @Test(arguments: [IPAddress.Family.ipv4, .ipv6])
  func tunnelIsCut(outer: IPAddress.Family) throws {
    let service = TestService(method: .tunnelling, serverFamily: outer)
    let director = try Director(service)
    let packet = TestPacket.request(service).with { $0.payload = .init(repeating: 8, count: 1460) }
    let journey = director.fromClient(packet)
    #expect(journey.outcome == .tunnel && journey.sent.count == 2)
    #expect(journey.sent.allSatisfy { $0.interface == 1 && $0.bytes.count <= 1514 })
    if outer == .ipv4 {
      let pieces = try journey.sent.map { try Self.pieceV4($0.bytes) }
      #expect(Set(pieces.map(\.header)).count == 1)
      #expect(pieces.map(\.piece.more) == [true, false])
      #expect(Self.joined(pieces.map(\.piece)) == packet.hopped.packet)
    } else {
      var bytes: [UInt8] = []
      for (index, sent) in journey.sent.enumerated() {
        let piece = sent.bytes
        #expect(piece[20] == 44 && piece[54] == IPProtocol.ipv4)
        #expect(Int(piece[18]) << 8 | Int(piece[19]) == piece.count - 54)
        let word = Int(piece[56]) << 8 | Int(piece[57])
        #expect(word & 0xfff8 == bytes.count && word & 1 == (index == 0 ? 1 : 0))
        #expect(piece[58..<62] == journey.sent[0].bytes[58..<62])
        bytes += piece.dropFirst(62)
      }
      #expect(bytes == packet.hopped.packet)
    }
    director.verifyEmptyAfterExpiry()
  }

  /// A fragment that has to be cut again keeps its place and its "more".
  @Test func fragmentIsCutAgain() throws {
    let service = TestService(transport: .udp)
    let director = try Director([service], serverMTU: 700)
    let packet = TestPacket.request(service).with { $0.payload = .init(repeating: 5, count: 2000) }
    let fragments = Self.fragments(of: packet, payload: 1400)
    let journeys = director.send(fragments)
    #expect(journeys.map(\.outcome) == [.directRouting, .directRouting])
    let pieces = try journeys.flatMap(\.sent).map { try Self.pieceV4($0.bytes).piece }
    #expect(pieces.count == 4)
    #expect(pieces.map(\.more) == [true, true, true, false])
    #expect(Self.joined(pieces) == Array(packet.packet.dropFirst(20)))
    director.verifyEmptyAfterExpiry()
  }

  /// No frame for the pieces: the packet is dropped whole.
  @Test func noFrames() throws {
    let service = TestService()
    let director = try Director([service], frameCount: 64, serverMTU: 100)
    let packet = TestPacket.request(service).with { $0.payload = .init(repeating: 5, count: 1440) }
    let journeys = director.send([[UInt8]](repeating: packet.arriving, count: 62))
    #expect(journeys.allSatisfy { $0.outcome == .noFrame && $0.sent.isEmpty })
    #expect(director.fromClient(packet).sent.count == 19)
    let many = director.send([[UInt8]](repeating: packet.arriving, count: 10))
    #expect(many.map(\.sent.count) == [19, 19, 19, 0, 0, 0, 0, 0, 0, 0])
    director.verifyEmptyAfterExpiry()
  }

  /// An MTU that leaves no room for a piece ends the journey by name.
  @Test(arguments: [Forwarding.directRouting, .masquerading, .fullNAT, .tunnelling])
  func absurdMTU(method: Forwarding) throws {
    for mtu in [0, 1, 27, 47, 60] {
      let service = TestService(method: method)
      let director = try Director([service], clientMTU: mtu, serverMTU: mtu)
      let journey = director.fromClient(.request(service).with { $0.payload = .init(repeating: 1, count: 1000) })
      #expect(journey.outcome != .pending)
      #expect(journey.outcome.isForwarded == !journey.sent.isEmpty)
      director.verifyEmptyAfterExpiry()
    }
  }

  // MARK: - Arriving fragments

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

  static let arriving = [Forwarding.directRouting, .masquerading].flatMap { method in
    [IPAddress.Family.ipv4, .ipv6].map { TestService(method: method, family: $0, transport: .udp) }
  }

  /// In order: each goes the way of the first, in one batch or in several.
  @Test(arguments: arriving)
  func inOrder(service: TestService) throws {
    for batches in [true, false] {
      let director = try Director(service)
      let packet = TestPacket.request(service).with { $0.payload = (0..<3000).map { UInt8(truncatingIfNeeded: $0) } }
      let frames = Self.fragments(of: packet, payload: 1200)
      let journeys = batches ? director.send(frames) : frames.flatMap { director.send([$0]) }
      let target = service.method == .masquerading ? MasqueradeTests.atServer(packet, service) : packet.hopped
      let expected = Self.fragments(of: target, payload: 1200).map { Self.restationed($0) }
      let outcome = service.method == .masquerading ? Outcome.masqueradeRequest : .directRouting
      #expect(journeys == expected.map { .toServer(outcome, $0) })
      director.verifyEmptyAfterExpiry()
    }
  }

  @Test(arguments: arriving)
  func firstIsMissing(service: TestService) throws {
    let director = try Director(service)
    let packet = TestPacket.request(service).with { $0.payload = .init(repeating: 5, count: 3000) }
    let frames = Self.fragments(of: packet, payload: 1200)
    #expect(director.send([frames[1], frames[2]]) == [Journey(.fragmentWithoutFirst), Journey(.fragmentWithoutFirst)])
    #expect(director.send([frames[0], frames[2]]).allSatisfy { $0.outcome.isForwarded })
    director.advance(seconds: Double(Limits.fragmentSeconds) + 1)
    #expect(director.send([frames[1]]) == [Journey(.fragmentWithoutFirst)])
    director.verifyEmptyAfterExpiry()
  }

  /// A later fragment has no TCP flags: it must not move the state machine.
  @Test func stateStays() throws {
    let service = TestService()
    let director = try Director(service)
    let packet = TestPacket.request(service).with { $0.payload = .init(repeating: 5, count: 3000) }
    let journeys = director.send(Self.fragments(of: packet, payload: 1200))
    #expect(journeys.allSatisfy { $0.outcome == .directRouting })
    #expect(director.listed.map(\.stateName) == ["SYN_RECV"])
    director.verifyEmptyAfterExpiry()
  }

  /// Without a checksum in the first fragment there is none afterwards: no fragment has all the bytes.
  @Test func noChecksumStaysNone() throws {
    let service = TestService(method: .masquerading, transport: .udp)
    let director = try Director(service)
    let packet = TestPacket.request(service).with {
      $0.payload = .init(repeating: 5, count: 3000)
      $0.hasChecksum = false
    }
    let expected = Self.fragments(of: MasqueradeTests.atServer(packet, service), payload: 1200)
    let journeys = director.send(Self.fragments(of: packet, payload: 1200))
    #expect(journeys == expected.map { .toServer(.masqueradeRequest, Self.restationed($0)) })
    director.verifyEmptyAfterExpiry()
  }
}
