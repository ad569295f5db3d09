import Testing

@testable import Config

@Suite struct KeywordTableTests {
  static let words: [(String, BlockKind, String?)] = [
    ("lb_alg", .virtualServer, "lb_algo"),
    ("lb_aglo", .virtualServer, "lb_algo"),
    ("real_sever", .virtualServer, "real_server"),
    ("virtual_sever", .root, "virtual_server"),
    ("lvs_sync_daemon_inteface", .vrrpInstance, "lvs_sync_daemon_interface"),
    ("conections", .lbd, "connections"),
    ("xyzzy_frobnicate", .root, nil),
    ("ab", .root, nil),
  ]

  @Test(arguments: words)
  func suggests(word: String, kind: BlockKind, expected: String?) {
    #expect(KeywordTable.suggestion(for: word, in: kind) == expected)
  }

  @Test func everyKeywordIsFoundInItsBlock() {
    for entry in Vocabulary.entries {
      for name in entry.names.split(whereSeparator: \.isWhitespace) {
        #expect(KeywordTable.keyword(String(name), in: entry.kind) != nil)
      }
    }
  }

  @Test func noKeywordStandsTwiceInABlock() {
    var seen: Set<String> = []
    for entry in Vocabulary.entries {
      for name in entry.names.split(whereSeparator: \.isWhitespace) {
        #expect(seen.insert("\(entry.kind.name) \(name)").inserted, "\(name) twice in \(entry.kind.name)")
      }
    }
  }

  @Test(arguments: [
    ("kitten", "sitting", 3), ("", "abc", 3), ("abc", "", 3), ("ab", "ba", 1), ("same", "same", 0),
  ])
  func editDistances(left: String, right: String, expected: Int) {
    #expect(editDistance(Array(left.utf8), Array(right.utf8)) == expected)
  }
}
