import Testing

@testable import Config

/// Files in memory.
struct MemoryFiles: ConfigurationFiles {
  var contents: [String: String] = [:]

  /// A `*` at the end of the pattern matches anything.
  func names(matching pattern: String) -> [String] {
    guard pattern.hasSuffix("*") else { return contents[pattern] == nil ? [] : [pattern] }
    return contents.keys.filter { $0.hasPrefix(pattern.dropLast()) }.sorted()
  }

  func text(of name: String, atMost byteCount: Int) throws(ConfigurationFileFailure) -> ConfigurationText {
    guard let text = contents[name], text != "unreadable" else { throw ConfigurationFileFailure("no access") }
    return ConfigurationText(bytes: Array(text.utf8), identity: name)
  }
}

@Suite struct LineReaderTests {
  struct Row: CustomTestStringConvertible {
    let name: String
    let text: String
    /// `LINE:COLUMN word|word` of each logical line, with the file before it where it is not the first.
    let lines: [String]
    var findings: [String] = []

    var testDescription: String { name }
  }

  /// Read with the configuration id `blue` in `/c`.
  static func reader(
    _ text: String, _ files: [String: String] = [:], limits: ReadingLimits = ReadingLimits()
  ) -> LineReader {
    var reader = LineReader(
      ReadingOptions(configID: "blue", folder: "/c", identity: "main"), MemoryFiles(contents: files), limits: limits)
    reader.read(ConfigurationText(bytes: Array(text.utf8), identity: "main"), file: "main")
    reader.finish()
    return reader
  }

  static func text(_ line: LogicalLine) -> String {
    func place(_ position: Position) -> String {
      (position.file == "main" ? "" : position.file + ":") + "\(position.line):\(position.column)"
    }
    switch line {
    case .open(let position): return "\(place(position)) {"
    case .close(let position): return "\(place(position)) }"
    case .words(let words, _):
      return "\(place(words[0].position)) "
        + words.map { $0.isQuoted ? "\"\($0.text)\"" : $0.text }.joined(separator: "|")
    }
  }

  static let rows: [Row] = [
    Row(name: "condition that holds", text: "@blue a b\n  @blue c", lines: ["1:7 a|b", "2:9 c"]),
    Row(name: "condition that does not", text: "@red a\n@blues b\n@ c\n@", lines: []),
    Row(name: "negated condition", text: "@^red a\n@^blue b", lines: ["1:7 a"]),
    Row(name: "condition on a condition", text: "@blue @^red a", lines: ["1:13 a"]),
    Row(name: "brace behind a condition", text: "@blue a {\n}", lines: ["1:7 a", "1:9 {", "2:1 }"]),
    Row(
      name: "ends of a name", text: "$A=v\n$A b\n($A)\n$A,b\n${A}b\nx$A",
      lines: ["2:1 v|b", "3:1 (v)", "4:1 v,b", "5:1 vb", "6:1 xv"]),
    Row(
      name: "no end of a name", text: "$A=v\n$A.b\n$Ab\n\"$A\"", lines: ["2:1 $A.b", "3:1 $Ab", "4:1 \"$A\""],
      findings: ["3:1 note variable '$Ab' is not defined"]),
    Row(name: "redefinition", text: "$A=1\na $A\n$A=2\nb $A", lines: ["2:1 a|1", "4:1 b|2"]),
    Row(
      name: "value of a value, at the time of use", text: "$A=${B}x\n$B=1\na $A\n$B=2\nb $A",
      lines: ["3:1 a|1x", "5:1 b|2x"]),
    Row(name: "empty value", text: "$A=\nv${A}v", lines: ["2:1 vv"]),
    Row(name: "comment behind a value", text: "$A=foo # bar\nx $A y", lines: ["2:1 x|foo|y"]),
    Row(
      name: "braces and quotes in values", text: "$A=a {\n$B=\"c d\"\n$A\nb $B\n}",
      lines: ["3:1 a", "3:1 {", "4:1 b|\"c d\"", "5:1 }"]),
    Row(name: "within quotes", text: "$A=v\na \"${A} x\"", lines: ["2:1 a|\"v x\""]),
    Row(name: "after a comment sign nothing is replaced", text: "$A=v\na # $A $B", lines: ["2:1 a"]),
    Row(
      name: "undefined", text: "a $B ${C}", lines: ["1:1 a|$B|$", "1:7 {", "1:8 C", "1:9 }"],
      findings: ["1:3 note variable '$B' is not defined", "1:6 note variable '$C' is not defined"]),
    Row(name: "a script's own variables", text: "notify \"x $B\"", lines: ["1:1 notify|\"x $B\""]),
    Row(
      name: "blank before the sign", text: "$A =v\na", lines: ["2:1 a"], findings: ["1:1 warning this is no definition"]
    ),
    Row(name: "columns behind a value", text: "$A=longer\na $A b {", lines: ["2:1 a|longer|b", "2:8 {"]),
    Row(
      name: "several lines", text: "$M= \\\n alpha 1 \\\n beta 2\npre $M\npost",
      lines: ["4:1 pre|alpha|1", "4:5 beta|2", "5:1 post"]),
    Row(
      name: "several lines from the first on", text: "$M=a \\\nb # c \\\n@red x \\\n@blue y\n$M",
      lines: ["5:1 a", "5:1 b", "5:1 y"]),
    Row(
      name: "several lines with blocks and definitions", text: "$M= \\\n $Z=5 \\\n u { \\\n v ${Z} }\n$M",
      lines: ["5:1 u", "5:1 {", "5:1 v|5", "5:1 }"]),
    Row(
      name: "several lines not at the end", text: "$M=a \\\nb\n$M c", lines: ["3:1 $M|c"],
      findings: ["3:1 note variable '$M' is not defined here"]),
    Row(name: "several lines up to an empty one", text: "$M=a \\\n\nb", lines: ["3:1 b"]),
    Row(name: "several lines at the end of the file", text: "$M=a \\", lines: []),
    Row(
      name: "predefined", text: "a ${_INSTANCE} ${_PWD}\nb \"${_HASH}${_BANG}\"\nc ${_HASH}d\ne ${_RANDOM 5 5}",
      lines: ["1:1 a|blue|/c", "2:1 b|\"#!\"", "3:1 c|#d", "4:1 e|5"]),
    Row(
      name: "random number without a sense", text: "e \"${_RANDOM 6 5} ${_RANDOM x}\"",
      lines: ["1:1 e|\"${_RANDOM 6 5} ${_RANDOM x}\""],
      findings: ["1:4 note", "1:19 note"]),
    Row(
      name: "sequence", text: "~SEQ(i,2) a$i b\n~SEQ (i,3,4) c${i}d\n~SEQ(i,1,2,6) e$i\n~SEQ(i,-2) f$i",
      lines: [
        "1:11 a1|b", "1:11 a2|b", "2:14 c3d", "2:14 c4d", "3:15 e1", "3:15 e3", "3:15 e5", "4:12 f-1", "4:12 f-2",
      ]),
    Row(name: "hexadecimal", text: "~SEQx(i,0x9,0xb) a$i", lines: ["1:18 a9", "1:18 aa", "1:18 ab"]),
    Row(
      name: "nested", text: "~SEQ(i,2) ~SEQ(j,2) a${i}${j}", lines: ["1:21 a11", "1:21 a12", "1:21 a21", "1:21 a22"]),
    Row(name: "bounds from variables", text: "$N=2\n~SEQ(i,$N) a$i", lines: ["2:12 a1", "2:12 a2"]),
    Row(
      name: "list", text: "~LST(v,x,y) a$v\n~LST({p,q},{1,2},{3,4}) b$p ${q}",
      lines: ["1:13 ax", "1:13 ay", "2:25 b1|2", "2:25 b3|4"]),
    Row(
      name: "no repetition",
      text: "~SEQ(i) a\n~SEQ(i,1,0,5) a\n~SEQ(i,5,1,1) a\n~SEQ(i,x) a\n~SEQ(i,2 a\n~LST(v) a\n~LST({a,b},{1}) a",
      lines: [], findings: (1...7).map { "\($0):1 warning this is no ~" }),
    Row(name: "another word", text: "~FOO(i,2) a", lines: ["1:1 ~FOO(i,2)|a"]),
    Row(
      name: "not at the beginning", text: "x ~SEQ(i,2) $i", lines: ["1:1 x|~SEQ(i,2)|$i"],
      findings: ["1:13 note variable '$i' is not defined"]),
    Row(name: "byte order mark before a condition", text: "\u{feff}@blue a", lines: ["1:10 a"], findings: []),
  ]

  @Test(arguments: rows)
  func readsLines(row: Row) {
    let reader = LineReaderTests.reader(row.text)
    #expect(reader.lexer.lines.map(LineReaderTests.text) == row.lines)
    let findings = reader.diagnostics.sorted().map { "\($0.line):\($0.column) \($0.severity.name) \($0.message)" }
    #expect(findings.count == row.findings.count, "\(findings)")
    for (found, expected) in zip(findings, row.findings) { #expect(found.hasPrefix(expected), "\(found)") }
  }

  @Test func wordsKnowTheirVariable() {
    let reader = LineReaderTests.reader("$A=v\n\na 10.$A b\n")
    guard case .words(let words, _)? = reader.lexer.lines.first else {
      Issue.record("no line")
      return
    }
    #expect(words.map { $0.position.definition?.name } == [nil, "A", nil])
    #expect(words.map(\.position.column) == [1, 3, 9])
    let finding = Diagnostic(.error, at: words[1].position, "wrong", remedy: "right")
    #expect(finding.description == "main:3:3: error: wrong (right) [$A is set at main:1:1]")
  }

  @Test(arguments: ["$A=v\n", "$A= \\\n v \\\n w\n"])
  func variableOfAnotherFileIsUsedInThisOne(definition: String) {
    let reader = LineReaderTests.reader("\n\n" + definition + "include a", ["/c/a": "a $A"])
    for case .words(let words, _) in reader.lexer.lines {
      let place = words[words.count - 1].position
      #expect("\(place)" == "/c/a:1:3")
      #expect(place.definition?.position.description == "main:3:1")
    }
    #expect(!reader.lexer.lines.isEmpty)
  }

  // MARK: - Includes

  struct IncludeRow: CustomTestStringConvertible {
    let name: String
    let text: String
    var files: [String: String] = [:]
    var lines: [String] = []
    var findings: [String] = []

    var testDescription: String { name }
  }

  static let includes: [IncludeRow] = [
    IncludeRow(
      name: "relative to the including file", text: "include d/a\nz",
      files: ["/c/d/a": "x\ninclude b", "/c/d/b": "y ${_PWD}"],
      lines: ["/c/d/a:1:1 x", "/c/d/b:1:1 y|/c/d", "2:1 z"]),
    IncludeRow(
      name: "absolute, with blanks and a comment", text: "  include   /e/a # b", files: ["/e/a": "x"],
      lines: ["/e/a:1:1 x"]),
    IncludeRow(
      name: "alternatives and wildcards", text: "include {b,a*}", files: ["/c/a1": "x", "/c/a2": "y", "/c/b": "z"],
      lines: ["/c/b:1:1 z", "/c/a1:1:1 x", "/c/a2:1:1 y"]),
    IncludeRow(
      name: "conditional, with a variable", text: "$F=a\n@blue include $F\n@red include b", files: ["/c/a": "x"],
      lines: ["/c/a:1:1 x"]),
    IncludeRow(
      name: "inside a block", text: "a {\ninclude a\n}", files: ["/c/a": "x"],
      lines: ["1:1 a", "1:3 {", "/c/a:1:1 x", "3:1 }"]),
    IncludeRow(
      name: "in quotes", text: "include \"a\"", files: ["/c/a": "x"], lines: ["/c/a:1:1 x"],
      findings: ["1:1 warning keepalived takes the quotes"]),
    IncludeRow(
      name: "variables go in and come out", text: "$A=1\ninclude a\nb $A", files: ["/c/a": "a $A\n$A=2"],
      lines: ["/c/a:1:1 a|1", "3:1 b|2"]),
    IncludeRow(
      name: "a definition ends with its file", text: "include a\nb", files: ["/c/a": "$M=a \\"], lines: ["2:1 b"]),
    IncludeRow(
      name: "missing", text: "include a\nb", lines: ["2:1 b"], findings: ["1:1 warning 'include': no file is named 'a'"]
    ),
    IncludeRow(name: "nothing matches", text: "include a*", findings: ["1:1 note 'include': no file matches 'a*'"]),
    IncludeRow(
      name: "missing, but must be there", text: "includem a", findings: ["1:1 error 'includem': no file is named"]),
    IncludeRow(
      name: "must match with wildcards", text: "includem a*\nincludew a*", findings: ["1:1 note", "2:1 error"]),
    IncludeRow(
      name: "each alternative must match", text: "include {a,b}\nincludeb {a,b}", files: ["/c/a": "x"],
      lines: ["/c/a:1:1 x", "/c/a:1:1 x"], findings: ["2:1 error 'b' of '{a,b}' matches no file"]),
    IncludeRow(
      name: "unreadable", text: "include a\nincluder a", files: ["/c/a": "unreadable"],
      findings: ["1:1 warning '/c/a' cannot be read: no access", "2:1 error '/c/a' cannot be read"]),
    IncludeRow(
      name: "includes itself", text: "include a", files: ["/c/a": "include b", "/c/b": "x\ninclude a"],
      lines: ["/c/b:1:1 x"], findings: ["2:1 error '/c/a' includes itself"]),
    IncludeRow(
      name: "strictness from here on", text: "include a\ninclude_check\ninclude a\ninclude_check -match\ninclude a",
      lines: ["2:1 include_check", "4:1 include_check|-match"], findings: ["1:1 warning", "3:1 error", "5:1 warning"]),
    IncludeRow(
      name: "strictness ends with its file", text: "include a\ninclude b", files: ["/c/a": "include_check"],
      lines: ["/c/a:1:1 include_check"], findings: ["2:1 warning"]),
    IncludeRow(
      name: "wrong strictness", text: "include_check foo", lines: ["1:1 include_check|foo"],
      findings: ["1:1 warning 'foo' is not"]),
    IncludeRow(
      name: "other words", text: "include\nincludefoo a\ninterface b",
      lines: ["1:1 include", "2:1 includefoo|a", "3:1 interface|b"]),
    IncludeRow(
      name: "in a sequence", text: "~SEQ(i,2) include a$i", files: ["/c/a1": "x", "/c/a2": "y"],
      lines: ["/c/a1:1:1 x", "/c/a2:1:1 y"]),
  ]

  @Test(arguments: includes)
  func includesFiles(row: IncludeRow) {
    let reader = LineReaderTests.reader(row.text, row.files)
    #expect(reader.lexer.lines.map(LineReaderTests.text) == row.lines)
    let findings = reader.diagnostics.sorted().map { "\($0.line):\($0.column) \($0.severity.name) \($0.message)" }
    #expect(findings.count == row.findings.count, "\(findings)")
    for (found, expected) in zip(findings, row.findings) { #expect(found.hasPrefix(expected), "\(found)") }
  }

  // MARK: - Bounds

  static let bombs: [(name: String, text: String, message: String)] = [
    ("itself", "$A=${A}q\na $A\n", "leads back to itself"),
    ("each other", "$A=${B}\n$B=${A}\na $A\n", "leads back to itself"),
    (
      "doubling", (0..<31).map { "$A\($0)=${A\($0 + 1)}${A\($0 + 1)}\n" }.joined() + "$A31=x\na $A0\n",
      "more than 100000 bytes"
    ),
    (
      "doubling of nothing", (0..<31).map { "$A\($0)=${A\($0 + 1)}${A\($0 + 1)}\n" }.joined() + "$A31=\na $A0\n",
      "more than 100000 bytes"
    ),
    ("deep", (0..<40).map { "$A\($0)=${A\($0 + 1)}\n" }.joined() + "$A40=x\na $A0\n", "nest deeper than 32"),
    ("long sequence", "~SEQ(i,1,4000000000) a$i\n", "more than 100000 bytes"),
    ("sequences of sequences", String(repeating: "~SEQ(i,1000) ", count: 12) + "a\n", "more than 100000 bytes"),
    ("sequences of nothing", String(repeating: "~SEQ(i,1000) ", count: 12) + "\n", "more than 100000 bytes"),
    ("deep sequences", String(repeating: "~SEQ(i,1) ", count: 40) + "a\n", "nest deeper than 32"),
    ("lines that use themselves", "$M=a \\\n$M\n$M\n", "nest deeper than 32"),
    (
      "long text in a sequence", "~SEQ(i,100000) a " + String(repeating: "x", count: 4000) + "\n",
      "more than 100000 bytes"
    ),
  ]

  private static let small = ReadingLimits(
    byteCount: 20_000, expandedByteCount: 100_000, lineCount: 5000, fileCount: 50, fileDepth: 5)

  /// Each is refused with one finding, what comes after is read, and there are no more lines than the bounds allow.
  @Test(arguments: bombs)
  func growthIsBounded(bomb: (name: String, text: String, message: String)) {
    let reader = LineReaderTests.reader(bomb.text + "after 1\n", limits: LineReaderTests.small)
    let errors = reader.diagnostics.sorted().filter { $0.severity == .error }
    #expect(errors.count == 1, "\(errors.prefix(3))")
    #expect(errors.first?.message.contains(bomb.message) == true, "\(errors)")
    #expect(reader.lexer.lines.count <= 100_000 / 32 + 2)
    #expect(reader.lexer.lines.last.map(LineReaderTests.text)?.hasSuffix("after|1") == true)
  }

  static let bounds: [(text: String, files: [String: String], message: String)] = [
    (
      "include 0",
      Dictionary(uniqueKeysWithValues: (0..<9).map { ("/c/\($0)", "include \($0 + 1)") }),
      "includes nest deeper than 5, '4' is not read"
    ),
    ("~SEQ(i,60) include a", ["/c/a": ""], "more than 50 files, '/c/a' is not read"),
    ("include a\ninclude a\n", ["/c/a": String(repeating: " ", count: 12_000)], "at most 20000 bytes are read"),
    ("include " + String(repeating: "{a,b}", count: 20), [:], "has more than 1024 alternatives"),
    (String(repeating: "{\n", count: 6000), [:], "more than 5000 lines and braces, the rest is not read"),
  ]

  @Test(arguments: bounds)
  func filesAndLinesAreBounded(text: String, files: [String: String], message: String) {
    let found = LineReaderTests.reader(text, files, limits: LineReaderTests.small).diagnostics.sorted()
    #expect(found.contains { $0.severity == .error && $0.message.contains(message) }, "\(found.prefix(3))")
    #expect(found.count <= 20)
  }

  /// The bounds that hold outside of tests leave room for ten thousand services of ten servers with checks.
  @Test func boundsAreWideEnough() {
    let limits = ReadingLimits()
    #expect(limits.byteCount >= 100_000 * 300)
    #expect(limits.lineCount >= 100_000 * 20)
    #expect(limits.expandedByteCount >= limits.byteCount)
  }
}
