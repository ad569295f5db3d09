/// The frames of a worker that are in no ring: a stack of frame addresses over one block of frame memory.
///
/// A frame is `chunkByteCount` bytes (a power of two) at a multiple of that size. A worker's ports share the memory and
/// the pool, which is what lets a frame received on one port be transmitted on another without a copy: whoever finds it
/// in a completion ring gives it back here. A stack, not a queue: the frame used last is the one still in the cache.
@frozen
public struct FramePool: ~Copyable {
  /// First byte of the frame memory.
  public let base: UnsafeMutableRawPointer
  /// Bytes per frame, a power of two.
  public let chunkByteCount: Int
  /// Number of frames in the memory.
  public let frameCount: Int
  /// Where a received packet starts in its frame: room for what encapsulation puts in front.
  public static var headroomByteCount: Int { 256 }

  @usableFromInline let stack: UnsafeMutablePointer<UInt64>
  @usableFromInline var depth: Int

  /// A pool with all frames free. `base` must stay mapped as long as the pool lives; it is not owned.
  public init(base: UnsafeMutableRawPointer, chunkByteCount: Int, frameCount: Int) {
    precondition(chunkByteCount >= 2048 && chunkByteCount & (chunkByteCount - 1) == 0)
    self.base = base
    self.chunkByteCount = chunkByteCount
    self.frameCount = frameCount
    stack = .allocate(capacity: frameCount)
    depth = frameCount
    for index in 0..<frameCount {
      stack[index] = UInt64(frameCount - 1 - index) * UInt64(chunkByteCount)
    }
  }

  deinit {
    stack.deallocate()
  }

  /// Number of frames that can be taken.
  @inlinable
  public var freeCount: Int { depth }

  /// The start of a free frame, or nil when all are in use.
  @inlinable @inline(__always)
  public mutating func take() -> UInt64? {
    guard depth > 0 else { return nil }
    depth &-= 1
    return stack[depth]
  }

  /// Gives back the frame that `address` (any byte of it) lies in.
  @inlinable @inline(__always)
  public mutating func give(_ address: UInt64) {
    precondition(depth < frameCount, "a frame was given back twice")
    stack[depth] = address & ~UInt64(chunkByteCount - 1)
    depth &+= 1
  }

  /// Gives back several frames at once.
  @inlinable @inline(__always)
  public mutating func give(_ addresses: UnsafePointer<UInt64>, count: Int) {
    precondition(count <= frameCount - depth, "a frame was given back twice")
    let mask = ~UInt64(chunkByteCount - 1)
    let top = stack + depth
    for index in 0..<count { top[index] = addresses[index] & mask }
    depth &+= count
  }

  /// Longest packet a frame holds behind its headroom.
  @inlinable
  public var packetByteCountLimit: Int { chunkByteCount - FramePool.headroomByteCount }
}
