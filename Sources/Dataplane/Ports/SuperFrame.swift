import CShims
import Wire

/// A frame that stands for several: the sender's stack left cutting it up to the device (TSO, UDP GSO), or the
/// receiver's merged it (GRO). Packets that a forwarder sends on must have the size they have on the wire, so this cuts
/// it into them, as the device would have.
///
/// Each packet is the headers, fixed up, and the next piece of the payload. TCP (RFC 9293): the sequence number moves
/// on, FIN and PSH stand on the last one only, CWR (RFC 3168) on the first only. IPv4: the identification counts up.
/// Lengths and checksums are made anew. UDP: each piece is a datagram of its own.
///
/// Resumable: `next` makes one packet, and the caller may come back for the following ones whenever it has room; the
/// frame's bytes must stay where they are until then. It does not cut tunnels (the checksum start gives them away),
/// UFO (fragments), or anything it does not know: `begin` says no, and the frame is lost and counted.
struct SuperFrame {
  private enum Transport { case tcp, udp }

  private var source: UnsafeRawPointer
  private var networkOffset = 0
  private var transportOffset = 0
  private var headerByteCount = 0
  private var segmentByteCount = 0
  private var transport = Transport.tcp
  private var isIPv6 = false
  private var hasChecksum = true
  private var position = 0
  private var end = 0
  private var index = 0

  /// Nothing to cut.
  init(idle: UnsafeRawPointer) {
    source = idle
  }

  /// Whether packets are left.
  var isActive: Bool { position < end }

  /// Starts on a frame.
  /// - Parameters:
  ///   - frame: an Ethernet frame with its VLAN tags.
  ///   - offload: what came with it; offsets are those of `frame`.
  ///   - limit: the longest packet wanted.
  /// - Returns: whether it can be cut.
  mutating func begin(
    _ frame: UnsafeRawPointer, byteCount: Int, offload: virtio_net_hdr, limit: Int
  ) -> Bool {
    position = 0
    end = 0
    source = frame
    index = 0
    segmentByteCount = Int(offload.gso_size)
    guard segmentByteCount > 0, locateNetwork(byteCount) else { return false }
    let kind = Int32(offload.gso_type) & ~VIRTIO_NET_HDR_GSO_ECN
    guard let (proto, networkEnd) = isIPv6 ? locateIPv6(byteCount) : locateIPv4(byteCount) else { return false }
    switch (kind, proto) {
    case (VIRTIO_NET_HDR_GSO_TCPV4, 6) where !isIPv6, (VIRTIO_NET_HDR_GSO_TCPV6, 6) where isIPv6:
      transport = .tcp
      guard transportOffset + 20 <= networkEnd else { return false }
      headerByteCount = transportOffset + Int(byte(transportOffset + 12) >> 4) * 4
      guard headerByteCount >= transportOffset + 20 else { return false }
      hasChecksum = true
    case (LBD_VIRTIO_GSO_UDP_L4, 17):
      transport = .udp
      headerByteCount = transportOffset + 8
      guard headerByteCount <= networkEnd else { return false }
      let isUnfinished = Int32(offload.flags) & VIRTIO_NET_HDR_F_NEEDS_CSUM != 0
      hasChecksum = isUnfinished || word(transportOffset + 6) != 0
    default:
      return false
    }
    if Int32(offload.flags) & VIRTIO_NET_HDR_F_NEEDS_CSUM != 0, Int(offload.csum_start) != transportOffset {
      return false
    }
    guard headerByteCount < networkEnd, headerByteCount + segmentByteCount <= limit else { return false }
    position = headerByteCount
    end = networkEnd
    return true
  }

  /// Writes the next packet.
  /// - Parameter packet: room for as many bytes as the `limit` given to `begin`.
  /// - Returns: its length.
  mutating func next(into packet: UnsafeMutableRawPointer) -> Int {
    let payloadCount = min(segmentByteCount, end - position)
    let count = headerByteCount + payloadCount
    packet.copyMemory(from: source, byteCount: headerByteCount)
    (packet + headerByteCount).copyMemory(from: source + position, byteCount: payloadCount)
    let isLast = position + payloadCount == end
    if transport == .tcp {
      fixTCP(packet + transportOffset, isLast: isLast)
    } else {
      let length = UInt16(truncatingIfNeeded: count - transportOffset)
      (packet + transportOffset).storeBytes(of: length.bigEndian, toByteOffset: 4, as: UInt16.self)
    }
    fixNetwork(packet, byteCount: count)
    if hasChecksum { fixChecksum(packet, byteCount: count) }
    position += payloadCount
    index += 1
    return count
  }

  private mutating func fixTCP(_ header: UnsafeMutableRawPointer, isLast: Bool) {
    let sequence = UInt32(bigEndian: header.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
    let moved = sequence &+ UInt32(truncatingIfNeeded: position - headerByteCount)
    header.storeBytes(of: moved.bigEndian, toByteOffset: 4, as: UInt32.self)
    var flags = header.load(fromByteOffset: 13, as: UInt8.self)
    if !isLast { flags &= ~0x09 }
    if index > 0 { flags &= ~0x80 }
    header.storeBytes(of: flags, toByteOffset: 13, as: UInt8.self)
  }

  private func fixNetwork(_ packet: UnsafeMutableRawPointer, byteCount: Int) {
    let header = packet + networkOffset
    if isIPv6 {
      let length = UInt16(truncatingIfNeeded: byteCount - networkOffset - 40)
      header.storeBytes(of: length.bigEndian, toByteOffset: 4, as: UInt16.self)
      return
    }
    let length = UInt16(truncatingIfNeeded: byteCount - networkOffset)
    header.storeBytes(of: length.bigEndian, toByteOffset: 2, as: UInt16.self)
    let identification = word(networkOffset + 4) &+ UInt16(truncatingIfNeeded: index)
    header.storeBytes(of: identification.bigEndian, toByteOffset: 4, as: UInt16.self)
    header.storeBytes(of: 0, toByteOffset: 10, as: UInt16.self)
    var sum = Checksum()
    sum.add(UnsafeRawBufferPointer(start: header, count: Int(byte(networkOffset) & 15) * 4))
    header.storeBytes(of: sum.value, toByteOffset: 10, as: UInt16.self)
  }

  private func fixChecksum(_ packet: UnsafeMutableRawPointer, byteCount: Int) {
    let length = byteCount - transportOffset
    let field = transport == .tcp ? 16 : 6
    packet.storeBytes(of: 0, toByteOffset: transportOffset + field, as: UInt16.self)
    let addresses = packet + networkOffset + (isIPv6 ? IPv6.sourceOffset : IPv4.sourceOffset)
    let number: UInt8 = transport == .tcp ? 6 : 17
    var sum = Checksum()
    if isIPv6 {
      sum.addPseudoHeader6(addresses: addresses, protocolNumber: number, byteCount: length)
    } else {
      sum.addPseudoHeader4(addresses: addresses, protocolNumber: number, byteCount: length)
    }
    sum.add(UnsafeRawBufferPointer(start: packet + transportOffset, count: length))
    // TCP may say 0; to UDP that means "no checksum".
    packet.storeBytes(
      of: transport == .udp ? sum.udpValue : sum.value, toByteOffset: transportOffset + field, as: UInt16.self)
  }

  @inline(__always)
  private func byte(_ offset: Int) -> UInt8 { source.load(fromByteOffset: offset, as: UInt8.self) }

  @inline(__always)
  private func word(_ offset: Int) -> UInt16 {
    UInt16(bigEndian: source.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
  }

  /// Steps over the Ethernet header and up to two VLAN tags.
  private mutating func locateNetwork(_ byteCount: Int) -> Bool {
    var offset = 12
    for _ in 0..<3 {
      guard offset + 2 <= byteCount else { return false }
      switch word(offset) {
      case 0x8100, 0x88a8: offset += 4
      case 0x0800:
        networkOffset = offset + 2
        isIPv6 = false
        return true
      case 0x86dd:
        networkOffset = offset + 2
        isIPv6 = true
        return true
      default: return false
      }
    }
    return false
  }

  /// The transport protocol, and where the packet ends.
  private mutating func locateIPv4(_ byteCount: Int) -> (UInt8, Int)? {
    guard networkOffset + 20 <= byteCount, byte(networkOffset) >> 4 == 4 else { return nil }
    let headerCount = Int(byte(networkOffset) & 15) * 4
    // Fragments are not merged frames.
    guard headerCount >= 20, word(networkOffset + 6) & 0x3fff == 0 else { return nil }
    transportOffset = networkOffset + headerCount
    // The length field of a packet beyond 64 KiB is 0.
    let length = Int(word(networkOffset + 2))
    let end = length == 0 ? byteCount : networkOffset + length
    return end <= byteCount && transportOffset <= end ? (byte(networkOffset + 9), end) : nil
  }

  /// The transport protocol behind the extension headers, and where the packet ends.
  private mutating func locateIPv6(_ byteCount: Int) -> (UInt8, Int)? {
    guard networkOffset + 40 <= byteCount, byte(networkOffset) >> 4 == 6 else { return nil }
    let length = Int(word(networkOffset + 4))
    // Jumbograms have a hop-by-hop option that the packets must not keep: not ours to cut.
    let end = networkOffset + 40 + length
    guard length > 0, end <= byteCount else { return nil }
    var proto = byte(networkOffset + 6)
    var offset = networkOffset + 40
    while proto == 0 || proto == 43 || proto == 60 {
      guard offset + 8 <= end else { return nil }
      proto = byte(offset)
      offset += (Int(byte(offset + 1)) + 1) * 8
    }
    transportOffset = offset
    return offset <= end ? (proto, end) : nil
  }
}
