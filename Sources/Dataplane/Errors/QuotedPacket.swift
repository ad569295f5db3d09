import Wire

/// The packet that an ICMP error is about, as far as the error quotes it (RFC 792, RFC 4443 section 3).
///
/// It was written by whoever sent the error: nothing in it is believed but where it begins and where the message ends. What is
/// needed are both addresses, the protocol and the ports; a quoted length or checksum may be anything, and is.
struct QuotedPacket {
  /// Its IP header.
  let header: UnsafeMutableRawPointer
  let isIPv6: Bool
  let protocolNumber: UInt8
  /// AH or ESP: its ports are those of its key exchange, and do not stand in it.
  let isSecurityPayload: Bool
  /// From the IP header to the ports, of which there are four bytes.
  let transportOffset: Int
  /// Bytes of it that there are, from the IP header on.
  let byteCount: Int

  /// Not the first piece of a datagram: what stands where ports would be is data.
  var isLaterFragment: Bool {
    !isIPv6
      && UnsafeRawPointer(header).loadBigEndian16(at: IPv4.fragmentOffset) & IPv4.fragmentOffsetMask != 0
  }

  /// - Parameter packet: an ICMP error; `Parse` has seen its header whole.
  /// - Returns: nil when no connection can be told from it: cut short before the ports, or a protocol that is not balanced;
  ///   of IPv6 also a later fragment. (Of IPv4 IPVS takes what stands in their place for ports. Both addresses have to be a
  ///   connection's all the same.)
  init?(of packet: Packet) {
    let offset = Int(packet.transportOffset) + ICMPv4.headerByteCount
    self.init(packet.network + offset, byteCount: Int(packet.byteCount) - offset, isIPv6: packet.isIPv6)
  }

  init?(_ start: UnsafeMutableRawPointer, byteCount: Int, isIPv6: Bool) {
    guard
      let (number, offset) = isIPv6
        ? QuotedPacket.transportV6(UnsafeRawPointer(start), byteCount: byteCount)
        : QuotedPacket.transportV4(UnsafeRawPointer(start), byteCount: byteCount),
      TransportProtocol(rawValue: number) != nil && offset + 4 <= byteCount
        || SecurityPayload.isOne(number, isIPv6: isIPv6)
    else { return nil }
    header = start
    self.isIPv6 = isIPv6
    isSecurityPayload = SecurityPayload.isOne(number, isIPv6: isIPv6)
    protocolNumber = isSecurityPayload ? IPProtocol.udp : number
    transportOffset = offset
    self.byteCount = byteCount
    if isSecurityPayload, isLaterFragment { return nil }
  }

  private static func transportV4(_ header: UnsafeRawPointer, byteCount: Int) -> (number: UInt8, offset: Int)? {
    guard byteCount >= IPv4.minimumHeaderByteCount else { return nil }
    let offset = IPv4.headerByteCount(header)
    guard offset >= IPv4.minimumHeaderByteCount else { return nil }
    return (header.loadByte(at: IPv4.protocolOffset), offset)
  }

  private static func transportV6(_ header: UnsafeRawPointer, byteCount: Int) -> (number: UInt8, offset: Int)? {
    guard byteCount >= IPv6.headerByteCount, header.loadByte(at: IPv6.versionOffset) >> 4 == 6 else { return nil }
    var number = header.loadByte(at: IPv6.nextHeaderOffset)
    var offset = IPv6.headerByteCount
    for _ in 0..<Limits.extensionHeaders {
      guard IPv6Extensions.isExtension(number) else { return (number, offset) }
      guard offset + IPv6Extensions.minimumByteCount <= byteCount else { return nil }
      let part = header + offset
      if number == IPProtocol.fragment,
        part.loadBigEndian16(at: IPv6Extensions.fragmentOffset) & IPv6Extensions.fragmentOffsetMask != 0
      {
        return nil
      }
      offset += IPv6Extensions.byteCount(of: number, part)
      number = part.loadByte(at: IPv6Extensions.nextHeaderOffset)
    }
    return nil
  }

  /// One end of it.
  typealias End = (address: (high: UInt64, low: UInt64), port: UInt16)

  var source: End { (address(.source), port(.source)) }
  var destination: End { (address(.destination), port(.destination)) }

  private func address(_ side: Side) -> (high: UInt64, low: UInt64) {
    let header = UnsafeRawPointer(header)
    guard isIPv6 else {
      return (0, UInt64(header.loadBigEndian32(at: side == .source ? IPv4.sourceOffset : IPv4.destinationOffset)))
    }
    let offset = side == .source ? IPv6.sourceOffset : IPv6.destinationOffset
    return (header.loadBigEndian64(at: offset), header.loadBigEndian64(at: offset + 8))
  }

  private func port(_ side: Side) -> UInt16 {
    if isSecurityPayload { return SecurityPayload.port }
    return UnsafeRawPointer(header).loadBigEndian16(at: transportOffset + (side == .source ? 0 : 2))
  }
}
