import Testing
import Wire

@testable import Config

@Suite struct AddressRangeTests {
  @Test(arguments: [
    ("10.0.0.1", "10.0.0.1", "10.0.0.1", 1),
    ("10.0.0.1-20", "10.0.0.1", "10.0.0.20", 20),
    ("10.0.0.250-10.0.1.5", "10.0.0.250", "10.0.1.5", 12),
    ("10.0.0.0/30", "10.0.0.0", "10.0.0.3", 4),
    ("10.0.0.1/32", "10.0.0.1", "10.0.0.1", 1),
    ("2001:db8::1-8", "2001:db8::1", "2001:db8::8", 8),
    ("2001:db8::1-1f", "2001:db8::1", "2001:db8::1f", 31),
    ("2001:db8::ffff-2001:db8::1:1", "2001:db8::ffff", "2001:db8::1:1", 3),
    ("2001:db8::/126", "2001:db8::", "2001:db8::3", 4),
  ])
  func reads(text: String, first: String, last: String, count: UInt64) throws {
    let range = try #require(AddressRange(text))
    #expect(range.first == IPAddress(first))
    #expect(range.last == IPAddress(last))
    #expect(range.count == count)
    #expect(range.addresses.count == Int(count))
    #expect(range.addresses.first == range.first && range.addresses.last == range.last)
  }

  @Test(arguments: [
    "", "-", "10.0.0.9-1", "10.0.0.1-256", "10.0.0.1-", "10.0.0.1-x", "10.0.0.1-fd00::1", "10.0.0.1/24", "::/64",
    "fd00::1-fd01::1", "fd00::1-+5", "fd00::1-12345", "10.0.0.1-10.0.0", "a-b",
  ])
  func refuses(text: String) {
    #expect(AddressRange(text) == nil)
  }

  @Test func widestRangeDoesNotOverflow() {
    #expect(AddressRange("::-::ffff:ffff:ffff:ffff")?.count == .max)
  }
}
