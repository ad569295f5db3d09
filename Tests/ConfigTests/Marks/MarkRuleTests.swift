import Testing
import Wire

@testable import Config

@Suite struct MarkRuleTests {
  private func rule(_ mark: UInt32, _ family: IPAddress.Family?) -> MarkRule {
    var rule = MarkRule(flip: mark)
    rule.family = family
    return rule
  }

  private func list(_ rules: [(UInt32, IPAddress.Family?)]) throws -> MarkRuleList {
    var list = MarkRuleList()
    for (mark, family) in rules { try list.apply(.append(rule(mark, family))) }
    return list
  }

  /// Rules 1 and 4 are of IPv4, 2 and 5 of IPv6, 3 of both.
  private func mixed() throws -> MarkRuleList { try list([(1, .ipv4), (2, .ipv6), (3, nil), (4, .ipv4), (5, .ipv6)]) }

  @Test(
    arguments: [
      (.deleteNumber(2, .ipv4), [1, 2, 4, 5]), (.deleteNumber(3, .ipv6), [1, 2, 3, 4]),
      (.deleteNumber(4, .ipv4), nil), (.deleteNumber(0, .ipv4), nil), (.flush(.ipv4), [2, 3, 5]),
      (.insert(MarkRule(flip: 9), number: 1), [9, 1, 2, 3, 4, 5]),
      (.insert(MarkRule(flip: 9), number: 6), [1, 2, 3, 4, 5, 9]), (.insert(MarkRule(flip: 9), number: 7), nil),
      (.insert(MarkRule(flip: 9), number: 0), nil), (.replace(MarkRule(flip: 9), number: 5), [1, 2, 3, 4, 9]),
      (.replace(MarkRule(flip: 9), number: 6), nil), (.delete(MarkRule(flip: 3)), [1, 2, 4, 5]),
      (.delete(MarkRule(flip: 4)), nil),
    ] as [(MarkRuleList.Edit, [UInt32]?)])
  func familiesAreCountedApart(edit: MarkRuleList.Edit, marks: [UInt32]?) throws {
    var list = try mixed()
    do {
      try list.apply(edit)
      #expect(list.rules.map(\.flip) == marks)
    } catch {
      #expect(marks == nil)
      #expect(list == (try mixed()), "a refused edit changes nothing")
    }
  }

  @Test(
    arguments: [
      ("80", [80...80]), ("80,443", [80...80, 443...443]), ("8000:8100", [8000...8100]), (":80", [0...80]),
      ("1024:", [1024...65535]), (":", [0...65535]), ("", nil), ("80,", nil), ("a", nil), ("80:a", nil),
      ("81:80", nil), ("65536", nil), ("1:2:3", nil), ("99999999999999999999", nil),
    ] as [(String, [ClosedRange<UInt16>]?)])
  func readsPorts(text: String, expected: [ClosedRange<UInt16>]?) {
    #expect(portRanges(text) == expected)
  }

  @Test(
    arguments: [
      ("10.1.2.3", "10.1.2.3/32"), ("10.1.2.3/8", "10.0.0.0/8"), ("10.1.2.3/0", "0.0.0.0/0"),
      ("10.1.2.3/255.255.255.0", "10.1.2.0/24"), ("10.1.2.3/0.0.0.0", "0.0.0.0/0"),
      ("10.1.2.3/255.255.255.255", "10.1.2.3/32"), ("fd00::1:2/112", "fd00::1:0/112"), ("fd00:1:2::/33", "fd00:1::/33"),
      ("fd00::1/0", "::/0"), ("10.1.2.3/33", nil), ("10.1.2.3/255.0.255.0", nil), ("10.1.2.3/", nil),
      ("fd00::1/129", nil), ("fd00::1/255.0.0.0", nil), ("x/8", nil),
    ] as [(String, String?)])
  func readsPrefixes(text: String, expected: String?) {
    #expect(prefixWithMask(text)?.description == expected)
  }

  @Test func marksAreApplied() {
    #expect(MarkRule(flip: 5).applied(to: 0xff) == 5)
    #expect(MarkRule(clear: 0xf0, flip: 0x10).applied(to: 0xff) == 0x1f)
    #expect(MarkRule(clear: 0, flip: 1).applied(to: 1) == 0)
  }
}
