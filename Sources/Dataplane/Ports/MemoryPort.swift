import Kernel

/// A port whose frames are put there by the program itself: under replay, tests and benchmarks.
///
/// `offer` says that a frame of the pool holds a packet that has "arrived". Transmitted frames go back to the pool at the
/// next `reclaim`, as a device's do, so whoever drives the pipeline can look at them between two turns.
public struct MemoryPort: Port, ~Copyable {
  private let arrived: UnsafeMutablePointer<FrameDescriptor>
  private let sent: UnsafeMutablePointer<UInt64>
  private let capacity: Int
  private var arrivedFirst = 0
  private var arrivedCount = 0
  private var sentCount = 0

  /// - Parameter capacity: frames that can wait, in either direction.
  public init(capacity: Int) {
    self.capacity = capacity
    arrived = .allocate(capacity: capacity)
    sent = .allocate(capacity: capacity)
  }

  deinit {
    arrived.deallocate()
    sent.deallocate()
  }

  /// Queues a frame as arrived; false when the queue is full.
  @inline(__always)
  public mutating func offer(_ frame: FrameDescriptor) -> Bool {
    if arrivedFirst == arrivedCount {
      arrivedFirst = 0
      arrivedCount = 0
    }
    guard arrivedCount < capacity else { return false }
    arrived[arrivedCount] = frame
    arrivedCount &+= 1
    return true
  }

  /// Nothing can be waited for.
  public var pollDescriptor: Int32 { -1 }

  /// Nothing is ever held back.
  public var hasUnsent: Bool { false }

  /// Takes what was offered.
  @inline(__always)
  public mutating func receive(
    into frames: UnsafeMutablePointer<FrameDescriptor>, limit: Int, pool: inout FramePool
  ) -> Int {
    let count = min(limit, arrivedCount &- arrivedFirst)
    frames.update(from: arrived + arrivedFirst, count: count)
    arrivedFirst &+= count
    return count
  }

  /// Keeps the frames until the next `reclaim`.
  @inline(__always)
  public mutating func transmit(_ frames: UnsafePointer<FrameDescriptor>, count: Int, pool: inout FramePool) -> Int {
    let accepted = min(count, capacity &- sentCount)
    let place = sent + sentCount
    for index in 0..<accepted { place[index] = frames[index].address }
    sentCount &+= accepted
    return accepted
  }

  /// Nothing to do.
  public mutating func flush() {}

  /// Gives the transmitted frames back.
  @inline(__always)
  public mutating func reclaim(into pool: inout FramePool) {
    pool.give(sent, count: sentCount)
    sentCount = 0
  }

  /// None.
  public mutating func missedFrameCount() -> UInt64 { 0 }
}
