import Wire

/// The other IP header for a packet, IPv4's for IPv6's and back (RFC 7915), in front of the same transport header.
///
/// Carried over: traffic class, hop limit less one, protocol, length, and whether the packet may be cut. Left out, as the
/// RFC says: IPv4 options, extension headers, the flow label. Not translated: fragments, source routes.
enum FamilyTranslation {
  /// IPv6 packets of this size and less have no "don't fragment" as IPv4 (section 5.1): their sender would not make
  /// smaller ones.
  static var cuttableByteCount: Int { 1260 }

  /// True for a packet that is not carried over: source routes that have not been followed to their end.
  static func isRefused(_ header: UnsafeRawPointer, transportOffset: Int, isIPv6: Bool) -> Bool {
    isIPv6 ? hasRoute(header, end: transportOffset) : hasSourceRoute(header, end: transportOffset)
  }

  private static func hasSourceRoute(_ header: UnsafeRawPointer, end: Int) -> Bool {
    var offset = IPv4.minimumHeaderByteCount
    while offset < end {
      let kind = header.loadByte(at: offset)
      if kind == 0 { return false }
      if kind == 1 {
        offset += 1
        continue
      }
      guard offset + 3 <= end else { return false }
      let count = Int(header.loadByte(at: offset + 1))
      // Loose and strict; the pointer behind the end: it has been followed.
      if kind == 131 || kind == 137 { return Int(header.loadByte(at: offset + 2)) <= count }
      guard count >= 2 else { return false }
      offset += count
    }
    return false
  }

  private static func hasRoute(_ header: UnsafeRawPointer, end: Int) -> Bool {
    var next = header.loadByte(at: IPv6.nextHeaderOffset)
    var offset = IPv6.headerByteCount
    while offset + 8 <= end {
      if next == 43, header.loadByte(at: offset + 3) != 0 { return true }
      let count = next == 44 ? 8 : (Int(header.loadByte(at: offset + 1)) + 1) * 8
      next = header.loadByte(at: offset)
      offset += count
    }
    return false
  }

  /// Writes an IPv4 header for what an IPv6 header says.
  /// - Parameters:
  ///   - old: the IPv6 header; may overlap.
  ///   - new: where the IPv4 header goes.
  static func writeIPv4(
    _ new: UnsafeMutableRawPointer, from old: UnsafeRawPointer, segmentByteCount: Int, protocolNumber: UInt8,
    identification: UInt16, source: UInt32, destination: UInt32
  ) {
    let trafficClass = old.loadBigEndian32(at: 0) >> 20 & 0xff
    let hops = old.loadByte(at: IPv6.hopLimitOffset) &- 1
    let total = IPv4.minimumHeaderByteCount + segmentByteCount
    let isCuttable = total <= cuttableByteCount
    new.storeBigEndian32(0x4500_0000 | trafficClass << 16 | UInt32(truncatingIfNeeded: total), at: 0)
    new.storeBigEndian16(isCuttable ? identification : 0, at: IPv4.identificationOffset)
    new.storeBigEndian16(isCuttable ? 0 : IPv4.dontFragment, at: IPv4.fragmentOffset)
    new.storeByte(hops, at: IPv4.timeToLiveOffset)
    new.storeByte(protocolNumber, at: IPv4.protocolOffset)
    new.storeBigEndian32(source, at: IPv4.sourceOffset)
    new.storeBigEndian32(destination, at: IPv4.destinationOffset)
    WorkerState.finishIPv4Header(new, byteCount: IPv4.minimumHeaderByteCount)
  }

  /// Writes an IPv6 header for what an IPv4 header says.
  static func writeIPv6(
    _ new: UnsafeMutableRawPointer, from old: UnsafeRawPointer, segmentByteCount: Int, protocolNumber: UInt8,
    source: (high: UInt64, low: UInt64), destination: (high: UInt64, low: UInt64)
  ) {
    let service = UInt32(old.loadByte(at: IPv4.serviceOffset))
    let hops = old.loadByte(at: IPv4.timeToLiveOffset) &- 1
    new.storeBigEndian32(6 << 28 | service << 20, at: 0)
    new.storeBigEndian16(UInt16(truncatingIfNeeded: segmentByteCount), at: IPv6.payloadLengthOffset)
    new.storeByte(protocolNumber, at: IPv6.nextHeaderOffset)
    new.storeByte(hops, at: IPv6.hopLimitOffset)
    new.storeBigEndian64(source.high, at: IPv6.sourceOffset)
    new.storeBigEndian64(source.low, at: IPv6.sourceOffset + 8)
    new.storeBigEndian64(destination.high, at: IPv6.destinationOffset)
    new.storeBigEndian64(destination.low, at: IPv6.destinationOffset + 8)
  }
}
