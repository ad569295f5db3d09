import Kernel
import Testing
import Wire

@testable import Dataplane

/// Timeouts, the hand, pairs that vanish together, thresholds.
@Suite struct ConnectionExpiryTests {
  static let states: [(state: ConnectionState.TCP, segments: [UInt8], seconds: Double)] = [
    (.synReceived, [TCP.syn], 60), (.established, [TCP.syn, TCP.ack], 900),
    (.finWait, [TCP.syn, TCP.ack, TCP.fin], 120), (.timeWait, [TCP.syn, TCP.fin], 120),
    (.close, [TCP.syn, TCP.ack, TCP.rst], 10),
  ]

  @Test(arguments: states.indices)
  func timeouts(row: Int) throws {
    let (state, segments, seconds) = Self.states[row]
    for family in [IPAddress.Family.ipv4, .ipv6] {
      for isSwept in [true, false] {
        let service = TestService(family: family)
        let director = try Director(service)
        for flags in segments { #expect(director.fromClient(.request(service, flags)).outcome == .directRouting) }
        #expect(director.listed.map(\.stateName) == [state.name])
        #expect(director.listed.map(\.secondsLeft) == [Int(seconds)])
        director.advance(seconds: seconds - 1)
        director.sweep()
        #expect(director.listed.map(\.secondsLeft) == [1])
        director.advance(seconds: 2)
        if isSwept { director.sweep() }
        // By the hand or by the packet that is too late.
        #expect(director.fromClient(.request(service, TCP.ack)) == Journey(.noConnection))
        #expect(director.connections() == [0, 0] && director.entryCounts == [0, 0])
        #expect(director.dataplane.statistics().expired == 1)
        director.verify()
      }
    }
  }

  static let pairs = [Forwarding.masquerading, .fullNAT].flatMap { method in
    [IPAddress.Family.ipv4, .ipv6].flatMap { family in
      [TransportProtocol.tcp, .udp].map { TestService(method: method, family: family, transport: $0) }
    }
  }

  private static func reply(_ director: Director, _ service: TestService, _ flags: UInt8 = TCP.ack) -> TestPacket {
    let local = director.listed.first?.local
    return .reply(service, to: local?.address, port: local?.port ?? 40_000, flags)
  }

  private static func establish(_ director: Director, _ service: TestService) {
    #expect(director.fromClient(.request(service)).outcome.isForwarded)
    #expect(director.fromServer(reply(director, service, TCP.syn | TCP.ack)).outcome.isForwarded)
    #expect(director.fromClient(.request(service, TCP.ack)).outcome.isForwarded)
    #expect(director.entryCounts.reduce(0, +) == 2)
  }

  /// Replies only, or requests only: the connection lives as long as one side talks.
  @Test(arguments: pairs)
  func oneSided(service: TestService) throws {
    let step = service.transport == .tcp ? 800.0 : 250
    for isReply in [true, false] {
      for isSwept in [true, false] {
        let director = try Director(service)
        Self.establish(director, service)
        let reply = Self.reply(director, service)
        for _ in 0..<5 {
          director.advance(seconds: step)
          if isSwept { director.sweep() }
          let journey = isReply ? director.fromServer(reply) : director.fromClient(.request(service, TCP.ack))
          #expect(journey.outcome.isForwarded)
        }
        director.advance(seconds: step / 2)
        // The other side joins in again.
        #expect(director.fromClient(.request(service, TCP.ack)).outcome.isForwarded)
        #expect(director.fromServer(reply).outcome.isForwarded)
        #expect(director.entryCounts.reduce(0, +) == 2)
        director.verifyEmptyAfterExpiry()
      }
    }
  }

  /// A reply after the timeout finds nothing, whether the hand has been there or not.
  @Test(arguments: pairs)
  func lateReply(service: TestService) throws {
    for isSwept in [true, false] {
      let director = try Director(service)
      Self.establish(director, service)
      let reply = Self.reply(director, service)
      director.advance(seconds: service.transport == .tcp ? 901 : 301)
      if isSwept { director.sweep() }
      #expect(director.fromServer(reply) == Journey(.noReplyConnection))
      #expect(director.entryCounts == [0, 0] && director.connections() == [0, 0])
      director.verify()
    }
  }

  /// A timed-out flow comes back with several packets in one batch: one new connection, and all find it.
  @Test(arguments: [Forwarding.directRouting, .masquerading, .fullNAT, .tunnelling])
  func sameBatch(method: Forwarding) throws {
    for family in [IPAddress.Family.ipv4, .ipv6] {
      let service = TestService(method: method, family: family)
      let director = try Director(service, connections: 4096)
      // Fill the lines, so that slots before the flow's become free while it waits.
      for port in UInt16(1000)..<2000 { _ = director.fromClient(.request(service, port: port)) }
      for port in UInt16(40_000)..<40_300 { _ = director.fromClient(.request(service, port: port)) }
      director.advance(seconds: 61)
      var frames: [[UInt8]] = []
      for port in UInt16(40_000)..<40_300 {
        frames.append(TestPacket.request(service, port: port - 39_000).with { $0.flags = TCP.ack }.arriving)
        frames.append(TestPacket.request(service, port: port).arriving)
        frames.append(TestPacket.request(service, port: port, TCP.ack).arriving)
      }
      var outcomes: [Outcome] = []
      for first in stride(from: 0, to: frames.count, by: 60) {
        outcomes += director.send(Array(frames[first..<min(first + 60, frames.count)])).map(\.outcome)
      }
      #expect(stride(from: 0, to: outcomes.count, by: 3).allSatisfy { outcomes[$0] == .noConnection })
      #expect(stride(from: 1, to: outcomes.count, by: 3).allSatisfy { outcomes[$0].isForwarded })
      #expect(stride(from: 2, to: outcomes.count, by: 3).allSatisfy { outcomes[$0].isForwarded })
      director.sweep()
      #expect(director.listed.count == 300 && director.connections() == [300, 0])
      director.verifyEmptyAfterExpiry()
    }
  }

  /// Half-second ticks wrap after 18 hours: an idle connection is kept in coarser ones by then.
  @Test(arguments: [6.0, 9.5, 17, 19, 40, 400])
  func longIdle(hours: Double) throws {
    for service in [
      TestService(), TestService(family: .ipv6), TestService(method: .masquerading), TestService(method: .fullNAT),
    ] {
      let director = try Director(service)
      director.timeouts.set(tcp: 31 * 86400, tcpFin: 0, udp: 0)
      director.publish()
      for flags in [TCP.syn, TCP.ack] { #expect(director.fromClient(.request(service, flags)).outcome.isForwarded) }
      for _ in 0..<Int(hours * 2) {
        director.advance(seconds: 1800)
        director.sweep()
      }
      let left = 31 * 86400 - Int(hours * 3600)
      let listed = try #require(director.listed.first)
      #expect(abs(listed.secondsLeft - left) <= 64)
      #expect(director.fromClient(.request(service, TCP.ack)).outcome.isForwarded)
      #expect(director.listed.first?.secondsLeft == 31 * 86400)
      director.timeouts.set(tcp: 900, tcpFin: 0, udp: 0)
      director.publish()
      // The new timeouts are for those that have another packet.
      director.advance(seconds: 1)
      #expect(director.fromClient(.request(service, TCP.ack)).outcome.isForwarded)
      director.verifyEmptyAfterExpiry()
    }
  }

  /// A connection ends on time in coarse ticks too, give or take their size.
  @Test func coarseTimeout() throws {
    let service = TestService()
    let director = try Director(service)
    director.timeouts.set(tcp: 20 * 3600, tcpFin: 0, udp: 0)
    director.publish()
    for flags in [TCP.syn, TCP.ack] { _ = director.fromClient(.request(service, flags)) }
    for _ in 0..<(20 * 6 - 1) {
      director.advance(seconds: 600)
      director.sweep()
      #expect(director.listed.count == 1)
    }
    director.advance(seconds: 500)
    director.sweep()
    #expect(director.listed.count == 1)
    director.advance(seconds: 200)
    director.sweep()
    #expect(director.entryCounts == [0, 0])
    director.verify()
  }

  /// At the tick counter's wrap nothing happens to a connection.
  @Test func clockWrap() throws {
    let service = TestService(method: .masquerading)
    let director = try Director(service)
    director.advance(seconds: 65_536 - 100)
    for flags in [TCP.syn, TCP.ack] { _ = director.fromClient(.request(service, flags)) }
    for _ in 0..<4 {
      director.advance(seconds: 200)
      director.sweep()
    }
    #expect(director.listed.map(\.secondsLeft) == [100])
    director.advance(seconds: 101)
    director.sweep()
    #expect(director.entryCounts == [0, 0])
    director.verify()
  }

  /// An answer that changes nothing keeps the connection, and is seen in what is left of it.
  @Test(arguments: pairs)
  func answersShowInTheListing(service: TestService) throws {
    let director = try Director(service)
    #expect(director.fromClient(.request(service)).outcome.isForwarded)
    director.advance(seconds: 20)
    #expect(director.listed.map(\.secondsLeft) == [service.transport == .tcp ? 40 : 280])
    #expect(director.fromServer(Self.reply(director, service, TCP.syn | TCP.ack)).outcome.isForwarded)
    #expect(director.listed.map(\.secondsLeft) == [service.transport == .tcp ? 60 : 300])
    director.verifyEmptyAfterExpiry()
  }

  /// The hand as turns move it, a slice at a time: everything has gone after a few of its rounds.
  @Test func handByTurns() throws {
    let service = TestService(method: .masquerading)
    let director = try Director(service)
    for port in UInt16(1000)..<1500 { _ = director.fromClient(.request(service, port: port)) }
    #expect(director.entryCounts == [1000, 0])
    director.advance(seconds: 61)
    for _ in 0..<50 {
      director.advance(seconds: 0.1)
      #expect(director.send([]).isEmpty)
    }
    #expect(director.entryCounts == [0, 0] && director.connections() == [0, 0])
    director.verify()
  }

  /// At the upper threshold the server gets no more, until it is below the lower one (or three quarters).
  @Test(arguments: [(upper: 4, lower: 2, relieved: 1), (upper: 4, lower: 0, relieved: 2)])
  func thresholds(row: (upper: UInt32, lower: UInt32, relieved: Int)) throws {
    let service = TestService(transport: .udp, upperThreshold: row.upper, lowerThreshold: row.lower)
    let director = try Director(service)
    for port in UInt16(40_000)..<40_004 {
      #expect(director.fromClient(.request(service, port: port)).outcome == .directRouting)
    }
    #expect(director.fromClient(.request(service, port: 50_000)).outcome == .noServerAvailable)
    director.advance(seconds: 200)
    for port in UInt16(40_000)..<(40_000 + UInt16(row.relieved) + 1) {
      #expect(director.fromClient(.request(service, port: port)).outcome == .directRouting)
    }
    director.advance(seconds: 150)
    director.sweep()
    // One more than relieves it is left.
    #expect(director.connections() == [0, UInt32(row.relieved) + 1])
    #expect(director.fromClient(.request(service, port: 50_000)).outcome == .noServerAvailable)
    director.advance(seconds: 100)
    _ = (UInt16(40_000)..<(40_000 + UInt16(row.relieved))).map { director.fromClient(.request(service, port: $0)) }
    director.advance(seconds: 100)
    director.sweep()
    #expect(director.connections() == [0, UInt32(row.relieved)])
    #expect(director.fromClient(.request(service, port: 50_000)).outcome == .directRouting)
    director.verifyEmptyAfterExpiry()
  }
}

/// Hands of several workers, without their threads.
@Suite struct SeveralHandsTests {
  private struct NoHost: HostStack, ~Copyable {
    mutating func accept(_ packet: UnsafeRawBufferPointer, networkOffset: Int) -> Bool { false }
    var pollDescriptor: Int32 { -1 }
    mutating func receive(into buffer: UnsafeMutableRawBufferPointer) -> Int { 0 }
  }

  @Test(arguments: [1, 2, 3, 5, 7])
  func sharesCoverTheTable(workers: Int) throws {
    for family in [IPAddress.Family.ipv4, .ipv6] {
      let service = TestService(family: family)
      let director = try Director(service)
      // Connections on every line, so that one in the last lines is there as well.
      for port in UInt16(1000)..<2900 { _ = director.fromClient(.request(service, port: port)) }
      let memory = UnsafeMutableRawPointer.allocate(byteCount: 2048, alignment: 4096)
      defer { memory.deallocate() }
      for number in 0..<workers {
        let worker = try Worker(number: number)
        var forwarder = director.dataplane.makeForwarder(
          worker: worker, workerCount: workers, pool: FramePool(base: memory, chunkByteCount: 2048, frameCount: 1),
          ports: UnsafeMutablePointer<MemoryPort>.allocate(capacity: 1), portInterfaces: [], interfaceAddresses: [],
          host: NoHost())
        for step in 1...40 {
          forwarder.state.clock.set(nanoseconds: director.nanoseconds + 61_000_000_000 + UInt64(step) * 100_000_000)
          _ = forwarder.turnAtClock()
        }
      }
      #expect(director.entryCounts == [0, 0])
      director.verify()
    }
  }

  /// A packet right after the change lives by it, wherever in their ticks the two and the listing lie.
  @Test(arguments: [0.0, 0.08, 0.3, 0.49]) func changedTimeoutsAreForTheNextPacket(phase: Double) throws {
    let director = try Director(TestService(transport: .udp))
    director.advance(seconds: phase)
    director.timeouts.set(tcp: 5, tcpFin: 3, udp: 30)
    director.publish()
    _ = director.fromClient(.request(director.services[0]))
    for _ in 0..<20 {
      director.advance(seconds: 1.2)
      let left = director.listed.map(\.secondsLeft)
      #expect(left.count == 1 && left.allSatisfy { $0 <= 30 }, "\(left)")
    }
    director.advance(seconds: 7)
    director.sweep()
    #expect(director.listed.isEmpty)
  }

  /// `ipvsadm --set` is for connections with their next packet: those that have none live as long as before.
  @Test func changedTimeoutsWaitForAPacket() throws {
    let director = try Director([TestService(), TestService(transport: .udp, port: 53)])
    let (tcp, udp) = (director.services[0], director.services[1])
    _ = director.fromClient(.request(tcp))
    _ = director.fromClient(.request(tcp, TCP.ack))
    _ = director.fromClient(.request(udp))
    _ = director.fromClient(.request(udp, port: 41_000))
    director.advance(seconds: 2)
    director.timeouts.set(tcp: 5, tcpFin: 3, udp: 4)
    director.publish()
    director.advance(seconds: 1)
    let before = Dictionary(grouping: director.listed, by: \.stateName).mapValues { $0.map(\.secondsLeft) }
    #expect(before == ["ESTABLISHED": [897], "UDP": [297, 297]])
    _ = director.fromClient(.request(udp))
    let lefts = director.listed.filter { $0.stateName == "UDP" }.map(\.secondsLeft).sorted()
    #expect(lefts == [4, 297])
    director.advance(seconds: 60)
    director.sweep()
    #expect(director.listed.map(\.secondsLeft).sorted() == [237, 837], "the one with a packet has gone")
    #expect(director.fromClient(.request(tcp, TCP.ack)).outcome.isForwarded)
    #expect(director.listed.first { $0.stateName == "ESTABLISHED" }?.secondsLeft == 5)
    director.advance(seconds: 6)
    #expect(director.fromClient(.request(tcp, TCP.ack)) == Journey(.noConnection))
  }
}
