// FTP (RFC 959, RFC 2428): the commands and replies that announce data connections, read as IPVS's helper reads them.
//
// One command or reply to a segment, at its beginning; only the requests for passive mode are found anywhere in it. What
// is cut at a segment's end is not put together. A number is a byte: 256 is 0.

/// File Transfer Protocol.
public enum FTP {
  /// The control connection's port.
  public static let controlPort: UInt16 = 21

  /// What a client's segment asks for.
  public enum Request: Equatable, Sendable {
    /// `PASV`
    case passive
    /// `EPSV`, of the connection's own family
    case extendedPassive
    /// `PORT`, `EPRT`: the server shall connect to this address and port.
    case active(IPAddress, port: UInt16)
  }

  /// An end that a server announces, and where in the segment it stands.
  public struct Announcement: Equatable, Sendable {
    /// The address; nil where the server leaves it to the client to know (`229`).
    public var address: IPAddress?
    /// The port.
    public var port: UInt16
    /// The bytes that name address and port.
    public var range: Range<Int>

    /// An end, and where it stands.
    public init(address: IPAddress?, port: UInt16, range: Range<Int>) {
      (self.address, self.port, self.range) = (address, port, range)
    }
  }

  /// Reads a client's segment.
  public static func request(in data: UnsafeRawBufferPointer, isIPv6: Bool) -> Request? {
    if let mode = passiveMode(in: data, isIPv6: isIPv6) { return mode.isKnown ? mode.request : nil }
    if !isIPv6, let end = sixNumbers(in: data, behind: "PORT", skipping: UInt8(ascii: " ")), let address = end.address {
      return .active(address, port: end.port)
    }
    if let end = delimited(in: data, behind: "EPRT", skipping: UInt8(ascii: " "), isIPv6: isIPv6, mayBeBare: false),
      let address = end.address
    {
      return .active(address, port: end.port)
    }
    return nil
  }

  /// Reads a server's answer to `PASV`.
  public static func passiveReply(in data: UnsafeRawBufferPointer) -> Announcement? {
    sixNumbers(in: data, behind: "227 ", skipping: UInt8(ascii: "("))
  }

  /// Reads a server's answer to `EPSV`.
  public static func extendedPassiveReply(in data: UnsafeRawBufferPointer, isIPv6: Bool) -> Announcement? {
    delimited(in: data, behind: "229 ", skipping: UInt8(ascii: "("), isIPv6: isIPv6, mayBeBare: true)
  }

  /// The first request for passive mode; one for another family says nothing, and ends the search.
  private static func passiveMode(
    in data: UnsafeRawBufferPointer, isIPv6: Bool
  ) -> (request: Request, isKnown: Bool)? {
    guard data.count >= 6 else { return nil }
    for position in 0...data.count - 6 {
      if !isIPv6, begins(data, at: position, with: "PASV\r\n") { return (.passive, true) }
      guard begins(data, at: position, with: "EPSV") else { continue }
      if data[position + 4] == 13 { return (.extendedPassive, true) }
      guard data[position + 4] == UInt8(ascii: " ") else { continue }
      let isOwn =
        position + 7 <= data.count && data[position + 6] == 13
        && data[position + 5] == (isIPv6 ? UInt8(ascii: "2") : UInt8(ascii: "1"))
      return (.extendedPassive, isOwn)
    }
    return nil
  }

  /// Compares without regard to case; the pattern's letters are capitals.
  private static func begins(_ data: UnsafeRawBufferPointer, at position: Int, with pattern: StaticString) -> Bool {
    guard data.count - position >= pattern.utf8CodeUnitCount else { return false }
    for offset in 0..<pattern.utf8CodeUnitCount {
      let byte = data[position + offset]
      let isSmall = (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
      if (isSmall ? byte & 0xdf : byte) != pattern.utf8Start[offset] { return false }
    }
    return true
  }

  /// Where the announcement begins: behind the pattern and a run of `skipped`; of the six numbers also at a digit.
  private static func start(
    in data: UnsafeRawBufferPointer, behind pattern: StaticString, skipping skipped: UInt8, orDigit: Bool
  ) -> Int? {
    guard begins(data, at: 0, with: pattern) else { return nil }
    var isSkipping = false
    for position in pattern.utf8CodeUnitCount..<data.count {
      if isSkipping {
        if data[position] != skipped { return position }
      } else if orDigit, isDigit(data[position]) {
        return position
      } else if data[position] == skipped {
        isSkipping = true
      }
    }
    return nil
  }

  /// `h,h,h,h,p,p` and anything behind it.
  private static func sixNumbers(
    in data: UnsafeRawBufferPointer, behind pattern: StaticString, skipping skipped: UInt8
  ) -> Announcement? {
    guard let start = start(in: data, behind: pattern, skipping: skipped, orDigit: true) else { return nil }
    var numbers: UInt64 = 0
    var current: UInt8 = 0
    var commas = 0
    for position in start..<data.count {
      let byte = data[position]
      if isDigit(byte) {
        current = current &* 10 &+ (byte - UInt8(ascii: "0"))
      } else if byte == UInt8(ascii: ","), commas < 5 {
        numbers = numbers << 8 | UInt64(current)
        current = 0
        commas += 1
      } else {
        guard commas == 5 else { return nil }
        numbers = numbers << 8 | UInt64(current)
        return Announcement(
          address: IPAddress(v4: UInt32(truncatingIfNeeded: numbers >> 16)),
          port: UInt16(truncatingIfNeeded: numbers), range: start..<position)
      }
    }
    return nil
  }

  /// `|f|address|port|`, with any printable character for `|`; `|||port|` where it may be.
  private static func delimited(
    in data: UnsafeRawBufferPointer, behind pattern: StaticString, skipping skipped: UInt8, isIPv6: Bool,
    mayBeBare: Bool
  ) -> Announcement? {
    guard let start = start(in: data, behind: pattern, skipping: skipped, orDigit: false),
      start + 2 < data.count, (33...126).contains(data[start])
    else { return nil }
    let delimiter = data[start]
    var address: IPAddress?
    var position = start + 1
    if data[position] == delimiter {
      guard mayBeBare, data[position + 1] == delimiter else { return nil }
      position += 2
    } else {
      guard data[position] == (isIPv6 ? UInt8(ascii: "2") : UInt8(ascii: "1")), data[position + 1] == delimiter
      else { return nil }
      position += 2
      guard position < data.count, let end = data[position...].firstIndex(of: delimiter), end - position <= 45 else {
        return nil
      }
      address = IPAddress(withoutZeros(UnsafeRawBufferPointer(rebasing: data[position..<end])))
      guard let address, (address.family == .ipv6) == isIPv6 else { return nil }
      position = end + 1
    }
    var port: UInt16 = 0
    while position < data.count, isDigit(data[position]) {
      port = port &* 10 &+ UInt16(data[position] - UInt8(ascii: "0"))
      position += 1
    }
    guard position < data.count, port != 0, data[position] == delimiter else { return nil }
    return Announcement(address: address, port: port, range: start..<position + 1)
  }

  /// An address's text without the zeros in front of its numbers: there may be any number of them, and they make none octal.
  private static func withoutZeros(_ text: UnsafeRawBufferPointer) -> String {
    var kept: [UInt8] = []
    var isFirst = true
    for (place, byte) in text.enumerated() {
      let next = place + 1 < text.count ? text[place + 1] : UInt8(ascii: ":")
      let isDelimited = next == UInt8(ascii: ":") || next == UInt8(ascii: ".")
      if isFirst, byte == UInt8(ascii: "0"), !isDelimited { continue }
      isFirst = byte == UInt8(ascii: ":") || byte == UInt8(ascii: ".")
      kept.append(byte)
    }
    return String(decoding: kept, as: UTF8.self)
  }

  private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
}
