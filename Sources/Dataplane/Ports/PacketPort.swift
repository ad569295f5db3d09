import CShims
import Kernel
import Wire

/// A port over AF_PACKET rings: for interfaces and kernels without AF_XDP.
///
/// What the rings deliver is not quite what was on the wire, and is made so here, while it is copied into a frame of
/// the pool: the VLAN tag that the kernel took out is put back, an unfinished checksum is finished, and a merged frame
/// is cut up (`SuperFrame`). The pipeline above sees the same bytes as over AF_XDP.
///
/// A frame given to `transmit` is copied into the transmit ring and goes back to the pool at once; there is nothing to
/// `reclaim`.
public struct PacketPort: Port, ~Copyable, @unchecked Sendable {
  private var ring: PacketRing
  private var sender: PacketTransmitRing
  private var merged: SuperFrame
  private var lostCount: UInt64 = 0
  private var idleCount = 0

  /// A port on `interface` of the caller's network namespace.
  /// - Parameters:
  ///   - frameByteCount: the pool's chunk size.
  ///   - filter: descriptor of a loaded socket filter program that says which frames are wanted, or nil for all.
  ///   - fanout: the group that workers sharing the interface form.
  public init(
    interface: String, frameByteCount: Int = 2048, filter: Int32? = nil, fanout: PacketRing.Fanout? = nil
  ) throws {
    let sender = try PacketTransmitRing(interface: interface, frameByteCount: frameByteCount)
    let ring = try PacketRing(interface: interface, filter: filter, fanout: fanout)
    merged = SuperFrame(idle: ring.start)
    self.sender = sender
    self.ring = ring
  }

  /// The receiving socket.
  public var pollDescriptor: Int32 { ring.descriptor }

  /// Whether frames wait that the kernel would not take yet; whoever sleeps now should not sleep for long.
  public var hasUnsent: Bool { sender.hasUnsent }

  /// Takes frames out of the ring, made whole.
  public mutating func receive(
    into frames: UnsafeMutablePointer<FrameDescriptor>, limit: Int, pool: inout FramePool
  ) -> Int {
    var count = 0
    while count < limit {
      if merged.isActive {
        guard let address = pool.take() else { break }
        let start = address &+ UInt64(FramePool.headroomByteCount)
        let length = merged.next(into: pool.base + Int(start))
        frames[count] = FrameDescriptor(address: start, byteCount: UInt32(truncatingIfNeeded: length))
        count &+= 1
        if !merged.isActive { ring.release() }
        continue
      }
      guard let frame = ring.peek() else {
        if count == 0 { noteIdle() }
        break
      }
      if frame.offload.gso_type != UInt8(VIRTIO_NET_HDR_GSO_NONE) {
        beginMerged(frame, limit: pool.packetByteCountLimit)
        continue
      }
      guard pool.freeCount > 0 else { break }
      let descriptor = copy(frame, &pool)
      ring.release()
      guard let descriptor else {
        lostCount &+= 1
        continue
      }
      frames[count] = descriptor
      count &+= 1
    }
    return count
  }

  /// Copies a frame of wire size into one of the pool's; nil when it does not fit or makes no sense.
  @inline(__always)
  private func copy(_ frame: PacketRing.Frame, _ pool: inout FramePool) -> FrameDescriptor? {
    let offload = frame.offload
    let tag = frame.tag
    let shift = tag == nil ? 0 : 4
    let length = frame.byteCount &+ shift
    guard !frame.isTruncated, frame.byteCount >= 14, length <= pool.packetByteCountLimit, let address = pool.take()
    else { return nil }
    let start = address &+ UInt64(FramePool.headroomByteCount)
    let packet = pool.base + Int(start)
    if let tag {
      packet.copyMemory(from: frame.bytes, byteCount: 12)
      packet.storeBytes(of: tag.bigEndian, toByteOffset: 12, as: UInt32.self)
      (packet + 16).copyMemory(from: frame.bytes + 12, byteCount: frame.byteCount &- 12)
    } else {
      packet.copyMemory(from: frame.bytes, byteCount: length)
    }
    if Int32(offload.flags) & VIRTIO_NET_HDR_F_NEEDS_CSUM != 0 {
      let begin = Int(offload.csum_start) &+ shift
      let isWhole = PacketPort.complete(packet, byteCount: length, start: begin, offset: Int(offload.csum_offset))
      guard isWhole else {
        pool.give(start)
        return nil
      }
    }
    return FrameDescriptor(address: start, byteCount: UInt32(truncatingIfNeeded: length))
  }

  /// Completes a checksum whose field holds the pseudo header's sum, as a sender leaves it to the device.
  /// - Parameters:
  ///   - start: where the covered bytes begin.
  ///   - offset: where the field is, from `start`.
  /// - Returns: false, and nothing done, when that lies outside the packet.
  private static func complete(
    _ packet: UnsafeMutableRawPointer, byteCount: Int, start: Int, offset: Int
  ) -> Bool {
    guard start + offset + 2 <= byteCount else { return false }
    var sum = Checksum()
    sum.add(UnsafeRawBufferPointer(start: packet + start, count: byteCount - start))
    // No protocol minds 0xffff, and to UDP zero would mean "no checksum".
    packet.storeBytes(of: sum.udpValue, toByteOffset: start + offset, as: UInt16.self)
    return true
  }

  /// Starts cutting up the frame at the front of the ring, which then stays there until it is done; or drops it.
  private mutating func beginMerged(_ frame: PacketRing.Frame, limit: Int) {
    var offload = frame.offload
    var bytes = frame.bytes
    var length = frame.byteCount
    if let tag = frame.tag, length >= 14 {
      // The virtio header has been read: its place takes the addresses, moved forward by the size of a tag.
      bytes -= 4
      bytes.copyMemory(from: frame.bytes, byteCount: 12)
      bytes.storeBytes(of: tag.bigEndian, toByteOffset: 12, as: UInt32.self)
      length &+= 4
      offload.csum_start &+= 4
    }
    guard !frame.isTruncated, merged.begin(bytes, byteCount: length, offload: offload, limit: limit) else {
      lostCount &+= 1
      ring.release()
      return
    }
  }

  /// An error on the socket (the interface went down) keeps poll from sleeping until it is taken off; looking for one
  /// at every empty turn would cost a system call each.
  private mutating func noteIdle() {
    idleCount &+= 1
    if idleCount & 255 == 0 { ring.takeError() }
  }

  /// Copies frames into the transmit ring and gives them back to the pool.
  public mutating func transmit(
    _ frames: UnsafePointer<FrameDescriptor>, count: Int, pool: inout FramePool
  ) -> Int {
    var accepted = 0
    while accepted < count {
      let frame = frames[accepted]
      if !sender.append(pool.base + Int(frame.address), byteCount: Int(frame.byteCount)) {
        // Full: what is in it can be sent now, once.
        sender.flush()
        guard sender.append(pool.base + Int(frame.address), byteCount: Int(frame.byteCount)) else { break }
      }
      pool.give(frame.address)
      accepted &+= 1
    }
    return accepted
  }

  /// Sends what was copied into the transmit ring.
  public mutating func flush() {
    sender.flush()
  }

  /// Nothing: frames went back to the pool when they were copied.
  public mutating func reclaim(into pool: inout FramePool) {}

  /// Frames lost because the ring was full, too long for a frame, or merged in a way that cannot be undone.
  public mutating func missedFrameCount() -> UInt64 {
    ring.missedFrameCount() &+ lostCount
  }
}
