// IPv4 (RFC 791 section 3.1): offsets and bits.

/// The IPv4 header.
public enum IPv4 {
  /// Offset of version and header length.
  @inlinable @inline(__always)
  public static var versionOffset: Int { 0 }

  /// Offset of DSCP and ECN.
  @inlinable @inline(__always)
  public static var serviceOffset: Int { 1 }

  /// Offset of the total length.
  @inlinable @inline(__always)
  public static var totalLengthOffset: Int { 2 }

  /// Offset of the identification.
  @inlinable @inline(__always)
  public static var identificationOffset: Int { 4 }

  /// Offset of the fragment word: three flags, thirteen bits of offset.
  @inlinable @inline(__always)
  public static var fragmentOffset: Int { 6 }

  /// Offset of the time to live.
  @inlinable @inline(__always)
  public static var timeToLiveOffset: Int { 8 }

  /// Offset of the protocol number.
  @inlinable @inline(__always)
  public static var protocolOffset: Int { 9 }

  /// Offset of the header checksum.
  @inlinable @inline(__always)
  public static var checksumOffset: Int { 10 }

  /// Offset of the source address.
  @inlinable @inline(__always)
  public static var sourceOffset: Int { 12 }

  /// Offset of the destination address.
  @inlinable @inline(__always)
  public static var destinationOffset: Int { 16 }

  /// The header without options.
  @inlinable @inline(__always)
  public static var minimumHeaderByteCount: Int { 20 }

  /// The header with all options.
  @inlinable @inline(__always)
  public static var maximumHeaderByteCount: Int { 60 }

  /// Bit of the fragment word: do not fragment.
  @inlinable @inline(__always)
  public static var dontFragment: UInt16 { 0x4000 }

  /// Bit of the fragment word: more fragments follow.
  @inlinable @inline(__always)
  public static var moreFragments: UInt16 { 0x2000 }

  /// The offset in the fragment word, in units of eight bytes.
  @inlinable @inline(__always)
  public static var fragmentOffsetMask: UInt16 { 0x1fff }

  /// The header's length from its first byte; 0 to 60, less than 20 in a malformed header.
  @inlinable @inline(__always)
  public static func headerByteCount(_ header: UnsafeRawPointer) -> Int {
    Int(header.loadByte(at: versionOffset) & 0x0f) &* 4
  }

  /// True for every fragment, also the first.
  @inlinable @inline(__always)
  public static func isFragment(_ header: UnsafeRawPointer) -> Bool {
    header.loadBigEndian16(at: fragmentOffset) & (moreFragments | fragmentOffsetMask) != 0
  }

  /// The source address.
  @inlinable @inline(__always)
  public static func source(_ header: UnsafeRawPointer) -> IPAddress {
    IPAddress(v4: header.loadBigEndian32(at: sourceOffset))
  }

  /// The destination address.
  @inlinable @inline(__always)
  public static func destination(_ header: UnsafeRawPointer) -> IPAddress {
    IPAddress(v4: header.loadBigEndian32(at: destinationOffset))
  }
}
