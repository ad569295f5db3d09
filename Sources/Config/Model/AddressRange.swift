import Wire

/// Some consecutive addresses: `10.2.0.1`, `10.2.0.1-8`, `10.2.0.1-10.2.0.8` or `10.2.0.0/29`.
///
/// A short upper end replaces the last octet (decimal) or the last 16-bit group (hexadecimal). A prefix must have zero
/// host bits and stands for all of its addresses, the first and the last included.
struct AddressRange: Hashable, Sendable {
  let first: IPAddress
  let last: IPAddress

  /// - Returns: nil when the text is none of the forms, or its end lies before its start.
  init?(_ text: String) {
    if let dash = text.firstIndex(of: "-") {
      guard let start = IPAddress(String(text[..<dash])),
        let end = AddressRange.end(of: start, String(text[text.index(after: dash)...]))
      else { return nil }
      (first, last) = (start, end)
    } else {
      guard let prefix = IPPrefix(text) else { return nil }
      first = prefix.address
      let hostBits = UInt64(prefix.address.bitCount - prefix.length)
      guard hostBits > 0 else {
        last = first
        return
      }
      guard hostBits < 32 else { return nil }
      let hosts = UInt64(1) << hostBits - 1
      guard first.low & hosts == 0 else { return nil }
      last = first.advanced(by: hosts)
    }
  }

  /// At least 1.
  var count: UInt64 {
    let distance = last.low &- first.low
    return distance == .max ? .max : distance + 1
  }

  /// All of them; for ranges whose count was looked at first.
  var addresses: [IPAddress] { (0..<count).map { first.advanced(by: $0) } }

  private static func end(of start: IPAddress, _ text: String) -> IPAddress? {
    let end: IPAddress
    if text.contains(".") || text.contains(":") {
      guard let address = IPAddress(text) else { return nil }
      end = address
    } else if start.family == .ipv4 {
      guard let octet = decimal(text), octet <= 255 else { return nil }
      end = IPAddress(v4: start.v4 & 0xffff_ff00 | UInt32(octet))
    } else {
      guard (1...4).contains(text.utf8.count), let first = text.utf8.first, first != UInt8(ascii: "+"),
        let group = UInt64(text, radix: 16)
      else { return nil }
      end = IPAddress(high: start.high, low: start.low & ~0xffff | group)
    }
    guard end.family == start.family, end.high == start.high, end.low >= start.low else { return nil }
    return end
  }
}

extension IPAddress {
  /// The address so many numbers further, within the lower 64 bits.
  fileprivate func advanced(by distance: UInt64) -> IPAddress {
    family == .ipv4
      ? IPAddress(v4: v4 &+ UInt32(truncatingIfNeeded: distance)) : IPAddress(high: high, low: low &+ distance)
  }
}
