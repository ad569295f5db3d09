import Scheduler
import Testing
import Wire

@testable import Dataplane

/// A client stays with its server: random services and clients, with servers that come, go, and are full.
@Suite struct PersistenceTests {
  private typealias Persistence = SnapshotDescription.Persistence

  /// How a service is known, and which bits of a client count.
  struct Row: Sendable, CustomTestStringConvertible {
    let testDescription: String
    var service: TestService
    /// Clients of one group differ in the lower so many bits.
    var groupBits: UInt32
  }

  private static func persistence(_ groupBits: UInt32) -> Persistence {
    Persistence(seconds: 120, maskHigh: 0, maskLow: UInt64(UInt32.max << groupBits))
  }

  static let rows: [Row] = [0, 8].flatMap { (bits: UInt32) in
    [
      Row(
        testDescription: "port 80, /\(32 - bits)",
        service: TestService(weights: [2, 1, 1, 3], upperThreshold: 30, persistence: persistence(bits)),
        groupBits: bits),
      Row(
        testDescription: "all ports, /\(32 - bits)",
        service: TestService(
          port: 0, weights: [2, 1, 1, 3], scheduler: .weightedLeastConnection, persistence: persistence(bits)),
        groupBits: bits),
      Row(
        testDescription: "a mark, /\(32 - bits)",
        service: TestService(
          port: 0, weights: [2, 1, 1, 3], scheduler: .weightedRoundRobin, mark: 7, persistence: persistence(bits)),
        groupBits: bits),
      Row(
        testDescription: "UDP, /\(32 - bits)",
        service: TestService(
          transport: .udp, weights: [1, 1, 1, 1], upperThreshold: 20, lowerThreshold: 5,
          persistence: persistence(bits)),
        groupBits: bits),
    ]
  }

  /// What a client's group met last, and when.
  private struct Meeting {
    var server: Int
    var nanoseconds: UInt64
  }

  /// Whatever happens to other servers, and to this one short of its removal: weight 0, upper threshold.
  @Test(arguments: rows, 1...3 as ClosedRange<UInt64>) func clientStaysWithItsServer(row: Row, seed: UInt64) throws {
    var random = SplitMix(seed: seed)
    let director = try Director([row.service], connections: 2048)
    let weights = row.service.weights
    var meetings: [UInt32: Meeting] = [:]
    var kept = 0
    for step in 0..<1000 {
      let group = UInt32(random.next(below: 40))
      let client = group << row.groupBits | UInt32(random.next(below: 1 << Int(row.groupBits)))
      let packet = TestPacket.request(row.service, port: UInt16(1024 + random.next(below: 60_000))).with {
        $0.source = IPAddress(v4: 0xac10_0000 + client)
        if row.service.port == 0 { $0.destinationPort = UInt16([80, 443, 8080][random.next(below: 3)]) }
      }
      let isNew = director.connectionCount
      let journey = director.fromClient(packet)
      guard director.connectionCount > isNew else {
        // A template to a removed server has ended, also where no other server could take the client.
        if let last = meetings[group], director.services[0].removed.contains(last.server) { meetings[group] = nil }
        continue
      }
      let server = try #require(director.station(of: journey))
      if let last = meetings[group], !director.services[0].removed.contains(last.server),
        director.nanoseconds - last.nanoseconds < 119_000_000_000
      {
        #expect(server == last.server, "seed \(seed), step \(step), group \(group)")
        kept += 1
      }
      meetings[group] = Meeting(server: server, nanoseconds: director.nanoseconds)
      change(director, weights, &random)
    }
    // Fewer where servers fill up: a client whose template has ended waits until one can take it.
    #expect(kept > 200)
    director.verifyEmptyAfterExpiry()
  }

  private func change(_ director: Director, _ weights: [Int32], _ random: inout SplitMix) {
    let server = random.next(below: weights.count)
    switch random.next(below: 40) {
    case 0: director.services[0].weights[server] = 0
    case 1...2: director.services[0].weights[server] = weights[server]
    case 3 where director.services[0].removed.count < 2: director.services[0].removed.insert(server)
    case 4...5: director.services[0].removed.remove(server)
    case 6:
      director.advance(seconds: Double(random.next(below: 30)))
      return director.sweep()
    default: return
    }
    director.publish()
  }
}
