// The PROXY protocol, versions 1 and 2: a header at the start of a stream that says who the client is.
//
// Only what a balancer says about a TCP connection: both ends, of one family, without further properties. Addresses of
// IPv6 are written as RFC 5952 says in version 1: programs log the text as it comes.

/// A PROXY protocol header.
public enum ProxyProtocol {
  /// The format.
  public enum Version: UInt8, Sendable, CaseIterable {
    /// A line of text.
    case v1 = 1
    /// Binary.
    case v2 = 2
  }

  /// The two ends of a client's connection; IPv4 addresses in the low half of the second word.
  public struct Ends: Equatable, Sendable {
    /// The client's address.
    public var client: (high: UInt64, low: UInt64)
    /// The client's port.
    public var clientPort: UInt16
    /// The address it speaks to.
    public var service: (high: UInt64, low: UInt64)
    /// The port it speaks to.
    public var servicePort: UInt16
    /// The family of both.
    public var isIPv6: Bool

    /// Both ends.
    public init(
      client: (high: UInt64, low: UInt64), clientPort: UInt16, service: (high: UInt64, low: UInt64),
      servicePort: UInt16, isIPv6: Bool
    ) {
      self.client = client
      self.clientPort = clientPort
      self.service = service
      self.servicePort = servicePort
      self.isIPv6 = isIPv6
    }

    /// Equal in all parts.
    public static func == (left: Ends, right: Ends) -> Bool {
      left.client == right.client && left.clientPort == right.clientPort && left.service == right.service
        && left.servicePort == right.servicePort && left.isIPv6 == right.isIPv6
    }
  }

  /// No header of either version is longer.
  public static var byteCountLimit: Int { 107 }

  /// The header's length.
  public static func byteCount(_ version: Version, _ ends: Ends) -> Int {
    if version == .v2 { return ends.isIPv6 ? 52 : 28 }
    let ports = digitCount(UInt32(ends.clientPort)) + digitCount(UInt32(ends.servicePort))
    // "PROXY TCP4 ", three blanks between the four parts, the end of the line.
    if ends.isIPv6 { return 11 + GroupsV6(ends.client).byteCount + GroupsV6(ends.service).byteCount + ports + 5 }
    return 11 + textByteCount(ends.client.low) + textByteCount(ends.service.low) + ports + 5
  }

  /// Writes the header.
  /// - Parameter bytes: room for `byteCountLimit` bytes.
  /// - Returns: its length.
  public static func write(_ version: Version, _ ends: Ends, to bytes: UnsafeMutableRawPointer) -> Int {
    var pen = Pen(bytes: bytes)
    version == .v1 ? writeText(ends, &pen) : writeBinary(ends, &pen)
    return pen.offset
  }

  private static func writeText(_ ends: Ends, _ pen: inout Pen) {
    pen.text(ends.isIPv6 ? "PROXY TCP6 " : "PROXY TCP4 ")
    pen.address(ends.client, isIPv6: ends.isIPv6)
    pen.text(" ")
    pen.address(ends.service, isIPv6: ends.isIPv6)
    pen.text(" ")
    pen.decimal(UInt32(ends.clientPort))
    pen.text(" ")
    pen.decimal(UInt32(ends.servicePort))
    pen.text("\r\n")
  }

  private static func writeBinary(_ ends: Ends, _ pen: inout Pen) {
    pen.text("\r\n\r\n\0\r\nQUIT\n")
    pen.byte(0x21)
    pen.byte(ends.isIPv6 ? 0x21 : 0x11)
    pen.number16(ends.isIPv6 ? 36 : 12)
    pen.words(ends.client, isIPv6: ends.isIPv6)
    pen.words(ends.service, isIPv6: ends.isIPv6)
    pen.number16(ends.clientPort)
    pen.number16(ends.servicePort)
  }

  private static func digitCount(_ number: UInt32) -> Int {
    number < 10 ? 1 : number < 100 ? 2 : number < 1000 ? 3 : number < 10_000 ? 4 : 5
  }

  /// Of a dotted IPv4 address.
  private static func textByteCount(_ address: UInt64) -> Int {
    var count = 3
    for shift in 0..<4 { count += digitCount(UInt32(truncatingIfNeeded: address >> UInt64(shift * 8)) & 0xff) }
    return count
  }

  private struct Pen {
    let bytes: UnsafeMutableRawPointer
    var offset = 0

    mutating func byte(_ value: UInt8) {
      bytes.storeByte(value, at: offset)
      offset += 1
    }

    mutating func number16(_ value: UInt16) {
      bytes.storeBigEndian16(value, at: offset)
      offset += 2
    }

    mutating func text(_ text: StaticString) {
      (bytes + offset).copyMemory(from: text.utf8Start, byteCount: text.utf8CodeUnitCount)
      offset += text.utf8CodeUnitCount
    }

    mutating func words(_ address: (high: UInt64, low: UInt64), isIPv6: Bool) {
      if isIPv6 {
        bytes.storeBigEndian64(address.high, at: offset)
        bytes.storeBigEndian64(address.low, at: offset + 8)
        offset += 16
      } else {
        bytes.storeBigEndian32(UInt32(truncatingIfNeeded: address.low), at: offset)
        offset += 4
      }
    }

    mutating func decimal(_ number: UInt32) {
      let count = digitCount(number)
      var rest = number
      for place in (0..<count).reversed() {
        bytes.storeByte(UInt8(ascii: "0") + UInt8(rest % 10), at: offset + place)
        rest /= 10
      }
      offset += count
    }

    mutating func address(_ address: (high: UInt64, low: UInt64), isIPv6: Bool) {
      guard isIPv6 else {
        for shift in (0..<4).reversed() {
          decimal(UInt32(truncatingIfNeeded: address.low >> UInt64(shift * 8)) & 0xff)
          if shift != 0 { text(".") }
        }
        return
      }
      let groups = GroupsV6(address)
      var index = 0
      while index < 8 {
        if index == groups.zeros.lowerBound, !groups.zeros.isEmpty {
          text("::")
          index = groups.zeros.upperBound
          continue
        }
        if index != 0, index != groups.zeros.upperBound || groups.zeros.isEmpty { text(":") }
        hexadecimal(groups[index])
        index += 1
      }
    }

    private mutating func hexadecimal(_ number: UInt16) {
      for place in (0..<GroupsV6.digitCount(number)).reversed() {
        let digit = UInt8(truncatingIfNeeded: number >> UInt16(place * 4)) & 0xf
        byte(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
      }
    }
  }

  /// An IPv6 address as text (RFC 5952): groups without leading zeros, the first of the longest runs of zero groups left out.
  private struct GroupsV6 {
    private let address: (high: UInt64, low: UInt64)
    /// What "::" stands for; empty when there are no two zero groups in a row.
    private(set) var zeros = 0..<0

    init(_ address: (high: UInt64, low: UInt64)) {
      self.address = address
      var start = 0
      for index in 0...8 {
        if index < 8, self[index] == 0 { continue }
        if index - start > max(zeros.count, 1) { zeros = start..<index }
        start = index + 1
      }
    }

    subscript(index: Int) -> UInt16 {
      UInt16(truncatingIfNeeded: (index < 4 ? address.high : address.low) >> UInt64(48 - index % 4 * 16))
    }

    static func digitCount(_ group: UInt16) -> Int {
      group < 0x10 ? 1 : group < 0x100 ? 2 : group < 0x1000 ? 3 : 4
    }

    var byteCount: Int {
      var digits = 0
      for index in 0..<8 where !zeros.contains(index) { digits += GroupsV6.digitCount(self[index]) }
      if zeros.isEmpty { return digits + 7 }
      // Two colons for the run, one between each two of the groups on one side of it.
      return digits + 2 + max(zeros.lowerBound - 1, 0) + max(8 - zeros.upperBound - 1, 0)
    }
  }
}
