import Testing
import Wire

@testable import Dataplane

/// What is counted of SYNs: opened, answered, refused. In every method, for a VIP's port and by a mark.
@Suite struct AnswersTests {
  static let services = [Forwarding.directRouting, .tunnelling, .masquerading, .fullNAT].flatMap { method in
    [IPAddress.Family.ipv4, .ipv6].flatMap { family in
      // A mark's servers are not reached by FULLNAT.
      (method == .fullNAT ? [0] : [0, 7]).map { TestService(method: method, family: family, weights: [1], mark: $0) }
    }
  }

  static func seesReplies(_ service: TestService) -> Bool {
    service.method == .masquerading || service.method == .fullNAT
  }

  /// What the server says to the connection of a client's port.
  static func answer(_ director: Director, _ service: TestService, port: UInt16, _ flags: UInt8) -> Journey {
    let local = director.listed.first { $0.client.port == port && $0.local != nil }?.local
    return director.fromServer(.reply(service, to: local?.address, port: local?.port ?? port, flags))
  }

  static func counted(_ director: Director) -> [UInt64] {
    let counters = director.dataplane.counters(ofServer: Director.serverNumber(0, 0))
    return [counters.opened, counters.answered, counters.refused]
  }

  @Test(arguments: services) func anAnswer(service: TestService) throws {
    let director = try Director(service)
    #expect(director.fromClient(.request(service)).outcome.isForwarded)
    #expect(Self.counted(director) == [1, 0, 0])
    director.advance(seconds: 1)
    // The same SYN again.
    #expect(director.fromClient(.request(service)).outcome.isForwarded)
    #expect(Self.counted(director) == [1, 0, 0])
    if Self.seesReplies(service) {
      for _ in 0..<3 {
        #expect(Self.answer(director, service, port: 40_000, TCP.syn | TCP.ack).outcome.isForwarded)
        #expect(Self.counted(director) == [1, 1, 0], "an answer counts once")
        director.advance(seconds: 1)
      }
    }
    #expect(director.fromClient(.request(service, TCP.ack)).outcome.isForwarded)
    #expect(Self.counted(director) == [1, 1, 0])
    for flags in [TCP.ack, TCP.fin | TCP.ack, TCP.ack, TCP.rst] {
      #expect(director.fromClient(.request(service, flags)).outcome.isForwarded)
      if Self.seesReplies(service) {
        #expect(Self.answer(director, service, port: 40_000, flags).outcome.isForwarded)
      }
    }
    #expect(Self.counted(director) == [1, 1, 0])
    // The next connection from the same port is another one.
    #expect(director.fromClient(.request(service)).outcome.isForwarded)
    #expect(Self.counted(director) == [2, 1, 0])
    director.verifyEmptyAfterExpiry()
  }

  @Test(arguments: services.filter(seesReplies)) func aRefusal(service: TestService) throws {
    let director = try Director(service)
    for count in 1...3 as ClosedRange<UInt64> {
      #expect(director.fromClient(.request(service)).outcome.isForwarded)
      #expect(Self.counted(director) == [count, 0, count - 1])
      #expect(Self.answer(director, service, port: 40_000, TCP.rst | TCP.ack).outcome.isForwarded)
      #expect(Self.counted(director) == [count, 0, count])
    }
    // A reset of a connection that was answered is none of a SYN.
    _ = director.fromClient(.request(service, port: 40_001))
    _ = Self.answer(director, service, port: 40_001, TCP.syn | TCP.ack)
    _ = Self.answer(director, service, port: 40_001, TCP.rst)
    #expect(Self.counted(director) == [4, 1, 3])
    director.verifyEmptyAfterExpiry()
  }

  /// Clients that never go on after the server's answer are not its fault, where its answer is seen.
  @Test(arguments: services) func aFloodOfSYNs(service: TestService) throws {
    let director = try Director(service)
    for port in 30_000..<30_100 as Range<UInt16> {
      #expect(director.fromClient(.request(service, port: port)).outcome.isForwarded)
      if Self.seesReplies(service) {
        #expect(Self.answer(director, service, port: port, TCP.syn | TCP.ack).outcome.isForwarded)
      }
    }
    #expect(Self.counted(director) == [100, Self.seesReplies(service) ? 100 : 0, 0])
    director.verifyEmptyAfterExpiry()
  }

  /// Under `secure_tcp` a connection goes through other states.
  @Test(arguments: services) func secure(service: TestService) throws {
    let director = try Director(service)
    director.settings.secureTCP = .always
    director.publish()
    _ = director.fromClient(.request(service))
    if Self.seesReplies(service) { _ = Self.answer(director, service, port: 40_000, TCP.syn | TCP.ack) }
    _ = director.fromClient(.request(service, TCP.ack))
    #expect(Self.counted(director) == [1, 1, 0])
    _ = director.fromClient(.request(service, port: 40_001))
    #expect(Self.counted(director) == [2, 1, 0])
    director.verifyEmptyAfterExpiry()
  }

  /// A real server on the director: its answers pass by lbd in DR, too, and its client's ACK counts all the same.
  @Test(arguments: [Forwarding.directRouting, .masquerading]) func onTheDirector(method: Forwarding) throws {
    let service = TestService(method: method, serverPort: method == .masquerading ? 8080 : 80, nextHop: NextHop(.local))
    let director = try Director(service)
    #expect(director.fromClient(.request(service)) == Journey(.localServer))
    let answer = TestPacket.reply(service).with {
      if method == .directRouting { $0.source = Network.virtual(service.family) }
    }
    director.pipeline.hostSends(answer.packet)
    // Every other turn is the host's.
    var turns = 0
    while director.pipeline.turn() == 0, turns < 2 { turns += 1 }
    #expect(Self.counted(director) == [1, method == .masquerading ? 1 : 0, 0])
    #expect(director.fromClient(.request(service, TCP.ack)) == Journey(.localServer))
    #expect(Self.counted(director) == [1, 1, 0])
    director.verifyEmptyAfterExpiry()
  }

  /// They stand in one cache line with what steady packets count.
  @Test func countersAreOneLine() { #expect(MemoryLayout<ServerCounters>.stride == 64) }

  /// What no SYN has opened is nobody's answer.
  @Test(arguments: services) func withoutSYN(service: TestService) throws {
    let director = try Director(service)
    director.settings.isSloppyTCP = true
    director.publish()
    #expect(director.fromClient(.request(service, TCP.ack)).outcome.isForwarded)
    if Self.seesReplies(service) { _ = Self.answer(director, service, port: 40_000, TCP.ack) }
    #expect(director.fromClient(.request(service, TCP.ack)).outcome.isForwarded)
    #expect(Self.counted(director) == [0, 0, 0])

    var datagrams = service
    datagrams.transport = .udp
    let other = try Director(datagrams)
    #expect(other.fromClient(.request(datagrams)).outcome.isForwarded)
    if Self.seesReplies(datagrams) {
      #expect(Self.answer(other, datagrams, port: 40_000, 0).outcome.isForwarded)
    }
    #expect(Self.counted(other) == [0, 0, 0])
  }
}
