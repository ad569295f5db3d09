import CShims
import Kernel

/// Ring entries -> batch: up to 64 frames from the worker's ports in turn, their first lines prefetched.
extension Forwarder where P: ~Copyable, H: ~Copyable {
  @inline(__always)
  mutating func receive() {
    state.batch.count = 0
    state.batch.extraCount = 0
    var port = nextPort
    for _ in 0..<portCount {
      let room = Limits.batchCapacity &- state.batch.count
      if room == 0 { break }
      ports[port].reclaim(into: &state.pool)
      let first = state.batch.count
      let count = ports[port].receive(into: state.batch.frames + first, limit: room, pool: &state.pool)
      for index in first..<(first &+ count) {
        let packet = state.pool.base + Int(truncatingIfNeeded: state.batch.frames[index].address)
        lbd_prefetch(packet)
        state.batch.packets[index] = packet
        state.batch.ingress[index] = UInt8(truncatingIfNeeded: port)
      }
      state.batch.count = first &+ count
      port = port &+ 1 == portCount ? 0 : port &+ 1
    }
    nextPort = nextPort &+ 1 >= portCount ? 0 : nextPort &+ 1
  }
}
