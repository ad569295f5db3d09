/// An address with a prefix length: 10.1.0.0/24.
public struct IPPrefix: Hashable, Sendable, LosslessStringConvertible {
  /// The address as written; host bits are kept (an interface address has them).
  public let address: IPAddress
  /// 0 to 32 or 128.
  public let length: Int

  /// - Returns: nil when the length is outside the family's range.
  public init?(address: IPAddress, length: Int) {
    guard (0...address.bitCount).contains(length) else { return nil }
    self.address = address
    self.length = length
  }

  /// The prefix that holds this one address only.
  public init(host address: IPAddress) {
    self.address = address
    length = address.bitCount
  }

  /// Parses `ADDRESS` (a host) or `ADDRESS/LENGTH`.
  public init?(_ text: String) {
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    guard let address = IPAddress(String(parts[0])) else { return nil }
    guard parts.count == 2 else {
      self.init(host: address)
      return
    }
    guard parts[1].utf8.allSatisfy({ (48...57).contains($0) }), let length = Int(parts[1]) else { return nil }
    self.init(address: address, length: length)
  }

  /// `ADDRESS/LENGTH`.
  public var description: String { "\(address)/\(length)" }

  /// True when `other` is of this family and agrees in the first `length` bits.
  public func contains(_ other: IPAddress) -> Bool {
    guard other.family == address.family else { return false }
    if address.family == .ipv4 {
      return length == 0 || (other.v4 ^ address.v4) >> UInt32(32 - length) == 0
    }
    if length <= 64 {
      return length == 0 || (other.high ^ address.high) >> UInt64(64 - length) == 0
    }
    return other.high == address.high && (other.low ^ address.low) >> UInt64(128 - length) == 0
  }
}
