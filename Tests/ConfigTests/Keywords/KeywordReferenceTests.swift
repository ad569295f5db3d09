import Foundation
import Testing

@testable import Config

@Suite struct KeywordReferenceTests {
  /// `lbd keywords > docs/keywords.md` brings it up to date.
  @Test func documentIsInStep() throws {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
    let document = try String(contentsOf: root.appendingPathComponent("docs/keywords.md"), encoding: .utf8)
    #expect(document == KeywordReference.markdown)
  }

  @Test func everyRowOfATableIsAKnownKeyword() {
    for (kind, forms) in KeywordReference.tables {
      for name in forms.keys { #expect(KeywordTable.keyword(name, in: kind) != nil, "\(name) in \(kind.name)") }
    }
  }

  /// What is kept for a later engine has a row that reads it; what has none is not for lbd, and says why.
  @Test func everyKeywordForALaterEngineIsRead() {
    let later: [NoEffect] = [.sessions, .vrrp, .synchronisation]
    for entry in Vocabulary.entries where entry.block == nil {
      guard case .none(let why) = entry.effect, later.contains(why), entry.kind != .authentication else { continue }
      for name in entry.keywords where !["helo_name", "disable_local_igmp"].contains(name) {
        #expect(KeywordReference.tables[entry.kind]?[name] != nil, "\(name) in \(entry.kind.name)")
      }
    }
  }
}
