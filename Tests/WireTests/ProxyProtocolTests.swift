import Testing
import Wire

@Suite struct ProxyProtocolTests {
  struct Row: CustomTestStringConvertible {
    let name: String
    let version: ProxyProtocol.Version
    let ends: ProxyProtocol.Ends
    let bytes: [UInt8]
    var testDescription: String { name }
  }

  private static let v4 = ProxyProtocol.Ends(
    client: (0, 0xc000_0207), clientPort: 50_123, service: (0, 0x0a00_0001), servicePort: 80, isIPv6: false)
  private static let wide = ProxyProtocol.Ends(
    client: (0, 0xffff_ffff), clientPort: 65_535, service: (0, 0xffff_ffff), servicePort: 65_535, isIPv6: false)
  private static let v6 = ProxyProtocol.Ends(
    client: (0x2001_0db8_0000_0000, 0x0000_0000_0000_00a5), clientPort: 9, service: (0xfd00_0001_0000_0000, 0x100),
    servicePort: 443, isIPv6: true)
  private static let signature: [UInt8] = [13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10]

  static let rows = [
    Row(
      name: "v1, IPv4", version: .v1, ends: v4, bytes: Array("PROXY TCP4 192.0.2.7 10.0.0.1 50123 80\r\n".utf8)),
    Row(
      name: "v1, IPv4, longest", version: .v1, ends: wide,
      bytes: Array("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n".utf8)),
    Row(
      name: "v1, IPv6", version: .v1, ends: v6,
      bytes: Array(
        ("PROXY TCP6 2001:db8::a5 fd00:1::100 9 443\r\n").utf8)),
    Row(
      name: "v2, IPv4", version: .v2, ends: v4,
      bytes: signature + [0x21, 0x11, 0, 12, 192, 0, 2, 7, 10, 0, 0, 1, 0xc3, 0xcb, 0, 80]),
    Row(
      name: "v2, IPv6", version: .v2, ends: v6,
      bytes: signature + [0x21, 0x21, 0, 36, 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xa5]
        + [0xfd, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 9, 1, 0xbb]),
  ]

  @Test(arguments: rows) func writes(row: Row) {
    var bytes = [UInt8](repeating: 0xee, count: ProxyProtocol.byteCountLimit)
    let count = bytes.withUnsafeMutableBytes { ProxyProtocol.write(row.version, row.ends, to: $0.baseAddress!) }
    #expect(Array(bytes[..<count]) == row.bytes)
    #expect(ProxyProtocol.byteCount(row.version, row.ends) == row.bytes.count)
    #expect(bytes[count...].allSatisfy { $0 == 0xee })
  }

  static let texts: [(UInt64, UInt64, String)] = [
    (0, 0, "::"), (0, 1, "::1"), (1 << 48, 0, "1::"), (0x1_0000_0000, 0, "0:1::"),
    (0x2001_0db8_0000_0001, 0x0001_0001_0001_0001, "2001:db8:0:1:1:1:1:1"),
    (0x2001_0000_0000_0001, 0x0000_0000_0000_0001, "2001:0:0:1::1"),
    (0x2001_0db8_0000_0000, 0x0001_0000_0000_0001, "2001:db8::1:0:0:1"),
    (0xfe80_0000_0000_0000, 0xffff_ffff_ffff_ffff, "fe80::ffff:ffff:ffff:ffff"),
    (0xffff_ffff_ffff_ffff, 0xffff_ffff_ffff_ffff, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    (0x0012_0345_6789_0000, 0x0001_0002_0003_0000, "12:345:6789:0:1:2:3:0"),
  ]

  /// As RFC 5952 has it: both ends, and the length without writing.
  @Test(arguments: texts) func addresses(high: UInt64, low: UInt64, text: String) {
    let ends = ProxyProtocol.Ends(
      client: (high, low), clientPort: 1, service: (high, low), servicePort: 65_535, isIPv6: true)
    var bytes = [UInt8](repeating: 0, count: ProxyProtocol.byteCountLimit)
    let count = bytes.withUnsafeMutableBytes { ProxyProtocol.write(.v1, ends, to: $0.baseAddress!) }
    #expect(String(decoding: bytes[..<count], as: UTF8.self) == "PROXY TCP6 \(text) \(text) 1 65535\r\n")
    #expect(ProxyProtocol.byteCount(.v1, ends) == count)
  }
}
