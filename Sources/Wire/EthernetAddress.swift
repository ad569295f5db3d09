/// A 48-bit Ethernet address, as a number whose most significant byte goes first on the wire.
public struct EthernetAddress: Hashable, Sendable, LosslessStringConvertible {
  /// The address in the low 48 bits.
  public let number: UInt64

  /// Takes the low 48 bits of `number`.
  @inlinable
  public init(_ number: UInt64) { self.number = number & 0xffff_ffff_ffff }

  /// - Returns: nil unless there are six bytes.
  public init?<Bytes: Collection>(bytes: Bytes) where Bytes.Element == UInt8 {
    guard bytes.count == 6 else { return nil }
    number = bytes.reduce(0) { $0 << 8 | UInt64($1) }
  }

  /// Parses `02:00:00:00:01:fe`.
  public init?(_ text: String) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    // The library's conversion would take a sign for a digit.
    let bytes = parts.compactMap { part in
      part.utf8.count == 2 && part.allSatisfy(\.isHexDigit) ? UInt8(part, radix: 16) : nil
    }
    guard parts.count == 6, bytes.count == 6 else { return nil }
    self.init(bytes: bytes)
  }

  /// ff:ff:ff:ff:ff:ff.
  public static let broadcast = EthernetAddress(0xffff_ffff_ffff)

  /// Six bytes in wire order.
  public var bytes: [UInt8] { (0..<6).map { UInt8(truncatingIfNeeded: number >> (40 - 8 * UInt64($0))) } }

  /// Lower-case, colon-separated.
  public var description: String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: ":")
  }
}
