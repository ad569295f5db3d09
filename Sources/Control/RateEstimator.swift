import Dataplane

/// What is sent in a second.
struct ServerRates: Hashable {
  var connections: UInt64 = 0
  var inPackets: UInt64 = 0
  var outPackets: UInt64 = 0
  var inBytes: UInt64 = 0
  var outBytes: UInt64 = 0
}

/// Rates as IPVS estimates them: every two seconds, per server, per service and in total, an average that moves a quarter of
/// the way to what these two seconds had.
///
/// In fixed point, and rounded as IPVS does, so that the same traffic shows the same numbers: connections and packets in
/// 1024ths, bytes in 32nds, shifts that round down also below zero.
struct RateEstimator {
  /// Between two looks.
  static let seconds = 2

  private struct Average {
    var seen = ServerCounters()
    var connections: Int64 = 0
    var inPackets: Int64 = 0
    var outPackets: Int64 = 0
    var inBytes: Int64 = 0
    var outBytes: Int64 = 0

    mutating func look(at now: ServerCounters) {
      let new = now.since(seen)
      seen = now
      Average.move(&connections, to: new.connections, shift: 9)
      Average.move(&inPackets, to: new.inPackets, shift: 9)
      Average.move(&outPackets, to: new.outPackets, shift: 9)
      Average.move(&inBytes, to: new.inBytes, shift: 4)
      Average.move(&outBytes, to: new.outBytes, shift: 4)
    }

    /// Counters that have gone back (a number in new hands) count as no traffic.
    private static func move(_ average: inout Int64, to difference: UInt64, shift: Int64) {
      let rate = difference >> 40 == 0 ? Int64(difference) << shift : 0
      average += (rate - average) >> 2
    }

    var rates: ServerRates {
      ServerRates(
        connections: UInt64((connections + 511) >> 10), inPackets: UInt64((inPackets + 511) >> 10),
        outPackets: UInt64((outPackets + 511) >> 10), inBytes: UInt64((inBytes + 15) >> 5),
        outBytes: UInt64((outBytes + 15) >> 5))
    }
  }

  private var servers: [UInt16: Average] = [:]
  private var services: [UInt16: Average] = [:]
  private var all = Average()
  /// Everything that was sent, whether its service is still there or not, as of the last look.
  private(set) var total = ServerCounters()

  /// Two seconds have passed.
  mutating func look(at model: VirtualServices, raw: (UInt16) -> ServerCounters) {
    let now = model.counters(raw: raw)
    RateEstimator.look(&servers, at: now.servers)
    let before = services
    RateEstimator.look(&services, at: now.services)
    for (number, counters) in now.services {
      let new = counters.since(before[number]?.seen ?? ServerCounters())
      if new.inPackets >> 40 == 0, new.connections >> 40 == 0 { total.add(new) }
    }
    all.look(at: total)
  }

  private static func look(_ averages: inout [UInt16: Average], at now: [UInt16: ServerCounters]) {
    averages = now.reduce(into: [:]) { next, entry in
      var average = averages[entry.key] ?? Average()
      average.look(at: entry.value)
      next[entry.key] = average
    }
  }

  /// Counters have been set to zero: of one service with its servers, or of all.
  mutating func zero(_ key: UInt16?, of model: VirtualServices) {
    for server in model.servers.values where key == nil || key == server.service { servers[server.number] = nil }
    guard let key else {
      services = [:]
      all = Average()
      total = ServerCounters()
      return
    }
    services[key] = nil
  }

  /// Of a server.
  func rates(ofServer number: UInt16) -> ServerRates { servers[number]?.rates ?? ServerRates() }

  /// Of a service.
  func rates(ofService number: UInt16) -> ServerRates { services[number]?.rates ?? ServerRates() }

  /// Of all of them.
  var totalRates: ServerRates { all.rates }
}
