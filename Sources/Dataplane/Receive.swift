import Kernel

/// Ring entries -> batch: up to 64 frames from the worker's ports in turn.
extension Forwarder where P: ~Copyable, H: ~Copyable {
  @inline(__always)
  mutating func receive() {
    state.packetCount = 0
    state.extraCount = 0
    state.returnedCount = 0
    if _slowPath(state.snapshot.pointee.hearsHost || state.isOwnTraffic), receiveOwnTraffic() { return }
    var port = nextPort
    for _ in 0..<portCount {
      let room = Limits.batchCapacity &- state.packetCount
      if room == 0 { break }
      ports[port].reclaim(into: &state.pool)
      let first = state.packetCount
      let count = ports[port].receive(into: state.batch.frames + first, limit: room, pool: &state.pool)
      (state.batch.ingress + first).update(repeating: UInt8(truncatingIfNeeded: port), count: count)
      state.packetCount = first &+ count
      port = port &+ 1 == portCount ? 0 : port &+ 1
    }
    nextPort = nextPort &+ 1 >= portCount ? 0 : nextPort &+ 1
  }
}
