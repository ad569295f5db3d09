// ICMP for IPv4 (RFC 792, RFC 1191 for the MTU): offsets, types and codes.
//
// An error quotes the packet it is about, from that packet's IP header on.

/// The ICMP header and its numbers.
public enum ICMPv4 {
  /// Offset of the type.
  @inlinable @inline(__always)
  public static var typeOffset: Int { 0 }

  /// Offset of the code.
  @inlinable @inline(__always)
  public static var codeOffset: Int { 1 }

  /// Offset of the checksum.
  @inlinable @inline(__always)
  public static var checksumOffset: Int { 2 }

  /// Fragmentation needed: offset of the next hop's MTU, 16 bits.
  @inlinable @inline(__always)
  public static var mtuOffset: Int { 6 }

  /// The header; in an error, the quoted packet follows.
  @inlinable @inline(__always)
  public static var headerByteCount: Int { 8 }

  /// Type: echo reply.
  @inlinable @inline(__always)
  public static var echoReply: UInt8 { 0 }

  /// Type: destination unreachable.
  @inlinable @inline(__always)
  public static var destinationUnreachable: UInt8 { 3 }

  /// Type: source quench.
  @inlinable @inline(__always)
  public static var sourceQuench: UInt8 { 4 }

  /// Type: redirect.
  @inlinable @inline(__always)
  public static var redirect: UInt8 { 5 }

  /// Type: echo request.
  @inlinable @inline(__always)
  public static var echoRequest: UInt8 { 8 }

  /// Type: time exceeded.
  @inlinable @inline(__always)
  public static var timeExceeded: UInt8 { 11 }

  /// Type: parameter problem.
  @inlinable @inline(__always)
  public static var parameterProblem: UInt8 { 12 }

  /// Code of unreachable: host.
  @inlinable @inline(__always)
  public static var hostUnreachable: UInt8 { 1 }

  /// Code of unreachable: protocol.
  @inlinable @inline(__always)
  public static var protocolUnreachable: UInt8 { 2 }

  /// Code of unreachable: port.
  @inlinable @inline(__always)
  public static var portUnreachable: UInt8 { 3 }

  /// Code of unreachable: too long for the next link.
  @inlinable @inline(__always)
  public static var fragmentationNeeded: UInt8 { 4 }

  /// True for the types that quote a packet.
  @inlinable @inline(__always)
  public static func isError(_ type: UInt8) -> Bool {
    switch type {
    case destinationUnreachable, sourceQuench, redirect, timeExceeded, parameterProblem: true
    default: false
    }
  }
}
