// The Internet checksum (RFC 1071), and its correction when a few bytes change (RFC 1624).
//
// The sum is in one's complement, which does not care about byte order as long as everybody uses the same one. So all
// words here are *as they stand in memory*: load them with `loadUnaligned`, store the result the same way, and swap
// nothing. A number that does not come from memory is made to fit by `.bigEndian`.
//
// One's complement has two zeros. A correction by equation 3, HC' = ~(~HC + ~m + m'), ends in 0x0000 and never in 0xffff,
// as the full computation does for everything but zeros: so a corrected header is, byte for byte, what a full
// computation over the changed header gives, whatever the sender had put there. UDP alone writes 0xffff for a computed
// 0, because 0 there means "not computed" (RFC 768); it has functions of its own.

/// A checksum being computed over pieces of memory. Every piece but the last must have an even length.
@frozen
public struct Checksum {
  @usableFromInline var sum: UInt64 = 0

  /// The sum of nothing.
  @inlinable @inline(__always)
  public init() {}

  /// Adds up to eight bytes, as they stand in memory.
  @inlinable @inline(__always)
  public mutating func add(_ word: UInt64) {
    let (partial, carry) = sum.addingReportingOverflow(word)
    sum = partial &+ (carry ? 1 : 0)
  }

  /// Adds a piece of memory.
  @inlinable
  public mutating func add(_ bytes: UnsafeRawBufferPointer) {
    guard let base = bytes.baseAddress else { return }
    var offset = 0
    while bytes.count &- offset >= 8 {
      add(base.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
      offset &+= 8
    }
    if bytes.count &- offset >= 4 {
      add(UInt64(base.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
      offset &+= 4
    }
    if bytes.count &- offset >= 2 {
      add(UInt64(base.loadUnaligned(fromByteOffset: offset, as: UInt16.self)))
      offset &+= 2
    }
    if offset < bytes.count {
      add(UInt64(UInt16(base.loadByte(at: offset)).littleEndian))
    }
  }

  /// Adds the pseudo-header of TCP and UDP over IPv4 (RFC 9293 section 3.1).
  /// - Parameters:
  ///   - addresses: where the header's source address stands, followed by the destination address.
  ///   - byteCount: the length of the transport header and what follows it.
  @inlinable @inline(__always)
  public mutating func addPseudoHeader4(addresses: UnsafeRawPointer, protocolNumber: UInt8, byteCount: Int) {
    add(addresses.loadUnaligned(as: UInt64.self))
    addLengthAndProtocol(protocolNumber, byteCount: byteCount)
  }

  /// Adds the pseudo-header of everything over IPv6 (RFC 8200 section 8.1).
  /// - Parameters:
  ///   - addresses: where the source address stands, followed by the destination address.
  ///   - byteCount: the length of the upper-layer header and what follows it.
  @inlinable @inline(__always)
  public mutating func addPseudoHeader6(addresses: UnsafeRawPointer, protocolNumber: UInt8, byteCount: Int) {
    add(UnsafeRawBufferPointer(start: addresses, count: 32))
    addLengthAndProtocol(protocolNumber, byteCount: byteCount)
  }

  @inlinable @inline(__always)
  mutating func addLengthAndProtocol(_ protocolNumber: UInt8, byteCount: Int) {
    add(UInt64(UInt32(truncatingIfNeeded: byteCount).bigEndian))
    add(UInt64(UInt16(protocolNumber).bigEndian))
  }

  /// The one's complement sum of the four 16-bit words of `sum`; 0 only for 0.
  @inlinable @inline(__always)
  public static func fold(_ sum: UInt64) -> UInt16 { foldOnes(sum) }

  /// The sum in 16 bits: 0xffff over a packet whose checksum is right.
  @inlinable @inline(__always)
  public var folded: UInt16 { foldOnes(sum) }

  /// True when `folded` is 0xffff, the sum not being 0: when the sum is a multiple of 65535. Multiplied by the inverse of
  /// 65535 modulo 2^64, just the multiples come out small.
  @inlinable @inline(__always)
  public var isWhole: Bool { sum &* 0xfffe_fffe_fffe_ffff <= 0x0001_0001_0001_0001 }

  /// What to store in the checksum field, as it stands in memory.
  @inlinable @inline(__always)
  public var value: UInt16 { ~folded }

  /// What to store in UDP's checksum field: 0xffff where the computed value is 0.
  @inlinable @inline(__always)
  public var udpValue: UInt16 { value == 0 ? 0xffff : value }
}

/// A correction to apply to the checksums that cover some changed bytes; computed once, good for any of them.
@frozen
public struct ChecksumDelta: Sendable {
  @usableFromInline var sum: UInt64

  /// A correction that changes nothing.
  @inlinable @inline(__always)
  public init() { sum = 0 }

  /// A correction kept in 16 bits, as `folded` gave it.
  @inlinable @inline(__always)
  public init(folded: UInt16) { sum = UInt64(folded) }

  /// The correction in 16 bits, for keeping.
  @inlinable @inline(__always)
  public var folded: UInt16 { foldOnes(sum) }

  /// Two bytes at an even offset were replaced. Words as they stand in memory.
  @inlinable @inline(__always)
  public mutating func replace16(_ old: UInt16, with new: UInt16) {
    sum &+= UInt64(~old) &+ UInt64(new)
  }

  /// Four bytes at an even offset were replaced. Words as they stand in memory.
  @inlinable @inline(__always)
  public mutating func replace(_ old: UInt32, with new: UInt32) {
    sum &+= UInt64(~old) &+ UInt64(new)
  }

  /// Sixteen bytes at an even offset were replaced. Words as they stand in memory, the first eight bytes first.
  @inlinable @inline(__always)
  public mutating func replace(_ old: (UInt64, UInt64), with new: (UInt64, UInt64)) {
    replaceHalf(old.0, with: new.0)
    replaceHalf(old.1, with: new.1)
  }

  @inlinable @inline(__always)
  mutating func replaceHalf(_ old: UInt64, with new: UInt64) {
    sum &+= (~old & 0xffff_ffff) &+ (~old >> 32) &+ (new & 0xffff_ffff) &+ (new >> 32)
  }

  /// The corrected checksum, as it stands in memory; never 0xffff.
  @inlinable @inline(__always)
  public func apply(to checksum: UInt16) -> UInt16 {
    let folded = foldOnes(sum &+ UInt64(~checksum))
    return folded == 0 ? 0 : ~folded
  }

  /// The corrected UDP checksum, never 0. A checksum of 0 was never computed and must not come here.
  @inlinable @inline(__always)
  public func applyUDP(to checksum: UInt16) -> UInt16 {
    let corrected = apply(to: checksum)
    return corrected == 0 ? 0xffff : corrected
  }
}

extension ChecksumDelta {
  /// A delta kept in 16 bits, ready for `correct(_:by:)`. It must not be 0 (0xffff changes nothing either).
  @inlinable
  public static func step(of delta: UInt16) -> UInt16 { ~delta }

  /// A checksum corrected by a step. Taking a delta away is adding its complement, in one's complement arithmetic with
  /// results kept below 0xffff: equation 3 to the bit.
  @inlinable @inline(__always)
  public static func correct(_ checksum: UInt16, by step: UInt16) -> UInt16 {
    let sum = UInt32(checksum) &+ UInt32(step)
    return UInt16(truncatingIfNeeded: sum >= 0xffff ? sum &- 0xffff : sum)
  }

  /// The same for TTL and checksum of an IPv4 header, which share a 32-bit word: takes one hop off and corrects.
  @inlinable
  public static func headerStep(of delta: UInt16) -> UInt64 { UInt64(~delta) << 16 &- 1 }

  /// The word at TTL's offset, as it stands in memory, corrected by a header step.
  @inlinable @inline(__always)
  public static func correct(header word: UInt32, by headerStep: UInt64) -> UInt32 {
    let sum = UInt64(word) &+ headerStep
    return UInt32(truncatingIfNeeded: sum >= 0xffff_0000 ? sum &- 0xffff_0000 : sum)
  }

  /// A checksum corrected by this and by a delta kept in 16 bits which is not 0. For a handful of replacements: the sum
  /// of differences must stay below 2^48.
  @inlinable @inline(__always)
  public func correct(_ checksum: UInt16, with delta: UInt16) -> UInt16 {
    ~foldOnes(sum &+ UInt64(delta) &+ UInt64(~checksum))
  }
}

/// The one's complement sum of the four 16-bit words of `sum`; 0 only for 0. A number plus itself turned by half its
/// width has the sum of its halves, end-around carry included, in its upper half.
@inlinable @inline(__always)
func foldOnes(_ sum: UInt64) -> UInt16 {
  let turned = sum &+ (sum << 32 | sum >> 32)
  let half = UInt32(truncatingIfNeeded: turned >> 32)
  let quarter = half &+ (half << 16 | half >> 16)
  return UInt16(truncatingIfNeeded: quarter >> 16)
}
