// ARP (RFC 826) for IPv4 over Ethernet: offsets and operations.

/// An ARP packet for IPv4 over Ethernet.
public enum ARP {
  /// Offset of the hardware type; 1 for Ethernet.
  @inlinable @inline(__always)
  public static var hardwareTypeOffset: Int { 0 }

  /// Offset of the protocol type; 0x0800 for IPv4.
  @inlinable @inline(__always)
  public static var protocolTypeOffset: Int { 2 }

  /// Offset of the hardware address length; 6.
  @inlinable @inline(__always)
  public static var hardwareLengthOffset: Int { 4 }

  /// Offset of the protocol address length; 4.
  @inlinable @inline(__always)
  public static var protocolLengthOffset: Int { 5 }

  /// Offset of the operation.
  @inlinable @inline(__always)
  public static var operationOffset: Int { 6 }

  /// Offset of the sender's Ethernet address.
  @inlinable @inline(__always)
  public static var senderHardwareOffset: Int { 8 }

  /// Offset of the sender's IPv4 address.
  @inlinable @inline(__always)
  public static var senderProtocolOffset: Int { 14 }

  /// Offset of the target's Ethernet address.
  @inlinable @inline(__always)
  public static var targetHardwareOffset: Int { 18 }

  /// Offset of the target's IPv4 address.
  @inlinable @inline(__always)
  public static var targetProtocolOffset: Int { 24 }

  /// The whole packet.
  @inlinable @inline(__always)
  public static var byteCount: Int { 28 }

  /// Hardware type: Ethernet.
  @inlinable @inline(__always)
  public static var ethernetHardware: UInt16 { 1 }

  /// Operation: who has the target address?
  @inlinable @inline(__always)
  public static var request: UInt16 { 1 }

  /// Operation: the sender has it.
  @inlinable @inline(__always)
  public static var reply: UInt16 { 2 }
}
