import Testing

@testable import Config

@Suite struct IncludePatternTests {
  static let rows: [(String, [String])] = [
    ("a", ["a"]), ("a{b,c}d", ["abd", "acd"]), ("{a,b}{c,d}", ["ac", "ad", "bc", "bd"]),
    ("{a,{b,c}}d", ["ad", "bd", "cd"]), ("a{b,}", ["ab", "a"]), ("a{}b", ["a{}b"]), ("a{b", ["a{b"]), ("a}b", ["a}b"]),
    ("{a}", ["a"]), ("{}{a,b}", ["{}a", "{}b"]), ("", [""]),
  ]

  @Test(arguments: rows)
  func alternatives(pattern: String, expected: [String]) {
    #expect(IncludePattern.alternatives(of: pattern) == expected)
  }

  @Test func tooManyAlternatives() {
    #expect(IncludePattern.alternatives(of: String(repeating: "{a,b}", count: 9))?.count == 512)
    #expect(IncludePattern.alternatives(of: String(repeating: "{a,b}", count: 11)) == nil)
    #expect(IncludePattern.alternatives(of: String(repeating: "{", count: 100_000)) != nil)
  }

  static let checks: [([String], IncludeStrictness, String?)] = [
    ([], .all, nil), (["match"], .match, nil), (["readable", "brace_match"], [.readable, .braceMatch], nil),
    (["+wildcard_match"], [.readable, .wildcardMatch], nil), (["-readable"], [], nil), (["read"], .readable, nil),
    (["what"], [], "what"),
  ]

  @Test(arguments: checks)
  func strictness(words: [String], expected: IncludeStrictness, wrong: String?) {
    var strictness: IncludeStrictness = .readable
    #expect(strictness.check(words) == wrong)
    #expect(strictness == expected)
  }
}
