import Testing
import Wire

@testable import Dataplane

/// Packets that do not fit.
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
}
