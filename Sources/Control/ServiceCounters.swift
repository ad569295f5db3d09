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
      let counters = raw(server.number).since(server.zero)
      each[server.number] = counters
      sums[server.service]?.add(counters)
    }
    return (sums, each)
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
    return difference
  }
}
