// TCP (RFC 9293 section 3.1): offsets, flags and option kinds.

/// The TCP header.
public enum TCP {
  /// Offset of the source port.
  @inlinable @inline(__always)
  public static var sourcePortOffset: Int { 0 }

  /// Offset of the destination port.
  @inlinable @inline(__always)
  public static var destinationPortOffset: Int { 2 }

  /// Offset of the sequence number.
  @inlinable @inline(__always)
  public static var sequenceOffset: Int { 4 }

  /// Offset of the acknowledgement number.
  @inlinable @inline(__always)
  public static var acknowledgementOffset: Int { 8 }

  /// Offset of the byte whose upper half is the header length in units of four.
  @inlinable @inline(__always)
  public static var dataOffset: Int { 12 }

  /// Offset of the flags.
  @inlinable @inline(__always)
  public static var flagsOffset: Int { 13 }

  /// Offset of the window.
  @inlinable @inline(__always)
  public static var windowOffset: Int { 14 }

  /// Offset of the checksum.
  @inlinable @inline(__always)
  public static var checksumOffset: Int { 16 }

  /// Offset of the urgent pointer.
  @inlinable @inline(__always)
  public static var urgentOffset: Int { 18 }

  /// The header without options.
  @inlinable @inline(__always)
  public static var minimumHeaderByteCount: Int { 20 }

  /// FIN.
  @inlinable @inline(__always)
  public static var fin: UInt8 { 0x01 }

  /// SYN.
  @inlinable @inline(__always)
  public static var syn: UInt8 { 0x02 }

  /// RST.
  @inlinable @inline(__always)
  public static var rst: UInt8 { 0x04 }

  /// PSH.
  @inlinable @inline(__always)
  public static var psh: UInt8 { 0x08 }

  /// ACK.
  @inlinable @inline(__always)
  public static var ack: UInt8 { 0x10 }

  /// URG.
  @inlinable @inline(__always)
  public static var urg: UInt8 { 0x20 }

  /// ECE (RFC 3168).
  @inlinable @inline(__always)
  public static var ece: UInt8 { 0x40 }

  /// CWR (RFC 3168).
  @inlinable @inline(__always)
  public static var cwr: UInt8 { 0x80 }

  /// Option kind: end of the list.
  @inlinable @inline(__always)
  public static var optionEnd: UInt8 { 0 }

  /// Option kind: padding.
  @inlinable @inline(__always)
  public static var optionNoOperation: UInt8 { 1 }

  /// Option kind: maximum segment size, four bytes.
  @inlinable @inline(__always)
  public static var optionMaximumSegmentSize: UInt8 { 2 }

  /// The header's length; 0 to 60, less than 20 in a malformed header.
  @inlinable @inline(__always)
  public static func headerByteCount(_ header: UnsafeRawPointer) -> Int {
    Int(header.loadByte(at: dataOffset) >> 4) &* 4
  }
}
