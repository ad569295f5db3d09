import Wire

/// The other IP header for a packet, IPv4's for IPv6's and back (RFC 7915), in front of the same transport header.
///
/// Carried over: traffic class, hop limit, protocol, length, and whether the packet may be cut. Left out, as the RFC says:
/// IPv4 options, extension headers, the flow label. Not translated: source routes. Fragments have been put together before.
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

  /// What a header is written from: what it takes from the other family's, and what is its own.
  struct Header {
    var trafficClass: UInt8
    var hops: UInt8
    var segmentByteCount: Int
    var protocolNumber: UInt8
    var source: (high: UInt64, low: UInt64)
    var destination: (high: UInt64, low: UInt64)
    /// Of IPv4: the sender has cut it, so it may be cut again (section 5.1.1).
    var wasFragmented = false

    /// - Parameter old: the other family's header.
    init(
      from old: UnsafeRawPointer, segmentByteCount: Int, protocolNumber: UInt8, source: (high: UInt64, low: UInt64),
      destination: (high: UInt64, low: UInt64)
    ) {
      let isIPv6 = old.loadByte(at: 0) >> 4 == 6
      trafficClass =
        isIPv6
        ? UInt8(truncatingIfNeeded: old.loadBigEndian16(at: 0) >> 4) : old.loadByte(at: IPv4.serviceOffset)
      hops = old.loadByte(at: isIPv6 ? IPv6.hopLimitOffset : IPv4.timeToLiveOffset)
      self.segmentByteCount = segmentByteCount
      self.protocolNumber = protocolNumber
      self.source = source
      self.destination = destination
    }

    /// - Parameter identification: of an IPv4 header that says it may be cut.
    func write(to new: UnsafeMutableRawPointer, isIPv6: Bool, identification: UInt16) {
      isIPv6 ? writeIPv6(new) : writeIPv4(new, identification: identification)
    }

    private func writeIPv4(_ new: UnsafeMutableRawPointer, identification: UInt16) {
      let total = IPv4.minimumHeaderByteCount + segmentByteCount
      let isCuttable = wasFragmented || total <= cuttableByteCount
      new.storeBigEndian32(0x4500_0000 | UInt32(trafficClass) << 16 | UInt32(total & 0xffff), at: 0)
      new.storeBigEndian16(isCuttable ? identification : 0, at: IPv4.identificationOffset)
      new.storeBigEndian16(isCuttable ? 0 : IPv4.dontFragment, at: IPv4.fragmentOffset)
      new.storeByte(hops, at: IPv4.timeToLiveOffset)
      new.storeByte(protocolNumber, at: IPv4.protocolOffset)
      new.storeBigEndian32(UInt32(truncatingIfNeeded: source.low), at: IPv4.sourceOffset)
      new.storeBigEndian32(UInt32(truncatingIfNeeded: destination.low), at: IPv4.destinationOffset)
      WorkerState.finishIPv4Header(new, byteCount: IPv4.minimumHeaderByteCount)
    }

    private func writeIPv6(_ new: UnsafeMutableRawPointer) {
      new.storeBigEndian32(6 << 28 | UInt32(trafficClass) << 20, at: 0)
      new.storeBigEndian16(UInt16(truncatingIfNeeded: segmentByteCount), at: IPv6.payloadLengthOffset)
      new.storeByte(protocolNumber, at: IPv6.nextHeaderOffset)
      new.storeByte(hops, at: IPv6.hopLimitOffset)
      new.storeBigEndian64(source.high, at: IPv6.sourceOffset)
      new.storeBigEndian64(source.low, at: IPv6.sourceOffset + 8)
      new.storeBigEndian64(destination.high, at: IPv6.destinationOffset)
      new.storeBigEndian64(destination.low, at: IPv6.destinationOffset + 8)
    }
  }
}
