import Testing
import Wire

@testable import Dataplane

/// Every way for a journey to end, and the account of them.
@Suite struct OutcomeTests {
  @Test func namesAndFates() {
    let outcomes = Outcome.allCases.filter { $0 != .pending }
    #expect(Set(outcomes.map(\.name)).count == outcomes.count)
    #expect(Set(outcomes.map(\.explanation)).count == outcomes.count)
    #expect(
      outcomes.filter(\.isForwarded).map { "\($0)" } == [
        "directRouting", "masqueradeRequest", "masqueradeReply", "tunnel", "fullNATRequest", "bypassed",
        "drainedReset", "errorToServer", "errorToClient", "localReply", "ownTraffic", "checkRequest",
        "fullNATReply",
      ])
    #expect(
      outcomes.filter(\.isPassed) == [
        .notOurs, .localServer, .errorToLocalServer, .noConnection, .noReplyConnection, .privilegedSource, .icmp,
        .checkAnswer,
      ])
    #expect(outcomes.allSatisfy { $0.name.hasPrefix($0.fate.rawValue) })
    #expect(!Outcome.pending.isForwarded && !Outcome.pending.isPassed)
  }

  static let methods = [Forwarding.directRouting, .masquerading, .tunnelling, .fullNAT]

  /// A removed server's packets are dropped and do not keep the connection alive; replies still pass.
  @Test(arguments: methods)
  func serverRemoved(method: Forwarding) throws {
    for family in [IPAddress.Family.ipv4, .ipv6] {
      let director = try Director(TestService(method: method, family: family, weights: [1, 1]))
      let service = director.services[0]
      for port in UInt16(40_000)..<40_004 { _ = director.fromClient(.request(service, port: port)) }
      #expect(director.connections(0, 0) == [2, 0] && director.connections(0, 1) == [2, 0])
      director.services[0].removed = [0]
      director.publish()
      director.advance(seconds: 40)
      let outcomes = (UInt16(40_000)..<40_004).map { director.fromClient(.request(service, port: $0)).outcome }
      #expect(outcomes.filter { $0 == .serverRemoved }.count == 2)
      #expect(outcomes.filter(\.isForwarded).count == 2)
      let local = director.listed.first { $0.server.address == Network.server(family, 0) }
      if method == .masquerading || method == .fullNAT, let local {
        let reply = TestPacket.reply(service, to: local.local?.address, port: local.local?.port ?? local.client.port)
        #expect(director.fromServer(reply).outcome.isForwarded)
      } else {
        director.advance(seconds: 21)
        director.sweep()
        #expect(director.connections(0, 0) == [0, 0] && director.connections(0, 1) == [2, 0])
      }
      director.services[0].removed = []
      director.publish()
      #expect(director.fromClient(.request(service, port: 50_000)).outcome.isForwarded)
      director.verifyEmptyAfterExpiry()
    }
  }

  /// Weight 0 keeps connections and gets no new ones.
  @Test(arguments: methods)
  func quiescent(method: Forwarding) throws {
    let director = try Director(TestService(method: method, weights: [1, 1]))
    let service = director.services[0]
    for port in UInt16(40_000)..<40_004 { _ = director.fromClient(.request(service, port: port)) }
    director.services[0].weights = [0, 1]
    director.publish()
    for port in UInt16(40_000)..<40_010 {
      #expect(director.fromClient(.request(service, port: port)).outcome.isForwarded)
    }
    #expect(director.connections(0, 0) == [2, 0] && director.connections(0, 1) == [8, 0])
    director.verifyEmptyAfterExpiry()
  }

  /// A deleted service schedules nothing; its connections go on, as long as there is another service.
  @Test(arguments: methods)
  func serviceDeleted(method: Forwarding) throws {
    let director = try Director([TestService(method: method), TestService(method: method, transport: .udp)])
    let service = director.services[0]
    #expect(director.fromClient(.request(service)).outcome.isForwarded)
    director.services[0].isActive = false
    director.publish()
    #expect(director.fromClient(.request(service, TCP.ack)).outcome.isForwarded)
    #expect(director.fromClient(.request(service, port: 50_000)) == Journey(.notOurs))
    director.services[1].isActive = false
    director.publish()
    #expect(director.fromClient(.request(service, TCP.ack)) == Journey(.notOurs), "IPVS does not look any more")
    director.verifyEmptyAfterExpiry()
  }

  static let hops: [(state: NextHop.State, outcome: Outcome)] = [
    (.unreachable, .noRoute), (.unresolved, .neighbourUnresolved), (.local, .localServer),
  ]

  @Test(arguments: methods)
  func nextHops(method: Forwarding) throws {
    for (state, outcome) in Self.hops {
      let director = try Director(TestService(method: method, nextHop: NextHop(state)))
      let isPossible = state != .local || method != .fullNAT
      #expect(director.fromClient(.request(director.services[0])) == Journey(isPossible ? outcome : .serverLocal))
      // As in IPVS the connection is there all the same.
      #expect(director.connections() == [1, 0])
      director.verifyEmptyAfterExpiry()
    }
  }

  /// 64 packets of one new flow in one batch: one connection, one server.
  @Test(arguments: methods)
  func oneFlowInABatch(method: Forwarding) throws {
    for transport in [TransportProtocol.tcp, .udp] {
      let director = try Director(TestService(method: method, transport: transport, weights: [1, 1]))
      let service = director.services[0]
      var frames = [[UInt8]](repeating: TestPacket.request(service, TCP.ack).arriving, count: 64)
      frames[0] = TestPacket.request(service).arriving
      let journeys = director.send(frames)
      #expect(journeys.allSatisfy { $0.outcome.isForwarded })
      #expect(Set(journeys.map { Array($0.sent[0].bytes[0..<6]) }).count == 1)
      #expect(director.listed.count == 1)
      let counters = (0..<2).map { director.dataplane.counters(ofServer: Director.serverNumber(0, $0)) }
      #expect(counters.map(\.connections).sorted() == [0, 1] && counters.map(\.inPackets).sorted() == [0, 64])
      director.verifyEmptyAfterExpiry()
    }
  }

  /// A full table drops new connections by name, keeps the old ones, and counts stay right.
  @Test(arguments: methods)
  func tableFull(method: Forwarding) throws {
    for family in [IPAddress.Family.ipv4, .ipv6] {
      let director = try Director(TestService(method: method, family: family, transport: .udp))
      let service = director.services[0]
      var opened: [UInt16] = []
      for port in UInt16(1024)..<9000 {
        let outcome = director.fromClient(.request(service, port: port)).outcome
        if outcome.isForwarded { opened.append(port) } else { #expect(outcome == .tableFull) }
      }
      #expect(opened.count > 1000 && opened.count < 5000)
      #expect(director.connections() == [0, UInt32(opened.count)])
      #expect(opened.allSatisfy { director.fromClient(.request(service, port: $0)).outcome.isForwarded })
      director.verifyEmptyAfterExpiry()
    }
  }

  @Test func accountOfServers() throws {
    let director = try Director(TestService(method: .masquerading))
    let service = director.services[0]
    _ = director.fromClient(.request(service).with { $0.payload = [1, 2, 3] })
    _ = director.fromServer(.reply(service))
    _ = director.fromServer(.reply(service, TCP.ack).with { $0.payload = .init(repeating: 1, count: 100) })
    let counters = director.dataplane.counters(ofServer: Director.serverNumber(0, 0))
    #expect(counters.connections == 1 && counters.inPackets == 1 && counters.inBytes == 43)
    #expect(counters.outPackets == 2 && counters.outBytes == 180)
    let statistics = director.dataplane.statistics()
    #expect(statistics.received == 3 && statistics.sum(.forwarded) == 3 && statistics.originated == 0)
    director.verifyEmptyAfterExpiry()
  }
}
