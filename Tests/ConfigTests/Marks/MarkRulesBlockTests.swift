import Testing
import Wire

@testable import Config

@Suite struct MarkRulesBlockTests {
  private func rules(_ lines: String) -> (rules: [String], findings: [String]) {
    let (configuration, diagnostics) = read("lbd {\nmark_rules {\n\(lines)\n}\n}")
    return (
      configuration.markRules.rules.map(text),
      diagnostics.map { "\($0.line):\($0.column) \($0.severity.name) \($0.message)" }
    )
  }

  @Test(arguments: [
    ("mark 1", "ffffffff:1"),
    ("to 192.0.2.80 mark 1", "4 to 192.0.2.80/32 ffffffff:1"),
    (
      "to 192.0.2.80 protocol tcp port 80,443,8000-8100 mark 7",
      "4 to 192.0.2.80/32 proto 6 port 80-80,443-443,8000-8100 ffffffff:7"
    ),
    ("interface eth0 from not 10.0.0.0/8 mark 0x10/0xf0", "4 in eth0 from not 10.0.0.0/8 f0:10"),
    ("family inet6 protocol not udp mark 2", "6 proto not 17 ffffffff:2"),
    ("to fd00:1::100 source_port not 1-1023 mark 3", "6 to fd00:1::100/128 source port not 1-1023 ffffffff:3"),
    ("port 80 mark 4294967295", "port 80-80 ffffffff:ffffffff"),
    (
      "iptables -t mangle -A PREROUTING -d 10.0.0.1 -p tcp --dport 80 -j MARK --set-mark 1",
      "4 to 10.0.0.1/32 proto 6 port 80-80 ffffffff:1"
    ),
    ("iptables -t mangle -A PREROUTING ! -s 10.0.0.1 -j MARK --set-mark 1 # all", "4 from not 10.0.0.1/32 ffffffff:1"),
    (
      "ip6tables -t mangle -A PREROUTING -m comment --comment \"to the web\" -j MARK --set-mark 1",
      "6 ffffffff:1"
    ),
    ("/sbin/iptables -t mangle -A PREROUTING -m comment --comment 'a b' -j MARK --set-mark 1", "4 ffffffff:1"),
  ])
  func readsRule(line: String, expected: String) {
    let found = rules(line)
    #expect(found.rules == [expected] && found.findings.isEmpty, "\(found)")
  }

  @Test(arguments: [
    ("to 192.0.2.80", "3:1 error the rule sets no mark"),
    ("from 10.0.0.1 to fd00::1 mark 1", "3:1 error the rule mixes IPv4 and IPv6"),
    ("family inet to fd00::1 mark 1", "3:1 error the rule mixes IPv4 and IPv6"),
    ("mark 1 mark 2", "3:8 error 'mark' is given twice"),
    ("tto 10.0.0.1 mark 1", "3:1 error 'tto' is no part of a mark rule"),
    ("to", "3:1 error 'to' needs an address"),
    ("to not", "3:1 error 'to' needs an address"),
    ("to nowhere mark 1", "3:4 error 'nowhere' is not an address"),
    ("mark not 1", "3:6 error 'not' is not a mark"),
    ("mark 4294967296", "3:6 error '4294967296' is not a mark"),
    ("protocol tpc mark 1", "3:10 error 'tpc' is not tcp, udp"),
    ("protocol icmp port 80 mark 1", "3:1 error ports go with tcp, udp or sctp"),
    ("port 81-80 mark 1", "3:6 error '81-80' is not a list"),
    ("interface a/b mark 1", "3:11 error 'a/b' is not an interface's name"),
    ("iptables -t mangle -A PREROUTING -j DROP", "3:1 error the target 'DROP'"),
    ("iptables -t mangle -D PREROUTING 1", "3:1 error there is no rule number 1"),
    ("iptables -t nat -F", "3:1 warning the line has no effect here: marks are set in the table mangle"),
  ])
  func refusesRule(line: String, finding: String) {
    let found = rules(line)
    #expect(found.rules.isEmpty && found.findings.count == 1, "\(found)")
    #expect(found.findings.first?.hasPrefix(finding) ?? false, "\(found)")
  }

  @Test func linesActInTheirOrder() {
    let found = rules(
      """
      to 10.0.0.1 mark 1
      iptables -t mangle -A PREROUTING -d 10.0.0.2 -j MARK --set-mark 2
      iptables -t mangle -I PREROUTING 2 -d 10.0.0.3 -j MARK --set-mark 3
      to fd00::1 mark 4
      iptables -t mangle -D PREROUTING 1
      ip6tables -t mangle -A PREROUTING -j MARK --set-mark 5
      ip6tables -t mangle -F
      """)
    #expect(found.rules == ["4 to 10.0.0.3/32 ffffffff:3", "4 to 10.0.0.2/32 ffffffff:2"])
    #expect(found.findings.isEmpty)
  }

  @Test func placesAreKept() {
    let (configuration, _) = read("lbd {\nmark_rules {\n\n  mark 1\n}\n}")
    #expect(configuration.markRules.rules.first?.position?.description == "t.conf:4:3")
    let (other, _) = read("lbd {\nmark_rules {\nmark 1\n}\n}")
    #expect(configuration.withoutPositions == other.withoutPositions && configuration != other)
  }

  @Test func tooManyRulesAreOneFinding() {
    let lines = String(repeating: "mark 1\n", count: Defaults.markRuleCountMax + 5)
    let found = rules(lines)
    #expect(found.rules.count == Defaults.markRuleCountMax)
    #expect(
      found.findings == ["\(Defaults.markRuleCountMax + 3):1 error more than \(Defaults.markRuleCountMax) mark rules"])
  }

  /// Elsewhere it starts a comment, as in keepalived.
  @Test func exclamationMarkIsAWordOfIptablesOnly() {
    #expect(rules("to 10.0.0.1 mark 1 ! iptables").rules == ["4 to 10.0.0.1/32 ffffffff:1"])
    #expect(rules("! iptables -t mangle -A PREROUTING -j MARK --set-mark 1").rules == [])
  }
}
