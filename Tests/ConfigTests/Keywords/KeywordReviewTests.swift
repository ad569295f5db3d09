import Testing

@testable import Config

@Suite struct KeywordReviewTests {
  struct Row: CustomTestStringConvertible {
    let text: String
    let expected: [String]

    var testDescription: String { text }
  }

  @Test(arguments: [
    Row(
      text: "virtual_server 10.0.0.1 80 {\n    lb_alg rr\n}",
      expected: ["t.conf:2:5: warning: unknown keyword 'lb_alg', the line is ignored (did you mean 'lb_algo'?)"]),
    Row(
      text: "vrrp_instance V {\n  intreface eth0\n}",
      expected: ["t.conf:2:3: warning: unknown keyword 'intreface', the line is ignored (did you mean 'interface'?)"]),
    Row(
      text: "foo 1\n",
      expected: [
        "t.conf:1:1: warning: unknown keyword 'foo', the line is ignored (remove the line or correct the word)"
      ]),
    Row(
      text: "lbd {\n  worker 2\n}",
      expected: ["t.conf:2:3: error: unknown keyword 'worker', the line is ignored (did you mean 'workers'?)"]),
    Row(
      text: "vrrp_instance V {\n TCP_CHECK { x 1 }\n}",
      expected: [
        """
        t.conf:2:2: warning: 'TCP_CHECK' is not known in vrrp_instance, its block is skipped; keepalived would read \
        the block's lines in vrrp_instance (it belongs in real_server)
        """
      ]),
    Row(
      text: "global_defs {\n vrrp_strict\n smtp_alert_vrrp\n}\nglobal_defs {\n vrrp_strict\n}",
      expected: [
        "t.conf:2:2: note: 'vrrp_strict' is accepted and has no effect in lbd, because it does not run VRRP yet (2 places)",
        "t.conf:3:2: note: 'smtp_alert_vrrp' is accepted and has no effect in lbd, because it does not run VRRP yet",
      ]),
  ])
  func reports(row: Row) {
    let found = read(row.text).diagnostics.map(\.description)
    for expected in row.expected { #expect(found.contains(expected), "\(found)") }
  }

  @Test func findingsAreBounded() {
    let (_, diagnostics) = read(String(repeating: "foo\n", count: 5000))
    #expect(diagnostics.count == DiagnosticList.capacity + 1)
    #expect(diagnostics.last?.message.contains("4000 findings beyond") == true)
    #expect(diagnostics.last?.severity == .warning)
  }
}
