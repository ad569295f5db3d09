import Scheduler
import Testing
import Wire

@testable import Dataplane

/// Thresholds under random traffic, against IPVS's rule in plain words.
@Suite struct ThresholdTests {
  /// What the rule says of a server: full from its upper threshold on, until it is below the lower one, or below three
  /// quarters where there is none.
  private struct Gauge {
    let upper: Int
    let lower: Int
    var isFull = false

    mutating func opened(total: Int) {
      if upper != 0, total >= upper { isFull = true }
    }

    /// As connections went one by one, the last one counts.
    mutating func closed(total: Int) {
      if isFull, lower != 0 ? total < lower : total * 4 < upper * 3 { isFull = false }
    }
  }

  /// Never above the upper threshold; nothing new while full, and something new again when no longer so.
  @Test(
    arguments: [(upper: 5, lower: 2), (5, 5), (8, 0), (3, 1), (1, 0), (1, 1)], 1...3 as ClosedRange<UInt64>)
  func neverExceeded(thresholds: (upper: UInt32, lower: UInt32), seed: UInt64) throws {
    var random = SplitMix(seed: seed)
    let service = TestService(
      method: seed % 2 == 0 ? .masquerading : .directRouting, weights: [1, 2, 1],
      scheduler: [.roundRobin, .weightedLeastConnection, .weightedRoundRobin][Int(seed) % 3],
      upperThreshold: thresholds.upper, lowerThreshold: thresholds.lower)
    let director = try Director(service)
    var gauges = [Gauge](repeating: Gauge(upper: Int(thresholds.upper), lower: Int(thresholds.lower)), count: 3)
    let total = { (server: Int) in Int(director.connections(0, server).reduce(0, +)) }
    var open: [UInt16] = []
    var refusals = 0
    for step in 0..<400 {
      let port = UInt16(10_000 + step)
      let journey = director.fromClient(.request(service, port: port))
      if let server = director.station(of: journey) {
        #expect(!gauges[server].isFull, "seed \(seed), step \(step): server \(server) was full")
        gauges[server].opened(total: total(server))
        open.append(port)
      } else {
        #expect(journey.outcome == .noServerAvailable && gauges.allSatisfy(\.isFull), "seed \(seed), step \(step)")
        refusals += 1
      }
      // A reset one is counted for ten seconds more.
      for _ in 0..<random.next(below: 3) where !open.isEmpty {
        let port = open.remove(at: random.next(below: open.count))
        _ = director.fromClient(.request(service, port: port, TCP.rst | TCP.ack))
      }
      let before = (0..<3).map(total)
      director.advance(seconds: Double(random.next(below: 5)))
      director.sweep()
      let live = Set(director.listed.map(\.client.port))
      open.removeAll { !live.contains($0) }
      for server in 0..<3 {
        if total(server) < before[server] { gauges[server].closed(total: total(server)) }
        #expect(total(server) <= Int(thresholds.upper), "seed \(seed), step \(step)")
      }
    }
    #expect(refusals > 0)
    director.verifyEmptyAfterExpiry()
  }
}
