import Config
import NIOCore
import Notify
import Testing

@testable import Control

/// `global_defs` as the notifier reads it.
struct NotifierSettingsTests {
  private static func settings(_ text: String) throws -> NotifierSettings {
    let (configuration, findings) = parseConfiguration(bytes: Array("global_defs {\n\(text)\n}".utf8), file: "t")
    try #require(findings.filter { $0.severity >= .error }.isEmpty, "\(findings)")
    return NotifierSettings(configuration.globals)
  }

  @Test func nothingIsNobody() throws {
    let settings = try NotifierSettingsTests.settings("")
    #expect(!settings.mail.isUsable && settings.fifo == nil && settings.lvsFIFO == nil && settings.vrrpFIFO == nil)
  }

  @Test func everyValueArrives() throws {
    let settings = try NotifierSettingsTests.settings(
      """
      notification_email { a@example.org b@example.org }
      notification_email_from lbd@example.org
      smtp_server 192.0.2.1 2525
      smtp_helo_name director
      smtp_connect_timeout 7
      router_id LVS_DEVEL
      no_checker_emails
      notify_fifo /run/all
      lvs_notify_fifo /run/lvs
      lvs_notify_fifo_script "/bin/reader x" nobody
      """)
    #expect(settings.mail.recipients == ["a@example.org", "b@example.org"])
    #expect(settings.mail.sender == "lbd@example.org" && settings.mail.server == "192.0.2.1")
    #expect(settings.mail.port == 2525 && settings.mail.heloName == "director" && settings.mail.routerID == "LVS_DEVEL")
    #expect(settings.mail.connectTimeout == .seconds(7) && settings.mail.omitsCheckers && settings.mail.isUsable)
    #expect(settings.fifo?.path == "/run/all" && settings.fifo?.script == nil)
    #expect(settings.lvsFIFO?.path == "/run/lvs")
    #expect(settings.lvsFIFO?.script == NotifyScript(words: ["/bin/reader", "x"], user: "nobody"))
  }
}
