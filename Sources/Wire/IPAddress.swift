/// An IPv4 or IPv6 address as a value.
///
/// Both families are held in 128 bits, IPv4 as ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2), so that a table can key on
/// one shape. The family is kept beside the bits: an IPv6 address in the mapped range stays an IPv6 address.
public struct IPAddress: Hashable, Sendable {
  /// The address family.
  public enum Family: UInt8, Sendable {
    case ipv4 = 4
    case ipv6 = 6
  }

  /// The upper 64 bits as a number (the first eight bytes on the wire, most significant first).
  public let high: UInt64
  /// The lower 64 bits as a number.
  public let low: UInt64
  /// IPv4 or IPv6.
  public let family: Family

  /// An IPv4 address from its number: 10.0.0.1 is 0x0a000001.
  @inlinable
  public init(v4 number: UInt32) {
    high = 0
    low = 0x0000_ffff_0000_0000 | UInt64(number)
    family = .ipv4
  }

  /// An IPv6 address from its two halves, most significant first.
  @inlinable
  public init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
    family = .ipv6
  }

  /// An address from its bytes in network order.
  /// - Returns: nil unless there are 4 or 16 bytes.
  public init?<Bytes: Collection>(bytes: Bytes) where Bytes.Element == UInt8 {
    switch bytes.count {
    case 4:
      self.init(v4: bytes.reduce(0) { $0 << 8 | UInt32($1) })
    case 16:
      let high = bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
      let low = bytes.dropFirst(8).reduce(0) { $0 << 8 | UInt64($1) }
      self.init(high: high, low: low)
    default:
      return nil
    }
  }

  /// The IPv4 number (10.0.0.1 is 0x0a000001); meaningful only for IPv4.
  @inlinable
  public var v4: UInt32 { UInt32(truncatingIfNeeded: low) }

  /// The address in network order: 4 or 16 bytes.
  public var bytes: [UInt8] {
    let all = mappedBytes
    return family == .ipv4 ? Array(all[12...]) : all
  }

  /// Sixteen bytes in network order, IPv4 as ::ffff:a.b.c.d.
  public var mappedBytes: [UInt8] {
    (0..<16).map { index in
      let word = index < 8 ? high : low
      return UInt8(truncatingIfNeeded: word >> (56 - 8 * UInt64(index % 8)))
    }
  }

  /// 32 or 128.
  public var bitCount: Int { family == .ipv4 ? 32 : 128 }

  /// True for 0.0.0.0 and ::.
  public var isUnspecified: Bool { family == .ipv4 ? v4 == 0 : high == 0 && low == 0 }

  /// True for 224.0.0.0/4 and ff00::/8.
  public var isMulticast: Bool { family == .ipv4 ? v4 >> 28 == 0xe : high >> 56 == 0xff }

  /// True for 169.254.0.0/16 and fe80::/10.
  public var isLinkLocal: Bool { family == .ipv4 ? v4 >> 16 == 0xa9fe : high >> 54 == 0x3fa }

  /// True for 127.0.0.0/8 and ::1.
  public var isLoopback: Bool { family == .ipv4 ? v4 >> 24 == 127 : high == 0 && low == 1 }
}

extension IPAddress: Comparable {
  /// IPv4 before IPv6, then by number.
  public static func < (left: IPAddress, right: IPAddress) -> Bool {
    (left.family.rawValue, left.high, left.low) < (right.family.rawValue, right.high, right.low)
  }
}

extension IPAddress: LosslessStringConvertible {
  /// Parses numeric text: dotted decimal (four parts, no leading zeros) or RFC 4291 section 2.2. No names, no zones.
  public init?(_ text: String) {
    let characters = Array(text.utf8)
    if characters.contains(UInt8(ascii: ":")) {
      guard let groups = IPAddress.groups(of: characters) else { return nil }
      let high = groups[0..<4].reduce(0) { $0 << 16 | UInt64($1) }
      let low = groups[4..<8].reduce(0) { $0 << 16 | UInt64($1) }
      self.init(high: high, low: low)
    } else {
      guard let number = IPAddress.dotted(characters[...]) else { return nil }
      self.init(v4: number)
    }
  }

  /// Dotted decimal, or the canonical IPv6 text of RFC 5952; addresses that have an IPv4 one in them (RFC 4291 section
  /// 2.5.5) end with it in decimal, as the C library writes them and so every listing of ipvsadm.
  public var description: String {
    if family == .ipv4 {
      return "\(v4 >> 24).\(v4 >> 16 & 255).\(v4 >> 8 & 255).\(v4 & 255)"
    }
    let groups = (0..<8).map { index -> UInt16 in
      UInt16(truncatingIfNeeded: (index < 4 ? high : low) >> (48 - 16 * UInt64(index % 4)))
    }
    let run = IPAddress.longestZeroRun(groups)
    let text: (Range<Int>) -> String = { range in
      groups[range].map { String($0, radix: 16) }.joined(separator: ":")
    }
    guard let run else { return text(0..<8) }
    if run == 0..<6 || (run == 0..<5 && groups[5] == 0xffff) {
      return (run == 0..<6 ? "::" : "::ffff:") + IPAddress(v4: v4).description
    }
    return text(0..<run.lowerBound) + "::" + text(run.upperBound..<8)
  }

  private static func dotted(_ characters: ArraySlice<UInt8>) -> UInt32? {
    let parts = characters.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard parts.count == 4 else { return nil }
    var number: UInt32 = 0
    for part in parts {
      guard (1...3).contains(part.count), part.allSatisfy({ (48...57).contains($0) }) else { return nil }
      if part.count > 1 && part.first == 48 { return nil }
      let value = part.reduce(UInt32(0)) { $0 * 10 + UInt32($1 - 48) }
      guard value <= 255 else { return nil }
      number = number << 8 | value
    }
    return number
  }

  private static func groups(of characters: [UInt8]) -> [UInt16]? {
    let colon = UInt8(ascii: ":")
    var gap: Int?
    var index = 0
    while index + 1 < characters.count {
      if characters[index] == colon && characters[index + 1] == colon {
        if gap != nil { return nil }
        gap = index
        index += 1
      }
      index += 1
    }
    guard let gap else {
      guard let all = groupList(characters[...]), all.count == 8 else { return nil }
      return all
    }
    guard let head = groupList(characters[..<gap], mayEndDotted: false), let tail = groupList(characters[(gap + 2)...]),
      head.count + tail.count <= 7
    else { return nil }
    return head + Array(repeating: 0, count: 8 - head.count - tail.count) + tail
  }

  /// Dotted decimal may stand for the last two groups of an address, so not before `::`.
  private static func groupList(_ characters: ArraySlice<UInt8>, mayEndDotted: Bool = true) -> [UInt16]? {
    if characters.isEmpty { return [] }
    let parts = characters.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
    var groups: [UInt16] = []
    for (position, part) in parts.enumerated() {
      if mayEndDotted, position == parts.count - 1, part.contains(UInt8(ascii: ".")) {
        guard let number = dotted(part) else { return nil }
        groups.append(UInt16(number >> 16))
        groups.append(UInt16(number & 0xffff))
        continue
      }
      guard (1...4).contains(part.count), let text = String(validating: part, as: UTF8.self),
        !text.hasPrefix("+"), !text.hasPrefix("-"), let value = UInt16(text, radix: 16)
      else { return nil }
      groups.append(value)
    }
    return groups
  }

  /// The first of the longest runs of two or more zero groups (RFC 5952 section 4.2).
  private static func longestZeroRun(_ groups: [UInt16]) -> Range<Int>? {
    var best: Range<Int>?
    var start = 0
    while start < groups.count {
      guard groups[start] == 0 else {
        start += 1
        continue
      }
      let end = groups[start...].firstIndex { $0 != 0 } ?? groups.count
      if end - start >= 2 && end - start > (best?.count ?? 0) { best = start..<end }
      start = end
    }
    return best
  }
}
