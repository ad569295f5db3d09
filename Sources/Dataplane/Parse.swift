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
    var offset = 14
    var type = bytes.loadBigEndian16(at: 12)
    if type == EtherType.vlan || type == EtherType.serviceVLAN {
      // The guard above leaves room for two tags and their types: 14 + 4 + 4 <= 34.
      type = bytes.loadBigEndian16(at: 16)
      offset = 18
      if type == EtherType.vlan || type == EtherType.serviceVLAN {
        type = bytes.loadBigEndian16(at: 20)
        offset = 22
      }
    }
    batch.networkOffsets[index] = UInt16(truncatingIfNeeded: offset)
    switch type {
    case EtherType.ipv4: ipv4(index, of: batch, bytes, offset: offset, byteCount: byteCount)
    case EtherType.ipv6: ipv6(index, of: batch, bytes, offset: offset, byteCount: byteCount)
    default: batch.finish(index, .notOurs)
    }
  }

  @inline(__always)
  private static func ipv4(
    _ index: Int, of batch: borrowing Batch, _ bytes: UnsafeRawPointer, offset: Int, byteCount: Int
  ) {
    guard byteCount >= offset + 20 else { return batch.finish(index, .malformed) }
    let header = bytes + offset
    let first = header.load(as: UInt8.self)
    let headerByteCount = Int(first & 0xf) * 4
    let total = Int(header.loadBigEndian16(at: 2))
    guard first >> 4 == 4, headerByteCount >= 20, total >= headerByteCount, offset + total <= byteCount else {
      return batch.finish(index, .malformed)
    }
    guard headerSum(header, byteCount: headerByteCount) == 0xffff else {
      return batch.finish(index, .badHeaderChecksum)
    }
    batch.frames[index].byteCount = UInt32(truncatingIfNeeded: offset + total)
    batch.networkByteCounts[index] = UInt16(truncatingIfNeeded: total)
    batch.transportOffsets[index] = UInt16(truncatingIfNeeded: offset + headerByteCount)
    let protocolNumber = header.load(fromByteOffset: 9, as: UInt8.self)
    batch.protocols[index] = protocolNumber
    batch.sourceHigh[index] = 0
    batch.sourceLow[index] = UInt64(header.loadBigEndian32(at: 12))
    batch.destinationHigh[index] = 0
    batch.destinationLow[index] = UInt64(header.loadBigEndian32(at: 16))
    let fragment = header.loadBigEndian16(at: 6)
    var flags: PacketFlags = fragment & 0x4000 != 0 ? .dontFragment : []
    if fragment & 0x3fff != 0 {
      flags.insert(.fragment)
      if fragment & 0x1fff != 0 { flags.insert(.laterFragment) }
    }
    batch.flags[index] = flags
    transport(index, of: batch, bytes, end: offset + total, protocolNumber: protocolNumber, flags: flags)
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
    batch.sourceHigh[index] = header.loadBigEndian64(at: 8)
    batch.sourceLow[index] = header.loadBigEndian64(at: 16)
    batch.destinationHigh[index] = header.loadBigEndian64(at: 24)
    batch.destinationLow[index] = header.loadBigEndian64(at: 32)
    var next = header.load(fromByteOffset: 6, as: UInt8.self)
    var position = offset + 40
    var flags: PacketFlags = [.ipv6, .dontFragment]
    let end = offset + total
    if isExtension(next) {
      guard walkExtensions(bytes, &next, &position, &flags, end: end) else { return batch.finish(index, .malformed) }
    }
    batch.protocols[index] = next
    batch.transportOffsets[index] = UInt16(truncatingIfNeeded: position)
    batch.flags[index] = flags
    transport(index, of: batch, bytes, end: end, protocolNumber: next, flags: flags)
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

  @inline(__always)
  private static func transport(
    _ index: Int, of batch: borrowing Batch, _ bytes: UnsafeRawPointer, end: Int, protocolNumber: UInt8,
    flags: PacketFlags
  ) {
    batch.tcpFlags[index] = 0
    batch.sourcePorts[index] = 0
    batch.destinationPorts[index] = 0
    let offset = Int(batch.transportOffsets[index])
    switch protocolNumber {
    case TransportProtocol.tcp.rawValue:
      if flags.contains(.laterFragment) { return }
      guard offset + 20 <= end else { return batch.finish(index, .malformed) }
      batch.tcpFlags[index] = bytes.load(fromByteOffset: offset + 13, as: UInt8.self)
    case TransportProtocol.udp.rawValue:
      if flags.contains(.laterFragment) { return }
      guard offset + 8 <= end else { return batch.finish(index, .malformed) }
    case 1, 58:
      return batch.finish(index, .icmp)
    default:
      return batch.finish(index, .notOurs)
    }
    batch.sourcePorts[index] = bytes.loadBigEndian16(at: offset)
    batch.destinationPorts[index] = bytes.loadBigEndian16(at: offset + 2)
  }

  /// One's complement sum of an IPv4 header; 0xffff when its checksum is right (RFC 1071).
  @inline(__always)
  private static func headerSum(_ header: UnsafeRawPointer, byteCount: Int) -> UInt16 {
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
    sum = (sum & 0xffff) &+ (sum >> 16)
    sum = (sum & 0xffff) &+ (sum >> 16)
    return UInt16(truncatingIfNeeded: sum)
  }
}
