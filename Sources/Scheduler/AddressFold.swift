// The arithmetic that hash schedulers share: an address as 32 bits, and a multiplicative hash of 32 bits.
//
// Both are fixed for good: a director that takes over from another one must send every client to the same server.

/// An address reduced to 32 bits, as the hash schedulers see it.
public enum AddressFold {
  /// An IPv4 address is its own number: 10.0.0.1 is 0x0a000001.
  @inlinable @inline(__always)
  public static func v4(_ number: UInt32) -> UInt32 { number }

  /// An IPv6 address is the exclusive or of its four words: 2001:db8::1 is 0x20010db9.
  @inlinable @inline(__always)
  public static func v6(high: UInt64, low: UInt64) -> UInt32 {
    let both = high ^ low
    return UInt32(truncatingIfNeeded: both >> 32) ^ UInt32(truncatingIfNeeded: both)
  }
}

/// The upper `bits` (1 to 32) of value * 0x61c88647: multiplication by the golden ratio, which spreads neighbours.
@inlinable @inline(__always)
public func hash32(_ value: UInt32, bits: UInt32) -> UInt32 { (value &* 0x61c8_8647) &>> (32 &- bits) }
