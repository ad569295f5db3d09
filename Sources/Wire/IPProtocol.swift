// Protocol and next-header numbers (IANA, RFC 5237), as IPv4 and IPv6 share them.

/// Protocol numbers.
public enum IPProtocol {
  /// IPv6 hop-by-hop options.
  @inlinable @inline(__always)
  public static var hopByHop: UInt8 { 0 }

  /// ICMP for IPv4.
  @inlinable @inline(__always)
  public static var icmpv4: UInt8 { 1 }

  /// IPv4 in IP (RFC 2003).
  @inlinable @inline(__always)
  public static var ipv4: UInt8 { 4 }

  /// TCP.
  @inlinable @inline(__always)
  public static var tcp: UInt8 { 6 }

  /// UDP.
  @inlinable @inline(__always)
  public static var udp: UInt8 { 17 }

  /// IPv6 in IP (RFC 4213).
  @inlinable @inline(__always)
  public static var ipv6: UInt8 { 41 }

  /// IPv6 routing header.
  @inlinable @inline(__always)
  public static var routing: UInt8 { 43 }

  /// IPv6 fragment header.
  @inlinable @inline(__always)
  public static var fragment: UInt8 { 44 }

  /// GRE (RFC 2784).
  @inlinable @inline(__always)
  public static var gre: UInt8 { 47 }

  /// Encapsulating security payload.
  @inlinable @inline(__always)
  public static var esp: UInt8 { 50 }

  /// Authentication header.
  @inlinable @inline(__always)
  public static var authentication: UInt8 { 51 }

  /// ICMP for IPv6.
  @inlinable @inline(__always)
  public static var icmpv6: UInt8 { 58 }

  /// IPv6: nothing follows.
  @inlinable @inline(__always)
  public static var noNextHeader: UInt8 { 59 }

  /// IPv6 destination options.
  @inlinable @inline(__always)
  public static var destinationOptions: UInt8 { 60 }

  /// VRRP (RFC 9568).
  @inlinable @inline(__always)
  public static var vrrp: UInt8 { 112 }

  /// SCTP.
  @inlinable @inline(__always)
  public static var sctp: UInt8 { 132 }

  /// IPv6 mobility header.
  @inlinable @inline(__always)
  public static var mobility: UInt8 { 135 }

  /// Host identity protocol.
  @inlinable @inline(__always)
  public static var hostIdentity: UInt8 { 139 }

  /// Shim6.
  @inlinable @inline(__always)
  public static var shim6: UInt8 { 140 }
}
