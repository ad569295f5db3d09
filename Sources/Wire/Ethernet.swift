// Ethernet II (IEEE 802.3 section 3) and the VLAN tag (IEEE 802.1Q section 9): offsets and numbers.
//
// A tag stands between the source address and the EtherType: two bytes of tag type, two of control information. There
// may be two of them (802.1ad). No parsing here: lengths are checked where frames are parsed.

/// Ethernet II framing.
public enum Ethernet {
  /// Offset of the destination address.
  @inlinable @inline(__always)
  public static var destinationOffset: Int { 0 }

  /// Offset of the source address.
  @inlinable @inline(__always)
  public static var sourceOffset: Int { 6 }

  /// Offset of the EtherType, or of the first tag.
  @inlinable @inline(__always)
  public static var typeOffset: Int { 12 }

  /// The header without tags.
  @inlinable @inline(__always)
  public static var headerByteCount: Int { 14 }

  /// The shortest frame on the wire, without its check sequence.
  @inlinable @inline(__always)
  public static var minimumByteCount: Int { 60 }
}

/// The 802.1Q tag: EtherType and control information, four bytes.
public enum VLAN {
  /// The length of a tag.
  @inlinable @inline(__always)
  public static var tagByteCount: Int { 4 }

  /// The VLAN identifier in the control information.
  @inlinable @inline(__always)
  public static var identifierMask: UInt16 { 0x0fff }

  /// The priority is above this bit of the control information.
  @inlinable @inline(__always)
  public static var priorityShift: UInt16 { 13 }
}

/// EtherType numbers, in host order.
public enum EtherType {
  /// IPv4.
  @inlinable @inline(__always)
  public static var ipv4: UInt16 { 0x0800 }

  /// ARP.
  @inlinable @inline(__always)
  public static var arp: UInt16 { 0x0806 }

  /// 802.1Q tag.
  @inlinable @inline(__always)
  public static var vlan: UInt16 { 0x8100 }

  /// IPv6.
  @inlinable @inline(__always)
  public static var ipv6: UInt16 { 0x86dd }

  /// 802.1ad outer tag.
  @inlinable @inline(__always)
  public static var serviceVLAN: UInt16 { 0x88a8 }
}
