import Testing

@testable import Config

@Suite struct LexerTests {
  struct Row: CustomTestStringConvertible {
    let name: String
    let text: String
    let lines: [String]

    var testDescription: String { name }
  }

  static let rows: [Row] = [
    Row(name: "words", text: "  a\tb  c\n", lines: ["1:3 a|b|c"]),
    Row(name: "comment inside a word", text: "ab#cd ef", lines: ["1:1 ab"]),
    Row(name: "exclamation mark comment", text: "a b!c", lines: ["1:1 a|b"]),
    Row(name: "comment line", text: "# a\n! b\n", lines: []),
    Row(name: "escaped comment signs", text: "a\\#b c\\!d", lines: ["1:1 a#b|c!d"]),
    Row(name: "backslash elsewhere stays", text: "virtual_router_id\\ 5", lines: ["1:1 virtual_router_id\\|5"]),
    Row(name: "comment sign in quotes", text: "a \"b#c !d\" e", lines: ["1:1 a|\"b#c !d\"|e"]),
    Row(name: "brace in quotes", text: "a \"{\"", lines: ["1:1 a|\"{\""]),
    Row(name: "quote inside a word", text: "ab\"cd\"ef", lines: ["1:1 ab|\"cd\"|ef"]),
    Row(name: "empty quoted word", text: "a \"\"", lines: ["1:1 a|\"\""]),
    Row(name: "quote alone at the end", text: "a b \"", lines: ["1:1 a|b"]),
    Row(name: "glued brace", text: "vrrp_sync_group VG_1{", lines: ["1:1 vrrp_sync_group|VG_1", "1:21 {"]),
    Row(
      name: "block on one line", text: "r 1 80 { weight 1 }",
      lines: ["1:1 r|1|80", "1:8 {", "1:10 weight|1", "1:19 }"]),
    Row(name: "CRLF", text: "a b\r\nc\r\n", lines: ["1:1 a|b", "2:1 c"]),
    Row(name: "byte order mark", text: "\u{feff}a", lines: ["1:4 a"]),
    Row(name: "no-break spaces", text: "\u{a0}\u{a0}a\u{3000}b", lines: ["1:5 a|b"]),
    Row(name: "no-break space in quotes", text: "\"a\u{a0}b\"", lines: ["1:1 \"a\u{a0}b\""]),
    Row(name: "mark in the middle is no blank", text: "a \u{feff}b", lines: ["1:1 a|\u{feff}b"]),
    Row(name: "no line end", text: "a", lines: ["1:1 a"]),
    Row(name: "empty", text: "", lines: []),
    Row(name: "other scripts", text: "該 a", lines: ["1:1 該|a"]),
  ]

  private func lex(_ text: String) -> Lexer {
    var lexer = Lexer()
    SourceText(bytes: Array(text.utf8), source: Source(file: "t")).forEachLine { lexer.read($0) }
    lexer.finish()
    return lexer
  }

  @Test(arguments: rows)
  func cutsLines(row: Row) {
    let found = lex(row.text).lines.map { line in
      switch line {
      case .open(let position): "\(position.line):\(position.column) {"
      case .close(let position): "\(position.line):\(position.column) }"
      case .words(let words, _):
        "\(words[0].position.line):\(words[0].position.column) "
          + words.map { $0.isQuoted ? "\"\($0.text)\"" : $0.text }.joined(separator: "|")
      }
    }
    #expect(found == row.lines)
  }

  @Test func openQuoteIsReportedAtItsPlace() {
    let lexer = lex("a b\nnotify \"x y # z\nc")
    #expect(lexer.diagnostics.sorted().map { "\($0.line):\($0.column) \($0.severity.name)" } == ["2:8 warning"])
    #expect(lexer.lines.count == 3)
  }

  @Test func strangeBlanksAreOneWarningForAFile() {
    let lexer = lex("a\n\u{a0}\u{a0}b\n\u{3000}c\n")
    let diagnostics = lexer.diagnostics.sorted()
    #expect(diagnostics.count == 1)
    #expect(diagnostics.first?.line == 2)
    #expect(diagnostics.first?.message.contains("2 lines") == true)
  }

  @Test func rawTextIsKeptForCommands() {
    let lexer = lex("  script \"a b\" 'c' # d")
    guard case .words(_, let raw) = lexer.lines[0] else { return }
    #expect(String(decoding: raw, as: UTF8.self) == "script \"a b\" 'c' ")
  }

  static let comments: [(String, String)] = [
    ("a b # c", "a b "), ("a \"# !\" ! c", "a \"# !\" "), ("a\\#b\\! #", "a\\#b\\! "), ("a", "a"), ("#", ""),
    ("iptables ! -s 1 # c", "iptables ! -s 1 "), ("a \"b # c", "a \"b # c"),
  ]

  /// What has to know comments before the lexer does sees the same ones.
  @Test(arguments: comments)
  func commentsBeginAtOnePlace(text: String, before: String) {
    let line = SourceLine(source: Source(file: "t"), number: 1, bytes: Array(text.utf8)[...])
    let end = Lexer.commentStart(in: line)
    #expect(String(decoding: line.bytes[..<end], as: UTF8.self) == before)
    let words = { (text: String) in
      self.lex(text).lines.map { line in
        if case .words(let words, _) = line { words.map(\.text) } else { ["brace"] }
      }
    }
    #expect(words(text) == words(before))
  }

  @Test func longLinesAreWhole() {
    let long = String(repeating: "x", count: 100_000)
    #expect(lex("a \(long)").lines.count == 1)
  }

  @Test func hugeFilesAreRefused() {
    let bytes = [UInt8](repeating: 32, count: ReadingLimits().byteCount + 1)
    let (_, diagnostics) = parseConfiguration(bytes: bytes, file: "t")
    #expect(diagnostics.count == 1)
    #expect(diagnostics[0].severity == .error)
    #expect(diagnostics[0].message.contains("32 MiB"))
  }

  @Test func messagesAreHarmless() {
    #expect(quoted("a\u{1b}[31m\u{202e}") == "'a\\u{1b}[31m\\u{202e}'")
    #expect(quoted(String(repeating: "x", count: 1000)).count < 70)
  }
}
