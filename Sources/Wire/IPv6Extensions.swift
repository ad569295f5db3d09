// IPv6 extension headers (RFC 8200 section 4, RFC 4302): how long each is and what comes next.
//
// Hop-by-hop, routing and destination options, mobility, host identity and Shim6 count units of eight bytes beyond the
// first; the authentication header counts units of four beyond the first two; the fragment header always has eight bytes.

/// Extension headers of IPv6.
public enum IPv6Extensions {
  /// Offset of the next-header number.
  @inlinable @inline(__always)
  public static var nextHeaderOffset: Int { 0 }

  /// Offset of the length.
  @inlinable @inline(__always)
  public static var lengthOffset: Int { 1 }

  /// Fragment header: offset of the word with the fragment offset and the more flag.
  @inlinable @inline(__always)
  public static var fragmentOffset: Int { 2 }

  /// Fragment header: offset of the identification.
  @inlinable @inline(__always)
  public static var fragmentIdentificationOffset: Int { 4 }

  /// The fragment header.
  @inlinable @inline(__always)
  public static var fragmentByteCount: Int { 8 }

  /// The shortest extension header.
  @inlinable @inline(__always)
  public static var minimumByteCount: Int { 8 }

  /// The fragment offset in bytes, in place.
  @inlinable @inline(__always)
  public static var fragmentOffsetMask: UInt16 { 0xfff8 }

  /// More fragments follow.
  @inlinable @inline(__always)
  public static var moreFragments: UInt16 { 0x0001 }

  /// True for headers that can be walked over to find the upper layer.
  @inlinable @inline(__always)
  public static func isExtension(_ number: UInt8) -> Bool {
    switch number {
    case IPProtocol.hopByHop, IPProtocol.routing, IPProtocol.fragment, IPProtocol.authentication,
      IPProtocol.destinationOptions, IPProtocol.mobility, IPProtocol.hostIdentity, IPProtocol.shim6:
      true
    default: false
    }
  }

  /// The length of the extension header `number`, of which at least two bytes must be there.
  @inlinable @inline(__always)
  public static func byteCount(of number: UInt8, _ header: UnsafeRawPointer) -> Int {
    let units = Int(header.loadByte(at: lengthOffset))
    switch number {
    case IPProtocol.fragment: return fragmentByteCount
    case IPProtocol.authentication: return (units &+ 2) &* 4
    default: return (units &+ 1) &* 8
    }
  }
}
