import Testing
import Wire

struct IPPrefixTests {
  static let rows: [(String, String, Bool)] = [
    ("10.1.0.0/24", "10.1.0.255", true), ("10.1.0.0/24", "10.1.1.0", false), ("10.1.0.7/24", "10.1.0.9", true),
    ("0.0.0.0/0", "203.0.113.1", true), ("0.0.0.0/0", "::1", false), ("::/0", "10.0.0.1", false),
    ("::/0", "2001:db8::1", true), ("10.0.0.1", "10.0.0.1", true), ("10.0.0.1/32", "10.0.0.2", false),
    ("2001:db8::/32", "2001:db8:ffff::1", true), ("2001:db8::/32", "2001:db9::", false),
    ("2001:db8::/64", "2001:db8::ffff:0:0:1", true), ("2001:db8::/64", "2001:db8:0:1::", false),
    ("2001:db8::/65", "2001:db8::7fff:0:0:0", true), ("2001:db8::/65", "2001:db8::8000:0:0:0", false),
    ("2001:db8::1/128", "2001:db8::1", true), ("2001:db8::1/127", "2001:db8::", true),
    ("2001:db8::1/128", "2001:db8::", false),
  ]

  @Test(arguments: rows) func containment(prefix: String, address: String, inside: Bool) throws {
    #expect(try #require(IPPrefix(prefix)).contains(try #require(IPAddress(address))) == inside)
  }

  @Test(arguments: [
    "", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "::/129", "10.0.0.0/8/8", "10.0.0.0/ 8",
    "10.0.0.0/99999999999999999999", "x/8",
  ])
  func badTextIsRefused(text: String) { #expect(IPPrefix(text) == nil) }

  @Test func textKeepsTheHostBits() throws {
    #expect(try #require(IPPrefix("10.1.0.7/24")).description == "10.1.0.7/24")
    #expect(IPPrefix(host: IPAddress(high: 0, low: 1)).description == "::1/128")
    #expect(IPPrefix(address: IPAddress(v4: 1), length: 33) == nil)
  }
}
