import Config
import Dataplane

// What services and servers have been sent. Workers count per server and never start over; what a listing shows is what has
// come since the counters were last set to zero, and a service has what its servers have, those no longer listed included.

extension VirtualServices {
  /// Counters of all servers and services, by number.
  /// - Parameter raw: what the workers have counted for a server.
  func counters(
    raw: (UInt16) -> ServerCounters
  ) -> (services: [UInt16: ServerCounters], servers: [UInt16: ServerCounters]) {
    var sums = services.mapValues(\.retired)
    var each: [UInt16: ServerCounters] = [:]
    each.reserveCapacity(servers.count)
    for server in servers.values {
      let counters = server.counters(raw)
      sums[server.service]?.add(counters)
      each[server.number] = counters
    }
    return (sums, each)
  }

  /// Lets the counters of a service and its servers, or of all, begin again at zero.
  /// - Parameter counters: what a server has been sent so far, which workers go on counting.
  mutating func zero(_ key: ServiceKey?, counters: (UInt16) -> ServerCounters) throws(EditError) {
    var numbers = Set(services.keys)
    if let key {
      guard let service = service(key) else { throw EditError.noService }
      numbers = [service.number]
    }
    for number in numbers { services[number]?.retired = ServerCounters() }
    for server in servers.values where numbers.contains(server.service) {
      servers[server.number]?.zero(counters)
    }
  }

  /// Lets the counters of servers whose service has been made anew begin again.
  mutating func restartCounters(_ counters: (UInt16) -> ServerCounters) {
    for number in restarted { servers[number]?.zero(counters) }
    restarted = []
  }
}

extension ServerCounters {
  /// What has come since `earlier`.
  func since(_ earlier: ServerCounters) -> ServerCounters {
    var difference = self
    difference.connections &-= earlier.connections
    difference.inPackets &-= earlier.inPackets
    difference.outPackets &-= earlier.outPackets
    difference.inBytes &-= earlier.inBytes
    difference.outBytes &-= earlier.outBytes
    difference.opened &-= earlier.opened
    difference.answered &-= earlier.answered
    difference.refused &-= earlier.refused
    return difference
  }
}
