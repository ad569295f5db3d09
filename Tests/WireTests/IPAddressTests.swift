import Testing
import Wire

struct IPAddressTests {
  static let roundTrips = [
    ("10.0.0.1", "10.0.0.1"), ("0.0.0.0", "0.0.0.0"), ("255.255.255.255", "255.255.255.255"), ("::", "::"),
    ("::1", "::1"), ("2001:DB8::1", "2001:db8::1"), ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
    ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"), ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"),
    ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"), ("fe80::", "fe80::"), ("1:0:0:2:0:0:0:3", "1:0:0:2::3"),
    ("64:ff9b::192.0.2.33", "64:ff9b::c000:221"), ("::ffff:102:304", "::ffff:1.2.3.4"),
    ("::102:304", "::1.2.3.4"), ("::1:2", "::0.1.0.2"), ("::2", "::2"), ("::ffff:0:1:2", "::ffff:0:1:2"),
    ("0001:0002:0003:0004:0005:0006:0007:0008", "1:2:3:4:5:6:7:8"),
  ]

  @Test(arguments: roundTrips) func textGoesBothWays(text: String, canonical: String) throws {
    let address = try #require(IPAddress(text))
    #expect(address.description == canonical)
    #expect(IPAddress(canonical) == address)
    #expect(IPAddress(bytes: address.bytes) == address)
  }

  @Test(arguments: [
    "", "1", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "1.2.3.", ".1.2.3", "1.2.3.4 ", "+1.2.3.4", "1..2.3", ":",
    ":::", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "12345::", "g::", "::1%eth0", "[::1]",
    "::1.2.3", "1.2.3.4::", "::+1", "::-1", ":1:2:3:4:5:6:7", "1:2:3:4:5:6:7:", "1:2:3:4:5:6:7:1.2.3.4", "::ｆ",
  ])
  func badTextIsRefused(text: String) { #expect(IPAddress(text) == nil) }

  @Test func familiesStayApart() throws {
    let mapped = try #require(IPAddress("::ffff:10.0.0.1"))
    let plain = IPAddress(v4: 0x0a00_0001)
    #expect(mapped != plain && mapped.high == plain.high && mapped.low == plain.low)
    #expect(plain < mapped && plain.bitCount == 32 && mapped.bitCount == 128)
    #expect(plain.bytes == [10, 0, 0, 1] && plain.v4 == 0x0a00_0001)
    #expect(plain.mappedBytes == mapped.bytes)
    #expect(IPAddress(bytes: [1, 2, 3]) == nil)
  }

  static let kinds: [(String, Bool, Bool, Bool, Bool)] = [
    ("0.0.0.0", true, false, false, false), ("::", true, false, false, false),
    ("224.0.0.18", false, true, false, false), ("239.255.255.255", false, true, false, false),
    ("240.0.0.0", false, false, false, false), ("ff02::12", false, true, false, false),
    ("169.254.1.1", false, false, true, false), ("fe80::1", false, false, true, false),
    ("febf::1", false, false, true, false), ("fec0::1", false, false, false, false),
    ("127.0.0.53", false, false, false, true), ("::1", false, false, false, true),
    ("10.0.0.1", false, false, false, false), ("2001:db8::1", false, false, false, false),
  ]

  @Test(arguments: kinds)
  func classification(text: String, unspecified: Bool, multicast: Bool, linkLocal: Bool, loopback: Bool) throws {
    let address = try #require(IPAddress(text))
    #expect(address.isUnspecified == unspecified && address.isMulticast == multicast)
    #expect(address.isLinkLocal == linkLocal && address.isLoopback == loopback)
  }
}
