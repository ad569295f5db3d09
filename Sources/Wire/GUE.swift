// Generic UDP encapsulation, version 0 (draft-ietf-intarea-gue-09): the header behind UDP's.

/// The GUE header: two bits of version, one for control messages, five of length; a protocol number; flags.
public enum GUE {
  /// Offset of the protocol number of the packet inside.
  @inlinable @inline(__always)
  public static var protocolOffset: Int { 1 }

  /// Offset of the flags, each of which announces an optional field.
  @inlinable @inline(__always)
  public static var flagsOffset: Int { 2 }

  /// The header without optional fields.
  @inlinable @inline(__always)
  public static var headerByteCount: Int { 4 }

  /// Bits of the first byte: version, and the bit of control messages. All are 0 in a packet that carries data.
  @inlinable @inline(__always)
  public static var kindMask: UInt8 { 0xe0 }

  /// Bits of the first byte: words of optional fields.
  @inlinable @inline(__always)
  public static var lengthMask: UInt8 { 0x1f }

  /// The UDP source port of a flow, which routers on the way tell flows apart by: within Linux's usual local ports.
  /// - Parameter flow: the same for all packets of a connection.
  @inlinable @inline(__always)
  public static func sourcePort(flow: UInt64) -> UInt16 {
    let hash = (flow &* 0x9e37_79b9_7f4a_7c15) >> 32
    return UInt16(truncatingIfNeeded: 32_768 + (hash &* (60_999 - 32_768)) >> 32)
  }
}
