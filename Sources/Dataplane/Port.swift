import Kernel

/// One queue of one interface, or a capture file: where frames come from and go to.
///
/// There are three kinds (AF_XDP, AF_PACKET, capture file). A worker is generic over the kind, so every call is resolved
/// when the program is built. Frames live in the worker's frame memory, described by `FramePool`; a port never keeps
/// a frame it was given for transmission any longer than the device does.
///
/// Ownership: `receive` hands frames to the caller; the caller gives each of them either to some port's `transmit` or
/// back to the pool. `reclaim` returns to the pool what the device has sent.
public protocol Port: ~Copyable, SendableMetatype {
  /// The descriptor that becomes readable when frames wait, or -1 when there is nothing to wait for.
  var pollDescriptor: Int32 { get }

  /// True while frames wait that the kernel would not take yet: whoever sleeps now must not sleep for long.
  var hasUnsent: Bool { get }

  /// Takes frames that have arrived.
  /// - Parameters:
  ///   - frames: room for `limit` descriptors.
  ///   - pool: where the port gets the frames it offers to the device next.
  /// - Returns: how many descriptors were written.
  mutating func receive(
    into frames: UnsafeMutablePointer<FrameDescriptor>, limit: Int, pool: inout FramePool
  ) -> Int

  /// Queues frames for transmission, in order.
  /// - Returns: how many were accepted, from the front; the rest still belongs to the caller.
  mutating func transmit(_ frames: UnsafePointer<FrameDescriptor>, count: Int, pool: inout FramePool) -> Int

  /// Makes the device send what was queued.
  mutating func flush()

  /// Returns to the pool the frames that the device has finished sending.
  mutating func reclaim(into pool: inout FramePool)

  /// Frames that the device or the kernel lost before this port saw them, since the port was opened.
  mutating func missedFrameCount() -> UInt64
}
