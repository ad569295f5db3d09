// Numbers in packets: most significant byte first, at any address.
//
// Headers start wherever the frame starts, so no load may assume alignment. Nothing is checked here: whoever calls has
// proved that the bytes are there. Where byte order does not matter (comparing, checksums), `loadUnaligned` as it is
// saves the swap.

extension UnsafeRawPointer {
  /// The byte at `offset`.
  @inlinable @inline(__always)
  public func loadByte(at offset: Int) -> UInt8 { load(fromByteOffset: offset, as: UInt8.self) }

  /// The 16-bit number at `offset`.
  @inlinable @inline(__always)
  public func loadBigEndian16(at offset: Int) -> UInt16 {
    UInt16(bigEndian: loadUnaligned(fromByteOffset: offset, as: UInt16.self))
  }

  /// The 32-bit number at `offset`.
  @inlinable @inline(__always)
  public func loadBigEndian32(at offset: Int) -> UInt32 {
    UInt32(bigEndian: loadUnaligned(fromByteOffset: offset, as: UInt32.self))
  }

  /// The 64-bit number at `offset`.
  @inlinable @inline(__always)
  public func loadBigEndian64(at offset: Int) -> UInt64 {
    UInt64(bigEndian: loadUnaligned(fromByteOffset: offset, as: UInt64.self))
  }

  /// The Ethernet address at `offset`; reads these six bytes only.
  @inlinable @inline(__always)
  public func loadEthernetAddress(at offset: Int) -> EthernetAddress {
    EthernetAddress(UInt64(loadBigEndian32(at: offset)) << 16 | UInt64(loadBigEndian16(at: offset &+ 4)))
  }
}

extension UnsafeMutableRawPointer {
  /// Writes a byte at `offset`.
  @inlinable @inline(__always)
  public func storeByte(_ value: UInt8, at offset: Int) {
    storeBytes(of: value, toByteOffset: offset, as: UInt8.self)
  }

  /// Writes a 16-bit number at `offset`.
  @inlinable @inline(__always)
  public func storeBigEndian16(_ value: UInt16, at offset: Int) {
    storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt16.self)
  }

  /// Writes a 32-bit number at `offset`.
  @inlinable @inline(__always)
  public func storeBigEndian32(_ value: UInt32, at offset: Int) {
    storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt32.self)
  }

  /// Writes a 64-bit number at `offset`.
  @inlinable @inline(__always)
  public func storeBigEndian64(_ value: UInt64, at offset: Int) {
    storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt64.self)
  }

  /// Writes an Ethernet address at `offset`; touches these six bytes only.
  @inlinable @inline(__always)
  public func storeEthernetAddress(_ value: EthernetAddress, at offset: Int) {
    storeBigEndian32(UInt32(truncatingIfNeeded: value.number >> 16), at: offset)
    storeBigEndian16(UInt16(truncatingIfNeeded: value.number), at: offset &+ 4)
  }
}

extension UnsafeMutableRawPointer {
  /// The 16-bit number at `offset`.
  @inlinable @inline(__always)
  public func loadBigEndian16(at offset: Int) -> UInt16 { UnsafeRawPointer(self).loadBigEndian16(at: offset) }
}
