import Testing

@testable import Config

@Suite struct RequiredValuesTests {
  static let rows: [(text: String, finding: String?)] = [
    ("vrrp_instance V {\n interface eth0\n mcast_src_ip # none\n}", "3:2 'mcast_src_ip' has no value"),
    ("virtual_server 10.0.0.1 80 {\n lb_algo\n real_server 10.1.0.1 80 { }\n}", "2:2 'lb_algo' has no value"),
    ("virtual_server 10.0.0.1 80 {\n real_server 10.1.0.1 80 { weight }\n}", "2:28 'weight' has no value"),
    ("virtual_server 10.0.0.1 80 {\n real_server 10.1.0.1 80 { HTTP_GET { url { path } } }\n}", "2:45 'path' has no"),
    ("vrrp_instance V {\n state \"\n}", "2:2 'state' has no value"),
    // keepalived passes these over, or they need none.
    ("vrrp_instance V {\n notify_master \"\n}", nil),
    ("global_defs {\n router_id\n}", nil), ("vrrp_instance V {\n nopreempt\n}", nil),
    ("vrrp_instance V {\n priority \"\"\n}", nil), ("vrrp_instance V {\n virtual_ipaddress {\n priority\n }\n}", nil),
  ]

  @Test(arguments: rows)
  func linesWithoutTheirValueAreLost(text: String, finding: String?) {
    let found = read(text).diagnostics.filter { $0.severity == .fault }.map { "\($0.line):\($0.column) \($0.message)" }
    #expect(found.count == (finding == nil ? 0 : 1), "\(found)")
    if let finding { #expect(found.first?.hasPrefix(finding) == true, "\(found)") }
  }

  /// One bad line does not take the rest.
  @Test func whatIsLeftIsRead() {
    let (configuration, diagnostics) = read(
      "virtual_server 10.0.0.1 80 {\nprotocol TCP\nlb_algo\nreal_server 10.1.0.1 80 {\nweight\n}\n}\n")
    #expect(configuration.services.map(summary) == ["TCP 10.0.0.1:80 wlc NAT | 10.1.0.1:80 w1"])
    #expect(diagnostics.filter { $0.severity == .error }.isEmpty)
  }

  /// The table names only what there is.
  @Test func everyNameIsAKeyword() {
    for kind in BlockKind.allCases {
      for name in RequiredValues.keywords[kind] ?? [] {
        #expect(KeywordTable.keyword(name, in: kind) != nil, "\(name) in \(kind.name)")
      }
    }
  }
}
