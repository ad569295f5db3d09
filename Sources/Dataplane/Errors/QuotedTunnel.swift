import Wire

/// The tunnel packet that an ICMP error is about, as far as the error quotes it: an IP header, perhaps GRE or GUE, and the
/// beginning of the packet inside.
///
/// As with `QuotedPacket`, whoever sent the error wrote it. What is found here is where things would stand if it were one of
/// lbd's packets; whether it is one, the connection inside and its server say.
struct QuotedTunnel {
  /// What stands between the headers.
  enum Kind: Equatable {
    case ipip
    case gre
    /// With UDP's destination port.
    case gue(UInt16)
  }

  let kind: Kind
  /// The outer packet's.
  let isIPv6: Bool
  /// Where the outer packet was going.
  let destination: (high: UInt64, low: UInt64)
  /// The packet inside.
  let inner: UnsafeMutableRawPointer
  let isInnerIPv6: Bool
  /// Bytes of the packet inside that there are.
  let byteCount: Int

  /// - Parameter packet: an ICMP error; `Parse` has seen its header whole.
  /// - Returns: nil when it quotes no tunnel packet, or a later piece of one.
  init?(of packet: Packet) {
    let offset = Int(packet.transportOffset) + ICMPv4.headerByteCount
    self.init(packet.network + offset, byteCount: Int(packet.byteCount) - offset, isIPv6: packet.isIPv6)
  }

  init?(_ start: UnsafeMutableRawPointer, byteCount: Int, isIPv6: Bool) {
    let header = UnsafeRawPointer(start)
    var number: UInt8
    var offset: Int
    if isIPv6 {
      guard byteCount >= IPv6.headerByteCount, header.loadByte(at: 0) >> 4 == 6 else { return nil }
      number = header.loadByte(at: IPv6.nextHeaderOffset)
      offset = IPv6.headerByteCount
      destination = (
        header.loadBigEndian64(at: IPv6.destinationOffset), header.loadBigEndian64(at: IPv6.destinationOffset + 8)
      )
      if number == IPProtocol.fragment {
        // lbd fragments what it puts around IPv4 packets that may be.
        guard byteCount >= offset + 8, header.loadBigEndian16(at: offset + 2) & 0xfff8 == 0 else { return nil }
        number = header.loadByte(at: offset)
        offset += 8
      }
    } else {
      guard byteCount >= IPv4.minimumHeaderByteCount else { return nil }
      number = header.loadByte(at: IPv4.protocolOffset)
      offset = Int(header.loadByte(at: 0) & 0xf) * 4
      guard offset >= IPv4.minimumHeaderByteCount, header.loadBigEndian16(at: IPv4.fragmentOffset) & 0x1fff == 0
      else { return nil }
      destination = (0, UInt64(header.loadBigEndian32(at: IPv4.destinationOffset)))
    }
    guard offset <= byteCount,
      let found = QuotedTunnel.contents(header + offset, number, byteCount: byteCount - offset)
    else { return nil }
    kind = found.kind
    inner = start + offset + found.byteCount
    isInnerIPv6 = found.inner == IPProtocol.ipv6
    self.isIPv6 = isIPv6
    self.byteCount = byteCount - offset - found.byteCount
  }

  /// What stands between the headers, how much it is, and what is inside.
  private static func contents(
    _ header: UnsafeRawPointer, _ number: UInt8, byteCount: Int
  ) -> (kind: Kind, byteCount: Int, inner: UInt8)? {
    switch number {
    case IPProtocol.ipv4, IPProtocol.ipv6: (.ipip, 0, number)
    case IPProtocol.gre: gre(header, byteCount: byteCount)
    case IPProtocol.udp: gue(header, byteCount: byteCount)
    default: nil
    }
  }

  /// Version 0, with or without a checksum, and nothing else: a key would be somebody else's.
  private static func gre(
    _ header: UnsafeRawPointer, byteCount: Int
  ) -> (kind: Kind, byteCount: Int, inner: UInt8)? {
    guard byteCount >= GRE.headerByteCount else { return nil }
    let flags = header.loadBigEndian16(at: GRE.flagsOffset)
    let length = GRE.headerByteCount + (flags == GRE.checksumPresent ? GRE.checksumByteCount : 0)
    guard flags & ~GRE.checksumPresent == 0, byteCount >= length else { return nil }
    switch header.loadBigEndian16(at: GRE.typeOffset) {
    case EtherType.ipv4: return (.gre, length, IPProtocol.ipv4)
    case EtherType.ipv6: return (.gre, length, IPProtocol.ipv6)
    default: return nil
    }
  }

  /// Version 0, with whatever options.
  private static func gue(
    _ header: UnsafeRawPointer, byteCount: Int
  ) -> (kind: Kind, byteCount: Int, inner: UInt8)? {
    guard byteCount >= UDP.headerByteCount + GUE.headerByteCount else { return nil }
    let first = header.loadByte(at: UDP.headerByteCount)
    let inner = header.loadByte(at: UDP.headerByteCount + GUE.protocolOffset)
    let length = UDP.headerByteCount + GUE.headerByteCount + Int(first & GUE.lengthMask) * 4
    guard first & GUE.kindMask == 0, byteCount >= length, inner == IPProtocol.ipv4 || inner == IPProtocol.ipv6 else {
      return nil
    }
    return (.gue(header.loadBigEndian16(at: UDP.destinationPortOffset)), length, inner)
  }

  /// Whether a server gets such packets.
  func isTo(_ server: UnsafePointer<ServerRecord>) -> Bool {
    guard server.pointee.isIPv6 == isIPv6, server.pointee.addressHigh == destination.high,
      server.pointee.addressLow == destination.low
    else { return false }
    switch (server.pointee.encapsulation, kind) {
    case (.ipip, .ipip), (.gre, .gre): return true
    case (.gue(let port, _), .gue(let quoted)): return port == quoted
    default: return false
    }
  }
}
