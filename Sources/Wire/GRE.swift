// GRE, version 0 (RFC 2784): flags and version, type of what is inside, and optional fields.

/// The GRE header.
public enum GRE {
  /// Offset of flags and version.
  @inlinable @inline(__always)
  public static var flagsOffset: Int { 0 }

  /// Offset of the EtherType of the packet inside.
  @inlinable @inline(__always)
  public static var typeOffset: Int { 2 }

  /// Offset of the checksum, over the header and all that follows, when there is one.
  @inlinable @inline(__always)
  public static var checksumOffset: Int { 4 }

  /// The header without optional fields.
  @inlinable @inline(__always)
  public static var headerByteCount: Int { 4 }

  /// The checksum and the two bytes behind it.
  @inlinable @inline(__always)
  public static var checksumByteCount: Int { 4 }

  /// Bit of the flags: there is a checksum.
  @inlinable @inline(__always)
  public static var checksumPresent: UInt16 { 0x8000 }
}
