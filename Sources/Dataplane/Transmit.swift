import CShims
import Kernel

/// Batch -> rings: frames leave by the interface their next hop named, in order, with one kick per port; frames for the
/// host's own stack go there; the others return to the pool.
extension Forwarder where P: ~Copyable, H: ~Copyable {
  @inline(__always)
  mutating func transmit() {
    var used: UInt64 = 0
    var index = 0
    while index < state.packetCount {
      let interface = state.batch.egress[index]
      guard interface < Batch.hostEgress else {
        finish(index)
        index &+= 1
        continue
      }
      // Neighbours that leave by the same interface go into its ring together.
      let end = state.batch.endOfRun(from: index, limit: state.packetCount)
      let port = transmitPorts[Int(interface)]
      let accepted = ports[Int(port)].transmit(
        state.batch.frames + index, count: end &- index, pool: &state.pool)
      used |= 1 &<< UInt64(port)
      for refused in (index &+ accepted)..<end { refuse(refused) }
      index = end
    }
    if state.extraCount != 0 { transmitExtras(&used) }
    while used != 0 {
      ports[used.trailingZeroBitCount].flush()
      used &= used &- 1
    }
  }

  /// Passed or dropped: the frame's memory is free again.
  @inline(never)
  private mutating func finish(_ index: Int) {
    let frame = state.batch.frames[index]
    if state.batch.outcomes[index].isPassed {
      let packet = UnsafeRawBufferPointer(start: state.batch.bytes(index), count: Int(frame.byteCount))
      let isMade = state.batch.egress[index] == Batch.hostEgress
      let offset = isMade ? 14 : state.batch.packet(index).pointee.network - state.batch.bytes(index)
      if !host.accept(packet, networkOffset: offset) { state.batch.outcomes[index] = .hostRefused }
    }
    state.pool.give(frame.address)
  }

  /// The ring was full. An answer that could not be sent leaves the outcome of its cause.
  @inline(never)
  private mutating func refuse(_ index: Int) {
    if state.batch.outcomes[index].isForwarded { state.batch.outcomes[index] = .transmitRingFull }
    state.pool.give(state.batch.frames[index].address)
  }

  /// A fragment that was held, for the host. One that the host does not take is as good as lost on the way.
  private mutating func passExtra(_ frame: FrameDescriptor) {
    let bytes = UnsafeRawBufferPointer(start: state.pool.base + Int(frame.address), count: Int(frame.byteCount))
    _ = host.accept(bytes, networkOffset: 14)
    state.pool.give(frame.address)
  }

  @inline(never)
  private mutating func transmitExtras(_ used: inout UInt64) {
    for index in 0..<state.extraCount {
      if state.batch.extraEgress[index] == Batch.hostEgress {
        passExtra(state.batch.extraFrames[index])
        continue
      }
      let port = transmitPorts[Int(state.batch.extraEgress[index])]
      if ports[Int(port)].transmit(state.batch.extraFrames + index, count: 1, pool: &state.pool) == 1 {
        used |= 1 &<< UInt64(port)
      } else {
        state.pool.give(state.batch.extraFrames[index].address)
      }
    }
  }
}
