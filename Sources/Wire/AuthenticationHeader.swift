// The IP authentication header (RFC 4302 section 2) with an integrity check value of 96 bits, as VRRP version 2 has it
// (RFC 2338 section 5.3.6.3): offsets, and which bytes of the IPv4 header count. The HMAC itself is not computed here.

/// The authentication header.
public enum AuthenticationHeader {
  /// Offset of the protocol number of what follows.
  @inlinable @inline(__always)
  public static var nextHeaderOffset: Int { 0 }

  /// Offset of the length in words of four bytes, less 2.
  @inlinable @inline(__always)
  public static var lengthOffset: Int { 1 }

  /// Offset of the security parameters index.
  @inlinable @inline(__always)
  public static var securityIndexOffset: Int { 4 }

  /// Offset of the sequence number.
  @inlinable @inline(__always)
  public static var sequenceOffset: Int { 8 }

  /// Offset of the integrity check value.
  @inlinable @inline(__always)
  public static var checkOffset: Int { 12 }

  /// The first 96 bits of an HMAC.
  @inlinable @inline(__always)
  public static var checkByteCount: Int { 12 }

  /// The whole header.
  @inlinable @inline(__always)
  public static var byteCount: Int { 24 }

  /// What the length field says for this size.
  @inlinable @inline(__always)
  public static var length: UInt8 { 4 }

  /// Writes the header with an integrity check value of zeros; `header` has room for it.
  @inlinable
  public static func write(
    to header: UnsafeMutableRawPointer, nextHeader: UInt8, securityIndex: UInt32, sequence: UInt32
  ) {
    header.storeByte(nextHeader, at: nextHeaderOffset)
    header.storeByte(length, at: lengthOffset)
    header.storeBigEndian16(0, at: 2)
    header.storeBigEndian32(securityIndex, at: securityIndexOffset)
    header.storeBigEndian32(sequence, at: sequenceOffset)
    header.storeBigEndian64(0, at: checkOffset)
    header.storeBigEndian32(0, at: checkOffset &+ 8)
  }

  /// Clears in an IPv4 header what routers may change on the way and is not authenticated: service, fragment word and
  /// checksum; the time to live, which RFC 4302 clears always, where `clearsTimeToLive` says so.
  @inlinable
  public static func clearMutableFields(ofIPv4 header: UnsafeMutableRawPointer, clearsTimeToLive: Bool) {
    header.storeByte(0, at: IPv4.serviceOffset)
    header.storeBigEndian16(0, at: IPv4.fragmentOffset)
    header.storeBigEndian16(0, at: IPv4.checksumOffset)
    if clearsTimeToLive { header.storeByte(0, at: IPv4.timeToLiveOffset) }
  }
}
