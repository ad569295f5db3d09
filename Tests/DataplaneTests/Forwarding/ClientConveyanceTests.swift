import Testing
import Wire

@testable import Dataplane

/// FULLNAT servers are told who their client is.
@Suite struct ClientConveyanceTests {
  static let conveyances: [Conveyance] = [.option, .proxyV1, .proxyV2]
  static let pairs: [(IPAddress.Family, IPAddress.Family)] = [
    (.ipv4, .ipv4), (.ipv6, .ipv6), (.ipv6, .ipv4), (.ipv4, .ipv6),
  ]
  static let services = conveyances.flatMap { conveyance in
    pairs.map { TestService(method: .fullNAT, family: $0.0, serverFamily: $0.1, conveyance: conveyance) }
  }

  /// A connection between a client and a server, whose segments this plays.
  struct Play {
    let service: TestService
    let director: Director
    let localPort: UInt16
    var port: UInt16 = 40_000
    var number: UInt32
    static let server: UInt32 = 7_000_000

    /// Both have said SYN.
    init(_ service: TestService, number: UInt32 = 1000, mtu: Int = 1500) throws {
      self.service = service
      self.number = number
      director = try Director([service], clientMTU: 1500, serverMTU: mtu)
      let syn = TestPacket.request(service).with { $0.sequence = number }
      let journey = director.fromClient(syn)
      try #require(journey.outcome == .fullNATRequest)
      localPort = try #require(director.listed.first?.local?.port)
      let answer = reply(TCP.syn | TCP.ack, ack: number &+ 1)
      try #require(director.fromServer(answer).outcome == .fullNATReply)
    }

    func request(
      _ flags: UInt8 = TCP.ack, at offset: UInt32 = 1, _ payload: [UInt8] = [], options: [UInt8] = []
    )
      -> TestPacket
    {
      TestPacket.request(service, port: port, flags).with {
        $0.sequence = number &+ offset
        $0.acknowledgement = Play.server &+ 1
        $0.payload = payload
        $0.segmentOptions = options
      }
    }

    func reply(_ flags: UInt8 = TCP.ack, ack: UInt32, options: [UInt8] = []) -> TestPacket {
      TestPacket.reply(service, to: Network.local(service.serverFamily ?? service.family), port: localPort, flags).with
      {
        $0.sequence = Play.server
        $0.acknowledgement = ack
        $0.segmentOptions = options
      }
    }

    var ends: ProxyProtocol.Ends {
      ProxyProtocol.Ends(
        client: Network.client(service.family).words, clientPort: port, service: Network.virtual(service.family).words,
        servicePort: service.port, isIPv6: service.family == .ipv6)
    }

    var header: [UInt8] {
      guard let version = service.conveyance.proxy else { return [] }
      var bytes = [UInt8](repeating: 0, count: ProxyProtocol.byteCountLimit)
      let count = bytes.withUnsafeMutableBytes { ProxyProtocol.write(version, ends, to: $0.baseAddress!) }
      return Array(bytes[..<count])
    }

    var option: [UInt8] {
      var bytes = [UInt8](repeating: 0, count: TCP.clientAddressByteCount(isIPv6: ends.isIPv6))
      bytes.withUnsafeMutableBytes {
        TCP.writeClientAddress(ends.client, port: port, isIPv6: ends.isIPv6, to: $0.baseAddress!)
      }
      return bytes
    }

    /// What the server shall see of a client's segment; the IP header is compared apart.
    func atServer(_ packet: TestPacket, _ change: (inout TestPacket) -> Void = { _ in }) -> [UInt8] {
      let family = service.serverFamily ?? service.family
      var packet = packet.hopped
      packet.source = Network.local(family)
      packet.destination = Network.server(family, 0)
      packet.sourcePort = localPort
      packet.destinationPort = service.targetPort
      change(&packet)
      return ClientConveyanceTests.comparable(packet.frame(from: Network.inside, to: Network.station(0)))
    }

    func atClient(_ packet: TestPacket, _ change: (inout TestPacket) -> Void = { _ in }) -> [UInt8] {
      var packet = packet.hopped
      packet.source = Network.virtual(service.family)
      packet.destination = Network.client(service.family)
      packet.sourcePort = service.port
      packet.destinationPort = port
      change(&packet)
      return ClientConveyanceTests.comparable(packet.leavingToClient)
    }

    func sent(_ packet: TestPacket) -> [[UInt8]] {
      director.fromClient(packet).sent.map { ClientConveyanceTests.comparable($0.bytes) }
    }

    func answered(_ packet: TestPacket) -> [[UInt8]] {
      director.fromServer(packet).sent.map { ClientConveyanceTests.comparable($0.bytes) }
    }
  }

  /// Without what a translator chooses itself: identification and "don't fragment" (RFC 7915 section 5.1).
  static func comparable(_ frame: [UInt8]) -> [UInt8] {
    guard frame[14] >> 4 == 4 else { return frame }
    var sum = Checksum()
    frame[14..<34].withUnsafeBytes { sum.add($0) }
    #expect(sum.folded == 0xffff, "checksum of the IPv4 header")
    var frame = frame
    for offset in [18, 19, 20, 21, 24, 25] { frame[offset] = 0 }
    return frame
  }

  @Test(arguments: services) func aWholeConnection(service: TestService) throws {
    let play = try Play(service)
    let shift = UInt32(play.header.count)
    let isOption = service.conveyance == .option
    let ack = play.request()
    #expect(
      play.sent(ack) == [
        play.atServer(ack) {
          if isOption { $0.segmentOptions = play.option }
          $0.payload = play.header
          if !isOption { $0.flags |= TCP.psh }
        }
      ])
    let data = play.request(TCP.ack | TCP.psh, [UInt8](repeating: 0x61, count: 101))
    #expect(
      play.sent(data) == [
        play.atServer(data) {
          if isOption { $0.segmentOptions = play.option }
          $0.sequence &+= shift
        }
      ])
    let more = play.request(at: 102, [1, 2, 3])
    #expect(play.sent(more) == [play.atServer(more) { $0.sequence &+= shift }])
    let answer = play.reply(ack: 1001 + shift + 104)
    #expect(play.answered(answer) == [play.atClient(answer) { $0.acknowledgement = 1105 }])
    for flags in [TCP.fin | TCP.ack, TCP.rst] {
      let last = play.request(flags, at: 105)
      #expect(play.sent(last) == [play.atServer(last) { $0.sequence &+= shift }])
    }
    #expect(play.director.wideEntryCount == 2)
    play.director.verifyEmptyAfterExpiry()
  }

  @Test(arguments: services) func segmentLost(service: TestService) throws {
    guard service.conveyance != .option else { return }
    let play = try Play(service, number: .max - 3)
    let shift = UInt32(play.header.count)
    _ = play.sent(play.request())
    let data = play.request(TCP.ack, [9, 8, 7])
    #expect(play.sent(data).count == 1, "the header has gone ahead, in the handshake's last segment")
    // The header was lost: the server has a hole, and says so; the client sends again what it thinks was lost.
    let first = play.number &+ 1
    let block = big(first &+ shift) + big(first &+ shift &+ 3)
    let hole = play.reply(ack: first, options: [1, 1, 5, 10] + block)
    #expect(
      play.answered(hole) == [
        play.atClient(hole) { $0.segmentOptions = .init(repeating: 1, count: 12) }
      ])
    let again = play.sent(data)
    #expect(
      again == [
        play.atServer(data) { $0.sequence &+= shift },
        play.atServer(data) {
          $0.payload = play.header
          $0.flags = TCP.ack | TCP.psh
        },
      ])
    let answer = play.reply(ack: first &+ shift &+ 3)
    #expect(play.answered(answer) == [play.atClient(answer) { $0.acknowledgement = first &+ 3 }])
    #expect(play.sent(data) == [play.atServer(data) { $0.sequence &+= shift }], "confirmed: never again")
    play.director.verify()
  }

  /// Data came without the ACK before it.
  @Test(arguments: services) func handshakeLost(service: TestService) throws {
    guard service.conveyance != .option else { return }
    let play = try Play(service)
    let data = play.request(TCP.ack, [9, 8, 7])
    let sent = play.sent(data)
    #expect(sent.count == 2)
    #expect(
      sent.contains(
        play.atServer(data) {
          $0.payload = play.header; $0.flags = TCP.ack | TCP.psh
        }))
    play.director.verify()
  }

  /// A client that gives up at once: the server hears of nothing but the end, where it stands.
  @Test(arguments: services, [TCP.rst, TCP.rst | TCP.ack]) func reset(service: TestService, flags: UInt8) throws {
    guard service.conveyance != .option else { return }
    for segments in 0...2 {
      let play = try Play(service)
      if segments > 0 { _ = play.sent(play.request()) }
      if segments > 1 { #expect(play.sent(play.request(TCP.ack, [1, 2, 3])).count == 1) }
      let end = play.request(flags).with { if flags & TCP.ack == 0 { $0.acknowledgement = 0 } }
      let shift = segments > 0 ? UInt32(play.header.count) : 0
      #expect(play.sent(end) == [play.atServer(end) { $0.sequence &+= shift }], "after \(segments)")
      play.director.verifyEmptyAfterExpiry()
    }
  }

  @Test func blocksAreShifted() throws {
    let play = try Play(TestService(method: .fullNAT, conveyance: .proxyV2))
    _ = play.sent(play.request())
    let block: (UInt32, UInt32) -> [UInt8] = { big($0) + big($1) }
    let partial = play.reply(ack: 1029, options: [1, 1, 5, 18] + block(1129, 1229) + block(1001, 1029))
    #expect(
      play.answered(partial) == [
        play.atClient(partial) {
          $0.acknowledgement = 1001
          $0.segmentOptions = [1, 1, 5, 18] + block(1101, 1201) + block(973, 1001)
        }
      ])
    play.director.verify()
  }

  @Test func anOptionWithoutRoom() throws {
    let play = try Play(TestService(method: .fullNAT, conveyance: .option), mtu: 600)
    let full = play.request(options: [8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 1, 1, 5, 26] + [UInt8](repeating: 3, count: 24))
    #expect(play.sent(full) == [play.atServer(full)], "no room among the options")
    let long = play.request(TCP.ack, .init(repeating: 7, count: 553))
    #expect(play.sent(long) == [play.atServer(long)], "no room in the packet")
    let fitting = play.request(TCP.ack, .init(repeating: 7, count: 552))
    #expect(play.sent(fitting) == [play.atServer(fitting) { $0.segmentOptions = play.option }])
    #expect(play.director.dataplane.statistics().unconveyed == 2)
    play.director.verify()
  }

  /// Extension headers leave no room for the header in the client's empty segment: it goes with what comes next. Nor is a
  /// segment made for it that would not fit.
  @Test(arguments: [(1300, true), (1500, false), (3818, true), (3818, false)])
  func aHeaderWithoutRoom(row: (mtu: Int, hasRoom: Bool)) throws {
    let play = try Play(TestService(method: .fullNAT, family: .ipv6, conveyance: .proxyV1), mtu: row.mtu)
    let left = row.mtu - 60 - (row.hasRoom ? play.header.count : 0)
    let fillers = Self.extensions(byteCount: left)
    let ack = play.request().with { $0.extensions = fillers }
    let data = play.request(TCP.ack, [5]).with { $0.extensions = Self.extensions(byteCount: left - 8) }
    if row.hasRoom {
      #expect(
        play.sent(ack) == [
          play.atServer(ack) {
            $0.payload = play.header
            $0.flags |= TCP.psh
          }
        ])
      #expect(play.sent(data).count == 1)
    } else {
      #expect(play.sent(ack) == [play.atServer(ack)])
      #expect(play.sent(data).count == 1, "nor does it go ahead of such a segment")
      #expect(play.director.dataplane.statistics().unconveyed == 2)
      #expect(play.sent(play.request(TCP.ack, [5])).count == 2)
    }
    play.director.verify()
  }

  /// Destination options of so many bytes, or up to seven less.
  private static func extensions(byteCount: Int) -> [(number: UInt8, body: [UInt8])] {
    var left = byteCount / 8
    var headers: [(number: UInt8, body: [UInt8])] = []
    while left > 0 {
      let count = min(left, 200)
      headers.append((60, [UInt8(count - 1)] + [UInt8](repeating: 0, count: count * 8 - 2)))
      left -= count
    }
    return headers
  }

  @Test func aClientsOwnOptionIsTakenOff() throws {
    let play = try Play(TestService(method: .fullNAT, conveyance: .option))
    let forged: [UInt8] = [1, 254, 8, 0, 80, 1, 2, 3, 4, 253, 8, 0, 80, 1, 2, 3, 4, 1, 1, 1]
    let blank = [UInt8](repeating: 1, count: 20)
    let first = play.request(options: forged)
    #expect(play.sent(first) == [play.atServer(first) { $0.segmentOptions = play.option + blank }])
    let later = play.request(TCP.ack, at: 500, [1], options: forged)
    #expect(play.sent(later) == [play.atServer(later) { $0.segmentOptions = blank }])
    play.director.verify()
  }

  @Test(arguments: services) func theServersAnswer(service: TestService) throws {
    let play = try Play(service)
    let size = UInt16(play.option.count)
    let answer = play.reply(TCP.syn | TCP.ack, ack: 1001, options: [2, 4, 5, 180, 1, 1, 1, 1])
    let expected = play.atClient(answer) {
      if service.conveyance == .option {
        $0.segmentOptions = [2, 4] + big(1460 - size) + [1, 1, 1, 1]
      } else {
        $0.window -= UInt16(play.header.count)
      }
    }
    #expect(play.answered(answer) == [expected])
    play.director.verify()
  }

  /// A SYN with data (TCP Fast Open): the header has to come first.
  @Test(arguments: services) func dataInTheFirstSegment(service: TestService) throws {
    let director = try Director(service)
    let syn = TestPacket.request(service).with { $0.payload = [1, 2, 3, 4, 5] }
    let journey = director.fromClient(syn)
    #expect(journey.outcome == .fullNATRequest)
    let plain = director.fromClient(syn.with { $0.payload = [] })
    let comparable = journey.sent.map { Self.comparable($0.bytes) }
    if service.conveyance == .option {
      #expect(comparable.first?.count == plain.sent[0].bytes.count + 5)
    } else {
      #expect(comparable == plain.sent.map { Self.comparable($0.bytes) })
    }
    director.verifyEmptyAfterExpiry()
  }

  /// Somebody else's SYN in the middle of a connection changes nothing about its numbers.
  @Test func aForeignSYN() throws {
    let play = try Play(TestService(method: .fullNAT, conveyance: .proxyV2))
    _ = play.sent(play.request())
    _ = play.answered(play.reply(ack: 1029))
    _ = play.sent(TestPacket.request(play.service).with { $0.sequence = 0x5555_5555 })
    let data = play.request(TCP.ack, at: 1, [1])
    #expect(play.sent(data) == [play.atServer(data) { $0.sequence &+= 28 }])
    play.director.verify()
  }

  /// Sloppy: the middle of a stream opens a connection, but not one that begins with a header.
  @Test(arguments: services) func withoutABeginning(service: TestService) throws {
    let director = try Director(service)
    director.settings.isSloppyTCP = true
    director.publish()
    let outcome = director.fromClient(.request(service, TCP.ack)).outcome
    #expect(outcome == (service.conveyance == .option ? .fullNATRequest : .noConnection))
    director.verifyEmptyAfterExpiry()
  }

  /// What is configured is for new connections; those that are there go on as they began.
  @Test func conveyanceIsTakenAway() throws {
    let play = try Play(TestService(method: .fullNAT, conveyance: .proxyV2))
    _ = play.sent(play.request())
    play.director.services = [
      TestService(method: .fullNAT), TestService(method: .fullNAT, port: 81, conveyance: .option),
    ]
    play.director.publish()
    let data = play.request(TCP.ack, [1])
    #expect(play.sent(data) == [play.atServer(data) { $0.sequence &+= 28 }])
    #expect(play.director.fromClient(.request(play.service, port: 41_000)).outcome == .fullNATRequest)
    #expect(play.director.wideEntryCount == 2 && play.director.entryCounts[0] == 2)
    play.director.verifyEmptyAfterExpiry()
  }
}

private func big(_ number: UInt16) -> [UInt8] { [UInt8(number >> 8), UInt8(number & 0xff)] }

private func big(_ number: UInt32) -> [UInt8] {
  [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> UInt32($0)) }
}
