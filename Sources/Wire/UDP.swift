// UDP (RFC 768): offsets. A checksum of 0 means that none was computed; IPv6 forbids it (RFC 8200 section 8.1).

/// The UDP header.
public enum UDP {
  /// Offset of the source port.
  @inlinable @inline(__always)
  public static var sourcePortOffset: Int { 0 }

  /// Offset of the destination port.
  @inlinable @inline(__always)
  public static var destinationPortOffset: Int { 2 }

  /// Offset of the length, header included.
  @inlinable @inline(__always)
  public static var lengthOffset: Int { 4 }

  /// Offset of the checksum.
  @inlinable @inline(__always)
  public static var checksumOffset: Int { 6 }

  /// The header.
  @inlinable @inline(__always)
  public static var headerByteCount: Int { 8 }
}
