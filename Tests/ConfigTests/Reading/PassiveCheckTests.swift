import Testing

@testable import Config

@Suite struct PassiveCheckTests {
  private static func text(_ lines: String, transport: String = "TCP") -> String {
    "virtual_server 10.0.0.1 80 {\nprotocol \(transport)\nlb_algo rr\nlb_kind NAT\n\(lines)\nreal_server 10.1.0.1 80 {\n}\n}"
  }

  static let rows = [
    KeyRow("window 5", "window", "5"),
    KeyRow("window 60", "window", "60"),
    KeyRow("window 0", "window", "10", "'0' is not a time in seconds (write a number from 1 to 60)"),
    KeyRow("window 61", "window", "10", "write a number from 1 to 60"),
    KeyRow("window 5s", "window", "10", "'5s' is not a time in seconds"),
    KeyRow("window", "window", "10", "'window' needs a time in seconds"),
    KeyRow("unanswered 1", "unanswered", "1"),
    KeyRow("unanswered 99", "unanswered", "99"),
    KeyRow("unanswered 100", "unanswered", "50", "'100' is not a percentage (write a number from 1 to 99)"),
    KeyRow("unanswered -1", "unanswered", "50", "'-1' is not a percentage"),
    KeyRow("minimum 5", "minimum", "5"),
    KeyRow("minimum 1000000", "minimum", "1000000"),
    KeyRow("minimum 4", "minimum", "20", "'4' is not a number of connections (write a number from 5 to 1000000)"),
    KeyRow("minimum 99999999999999999999", "minimum", "20", "is not a number of connections"),
  ]

  @Test(arguments: rows) func keyword(row: KeyRow) throws {
    try expect(row, in: Self.text("passive_check {\n\(row.line)\n}"), block: "passive_check", lineNumber: 6)
  }

  /// lbd's own words: what does not fit refuses the file, and says where.
  @Test(arguments: ["window x", "unanswered 0", "minimum 1", "widow 3"]) func refuses(line: String) throws {
    let (_, diagnostics) = read(Self.text("passive_check {\n\(line)\n}"))
    let error = try #require(diagnostics.first { $0.severity >= .error }, "\(diagnostics)")
    #expect(error.line == 6)
  }

  @Test func defaults() throws {
    var service = try #require(read(Self.text("passive_check {\n}")).0.services.first)
    let check = try #require(service.monitoring.passive)
    #expect(check.windowSeconds == 10 && check.unansweredPercent == 50 && check.minimumConnections == 20)
    service = try #require(read(Self.text("")).0.services.first)
    #expect(service.monitoring.passive == nil)
  }

  @Test(arguments: [("TCP", 0), ("UDP", 1), ("SCTP", 1)]) func onlyTCPHasSYNs(transport: String, count: Int) {
    let (_, diagnostics) = read(Self.text("passive_check {\n}", transport: transport))
    let findings = diagnostics.filter { $0.severity == .warning && $0.description.contains("has no SYNs") }
    #expect(findings.count == count && findings.allSatisfy { $0.line == 5 }, "\(diagnostics)")
  }
}
