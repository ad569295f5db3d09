// TCP options (RFC 9293 section 3.1): walking over them, and the one that carries a client's address (TOA).
//
// TOA has no RFC: kind 254 (RFC 4727: for experiments), the client's port, its address. Kind 253 is seen for IPv6 as well.

/// An option in a header.
public struct TCPOption: Equatable, Sendable {
  /// What it is.
  public let kind: UInt8
  /// From the start of the TCP header.
  public let offset: Int
  /// Kind and length included.
  public let byteCount: Int
}

/// The options of a TCP header, one by one; it ends at the end of the list, or at one that is malformed.
public struct TCPOptions: Sequence, IteratorProtocol {
  private let header: UnsafeRawPointer
  private var offset: Int
  private let end: Int

  /// - Parameters:
  ///   - header: the TCP header.
  ///   - byteCount: the header's length, which must be there.
  @inlinable
  public init(_ header: UnsafeRawPointer, byteCount: Int) {
    self.init(header: header, offset: TCP.minimumHeaderByteCount, end: byteCount)
  }

  @usableFromInline init(header: UnsafeRawPointer, offset: Int, end: Int) {
    self.header = header
    self.offset = offset
    self.end = end
  }

  /// The next option that is not padding.
  public mutating func next() -> TCPOption? {
    while offset < end {
      let kind = header.loadByte(at: offset)
      if kind == TCP.optionEnd { return nil }
      if kind == TCP.optionNoOperation {
        offset += 1
        continue
      }
      guard offset + 2 <= end else { return nil }
      let count = Int(header.loadByte(at: offset + 1))
      guard count >= 2, offset + count <= end else { return nil }
      defer { offset += count }
      return TCPOption(kind: kind, offset: offset, byteCount: count)
    }
    return nil
  }
}

extension TCP {
  /// Option kind: a client's address and port, as balancers tell them.
  @inlinable @inline(__always)
  public static var optionClientAddress: UInt8 { 254 }

  /// The same for IPv6, as some write it.
  @inlinable @inline(__always)
  public static var optionClientAddressV6: UInt8 { 253 }

  /// Option kind: selective acknowledgements (RFC 2018).
  @inlinable @inline(__always)
  public static var optionSelectiveAcknowledgement: UInt8 { 5 }

  /// Bytes of the option with a client's address.
  @inlinable @inline(__always)
  public static func clientAddressByteCount(isIPv6: Bool) -> Int { isIPv6 ? 20 : 8 }

  /// The longest header.
  @inlinable @inline(__always)
  public static var maximumHeaderByteCount: Int { 60 }

  /// True for an option that a real server might take for a client's address.
  public static func isClientAddress(_ option: TCPOption) -> Bool {
    (option.kind == optionClientAddress || option.kind == optionClientAddressV6)
      && (option.byteCount == 8 || option.byteCount == 20)
  }

  /// Writes the option with a client's address; IPv4 in the low half of the second word.
  public static func writeClientAddress(
    _ address: (high: UInt64, low: UInt64), port: UInt16, isIPv6: Bool, to bytes: UnsafeMutableRawPointer
  ) {
    bytes.storeByte(optionClientAddress, at: 0)
    bytes.storeByte(UInt8(clientAddressByteCount(isIPv6: isIPv6)), at: 1)
    bytes.storeBigEndian16(port, at: 2)
    if isIPv6 {
      bytes.storeBigEndian64(address.high, at: 4)
      bytes.storeBigEndian64(address.low, at: 12)
    } else {
      bytes.storeBigEndian32(UInt32(truncatingIfNeeded: address.low), at: 4)
    }
  }
}
