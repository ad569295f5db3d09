import Testing
import Wire

@testable import Dataplane

/// Fragments that arrive: put together, decided about as one packet, and cut again.
@Suite struct ReassemblyTests {
  /// Frames of a datagram cut by its sender.
  static func fragments(of packet: TestPacket, payload: Int, identification: UInt16 = 77) -> [[UInt8]] {
    let count = packet.packet.count - (packet.source.family == .ipv4 ? 20 : 40)
    return stride(from: 0, to: count, by: payload).map { offset in
      fragment(
        of: packet, offset, min(payload, count - offset), more: offset + payload < count, identification: identification
      )
    }
  }

  /// One frame of it. Where the datagram has no bytes, the frame has some of its own.
  static func fragment(
    of packet: TestPacket, _ offset: Int, _ count: Int, more: Bool, identification: UInt16 = 77
  ) -> [UInt8] {
    let isV4 = packet.source.family == .ipv4
    let bytes = Array(packet.packet.dropFirst(isV4 ? 20 : 40).dropFirst(offset).prefix(count))
    let piece = bytes + [UInt8](repeating: 0x5a, count: count - bytes.count)
    let isReply = packet.source.description.hasPrefix("10.2.") || packet.source.description.hasPrefix("fd00:2:")
    let builder =
      isReply
      ? FrameBuilder(from: Network.station(0), to: Network.inside)
      : FrameBuilder(from: Network.router, to: Network.outside)
    let number = packet.transport.rawValue
    guard isV4 else {
      let word = UInt16(offset) | (more ? 1 : 0)
      let body: [UInt8] = [
        0, UInt8(word >> 8), UInt8(word & 0xff), 0, 0, UInt8(identification >> 8), UInt8(identification & 0xff),
      ]
      return builder.ipv6(
        from: packet.source, to: packet.destination, hopLimit: packet.timeToLive, extensions: [(44, body)],
        protocolNumber: number
      ).payload(piece).frame
    }
    let word = UInt16(offset / 8) | (more ? 0x2000 : 0) | packet.fragment
    return builder.ipv4(
      from: packet.source, to: packet.destination, timeToLive: packet.timeToLive, identification: identification,
      fragment: word, protocolNumber: number
    ).payload(piece).frame
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

  /// A server's answers, too.
  @Test(arguments: services.filter { $0.method == .masquerading || $0.method == .fullNAT })
  func replies(service: TestService) throws {
    for order in Self.orders {
      let director = try Director(service)
      #expect(director.fromClient(.request(service)).outcome.isForwarded)
      let local = director.listed.first?.local
      let reply = TestPacket.reply(service, to: local?.address, port: local?.port ?? 40_000, TCP.ack).with {
        $0.payload = (0..<3000).map { UInt8(truncatingIfNeeded: $0) }
      }
      let fragments = Self.fragments(of: reply, payload: 1200)
      let journeys = director.send(order.map { fragments[$0] }, interface: 1)
      let last = try #require(journeys.last)
      #expect(journeys.dropLast().allSatisfy { $0 == Journey(.fragmentHeld) })
      #expect(last.outcome == (service.method == .fullNAT ? .fullNATReply : .masqueradeReply))
      #expect(last.sent.count == 3 && last.sent.allSatisfy { $0.interface == 0 })
      let data = FullNATTests.atClient(reply, service).packet.dropFirst(service.family == .ipv4 ? 20 : 40)
      #expect(try #require(Self.joined(last.sent.map(\.bytes))).suffix(data.count) == data)
      director.verifyEmptyAfterExpiry()
    }
  }

  /// The first fragment has less than the transport header.
  @Test(arguments: services) func tinyFirst(service: TestService) throws {
    let director = try Director(service)
    let packet = TestPacket.request(service).with { $0.payload = .init(repeating: 9, count: 400) }
    let end = 400 + (service.transport == .tcp ? 20 : 8)
    let pieces = [(0, 8), (8, 16), (24, end - 24)]
    let journeys = pieces.flatMap { piece in
      director.send([Self.fragment(of: packet, piece.0, piece.1, more: piece.0 + piece.1 < end)])
    }
    #expect(journeys.map(\.outcome.fate) == [.held, .held, .forwarded])
    #expect(director.listed.count == 1)
    director.verifyEmptyAfterExpiry()
  }

  /// Two senders, or two identifications, never mix.
  @Test(arguments: [IPAddress.Family.ipv4, .ipv6]) func datagramsDoNotMix(family: IPAddress.Family) throws {
    let service = TestService(family: family, transport: .udp)
    let director = try Director(service)
    let first = TestPacket.request(service).with { $0.payload = .init(repeating: 1, count: 2000) }
    var second = first.with { $0.payload = .init(repeating: 2, count: 2000) }
    let other = Self.fragments(of: second, payload: 1400, identification: 78)
    second.source = IPAddress(family == .ipv4 ? "172.16.1.2" : "2001:db8::6")!
    let stranger = Self.fragments(of: second, payload: 1400)
    let own = Self.fragments(of: first, payload: 1400)
    let journeys = director.send([own[0], other[1], stranger[1], stranger[0], own[1], other[0]])
    #expect(journeys.map(\.outcome.isForwarded) == [false, false, false, true, true, true])
    let marks = [2, 1, 2].map { [UInt8](repeating: $0, count: 608) }
    for (journey, mark) in zip(journeys.dropFirst(3), marks) {
      #expect(Self.joined(journey.sent.map(\.bytes))?.suffix(608) == mark[...])
    }
    director.verifyEmptyAfterExpiry()
  }

  /// Who has not all fragments in time is told so, if the first is among them.
  @Test(arguments: [IPAddress.Family.ipv4, .ipv6]) func timeOut(family: IPAddress.Family) throws {
    for number in 0..<3 {
      let service = TestService(family: family, transport: .udp)
      let director = try Director(service)
      let packet = TestPacket.request(service).with { $0.payload = .init(repeating: 5, count: 3000) }
      let fragments = Self.fragments(of: packet, payload: 1200)
      #expect(director.send([fragments[number]]) == [Journey(.fragmentHeld)])
      let limit = family == .ipv4 ? Limits.fragmentSeconds.ipv4 : Limits.fragmentSeconds.ipv6
      director.advance(seconds: Double(limit) - 0.2)
      #expect(director.timed().isEmpty && director.dataplane.statistics().sum(.held) == 1)
      director.advance(seconds: 0.4)
      let sent = director.timed()
      #expect(sent.count == (number == 0 ? 1 : 0))
      if let error = sent.first {
        var quoted = Array(error.bytes.dropFirst(family == .ipv4 ? 42 : 62))
        // The address is not the host's own here: the host would have forwarded it, one hop less.
        if family == .ipv4 { quoted.replaceSubrange(8..<12, with: fragments[0][22..<26]) }
        let type = Array(error.bytes.dropFirst(family == .ipv4 ? 34 : 54).prefix(2))
        #expect(type == (family == .ipv4 ? [11, 1] : [3, 1]))
        #expect(quoted.elementsEqual(fragments[0].dropFirst(14).prefix(quoted.count)) && quoted.count > 500)
      }
      #expect(director.dataplane.statistics().outcomes[.fragmentTimedOut] == 1)
      #expect(director.send([fragments[(number + 1) % 3]]) == [Journey(.fragmentHeld)])
      director.verifyEmptyAfterExpiry()
    }
  }

  /// What is not ours goes to the host, fragment by fragment.
  @Test(arguments: [IPAddress.Family.ipv4, .ipv6]) func notOurs(family: IPAddress.Family) throws {
    let service = TestService(family: family, transport: .udp)
    let director = try Director(service)
    let packet = TestPacket.request(service).with {
      $0.payload = .init(repeating: 5, count: 3000)
      $0.destinationPort = 81
    }
    let journeys = director.send(Self.fragments(of: packet, payload: 1200))
    #expect(journeys.map(\.outcome) == [.fragmentHeld, .fragmentHeld, .notOurs])
    let statistics = director.dataplane.statistics()
    #expect(statistics.outcomes[.notOurs] == 3 && statistics.sum(.held) == 0 && statistics.originated == 0)
    director.verifyEmptyAfterExpiry()
  }

  /// An IPv6 packet with a fragment header that is whole loses it, and waits for nothing.
  @Test(arguments: [Forwarding.directRouting, .masquerading, .fullNAT]) func atomic(method: Forwarding) throws {
    let service = TestService(method: method, family: .ipv6)
    let director = try Director(service)
    let packet = TestPacket.request(service)
    let journey = director.send([Self.fragment(of: packet, 0, 20, more: false)])[0]
    let port = method == .fullNAT ? director.listed.first?.local?.port ?? 0 : 0
    let expected =
      switch method {
      case .masquerading: MasqueradeTests.atServer(packet, service)
      case .fullNAT: FullNATTests.atServer(packet, service, localPort: port)
      case .directRouting, .tunnelling: packet.hopped
      }
    #expect(journey.sent.map(\.bytes) == [expected.leaving()])
    director.verifyEmptyAfterExpiry()
  }

  /// A link with room for tunnels: each piece has an outer header of its own.
  @Test(arguments: [IPAddress.Family.ipv4, .ipv6], [IPAddress.Family.ipv4, .ipv6])
  func tunnelOfPieces(family: IPAddress.Family, outer: IPAddress.Family) throws {
    let service = TestService(method: .tunnelling, family: family, serverFamily: outer, transport: .udp)
    let director = try Director([service], serverMTU: 1600)
    let packet = TestPacket.request(service).with { $0.payload = (0..<3000).map { UInt8(truncatingIfNeeded: $0) } }
    let journeys = director.send(Self.fragments(of: packet, payload: 1400))
    let last = try #require(journeys.last)
    #expect(last.outcome == .tunnel && last.sent.count == 3)
    let count = outer == .ipv4 ? 20 : 40
    for sent in last.sent {
      #expect(FuzzTests.fault(sent.bytes) == nil)
      #expect(sent.bytes[outer == .ipv4 ? 23 : 20] == (family == .ipv4 ? 4 : 41))
    }
    if outer == .ipv4 { #expect(Set(last.sent.map { Array($0.bytes[18..<20]) }).count == 3) }
    let type: [UInt8] = family == .ipv4 ? [8, 0] : [0x86, 0xdd]
    let inner = last.sent.map { Array($0.bytes.prefix(12)) + type + $0.bytes.dropFirst(14 + count) }
    #expect(inner.allSatisfy { FuzzTests.fault($0) == nil })
    let data = packet.packet.dropFirst(family == .ipv4 ? 20 : 40)
    #expect(try #require(Self.joined(inner)).suffix(data.count) == data)
    director.verifyEmptyAfterExpiry()
  }
}
