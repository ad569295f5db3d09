import NIOCore

@testable import Notify

/// Notices and settings that tests share.
enum Samples {
  static let service = "[10.0.0.100]:tcp:80"
  static let realServer = Notice.Subject.realServer("[10.0.0.1]:tcp:80", of: service)
  static let virtualServer = Notice.Subject.virtualServer(service)
  static let instance = Notice.Subject.instance("VI_1")
  static let group = Notice.Subject.group("VG_1")
  static let host = MailMessage.Host(name: "lb1.example.org", user: "root")

  static func script(_ words: String...) -> NotifyScript { NotifyScript(words: words) }

  static func mail(_ change: (inout NotifierSettings.Mail) -> Void = { _ in }) -> NotifierSettings.Mail {
    var settings = NotifierSettings.Mail()
    settings.recipients = ["ops@example.org", "Night Shift <night@example.org>"]
    settings.sender = "lbd@example.org"
    settings.server = "192.0.2.25"
    settings.routerID = "LVS_DEVEL"
    change(&settings)
    return settings
  }

  /// A mail whose subject ends with a server's name.
  static func message(
    _ name: String = "[10.0.0.1]:tcp:80", to recipients: [String] = ["ops@example.org"]
  ) -> MailMessage? {
    let notice = Notice(.realServer(name, of: service), .down, sendsMail: true)
    return MailMessage(notice, mail { $0.recipients = recipients }, host: host, time: 0)
  }
}
