import Testing
import Wire

@testable import Config

@Suite struct CheckerBlockTests {
  static func text(_ checker: String, service: String = "", server: String = "") -> String {
    """
    virtual_server 10.0.0.1 80 {
    protocol TCP
    lb_algo rr
    lb_kind NAT
    \(service)
    real_server 10.1.0.1 80 {
    \(server)
    \(checker)
    }
    }
    """
  }

  static func checker(_ text: String) throws -> (Checker, [Diagnostic]) {
    let (configuration, diagnostics) = read(text)
    let server = try #require(configuration.services.first?.realServers.first)
    return (
      try #require(server.monitoring.checkers.first, "\(diagnostics)"), diagnostics.filter { $0.severity != .note }
    )
  }

  /// Kind, retry and delay before a retry of a checker that says nothing (specification 4.4).
  static let defaults: [(String, String, Int, Duration)] = [
    ("TCP_CHECK { }", "TCP_CHECK", 1, .seconds(1)),
    ("HTTP_GET { url { path / } }", "HTTP_GET", 1, .seconds(3)),
    ("SSL_GET { url { path / } }", "SSL_GET", 1, .seconds(3)),
    ("SMTP_CHECK { }", "SMTP_CHECK", 1, .seconds(1)),
    ("DNS_CHECK { }", "DNS_CHECK", 3, .seconds(60)),
    ("PING_CHECK { }", "PING_CHECK", 1, .seconds(1)),
    ("UDP_CHECK { }", "UDP_CHECK", 1, .seconds(1)),
    ("MISC_CHECK { misc_path /x }", "MISC_CHECK", 0, .seconds(1)),
  ]

  @Test(arguments: defaults)
  func hasDefaults(block: String, name: String, retry: Int, delay: Duration) throws {
    let (checker, findings) = try CheckerBlockTests.checker(CheckerBlockTests.text(block))
    #expect(checker.name == name && checker.schedule.retry == retry && checker.schedule.delayBeforeRetry == delay)
    #expect(checker.schedule.delayLoop == .seconds(60) && checker.schedule.warmup == .seconds(60))
    #expect(checker.schedule.connectTimeout == .seconds(5) && !checker.schedule.alpha && findings.isEmpty)
  }

  @Test func levelsInherit() throws {
    let text = CheckerBlockTests.text(
      "TCP_CHECK {\nretry 0\n}", service: "delay_loop 6\nretry 4\nconnect_timeout 2\nalpha",
      server: "retry 3\ndelay_before_retry 0.5\nalpha off")
    let schedule = try CheckerBlockTests.checker(text).0.schedule
    #expect(schedule.delayLoop == .seconds(6) && schedule.warmup == .seconds(6) && schedule.retry == 0)
    #expect(schedule.connectTimeout == .seconds(2) && schedule.delayBeforeRetry == .milliseconds(500))
    #expect(!schedule.alpha)
  }

  @Test func inheritedValuesSayWhereTheyStand() throws {
    let text = CheckerBlockTests.text("TCP_CHECK {\nretry 2\n}", service: "delay_loop 6")
    let block = try #require(find("TCP_CHECK", in: read(text).configuration.explained))
    let places = Dictionary(block.settings.map { ($0.key, $0.origin?.line) }, uniquingKeysWith: { first, _ in first })
    #expect(places["retry"] == 9 && places["delay_loop"] == 5 && places["connect_timeout"] == .some(nil))
  }

  static let rows: [KeyRow] = [
    KeyRow("TCP_CHECK { connect_port 8080 }", "connect_port", "8080"),
    KeyRow("TCP_CHECK { connect_port 0 }", "connect_port", nil, "from 1 to 65535"),
    KeyRow("TCP_CHECK { connect_ip 10.9.9.9 }", "connect_ip", "10.9.9.9"),
    KeyRow("TCP_CHECK { bindto <ip> }", "bindto", nil, "'<ip>' does not fit 'bindto'"),
    KeyRow("TCP_CHECK { connect_timeout 3x }", "connect_timeout", "3", "'3x' is read as 3"),
    KeyRow(
      "TCP_CHECK { nb_get_retry 3 }", "retry", "3",
      "'nb_get_retry' is not known in TCP_CHECK: it is read as 'retry 3', keepalived would keep 1"),
    KeyRow("TCP_CHECK { through_vip }", "through_vip", "on"),
    KeyRow("HTTP_GET { url { path /a\nstatus_code 200 301-303 } }", "url", "path /a status_code 200 301-303"),
    KeyRow(
      "HTTP_GET { url { path /a\nstatus_code 99 } }", "url", "path /a status_code 200-299", "codes from 100 to 599"),
    KeyRow("HTTP_GET { url { path /\ndigest zz } }", "url", "path / status_code 200-299", "32 hexadecimal digits"),
    KeyRow("HTTP_GET { http_protocol 1.1\nurl { path / } }", "http_protocol", "1.1"),
    KeyRow("HTTP_GET { http_protocol 2\nurl { path / } }", "http_protocol", "1.0", "write 1.0 or 1.0C or 1.1"),
    KeyRow("HTTP_GET { virtualhost a.b\nurl { path / } }", "virtualhost", "a.b"),
    KeyRow("HTTP_GET { url { path / }\nurl { } }", "http_protocol", "1.0", "this url has no path"),
    KeyRow("SMTP_CHECK { helo_name x }", "helo_name", "x"),
    KeyRow("DNS_CHECK { type aaaa\nname a.b }", "type", "AAAA"),
    KeyRow("DNS_CHECK { type foo }", "type", "SOA", "one of A, NS"),
    KeyRow("UDP_CHECK { require_reply 01xx }", "require_reply", "on"),
    KeyRow("UDP_CHECK { require_reply 01x }", "require_reply", "off", "pairs of hexadecimal digits"),
    KeyRow("MISC_CHECK { misc_path \"/x a\"\nmisc_dynamic }", "misc_dynamic", "on"),
  ]

  @Test(arguments: rows)
  func reads(row: KeyRow) throws {
    let (configuration, diagnostics) = read(CheckerBlockTests.text(row.line))
    let name = String(row.line.prefix { $0 != " " })
    let block = try #require(find(name, in: configuration.explained), "\(diagnostics)")
    #expect(block.settings.first { $0.key == row.key }?.value == row.value)
    let findings = diagnostics.filter { $0.severity != .note }
    if let message = row.message {
      #expect(findings.contains { $0.description.contains(message) }, "\(findings)")
    } else {
      #expect(findings.isEmpty)
    }
  }

  static let refused: [(String, String)] = [
    ("HTTP_GET { }", "HTTP_GET has no url, the checker is left out"),
    ("MISC_CHECK { }", "MISC_CHECK has no misc_path"),
    ("FILE_CHECK { weight 1 }", "FILE_CHECK has no track_file"),
    ("BFD_CHECK { alpha }", "BFD_CHECK has no name"),
  ]

  @Test(arguments: refused)
  func leavesOut(block: String, message: String) throws {
    let (configuration, diagnostics) = read(CheckerBlockTests.text(block))
    #expect(configuration.services.first?.realServers.first?.monitoring.checkers == [])
    #expect(diagnostics.contains { $0.severity == .warning && $0.message.hasPrefix(message) }, "\(diagnostics)")
  }

  @Test func alternativesBehindTheKeywordArePassedOver() throws {
    let (checker, findings) = try CheckerBlockTests.checker(
      CheckerBlockTests.text("HTTP_GET | SSL_GET {\nurl {\npath /\n}\n}"))
    #expect(checker.name == "HTTP_GET" && findings.isEmpty)
  }

  @Test func repliesHaveMasks() throws {
    let (checker, _) = try CheckerBlockTests.checker(
      CheckerBlockTests.text("UDP_CHECK { payload 0aFf\nrequire_reply 1x x2 }"))
    guard case .udp(let check) = checker.kind else { throw Failure() }
    #expect(check.payload == [0x0a, 0xff] && check.replyBytes == [0x10, 0x02] && check.replyMask == [0xf0, 0x0f])
  }

  private struct Failure: Error {}

  @Test func checkersAreBounded() {
    let many = String(repeating: "TCP_CHECK {\n}\n", count: Defaults.checkersMax + 5)
    let (configuration, diagnostics) = read(CheckerBlockTests.text(many))
    #expect(configuration.services.first?.realServers.first?.monitoring.checkers.count == Defaults.checkersMax)
    #expect(diagnostics.contains { $0.message.contains("checkers already") })
  }
}
