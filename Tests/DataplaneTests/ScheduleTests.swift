import Testing
import Wire

@testable import Dataplane

/// Packets of known connections that are not what the straight line is for.
@Suite struct ScheduleTests {
  static let methods = [Forwarding.directRouting, .masquerading, .tunnelling, .fullNAT]

  /// IPv4 only: the frame, with `byteCount` bytes left of the transport header.
  private static func cut(_ packet: TestPacket, to byteCount: Int) -> [UInt8] {
    var frame = Array(packet.arriving.prefix(34 + byteCount))
    frame[17] = UInt8(20 + byteCount)
    (frame[24], frame[25]) = (0, 0)
    let sum = ~SampleFrame.fold(Array(frame[14..<34]))
    (frame[24], frame[25]) = (UInt8(sum >> 8), UInt8(sum & 255))
    return frame
  }

  /// Only the ports are needed to find a connection, and only NAT needs more to forward it.
  @Test(arguments: methods, [TransportProtocol.tcp, .udp]) func transportCutShort(
    method: Forwarding, transport: TransportProtocol
  ) throws {
    let director = try Director(TestService(method: method, transport: transport))
    let service = director.services[0]
    let packet = TestPacket.request(service)
    #expect(director.send([ScheduleTests.cut(packet, to: 4)])[0].outcome == .malformed)
    #expect(director.fromClient(packet).outcome.isForwarded)
    let state = director.listed[0].stateName
    for byteCount in [4, 6, 7] {
      let journey = director.send([ScheduleTests.cut(packet.with { $0.flags = TCP.rst }, to: byteCount)])[0]
      #expect(journey.outcome.isForwarded == !method.rewritesTransport)
      #expect(method.rewritesTransport ? journey.outcome == .malformed : journey.sent.count == 1)
    }
    #expect(director.send([ScheduleTests.cut(packet, to: 3)])[0].outcome == .malformed)
    #expect(director.listed.map(\.stateName) == [state])
    #expect(director.dataplane.counters(ofServer: 1).inPackets == 4)
    director.verifyEmptyAfterExpiry()
  }

  struct Reply: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let outcome: Outcome
    var timeToLive: UInt8 = 64
    var byteCount = 0
    var fragment: UInt16 = 0
    var isForwarded: Bool { outcome == .masqueradeReply }
  }

  static let replies = [
    Reply(testDescription: "ordinary", outcome: .masqueradeReply),
    Reply(testDescription: "last hop", outcome: .timeExceeded, timeToLive: 1),
    Reply(testDescription: "too big", outcome: .tooBig, byteCount: 1361, fragment: 0x4000),
    Reply(testDescription: "just small enough", outcome: .masqueradeReply, byteCount: 1360, fragment: 0x4000),
    Reply(testDescription: "may be cut", outcome: .masqueradeReply, byteCount: 1361),
  ]

  /// The router refuses a reply before IPVS sees it: it is not counted, and its FIN changes nothing.
  @Test(arguments: replies, [TCP.ack, TCP.fin | TCP.ack]) func refusedReply(row: Reply, flags: UInt8) throws {
    let director = try Director([TestService(method: .masquerading)], clientMTU: 1400)
    let service = director.services[0]
    _ = director.fromClient(.request(service))
    _ = director.fromServer(.reply(service))
    _ = director.fromClient(.request(service, TCP.ack))
    let packet = TestPacket.reply(service, flags).with {
      ($0.timeToLive, $0.fragment) = (row.timeToLive, row.fragment)
      $0.payload = [UInt8](repeating: 1, count: row.byteCount)
    }
    let journey = director.fromServer(packet)
    #expect(journey.outcome == row.outcome)
    #expect(journey.sent.count == (row.fragment == 0 && row.byteCount > 1360 ? 2 : 1))
    let isChanged = row.isForwarded && flags & TCP.fin != 0
    #expect(director.listed.map(\.stateName) == [isChanged ? "FIN_WAIT" : "ESTABLISHED"])
    let counts = director.dataplane.counters(ofServer: 1)
    #expect(counts.outPackets == (row.isForwarded ? 2 : 1))
    #expect(counts.outBytes == (row.isForwarded ? 80 + UInt64(row.byteCount) : 40))
    director.verifyEmptyAfterExpiry()
  }

  /// A client begins anew from its port: its last connection counts while the next one's server is chosen.
  @Test(arguments: methods) func replacedConnectionCounts(method: Forwarding) throws {
    let director = try Director(TestService(method: method, weights: [1, 1], scheduler: .leastConnection))
    let service = director.services[0]
    for round in 0..<4 {
      let journey = director.fromClient(.request(service, TCP.syn))
      #expect(director.station(of: journey) == round % 2)
      #expect((0..<2).map { director.connections(0, $0) } == (0..<2).map { [$0 == round % 2 ? 1 : 0, 0] })
      for flags in [TCP.ack, TCP.rst] { #expect(director.fromClient(.request(service, flags)).outcome.isForwarded) }
    }
    #expect(director.listed.count == 1)
    director.verifyEmptyAfterExpiry()
  }

  /// The same where no server is left: the answer is one of the last connection's server, unless it is by NAT.
  @Test(arguments: methods) func replacedConnectionIsAnswered(method: Forwarding) throws {
    let director = try Director(TestService(method: method, upperThreshold: 1))
    let service = director.services[0]
    for flags in [TCP.syn, TCP.ack, TCP.rst] {
      #expect(director.fromClient(.request(service, flags)).outcome.isForwarded)
    }
    let journey = director.fromClient(.request(service, TCP.syn))
    #expect(journey.outcome == .noServerAvailable && journey.sent.count == 1)
    #expect(director.dataplane.counters(ofServer: 1).outPackets == (method == .masquerading ? 0 : 1))
    #expect(director.listed.isEmpty && director.connections() == [0, 0])
    // By then it has gone.
    #expect(director.fromClient(.request(service, port: 41_000, TCP.syn)).outcome.isForwarded)
    director.verifyEmptyAfterExpiry()
  }
}
