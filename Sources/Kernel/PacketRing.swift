import CShims
import Glibc

/// Receive ring of an AF_PACKET socket (TPACKET_V3): the way to get frames where AF_XDP is not to be had.
///
/// The kernel fills blocks of variable-sized frames and hands over a block when it is full or 1 ms old; we walk the
/// block and hand it back. Each frame comes with a virtio header (PACKET_VNET_HDR), which is the only way to learn that
/// its checksum is unfinished or that it is several packets merged into one; a VLAN tag comes beside the frame, not in
/// it. Making wire frames of that is the port's business, not the ring's.
///
/// The socket copies; the host's stack sees the same frames. It is bound to one interface, never promiscuous, and does
/// not see what the host itself sends. The filter is attached before the socket is bound, so that not one frame comes
/// in that it would have refused.
///
/// Blocks of 128 KiB: the largest merged packet (64 KiB) must fit into one.
public struct PacketRing: ~Copyable, @unchecked Sendable {
  /// Several sockets of one process sharing an interface: flows are spread among the members by their hash.
  public struct Fanout: Sendable {
    /// The group's number, the same for all members; unique in the network namespace.
    public let group: UInt16
    /// A group.
    public init(group: UInt16) { self.group = group }
  }

  /// One frame in the ring; valid until `release`.
  @frozen
  public struct Frame {
    @usableFromInline let header: UnsafeMutableRawPointer

    @inlinable
    init(header: UnsafeMutableRawPointer) { self.header = header }

    @inlinable @inline(__always)
    var fields: UnsafeMutablePointer<tpacket3_hdr> { header.assumingMemoryBound(to: tpacket3_hdr.self) }

    /// First byte. The ten bytes before it are the virtio header, which the owner may overwrite once it is read.
    @inlinable @inline(__always)
    public var bytes: UnsafeMutableRawPointer { header + Int(fields.pointee.tp_mac) }
    /// Bytes present.
    @inlinable @inline(__always)
    public var byteCount: Int { Int(fields.pointee.tp_snaplen) }
    /// Whether the frame was longer than what is present.
    @inlinable @inline(__always)
    public var isTruncated: Bool { fields.pointee.tp_snaplen != fields.pointee.tp_len }
    /// Checksum state and segmentation, as virtio describes them.
    @inlinable @inline(__always)
    public var offload: virtio_net_hdr { (bytes - 10).loadUnaligned(as: virtio_net_hdr.self) }
    /// The VLAN tag that stood after the source address, as the 32 bits it has on the wire, or nil.
    @inlinable @inline(__always)
    public var tag: UInt32? {
      let status = fields.pointee.tp_status
      guard status & UInt32(TP_STATUS_VLAN_VALID) != 0 else { return nil }
      let hasType = status & UInt32(TP_STATUS_VLAN_TPID_VALID) != 0
      let type = hasType ? UInt32(fields.pointee.hv1.tp_vlan_tpid) : 0x8100
      return type << 16 | fields.pointee.hv1.tp_vlan_tci & 0xffff
    }
  }

  /// Bytes per block.
  @inlinable
  public static var blockByteCount: Int { 128 << 10 }

  private let file: FileDescriptor
  @usableFromInline let base: UnsafeMutableRawPointer
  @usableFromInline let blockCount: Int
  @usableFromInline var block = 0
  @usableFromInline var unreadCount = 0
  @usableFromInline var next: UnsafeMutableRawPointer
  private var missed: UInt64 = 0

  /// A ring on `interface` of the caller's network namespace.
  /// - Parameters:
  ///   - filter: descriptor of a loaded socket filter program that says which frames are wanted, or nil for all.
  ///   - fanout: the group this socket joins when several workers share the interface.
  public init(interface: String, filter: Int32? = nil, fanout: Fanout? = nil, blockCount: Int = 32) throws {
    let step = "open packet socket on \(interface)"
    let index = if_nametoindex(interface)
    guard index != 0 else { throw SystemError.current(step, remedy: "there is no such interface") }
    let file = try FileDescriptor(
      // Protocol 0: nothing is received before the socket is bound.
      checking: socket(AF_PACKET, Int32(SOCK_RAW.rawValue | SOCK_CLOEXEC.rawValue), 0), step,
      remedy: "needs CAP_NET_RAW")
    try file.set(PACKET_VERSION, Int32(TPACKET_V3.rawValue), step)
    try file.set(PACKET_VNET_HDR, 1, step)
    try file.set(PACKET_IGNORE_OUTGOING, 1, step)
    var request = tpacket_req3()
    request.tp_block_size = UInt32(PacketRing.blockByteCount)
    request.tp_block_nr = UInt32(max(2, blockCount))
    request.tp_frame_size = 2048
    request.tp_frame_nr = request.tp_block_nr * request.tp_block_size / request.tp_frame_size
    request.tp_retire_blk_tov = 1
    let size = Int(request.tp_block_nr) * PacketRing.blockByteCount
    guard
      setsockopt(file.number, SOL_PACKET, PACKET_RX_RING, &request, UInt32(MemoryLayout.size(ofValue: request))) == 0
    else { throw SystemError.current("make receive ring of \(size >> 10) KiB on \(interface)") }
    let base = try file.mapRing(size, step)
    do {
      if let filter { try file.attach(filter: filter, interface) }
      let error = lbd_packet_bind(file.number, Int32(index), 3)
      guard error == 0 else { throw SystemError("bind packet socket to \(interface)", errno: error) }
      if let fanout {
        try file.set(
          PACKET_FANOUT, Int32(PACKET_FANOUT_HASH) << 16 | Int32(fanout.group), "join fanout group on \(interface)")
      }
    } catch {
      munmap(base, size)
      throw error
    }
    self.file = file
    self.base = base
    self.blockCount = Int(request.tp_block_nr)
    next = base
  }

  deinit {
    munmap(base, blockCount * PacketRing.blockByteCount)
  }

  /// First byte of the ring's memory; frames lie in it until they are released.
  public var start: UnsafeRawPointer { UnsafeRawPointer(base) }

  /// To be polled.
  public var descriptor: Int32 { file.number }

  /// The frame at the front, or nil when no block is ready. The same one until `release`.
  @inlinable @inline(__always)
  public mutating func peek() -> Frame? {
    while unreadCount == 0 {
      let start = base + block * PacketRing.blockByteCount
      guard lbd_packet_block_status(start) & UInt32(TP_STATUS_USER) != 0 else { return nil }
      let header = start.assumingMemoryBound(to: tpacket_block_desc.self)
      unreadCount = Int(header.pointee.hdr.bh1.num_pkts)
      next = start + Int(header.pointee.hdr.bh1.offset_to_first_pkt)
      if unreadCount == 0 { returnBlock() }
    }
    return Frame(header: next)
  }

  /// Gives the frame at the front back to the kernel.
  @inlinable @inline(__always)
  public mutating func release() {
    unreadCount &-= 1
    if unreadCount == 0 { return returnBlock() }
    next += Int(next.assumingMemoryBound(to: tpacket3_hdr.self).pointee.tp_next_offset)
  }

  @inlinable
  mutating func returnBlock() {
    lbd_packet_block_release(base + block * PacketRing.blockByteCount)
    block = block &+ 1 == blockCount ? 0 : block &+ 1
  }

  /// Frames lost because all blocks were full, since the ring was made.
  public mutating func missedFrameCount() -> UInt64 {
    missed &+= lbd_packet_drops(file.number)
    return missed
  }

  /// Takes a waiting error off the socket (the interface went down), without which poll would return at once for ever.
  @discardableResult
  public func takeError() -> Int32 {
    var error: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    return getsockopt(file.number, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : 0
  }
}

extension FileDescriptor {
  func set(_ option: Int32, _ value: Int32, _ step: String) throws {
    var value = value
    guard setsockopt(number, SOL_PACKET, option, &value, socklen_t(MemoryLayout<Int32>.size)) == 0 else {
      throw SystemError.current(step)
    }
  }

  fileprivate func attach(filter: Int32, _ interface: String) throws {
    var filter = filter
    guard setsockopt(number, SOL_SOCKET, SO_ATTACH_BPF, &filter, socklen_t(MemoryLayout<Int32>.size)) == 0 else {
      throw SystemError.current("attach filter to packet socket on \(interface)")
    }
  }

  func mapRing(_ size: Int, _ step: String) throws -> UnsafeMutableRawPointer {
    let base = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_SHARED | Int32(MAP_POPULATE), number, 0)
    guard let base, base != UnsafeMutableRawPointer(bitPattern: -1) else { throw SystemError.current(step) }
    return base
  }
}
