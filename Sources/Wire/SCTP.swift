// SCTP (RFC 9260 section 3): offsets and chunk types.
//
// The checksum is a CRC32c over the whole packet with the field zeroed; addresses are not in it.

/// The SCTP common header and chunk headers.
public enum SCTP {
  /// Offset of the source port.
  @inlinable @inline(__always)
  public static var sourcePortOffset: Int { 0 }

  /// Offset of the destination port.
  @inlinable @inline(__always)
  public static var destinationPortOffset: Int { 2 }

  /// Offset of the verification tag.
  @inlinable @inline(__always)
  public static var verificationTagOffset: Int { 4 }

  /// Offset of the CRC32c, least significant byte first.
  @inlinable @inline(__always)
  public static var checksumOffset: Int { 8 }

  /// The common header; the first chunk follows.
  @inlinable @inline(__always)
  public static var headerByteCount: Int { 12 }

  /// In a chunk: offset of its type.
  @inlinable @inline(__always)
  public static var chunkTypeOffset: Int { 0 }

  /// In a chunk: offset of its flags.
  @inlinable @inline(__always)
  public static var chunkFlagsOffset: Int { 1 }

  /// In a chunk: offset of its length, header included, padding not.
  @inlinable @inline(__always)
  public static var chunkLengthOffset: Int { 2 }

  /// The header of a chunk.
  @inlinable @inline(__always)
  public static var chunkHeaderByteCount: Int { 4 }

  /// Chunk type DATA.
  @inlinable @inline(__always)
  public static var data: UInt8 { 0 }

  /// Chunk type INIT.
  @inlinable @inline(__always)
  public static var initiation: UInt8 { 1 }

  /// Chunk type INIT ACK.
  @inlinable @inline(__always)
  public static var initiationAcknowledgement: UInt8 { 2 }

  /// Chunk type SACK.
  @inlinable @inline(__always)
  public static var selectiveAcknowledgement: UInt8 { 3 }

  /// Chunk type HEARTBEAT.
  @inlinable @inline(__always)
  public static var heartbeat: UInt8 { 4 }

  /// Chunk type HEARTBEAT ACK.
  @inlinable @inline(__always)
  public static var heartbeatAcknowledgement: UInt8 { 5 }

  /// Chunk type ABORT.
  @inlinable @inline(__always)
  public static var abort: UInt8 { 6 }

  /// Chunk type SHUTDOWN.
  @inlinable @inline(__always)
  public static var shutdown: UInt8 { 7 }

  /// Chunk type SHUTDOWN ACK.
  @inlinable @inline(__always)
  public static var shutdownAcknowledgement: UInt8 { 8 }

  /// Chunk type ERROR.
  @inlinable @inline(__always)
  public static var error: UInt8 { 9 }

  /// Chunk type COOKIE ECHO.
  @inlinable @inline(__always)
  public static var cookieEcho: UInt8 { 10 }

  /// Chunk type COOKIE ACK.
  @inlinable @inline(__always)
  public static var cookieAcknowledgement: UInt8 { 11 }

  /// Chunk type SHUTDOWN COMPLETE.
  @inlinable @inline(__always)
  public static var shutdownComplete: UInt8 { 14 }
}
