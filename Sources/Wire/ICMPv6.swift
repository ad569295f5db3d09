// ICMP for IPv6 (RFC 4443 section 2, RFC 4861 section 4 for neighbour discovery): offsets, types and codes.
//
// The checksum covers a pseudo-header. Types below 128 are errors and quote the packet they are about.

/// The ICMPv6 header and its numbers.
public enum ICMPv6 {
  /// Offset of the type.
  @inlinable @inline(__always)
  public static var typeOffset: Int { 0 }

  /// Offset of the code.
  @inlinable @inline(__always)
  public static var codeOffset: Int { 1 }

  /// Offset of the checksum.
  @inlinable @inline(__always)
  public static var checksumOffset: Int { 2 }

  /// Packet too big: offset of the next link's MTU, 32 bits.
  @inlinable @inline(__always)
  public static var mtuOffset: Int { 4 }

  /// The header; in an error, the quoted packet follows.
  @inlinable @inline(__always)
  public static var headerByteCount: Int { 8 }

  /// Type: destination unreachable.
  @inlinable @inline(__always)
  public static var destinationUnreachable: UInt8 { 1 }

  /// Type: packet too big.
  @inlinable @inline(__always)
  public static var packetTooBig: UInt8 { 2 }

  /// Type: time exceeded.
  @inlinable @inline(__always)
  public static var timeExceeded: UInt8 { 3 }

  /// Type: parameter problem.
  @inlinable @inline(__always)
  public static var parameterProblem: UInt8 { 4 }

  /// Type: echo request.
  @inlinable @inline(__always)
  public static var echoRequest: UInt8 { 128 }

  /// Type: echo reply.
  @inlinable @inline(__always)
  public static var echoReply: UInt8 { 129 }

  /// Type: router solicitation.
  @inlinable @inline(__always)
  public static var routerSolicitation: UInt8 { 133 }

  /// Type: router advertisement.
  @inlinable @inline(__always)
  public static var routerAdvertisement: UInt8 { 134 }

  /// Type: neighbour solicitation.
  @inlinable @inline(__always)
  public static var neighbourSolicitation: UInt8 { 135 }

  /// Type: neighbour advertisement.
  @inlinable @inline(__always)
  public static var neighbourAdvertisement: UInt8 { 136 }

  /// Type: redirect.
  @inlinable @inline(__always)
  public static var redirect: UInt8 { 137 }

  /// Code of unreachable: address.
  @inlinable @inline(__always)
  public static var addressUnreachable: UInt8 { 3 }

  /// Code of unreachable: port.
  @inlinable @inline(__always)
  public static var portUnreachable: UInt8 { 4 }

  /// True for the types that quote a packet.
  @inlinable @inline(__always)
  public static func isError(_ type: UInt8) -> Bool { type < 128 }
}
