import Config
import Testing

@testable import Control
@testable import HealthCheck
@testable import Notify

/// Who is told of what a check has found.
struct HealthNoticesTests {
  private static func text(_ globals: String, _ service: String, _ server: String, _ check: String) -> String {
    """
    global_defs {
    notification_email { a@example.org }
    smtp_server 127.0.0.1
    \(globals)
    }
    virtual_server 10.0.0.1 80 {
    protocol TCP
    lb_kind NAT
    quorum_up "/up q"
    quorum_down /down
    \(service)
    real_server 10.1.0.1 80 {
    notify_up /up nobody
    notify_down "/down 'a b'"
    \(server)
    TCP_CHECK {
    \(check)
    }
    PING_CHECK {
    \(check)
    }
    }
    real_server 10.1.0.2 80 {
    }
    }
    """
  }

  private struct Stage {
    var health: Health
    let notices: HealthNotices

    init(globals: String = "", service: String = "", server: String = "", check: String = "") throws {
      let text = HealthNoticesTests.text(globals, service, server, check)
      let (configuration, findings) = parseConfiguration(bytes: Array(text.utf8), file: "t")
      try #require(findings.filter { $0.severity >= .error }.isEmpty, "\(findings)")
      health = Health(configuration)
      notices = HealthNotices(globals: configuration.globals)
    }

    /// What there is to tell of a verdict.
    mutating func tell(
      _ check: Int, _ verdict: CheckVerdict, isFirst: Bool = false, error: CheckError? = nil
    ) -> [String] {
      let named = health.checks[check]
      let report = CheckReport(
        id: named.id, definition: named.definition, event: .verdict(isFirst: isFirst, failures: 1),
        verdict: verdict, weight: nil, error: error, atNanoseconds: 0, nextNanoseconds: nil)
      let server = health.server(of: report)
      let finding = HealthFinding(report: report, server: server, changes: health.apply(report))
      return notices.notices(of: finding).map(HealthNoticesTests.text)
    }
  }

  /// The mail's subject and line, the FIFOs' line, the scripts that run: what there is of them.
  private static func text(_ notice: Notice) -> String {
    var parts: [String] = []
    if notice.sendsMail, let subject = notice.mailSubject { parts.append("mail: \(subject) \(notice.mailBody)") }
    if notice.tellsFIFOs, let line = notice.line { parts.append("fifo: \(line.dropLast())") }
    parts += NotifyScripts.calls(for: notice).map { "run: \($0)" }
    return parts.joined(separator: "; ")
  }

  private static let subject = "Realserver [10.1.0.1]:tcp:80 of virtual server [10.0.0.1]:tcp:80"
  private static let line = "fifo: RS [10.1.0.1]:tcp:80 [10.0.0.1]:tcp:80"

  @Test func theCheckThatDecidesIsInTheServersMail() throws {
    var stage = try Stage()
    #expect(
      stage.tell(0, .failed, error: .connectTimeout) == [
        "mail: \(HealthNoticesTests.subject) - DOWN => TCP_CHECK failed on service: no connection in time <=; "
          + "\(HealthNoticesTests.line) DOWN; run: /down a b"
      ])
    // The server is down already: mail alone.
    #expect(
      stage.tell(1, .failed) == ["mail: \(HealthNoticesTests.subject) - DOWN => PING_CHECK failed on service <="])
    #expect(
      stage.tell(0, .well) == ["mail: \(HealthNoticesTests.subject) - UP => TCP_CHECK succeeded on service <="])
    #expect(
      stage.tell(1, .well) == [
        "mail: \(HealthNoticesTests.subject) - UP => PING_CHECK succeeded on service <=; "
          + "\(HealthNoticesTests.line) UP; run: /up"
      ])
  }

  @Test func withoutAlertThereIsNoMail() throws {
    var stage = try Stage(server: "smtp_alert no")
    #expect(stage.tell(0, .failed) == ["\(HealthNoticesTests.line) DOWN; run: /down a b"])
    #expect(stage.tell(1, .failed) == [])
  }

  /// What a check thinks from the start is no news, but for a server that starts down and is found so.
  @Test(arguments: [
    ("", CheckVerdict.well, [String]()), ("alpha", .failed, ["\(line) DOWN; run: /down a b"]),
    ("alpha", .well, ["mail: \(subject) - UP => TCP_CHECK succeeded on service <="]),
  ])
  func theFirstVerdict(check: String, verdict: CheckVerdict, told: [String]) throws {
    var stage = try Stage(check: check)
    #expect(stage.tell(0, verdict, isFirst: true) == told)
  }

  @Test func theQuorumsMailHasItsArithmetic() throws {
    var stage = try Stage(globals: "smtp_alert", service: "quorum 2")
    let gone = stage.tell(0, .failed)
    #expect(gone.count == 2)
    #expect(
      gone.last
        == "mail: Virtualserver [10.0.0.1]:tcp:80 - DOWN => Lost quorum 2-0=2 > 1 <=; "
        + "fifo: VS [10.0.0.1]:tcp:80 DOWN; run: /down")
    // Services have no mail unless it is asked for.
    stage = try Stage(service: "quorum 2")
    #expect(stage.tell(0, .failed).last == "fifo: VS [10.0.0.1]:tcp:80 DOWN; run: /down")
  }

  @Test func startAndEndAreToldWhereThatIsAskedFor() throws {
    var stage = try Stage(globals: "rs_init_notifies", service: "omega")
    #expect(
      stage.notices.beginning(stage.health).map(HealthNoticesTests.text) == [
        "\(HealthNoticesTests.line) UP; run: /up", "fifo: RS [10.1.0.2]:tcp:80 [10.0.0.1]:tcp:80 UP",
      ])
    #expect(
      stage.notices.notices(of: stage.health.beginning).map(HealthNoticesTests.text) == [
        "fifo: VS [10.0.0.1]:tcp:80 UP; run: /up q"
      ])
    _ = stage.tell(0, .failed)
    #expect(
      stage.notices.end(stage.health).map(HealthNoticesTests.text) == [
        "fifo: RS [10.1.0.2]:tcp:80 [10.0.0.1]:tcp:80 DOWN", "fifo: VS [10.0.0.1]:tcp:80 DOWN; run: /down",
      ])
    stage = try Stage()
    #expect(stage.notices.beginning(stage.health).isEmpty && stage.notices.end(stage.health).isEmpty)
  }
}
