import Kernel

/// A port over an AF_XDP socket.
///
/// Frames are never copied here: a received frame's descriptor is handed up, the same frame is put into a transmit ring
/// (this port's or another's over the same memory), and comes back through that port's completion ring.
public struct XDPPort: Port, ~Copyable, @unchecked Sendable {
  /// The socket: for its statistics, and to enter it into the program's map.
  public let socket: XDPSocket

  /// Refilling in small steps would touch a line shared with the kernel too often.
  private static var refillBatch: Int { 32 }

  private let fillTarget: Int
  private let refillThreshold: Int
  private var offeredCount = 0
  private var unkickedCount = 0

  /// Takes over a socket and offers the device its first frames.
  /// - Parameter fillTarget: how many frames to keep with the device; at most what the fill ring holds. The worker's
  ///   pool must have as many for each port, and some to work with.
  public init(socket: consuming XDPSocket, fillTarget: Int, pool: inout FramePool) {
    self.socket = socket
    self.fillTarget = min(fillTarget, self.socket.fill.capacity)
    refillThreshold = max(1, min(XDPPort.refillBatch, self.fillTarget / 2))
    refill(&pool)
  }

  /// The socket.
  public var pollDescriptor: Int32 { socket.descriptor }

  /// Whether frames wait that the kernel would not take yet; whoever sleeps now should not sleep for long.
  public var hasUnsent: Bool { unkickedCount > 0 }

  /// Takes what has arrived and offers the device new frames.
  public mutating func receive(
    into frames: UnsafeMutablePointer<FrameDescriptor>, limit: Int, pool: inout FramePool
  ) -> Int {
    var index: UInt32 = 0
    let count = socket.receive.peek(upTo: limit, index: &index)
    if count > 0 {
      for offset in 0..<count {
        frames[offset] = socket.receive.descriptor(at: index &+ UInt32(truncatingIfNeeded: offset))
      }
      socket.receive.release(count)
      offeredCount &-= count
    }
    if fillTarget &- offeredCount >= refillThreshold { refill(&pool) }
    return count
  }

  private mutating func refill(_ pool: inout FramePool) {
    var index: UInt32 = 0
    let wanted = min(fillTarget &- offeredCount, pool.freeCount)
    let count = socket.fill.reserve(upTo: wanted, index: &index)
    guard count > 0 else { return }
    for offset in 0..<count {
      guard let address = pool.take() else { break }
      socket.fill.setAddress(address, at: index &+ UInt32(truncatingIfNeeded: offset))
    }
    socket.fill.submit(count)
    offeredCount &+= count
    if socket.fill.needsWakeup { socket.wakeFill() }
  }

  /// Puts frames into the transmit ring.
  public mutating func transmit(
    _ frames: UnsafePointer<FrameDescriptor>, count: Int, pool: inout FramePool
  ) -> Int {
    let first = enqueue(frames, count)
    guard first < count else { return count }
    // Full: have the kernel send, take back what it has sent, and try once more.
    flush()
    reclaim(into: &pool)
    return first &+ enqueue(frames + first, count &- first)
  }

  @inline(__always)
  private mutating func enqueue(_ frames: UnsafePointer<FrameDescriptor>, _ limit: Int) -> Int {
    var index: UInt32 = 0
    let count = socket.transmit.reserve(upTo: limit, index: &index)
    guard count > 0 else { return 0 }
    for offset in 0..<count {
      socket.transmit.setDescriptor(frames[offset], at: index &+ UInt32(truncatingIfNeeded: offset))
    }
    socket.transmit.submit(count)
    unkickedCount &+= count
    return count
  }

  /// Has the kernel send what is in the transmit ring.
  ///
  /// In zero copy mode one call wakes the driver, which goes on by itself. In copy mode the call does the sending, some
  /// 32 packets at a time: it is repeated until nothing is left, or until a few calls brought nothing (the device's
  /// queue or the completion ring is full, the interface is down). What is left then goes with the next flush.
  public mutating func flush() {
    guard unkickedCount > 0 else { return }
    if socket.isZeroCopy {
      if !socket.transmit.needsWakeup || socket.kick() == .accepted { unkickedCount = 0 }
      return
    }
    var pending = socket.transmit.pendingCount
    var fruitless = 0
    while pending > 0, fruitless < 3 {
      let result = socket.kick()
      let left = socket.transmit.pendingCount
      fruitless = left < pending ? 0 : fruitless &+ 1
      pending = left
      if result == .refused { break }
    }
    unkickedCount = pending
  }

  /// Returns sent frames to the pool.
  public mutating func reclaim(into pool: inout FramePool) {
    var index: UInt32 = 0
    let count = socket.completion.peek(upTo: socket.completion.capacity, index: &index)
    guard count > 0 else { return }
    for offset in 0..<count {
      pool.give(socket.completion.address(at: index &+ UInt32(truncatingIfNeeded: offset)))
    }
    socket.completion.release(count)
  }

  /// Packets lost for want of a frame or a ring entry. The fill ring's own count is left out: in copy mode each of its
  /// misses is a dropped packet already, in zero copy mode it counts attempts of the driver, not packets.
  public mutating func missedFrameCount() -> UInt64 {
    let statistics = socket.statistics()
    return statistics.receiveDropped &+ statistics.receiveRingFull
  }
}
