import Testing
import Wire

@testable import Config

@Suite struct MonitoringRulesTests {
  private static func text(_ lines: String, server: String = "", second: String = "") -> String {
    """
    virtual_server 10.0.0.1 80 {
    protocol TCP
    lb_algo rr
    lb_kind DR
    \(lines)
    real_server 10.1.0.1 80 {
    weight 2
    \(server)
    }
    real_server 10.1.0.2 80 {
    \(second)
    }
    }
    """
  }

  /// Lines, quorum, hysteresis, and the finding.
  static let quorums: [(String, Int, Int, String?)] = [
    ("", 1, 0, nil), ("quorum 3", 3, 0, nil), ("quorum 3\nhysteresis 2", 3, 2, nil),
    ("quorum 4", 3, 0, "quorum 4 is more than all real servers weigh, it is 3"),
    ("quorum 0", 1, 0, "from 1 to"), ("quorum 2\nhysteresis 2", 2, 1, "hysteresis 2 is not below the quorum, it is 1"),
    ("hysteresis 1", 1, 0, "it is 0"),
  ]

  @Test(arguments: quorums)
  func quorumIsPossible(lines: String, quorum: Int, hysteresis: Int, message: String?) throws {
    let (configuration, diagnostics) = read(MonitoringRulesTests.text(lines))
    let monitoring = try #require(configuration.services.first).monitoring
    #expect(monitoring.quorum == quorum && monitoring.hysteresis == hysteresis)
    let findings = diagnostics.filter { $0.severity != .note }
    #expect(findings.count == (message == nil ? 0 : 1))
    if let message { #expect(findings.first?.description.contains(message) == true, "\(findings)") }
  }

  /// Lines, the sorry server, and the finding.
  static let sorries: [(String, String?, String?)] = [
    ("sorry_server 10.9.9.9 80", "10.9.9.9:80", nil), ("sorry_server 10.9.9.9", "10.9.9.9:80", nil),
    ("sorry_server 10.9.9.9 90", "10.9.9.9:80", "port 90 of sorry_server 10.9.9.9 is taken as 80"),
    ("sorry_server 10.9.9.9 90\nsorry_server_lvs_method NAT", "10.9.9.9:90", nil),
    ("sorry_server fd00::1 80", nil, "are of different families"),
    ("sorry_server_inhibit\nsorry_server 10.9.9.9 80", "10.9.9.9:80", "there is no sorry_server before it"),
    ("sorry_server 10.1.0.1 80\nsorry_server_inhibit", "10.1.0.1:80", "its own is taken"),
  ]

  @Test(arguments: sorries)
  func sorryServerObeysTheRules(lines: String, endpoint: String?, message: String?) throws {
    let (configuration, diagnostics) = read(MonitoringRulesTests.text(lines))
    #expect(configuration.services.first?.sorryServer?.description == endpoint)
    let findings = diagnostics.filter { $0.severity != .note }
    #expect(findings.count == (message == nil ? 0 : 1))
    if let message { #expect(findings.first?.description.contains(message) == true, "\(findings)") }
  }

  @Test func serversInherit() throws {
    let text = MonitoringRulesTests.text(
      "inhibit_on_failure\nvirtualhost a.b\nalpha", server: "inhibit_on_failure off\nvirtualhost c.d\nsmtp_alert off",
      second: "HTTP_GET {\nurl {\npath /\n}\n}")
    let servers = try #require(read(text).configuration.services.first).realServers.map(\.monitoring)
    #expect(servers.map(\.inhibitsOnFailure) == [false, true] && servers.map(\.smtpAlert) == [false, true])
    #expect(servers.map(\.virtualHost) == ["c.d", "a.b"] && servers.map(\.startsDown) == [false, true])
    guard case .http(let check) = servers[1].checkers.first?.kind else {
      Issue.record("no check")
      return
    }
    #expect(check.virtualHost == "a.b")
  }

  @Test func markHasNoAddressToWaitFor() throws {
    let text = "virtual_server fwmark 1 {\nlb_algo rr\nlb_kind DR\nha_suspend\nreal_server 10.1.0.1 {\n}\n}"
    let (configuration, diagnostics) = read(text)
    #expect(configuration.services.first?.monitoring.suspendsWithoutAddress == false)
    #expect(diagnostics.contains { $0.message.contains("a mark has no address") })
  }

  /// The blocks of one service: the sorry server may stand in any of them, the other settings are the first one's.
  @Test func repeatedBlocksMerge() throws {
    let blocks = ["quorum 1", "sorry_server 10.9.9.9 80\nsorry_server_inhibit\nhysteresis 0"].enumerated().map {
      """
      virtual_server 10.0.0.1 80 {
      protocol TCP
      lb_algo \($0 == 0 ? "rr" : "wlc")
      lb_kind NAT
      \($1)
      real_server 10.1.0.\($0 + 1) 80 {
      }
      }

      """
    }
    let (configuration, diagnostics) = read(blocks.joined())
    #expect(configuration.services.count == 1)
    let service = try #require(configuration.services.first)
    #expect(service.schedulerName == "rr" && service.realServers.count == 2)
    #expect(service.sorryServer?.description == "10.9.9.9:80" && service.monitoring.inhibitsSorryServer)
    #expect(diagnostics.filter { $0.severity != .note }.count == 1)
  }

  /// Lines of the service, a check, and what keeps it from the way of clients' packets.
  static let ways: [(String, String, String?)] = [
    ("", "TCP_CHECK {\nthrough_vip\n}", nil), ("lb_kind TUN", "HTTP_GET {\nthrough_vip\nurl {\npath /\n}\n}", nil),
    ("lb_kind NAT", "TCP_CHECK {\nthrough_vip\nconnect_ip 10.1.0.9\n}", nil),
    ("", "TCP_CHECK {\nthrough_vip\nconnect_ip 10.1.0.9\n}", "it has a connect_ip"),
    ("", "DNS_CHECK {\nthrough_vip\n}", "clients of this service do not speak UDP"),
    ("protocol UDP", "DNS_CHECK {\nthrough_vip\n}", nil),
    ("protocol UDP", "TCP_CHECK {\nthrough_vip\n}", "do not speak TCP"),
    ("protocol UDP", "UDP_CHECK {\nthrough_vip\n}", "without require_reply"),
    ("protocol UDP", "UDP_CHECK {\nthrough_vip\nrequire_reply\n}", nil),
  ]

  @Test(arguments: ways)
  func notEveryCheckCanGoTheWayOfClients(lines: String, check: String, message: String?) throws {
    let (_, diagnostics) = read(MonitoringRulesTests.text(lines, server: check))
    let findings = diagnostics.filter { $0.description.contains("through_vip") }
    #expect(findings.count == (message == nil ? 0 : 1), "\(findings)")
    if let message { #expect(findings.first?.description.contains(message) == true, "\(findings)") }
  }

  @Test func aMarkHasNoWay() {
    let text = "virtual_server fwmark 7 {\nlb_kind DR\nreal_server 10.1.0.1 80 {\nTCP_CHECK {\nthrough_vip\n}\n}\n}\n"
    #expect(read(text).1.contains { $0.description.contains("a mark has no address to go to") })
  }
}
