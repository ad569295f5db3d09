import CShims
import Glibc

/// Transmit ring of an AF_PACKET socket (TPACKET_V2): frames are copied in and sent by one system call a batch.
///
/// A socket of its own, which receives nothing. Frames carry complete checksums, so there is no virtio header. They
/// pass the interface's queueing discipline by where the kernel allows it, and a frame that the device refuses is
/// skipped (PACKET_LOSS) instead of blocking those behind it.
public struct PacketTransmitRing: ~Copyable, @unchecked Sendable {
  /// Longest frame a slot takes.
  public let frameByteCountLimit: Int

  private let file: FileDescriptor
  @usableFromInline let base: UnsafeMutableRawPointer
  @usableFromInline let slotByteCount: Int
  @usableFromInline let slotCount: Int
  @usableFromInline var head = 0
  @usableFromInline var unsentCount = 0

  /// A ring on `interface` of the caller's network namespace.
  /// - Parameters:
  ///   - frameByteCount: the longest frame that will be sent.
  ///   - slotCount: frames on their way at once; a power of two, at least 32.
  public init(interface: String, frameByteCount: Int, slotCount: Int = 512) throws {
    let step = "open packet socket for sending on \(interface)"
    let index = if_nametoindex(interface)
    guard index != 0 else { throw SystemError.current(step, remedy: "there is no such interface") }
    guard slotCount >= 32, slotCount & (slotCount - 1) == 0, frameByteCount > 0, frameByteCount <= 65536 else {
      throw SystemError(step, errno: EINVAL)
    }
    var slotByteCount = 2048
    while slotByteCount < frameByteCount + PacketTransmitRing.offset { slotByteCount *= 2 }
    let size = slotCount * slotByteCount
    let file = try FileDescriptor(
      checking: socket(AF_PACKET, Int32(SOCK_RAW.rawValue | SOCK_CLOEXEC.rawValue), 0), step,
      remedy: "needs CAP_NET_RAW")
    try file.set(PACKET_VERSION, Int32(TPACKET_V2.rawValue), step)
    try file.set(PACKET_LOSS, 1, step)
    try? file.set(PACKET_QDISC_BYPASS, 1, step)
    // Room for a full ring; without it a burst ends in ENOBUFS.
    var room = Int32(clamping: size * 2)
    setsockopt(file.number, SOL_SOCKET, SO_SNDBUFFORCE, &room, socklen_t(MemoryLayout<Int32>.size))
    var request = tpacket_req()
    request.tp_block_size = UInt32(max(slotByteCount, 64 << 10))
    request.tp_frame_size = UInt32(slotByteCount)
    request.tp_frame_nr = UInt32(slotCount)
    request.tp_block_nr = UInt32(size) / request.tp_block_size
    guard
      setsockopt(file.number, SOL_PACKET, PACKET_TX_RING, &request, UInt32(MemoryLayout.size(ofValue: request))) == 0
    else { throw SystemError.current("make transmit ring of \(size >> 10) KiB on \(interface)") }
    let base = try file.mapRing(size, step)
    let error = lbd_packet_bind(file.number, Int32(index), 0)
    guard error == 0 else {
      munmap(base, size)
      throw SystemError("bind packet socket for sending to \(interface)", errno: error)
    }
    frameByteCountLimit = slotByteCount - PacketTransmitRing.offset
    self.file = file
    self.base = base
    self.slotByteCount = slotByteCount
    self.slotCount = slotCount
  }

  deinit {
    munmap(base, slotCount * slotByteCount)
  }

  /// Where a frame's bytes start in its slot: behind the header, aligned to 16.
  @inlinable
  static var offset: Int { (MemoryLayout<tpacket2_hdr>.size + 15) & ~15 }

  /// Whether frames wait that the kernel has not taken, so that `flush` should be called again.
  public var hasUnsent: Bool { unsentCount > 0 }

  /// Copies a frame into the ring.
  /// - Returns: false when the ring is full or the frame too long.
  @inlinable @inline(__always)
  public mutating func append(_ bytes: UnsafeRawPointer, byteCount: Int) -> Bool {
    let slot = base + head &* slotByteCount
    let isFree = lbd_packet_frame_status(slot) & UInt32(TP_STATUS_SEND_REQUEST | TP_STATUS_SENDING) == 0
    guard isFree, byteCount <= frameByteCountLimit else { return false }
    (slot + PacketTransmitRing.offset).copyMemory(from: bytes, byteCount: byteCount)
    lbd_packet_frame_submit(slot, UInt32(truncatingIfNeeded: byteCount))
    head = (head &+ 1) & (slotCount &- 1)
    unsentCount &+= 1
    return true
  }

  /// Has the kernel send what was appended.
  ///
  /// Gives up after a few refusals (the device's queue is full, the interface is down); the frames stay in the ring
  /// and go with the next call.
  public mutating func flush() {
    var attempts = 0
    while unsentCount > 0, attempts < 4 {
      let error = lbd_packet_kick(file.number)
      let before = unsentCount
      settle()
      if error != 0, error != EAGAIN, error != ENOBUFS, error != EBUSY, error != EINTR { return }
      if unsentCount == before { attempts += 1 }
    }
  }

  /// Counts the frames at the end of the ring that the kernel has not taken; it takes them in order.
  private mutating func settle() {
    var unsent = 0
    while unsent < unsentCount {
      let slot = base + ((head &- 1 &- unsent) & (slotCount &- 1)) &* slotByteCount
      guard lbd_packet_frame_status(slot) & UInt32(TP_STATUS_SEND_REQUEST) != 0 else { break }
      unsent &+= 1
    }
    unsentCount = unsent
  }
}
