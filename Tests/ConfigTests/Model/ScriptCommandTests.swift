import Testing

@testable import Config

@Suite struct ScriptCommandTests {
  struct Row: CustomTestStringConvertible {
    let line: String
    let words: [String]
    var user: String?
    var group: String?

    var testDescription: String { line }
  }

  static let rows = [
    Row(line: "notify /x.sh", words: ["/x.sh"]),
    Row(
      line: "notify \"/x.sh a 'b c'\" nobody nogroup", words: ["/x.sh", "a", "b c"], user: "nobody", group: "nogroup"),
    Row(line: "notify '/x.sh a b'", words: ["/x.sh", "a", "b"]),
    Row(line: "notify \"/x.sh  a\"", words: ["/x.sh", "a"]),
    Row(line: "notify \"/x.sh ''\"", words: ["/x.sh", ""]),
    Row(line: "notify /x\\ y", words: ["/x", "y"]),
    Row(line: "notify \"/x a\\tb\"", words: ["/x", "a", "b"]),
    Row(line: "notify \"/x '\\x41\\102\\cC'\"", words: ["/x", "AB\u{3}"]),
    Row(line: "notify \"/x \\q\"", words: ["/x", "q"]),
    Row(line: "notify /x user", words: ["/x"], user: "user"),
    Row(line: "notify \"/x\"\"u\"", words: ["/x"], user: "u"),
  ]

  private static func command(_ line: String) -> (ScriptCommand?, [Diagnostic]) {
    let text = "vrrp_instance V {\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress { 10.0.0.1 }\n\(line)\n}"
    let (configuration, diagnostics) = read(text)
    return (
      configuration.vrrp.instances.first?.notification.scripts["notify"], diagnostics.filter { $0.severity != .note }
    )
  }

  @Test(arguments: rows)
  func splits(row: Row) throws {
    let (read, findings) = ScriptCommandTests.command(row.line)
    let command = try #require(read)
    #expect(command == ScriptCommand(words: row.words, user: row.user, group: row.group))
    #expect(findings.isEmpty)
  }

  static let faults: [(String, String)] = [
    ("notify", "'notify' has no value, the line is left out"),
    ("notify \"\"", "has an empty command"),
    ("notify \"/x \(String(repeating: "a ", count: 300))\"", "is too long"),
    ("notify /usr/bin/killall -0 nginx", "'-0' is read as the user of '/usr/bin/killall'"),
  ]

  @Test(arguments: faults)
  func reports(line: String, message: String) {
    let (_, findings) = ScriptCommandTests.command(line)
    #expect(findings.count == 1 && findings.first?.message.contains(message) == true, "\(findings)")
  }

  @Test(arguments: [["/x"], ["/x", "a b", ""], ["/x", "a"]])
  func isWrittenAsItIsRead(words: [String]) {
    let command = ScriptCommand(words: words, user: "u")
    #expect(ScriptCommandTests.command("notify \(command)").0 == command)
  }
}
