import Testing
import Wire

@testable import Dataplane

/// RFC 7915 sections 4.2 and 5.2, number by number.
@Suite struct ErrorMeaningTests {
  struct Row: CustomTestStringConvertible, Sendable {
    let name: String
    let said: (type: UInt8, code: UInt8, rest: UInt32)
    let means: (type: UInt8, code: UInt8, rest: UInt32)?
    var quoted = 1500
    var sizes = ErrorMeaning.Sizes(ipv4: 1500, ipv6: 1500)
    var testDescription: String { name }
  }

  static let fromIPv4 = [
    Row(name: "net", said: (3, 0, 0), means: (1, 0, 0)),
    Row(name: "host", said: (3, 1, 0), means: (1, 0, 0)),
    Row(name: "protocol", said: (3, 2, 0), means: (4, 1, 6)),
    Row(name: "port", said: (3, 3, 0), means: (1, 4, 0)),
    Row(name: "source route failed", said: (3, 5, 0), means: (1, 0, 0)),
    Row(name: "net prohibited", said: (3, 9, 0), means: (1, 1, 0)),
    Row(name: "host for this service", said: (3, 12, 0), means: (1, 0, 0)),
    Row(name: "administratively prohibited", said: (3, 13, 0), means: (1, 1, 0)),
    Row(name: "host precedence", said: (3, 14, 0), means: nil),
    Row(name: "precedence cut off", said: (3, 15, 0), means: (1, 1, 0)),
    Row(name: "a code of the future", said: (3, 16, 0), means: nil),
    Row(name: "too big", said: (3, 4, 1400), means: (2, 0, 1420)),
    Row(name: "too big, never below 1280", said: (3, 4, 600), means: (2, 0, 1280)),
    Row(
      name: "too big, no more than the IPv6 link", said: (3, 4, 1490), means: (2, 0, 1500),
      sizes: .init(ipv4: 9000, ipv6: 1500)),
    Row(
      name: "too big, no more than the IPv4 link", said: (3, 4, 9000), means: (2, 0, 1520),
      sizes: .init(ipv4: 1500, ipv6: 9000)),
    Row(name: "too big, without a size", said: (3, 4, 0), means: (2, 0, 1500), quoted: 1500),
    Row(
      name: "too big, without a size, of a large packet", said: (3, 4, 0), means: (2, 0, 8186), quoted: 9000,
      sizes: .init(ipv4: 9000, ipv6: 9000)),
    Row(name: "too big, without a size, of a small packet", said: (3, 4, 0), means: (2, 0, 1280), quoted: 700),
    Row(name: "source quench", said: (4, 0, 0), means: nil),
    Row(name: "redirect", said: (5, 1, 0), means: nil),
    Row(name: "hops used up", said: (11, 0, 0), means: (3, 0, 0)),
    Row(name: "not put together in time", said: (11, 1, 0), means: (3, 1, 0)),
    Row(name: "pointer at the length", said: (12, 0, 2 << 24), means: (4, 0, 4)),
    Row(name: "pointer at the destination", said: (12, 2, 17 << 24), means: (4, 0, 24)),
    Row(name: "pointer at the identification", said: (12, 0, 4 << 24), means: nil),
    Row(name: "option missing", said: (12, 1, 0), means: nil),
  ]

  static let fromIPv6 = [
    Row(name: "no route", said: (1, 0, 0), means: (3, 1, 0)),
    Row(name: "prohibited", said: (1, 1, 0), means: (3, 10, 0)),
    Row(name: "beyond scope", said: (1, 2, 0), means: (3, 1, 0)),
    Row(name: "address", said: (1, 3, 0), means: (3, 1, 0)),
    Row(name: "port", said: (1, 4, 0), means: (3, 3, 0)),
    Row(name: "policy", said: (1, 5, 0), means: nil),
    Row(name: "too big", said: (2, 0, 1400), means: (3, 4, 1380)),
    Row(name: "too big, below what every link takes", said: (2, 0, 0), means: (3, 4, 1260)),
    Row(name: "too big, a lie", said: (2, 0, .max), means: (3, 4, 1480)),
    Row(
      name: "too big, no more than the IPv4 link", said: (2, 0, 1400), means: (3, 4, 1000),
      sizes: .init(ipv4: 1000, ipv6: 1500)),
    Row(name: "hops used up", said: (3, 0, 0), means: (11, 0, 0)),
    Row(name: "pointer at the length", said: (4, 0, 4), means: (12, 0, 2 << 24)),
    Row(name: "pointer at next header", said: (4, 0, 6), means: (12, 0, 9 << 24)),
    Row(name: "pointer at the destination", said: (4, 0, 30), means: (12, 0, 16 << 24)),
    Row(name: "pointer at the flow label", said: (4, 0, 2), means: nil),
    Row(name: "pointer behind the header", said: (4, 0, 40), means: nil),
    Row(name: "unknown next header", said: (4, 1, 40), means: (3, 2, 0)),
    Row(name: "unknown option", said: (4, 2, 40), means: nil),
    Row(name: "experiment", said: (100, 0, 0), means: nil),
  ]

  private func meaning(_ numbers: (type: UInt8, code: UInt8, rest: UInt32)) -> ErrorMeaning {
    ErrorMeaning(type: numbers.type, code: numbers.code, rest: numbers.rest)
  }

  @Test(arguments: fromIPv4) func asIPv6(row: Row) {
    let said = meaning(row.said)
    #expect(said.asIPv6(quotedByteCount: row.quoted, row.sizes) == row.means.map { meaning($0) })
  }

  @Test(arguments: fromIPv6) func asIPv4(row: Row) {
    #expect(meaning(row.said).asIPv4(row.sizes) == row.means.map { meaning($0) })
  }
}
