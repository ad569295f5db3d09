import Testing

@testable import Config

@Suite struct ParserTests {
  struct Row: CustomTestStringConvertible {
    let name: String
    let text: String
    /// Keywords, blocks in braces; `?` is a skipped block.
    let tree: String
    let findings: [String]

    var testDescription: String { name }
  }

  static let rows: [Row] = [
    Row(
      name: "nested", text: "virtual_server a {\n weight 1\n real_server b {\n weight 2\n }\n}\n",
      tree: "virtual_server{weight real_server{weight}}", findings: []),
    Row(
      name: "brace on the next line", text: "virtual_server a\n{\nweight 1\n}",
      tree: "virtual_server{weight}", findings: []),
    Row(
      name: "unknown keyword with a block",
      text: "virtual_server a {\n foo {\n weight 9\n bar { x }\n }\n weight 1\n}",
      tree: "virtual_server{foo? weight}", findings: []),
    Row(
      name: "keyword without a block has one",
      text: "virtual_server a {\n weight 1 {\n x\n }\n delay_loop 6\n}",
      tree: "virtual_server{weight delay_loop}", findings: ["2:11 unexpected '{'"]),
    Row(
      name: "brace without a keyword", text: "virtual_server a {\n { x }\n weight 1\n}",
      tree: "virtual_server{weight}", findings: ["2:2 unexpected '{'"]),
    Row(
      name: "missing opening brace", text: "virtual_server a\n weight 1\n}\nglobal_defs {\n}",
      tree: "virtual_server{weight} global_defs{}", findings: ["1:1 'virtual_server' has no '{'"]),
    Row(
      name: "extra closing brace", text: "global_defs {\n}\n}\nvirtual_server a {\n}",
      tree: "global_defs{} virtual_server{}", findings: ["3:1 extra '}'"]),
    Row(
      name: "missing at the end", text: "virtual_server a {\n real_server b {\n weight 1\n",
      tree: "virtual_server{real_server{weight}}", findings: ["1:1 2 '}' missing at the end of the file"]),
    Row(
      name: "missing before the next block",
      text: "virtual_server a {\n real_server b {\n weight 1\n }\nvirtual_server c {\n weight 2\n}\n",
      tree: "virtual_server{real_server{weight}} virtual_server{weight}",
      findings: ["5:1 1 '}' missing before 'virtual_server'"]),
    Row(
      name: "missing inside a skipped block",
      text: "virtual_server a {\n foo {\n x\nglobal_defs {\n}\n",
      tree: "virtual_server{foo?} global_defs{}", findings: ["4:1 2 '}' missing before 'global_defs'"]),
    Row(
      name: "skipped block without an end", text: "foo {\n x\n", tree: "foo?", findings: ["1:5 the block opened here"]),
    Row(
      name: "weight and checker on one line", text: "real_server", tree: "real_server", findings: []),
    Row(
      name: "values", text: "virtual_server_group g {\n 10.0.0.1 80\n}", tree: "virtual_server_group{10.0.0.1}",
      findings: []),
    Row(name: "only braces", text: "}{}}", tree: "", findings: ["1:1 extra", "1:2 unexpected", "1:4 extra"]),
  ]

  @Test(arguments: rows)
  func buildsTree(row: Row) {
    var lexer = Lexer()
    SourceText(bytes: Array(row.text.utf8), source: Source(file: "t")).forEachLine { lexer.read($0) }
    var parser = Parser(lines: lexer.lines)
    #expect(text(parser.parse()) == row.tree)
    let findings = parser.diagnostics.sorted().map { "\($0.line):\($0.column) \($0.message)" }
    #expect(findings.count == row.findings.count, "\(findings)")
    for (found, expected) in zip(findings, row.findings) { #expect(found.hasPrefix(expected), "\(found)") }
    #expect(parser.diagnostics.sorted().allSatisfy { $0.severity == .warning })
  }

  private func text(_ block: Block) -> String {
    block.directives.map { directive in
      guard let inner = directive.block else { return directive.keyword }
      return directive.keyword + (inner.kind == .unknown ? "?" : "{\(text(inner))}")
    }.joined(separator: " ")
  }

  @Test func depthIsBoundedByTheLanguage() {
    let deep = String(repeating: "virtual_server a { real_server b { HTTP_GET { url { ", count: 50_000)
    let (_, diagnostics) = read(deep)
    #expect(!diagnostics.isEmpty)
    #expect(read(String(repeating: "x {", count: 200_000)).diagnostics.count == 2)
  }
}
