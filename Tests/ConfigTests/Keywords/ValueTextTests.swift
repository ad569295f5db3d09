import Testing

@testable import Config

@Suite struct ValueTextTests {
  @Test(arguments: [
    ("0", Duration.zero), ("5", .seconds(5)), ("0.25", .milliseconds(250)), (".5", .milliseconds(500)),
    ("5.", .seconds(5)), ("0.0000005", .microseconds(1)), ("0.0000004", .zero), ("1.9999999", .seconds(2)),
    ("4294.967295", .microseconds(4_294_967_295)),
  ])
  func readsTimes(text: String, expected: Duration) { #expect(Duration(seconds: text) == expected) }

  @Test(arguments: ["", ".", "x", "-1", "1e3", "1.2.3", "99999999999999999999", "1,5", " 1"])
  func refusesTimes(text: String) { #expect(Duration(seconds: text) == nil) }

  @Test(arguments: ["0", "5", "0.25", "0.000001", "4294.967295"])
  func timesAreWrittenAsTheyAreRead(text: String) { #expect(Duration(seconds: text)?.secondsText == text) }

  /// Text, lenient and strict reading of 1 to 100.
  static let numbers: [(String, Int?, Int?)] = [
    ("1", 1, 1), ("100", 100, 100), ("0", nil, nil), ("101", nil, nil), ("-1", nil, nil), ("5x", 5, nil),
    ("x5", nil, nil), ("", nil, nil), ("0x10", nil, nil), ("99999999999999999999999", nil, nil), ("007", 7, 7),
    ("5\u{0}", 5, nil),
  ]

  @Test(arguments: numbers)
  func readsNumbers(text: String, lenient: Int?, strict: Int?) {
    let position = Position(file: "t", line: 1, column: 1)
    let word = Word(text: text, position: position, isQuoted: false)
    let directive = Directive(
      words: [Word(text: "n", position: position, isQuoted: false), word], known: nil, raw: [], block: nil)
    var findings = DiagnosticList()
    #expect(directive.number(in: 1...100, &findings) == lenient)
    #expect(directive.number(in: 1...100, isStrict: true, &findings) == strict)
    #expect(findings.sorted().count == (lenient == strict ? lenient == nil ? 2 : 0 : 2))
  }

  /// One clear line each, whatever is thrown at a value.
  @Test(arguments: [
    ("router_id", String(repeating: "a", count: 1 << 20)), ("router_id", "a\u{0}b"),
    ("vrrp_garp_master_delay", String(repeating: "9", count: 1 << 20)),
    ("smtp_server", String(repeating: "x", count: 5000)), ("vrrp_version", "\u{1b}[31m"),
    ("notify_fifo_script", String(repeating: "/x", count: 1 << 19)),
    ("lvs_sync_daemon", String(repeating: "e", count: 1 << 20)),
  ])
  func hostileValuesAreOneShortMessage(keyword: String, value: String) {
    let findings = read("global_defs {\n\(keyword) \"\(value)\"\n}").diagnostics.filter { $0.severity != .note }
    #expect(findings.count == 1)
    #expect(findings.allSatisfy { $0.description.utf8.count < 400 && !$0.description.utf8.contains(0x1b) })
  }
}
