/// A forwarding method, as cells name it.
public enum Mode: String, CaseIterable, Sendable {
  case dr
  case nat
  case tun
  case fullnat

  /// True when replies pass here: their connections have two entries.
  public var answers: Bool { self == .nat || self == .fullnat }
}

/// An address family, as cells name it.
public enum Family: String, CaseIterable, Sendable {
  case v4
  case v6

  /// Bytes of an IP header without options.
  public var headerByteCount: Int { self == .v4 ? 20 : 40 }
}

/// An address in two words in host byte order, IPv4 in the low 32 bits.
public struct Address: Hashable, Sendable {
  /// The first eight bytes; 0 for IPv4.
  public let high: UInt64
  /// The last eight bytes.
  public let low: UInt64

  /// An address from its words.
  public init(high: UInt64 = 0, low: UInt64) {
    self.high = high
    self.low = low
  }
}
