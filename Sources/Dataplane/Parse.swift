import Kernel
import Wire

/// Bytes -> columns. The only place where lengths that a stranger wrote are checked; behind it, offsets are trusted.
///
/// What parse guarantees for a packet it leaves `pending`: the network header lies whole in the frame, the transport
/// header too (20 bytes for TCP, 8 for UDP) unless the packet is a later fragment, the IPv4 header checksum is right,
/// and the frame has been cut to the IP length (RFC 894 padding must not travel into a tunnel).
/// Ethernet with up to two VLAN tags (802.1Q, 802.1ad), IPv4 with options (RFC 791), IPv6 with extension headers
/// (RFC 8200 section 4).
enum Parse {
  /// Parses every packet of the batch.
  /// - Parameter addresses: the ports' own MAC addresses, by port.
  @inline(__always)
  static func batch(_ batch: borrowing Batch, addresses: UnsafePointer<UInt64>) {
    for index in 0..<batch.count {
      batch.outcomes[index] = .pending
      packet(index, of: batch, ownAddress: addresses[Int(batch.ingress[index])])
    }
  }

  @inline(__always)
  private static func packet(_ index: Int, of batch: borrowing Batch, ownAddress: UInt64) {
    let bytes = UnsafeRawPointer(batch.packets[index])
    let byteCount = Int(batch.frames[index].byteCount)
    guard byteCount >= 34 else { return batch.finish(index, .malformed) }
    guard bytes.loadUnaligned(as: UInt64.self).bigEndian >> 16 == ownAddress else {
      return batch.finish(index, .otherHost)
    }
    // Nearly every packet is untagged, and IPv4 without options or IPv6: its offsets are constants then.
    let start = bytes.loadUnaligned(fromByteOffset: 12, as: UInt32.self).bigEndian >> 8
    if start == UInt32(EtherType.ipv4) << 8 | 0x45 {
      batch.networkOffsets[index] = 14
      return ipv4(index, of: batch, bytes, offset: 14, headerByteCount: 20, byteCount: byteCount)
    }
    if start >> 8 == UInt32(EtherType.ipv6) {
      batch.networkOffsets[index] = 14
      return ipv6(index, of: batch, bytes, offset: 14, byteCount: byteCount)
    }
    unusual(index, of: batch, bytes, byteCount: byteCount)
  }

  /// Tags, options, and everything that is not IP.
  @inline(never)
  private static func unusual(_ index: Int, of batch: borrowing Batch, _ bytes: UnsafeRawPointer, byteCount: Int) {
    var offset = 14
    var type = bytes.loadBigEndian16(at: 12)
    if type == EtherType.vlan || type == EtherType.serviceVLAN {
      // A frame has 34 bytes at least, which leaves room for two tags and their types: 14 + 4 + 4.
      type = bytes.loadBigEndian16(at: 16)
      offset = 18
      if type == EtherType.vlan || type == EtherType.serviceVLAN {
        type = bytes.loadBigEndian16(at: 20)
        offset = 22
      }
    }
    batch.networkOffsets[index] = UInt16(truncatingIfNeeded: offset)
    switch type {
    case EtherType.ipv4:
      let first = bytes.loadByte(at: offset)
      let headerByteCount = Int(first & 0xf) * 4
      guard byteCount >= offset + headerByteCount, first >> 4 == 4, headerByteCount >= 20 else {
        return batch.finish(index, .malformed)
      }
      ipv4(index, of: batch, bytes, offset: offset, headerByteCount: headerByteCount, byteCount: byteCount)
    case EtherType.ipv6: ipv6(index, of: batch, bytes, offset: offset, byteCount: byteCount)
    default: batch.finish(index, .notOurs)
    }
  }

  /// The caller has seen the version, and that the frame holds the header.
  @inline(__always)
  private static func ipv4(
    _ index: Int, of batch: borrowing Batch, _ bytes: UnsafeRawPointer, offset: Int, headerByteCount: Int,
    byteCount: Int
  ) {
    let header = bytes + offset
    let total = Int(header.loadBigEndian16(at: 2))
    guard total >= headerByteCount, offset + total <= byteCount else { return batch.finish(index, .malformed) }
    guard isChecksumRight(header, byteCount: headerByteCount) else { return batch.finish(index, .badHeaderChecksum) }
    batch.frames[index].byteCount = UInt32(truncatingIfNeeded: offset + total)
    batch.networkByteCounts[index] = UInt16(truncatingIfNeeded: total)
    batch.transportOffsets[index] = UInt16(truncatingIfNeeded: offset + headerByteCount)
    let protocolNumber = header.loadByte(at: 9)
    batch.protocols[index] = protocolNumber
    let fragment = header.loadBigEndian16(at: 6)
    var flags: PacketFlags = fragment & 0x4000 != 0 ? .dontFragment : []
    if fragment & 0x3fff != 0 {
      flags.insert(.fragment)
      if fragment & 0x1fff != 0 { flags.insert(.laterFragment) }
    }
    batch.flags[index] = flags
    let addresses = header.loadBigEndian64(at: IPv4.sourceOffset)
    transport(
      index, of: batch, bytes, offset: offset + headerByteCount, end: offset + total, protocolNumber: protocolNumber,
      flags: flags, source: addresses & 0xffff_ffff_0000_0000, destination: addresses << 32)
  }

  @inline(__always)
  private static func ipv6(
    _ index: Int, of batch: borrowing Batch, _ bytes: UnsafeRawPointer, offset: Int, byteCount: Int
  ) {
    guard byteCount >= offset + 40 else { return batch.finish(index, .malformed) }
    let header = bytes + offset
    let total = 40 + Int(header.loadBigEndian16(at: 4))
    guard header.load(as: UInt8.self) >> 4 == 6, offset + total <= byteCount else {
      return batch.finish(index, .malformed)
    }
    batch.frames[index].byteCount = UInt32(truncatingIfNeeded: offset + total)
    batch.networkByteCounts[index] = UInt16(truncatingIfNeeded: total)
    let next = header.loadByte(at: 6)
    if isExtension(next) { return extended(index, of: batch, bytes, offset: offset, end: offset + total) }
    let position = offset + 40
    batch.protocols[index] = next
    batch.transportOffsets[index] = UInt16(truncatingIfNeeded: position)
    batch.flags[index] = [.ipv6, .dontFragment]
    transport(
      index, of: batch, bytes, offset: position, end: offset + total, protocolNumber: next,
      flags: [.ipv6, .dontFragment], source: 0, destination: 0)
  }

  /// IPv6 with extension headers.
  @inline(never)
  private static func extended(
    _ index: Int, of batch: borrowing Batch, _ bytes: UnsafeRawPointer, offset: Int, end: Int
  ) {
    var next = bytes.loadByte(at: offset + 6)
    var position = offset + 40
    var flags: PacketFlags = [.ipv6, .dontFragment]
    guard walkExtensions(bytes, &next, &position, &flags, end: end) else { return batch.finish(index, .malformed) }
    batch.protocols[index] = next
    batch.transportOffsets[index] = UInt16(truncatingIfNeeded: position)
    batch.flags[index] = flags
    transport(
      index, of: batch, bytes, offset: position, end: end, protocolNumber: next, flags: flags, source: 0,
      destination: 0)
  }

  /// Hop-by-hop options, routing, fragment, destination options.
  @inline(__always)
  private static func isExtension(_ next: UInt8) -> Bool { next == 0 || next == 43 || next == 44 || next == 60 }

  /// Steps over extension headers to the transport header.
  /// - Returns: false when the chain is cut short or too long.
  private static func walkExtensions(
    _ bytes: UnsafeRawPointer, _ next: inout UInt8, _ position: inout Int, _ flags: inout PacketFlags, end: Int
  ) -> Bool {
    for _ in 0..<Limits.extensionHeaders {
      guard isExtension(next) else { return true }
      guard position + 8 <= end else { return false }
      let header = bytes + position
      if next == 44 {
        let field = header.loadBigEndian16(at: 2)
        // RFC 8200 section 4.5: offset 0 without "more fragments" is a whole datagram all the same (RFC 6946).
        if field & 0xfff9 != 0 { flags.insert(.fragment) }
        next = header.load(as: UInt8.self)
        position += 8
        if field & 0xfff8 != 0 {
          flags.insert(.laterFragment)
          return true
        }
        continue
      }
      next = header.load(as: UInt8.self)
      position += (Int(header.load(fromByteOffset: 1, as: UInt8.self)) + 1) * 8
      guard position <= end else { return false }
    }
    return !isExtension(next)
  }

  /// - Parameters:
  ///   - source: the sender's address as `Batch.sources` has it; the port comes in here.
  ///   - destination: the receiver's.
  @inline(__always)
  private static func transport(
    _ index: Int, of batch: borrowing Batch, _ bytes: UnsafeRawPointer, offset: Int, end: Int, protocolNumber: UInt8,
    flags: PacketFlags, source: UInt64, destination: UInt64
  ) {
    var segment = Batch.noSegment
    if protocolNumber == TransportProtocol.tcp.rawValue {
      if flags.contains(.laterFragment) { return withoutPorts(index, of: batch, source, destination) }
      guard offset + 20 <= end else { return batch.finish(index, .malformed) }
      segment = bytes.loadByte(at: offset + 13) & 0x1f
    } else if protocolNumber == TransportProtocol.udp.rawValue {
      if flags.contains(.laterFragment) { return withoutPorts(index, of: batch, source, destination) }
      guard offset + 8 <= end else { return batch.finish(index, .malformed) }
    } else {
      return batch.finish(index, protocolNumber == 1 || protocolNumber == 58 ? .icmp : .notOurs)
    }
    batch.segments[index] = segment
    let ports = UInt64(bytes.loadBigEndian32(at: offset))
    batch.sources[index] = source | ports & 0xffff_0000
    batch.destinations[index] = destination | (ports & 0xffff) << 16
  }

  /// A later fragment has no transport header: `Classify` finds its ports.
  private static func withoutPorts(_ index: Int, of batch: borrowing Batch, _ source: UInt64, _ destination: UInt64) {
    batch.segments[index] = Batch.noSegment
    batch.sources[index] = source
    batch.destinations[index] = destination
  }

  /// True when the one's complement sum over an IPv4 header is 0xffff (RFC 1071).
  @inline(__always)
  private static func isChecksumRight(_ header: UnsafeRawPointer, byteCount: Int) -> Bool {
    // The header without options in three loads; the halves cannot overflow.
    let first = header.loadUnaligned(as: UInt64.self)
    let second = header.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
    var sum = UInt64(header.loadUnaligned(fromByteOffset: 16, as: UInt32.self))
    sum &+= (first & 0xffff_ffff) &+ (first >> 32) &+ (second & 0xffff_ffff) &+ (second >> 32)
    var offset = 20
    while offset < byteCount {
      sum &+= UInt64(header.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
      offset &+= 4
    }
    sum = (sum & 0xffff_ffff) &+ (sum >> 32)
    sum = (sum & 0xffff) &+ (sum >> 16)
    return sum == 0xffff || sum == 0x1_fffe
  }
}
