// IPv6 (RFC 8200 section 3): offsets and numbers.

/// The IPv6 header.
public enum IPv6 {
  /// Offset of version, traffic class and flow label.
  @inlinable @inline(__always)
  public static var versionOffset: Int { 0 }

  /// Offset of the payload length, extension headers included.
  @inlinable @inline(__always)
  public static var payloadLengthOffset: Int { 4 }

  /// Offset of the next-header number.
  @inlinable @inline(__always)
  public static var nextHeaderOffset: Int { 6 }

  /// Offset of the hop limit.
  @inlinable @inline(__always)
  public static var hopLimitOffset: Int { 7 }

  /// Offset of the source address.
  @inlinable @inline(__always)
  public static var sourceOffset: Int { 8 }

  /// Offset of the destination address.
  @inlinable @inline(__always)
  public static var destinationOffset: Int { 24 }

  /// The header without extensions.
  @inlinable @inline(__always)
  public static var headerByteCount: Int { 40 }

  /// What every link must carry (section 5).
  @inlinable @inline(__always)
  public static var minimumMTU: Int { 1280 }

  /// The source address.
  @inlinable @inline(__always)
  public static func source(_ header: UnsafeRawPointer) -> IPAddress {
    IPAddress(high: header.loadBigEndian64(at: sourceOffset), low: header.loadBigEndian64(at: sourceOffset &+ 8))
  }

  /// The destination address.
  @inlinable @inline(__always)
  public static func destination(_ header: UnsafeRawPointer) -> IPAddress {
    IPAddress(
      high: header.loadBigEndian64(at: destinationOffset), low: header.loadBigEndian64(at: destinationOffset &+ 8))
  }
}
