import Config
import NIOCore
import Notify

// What `global_defs` says of mail and pipes, as the notifier reads it.

extension NotifierSettings {
  init(_ globals: GlobalSettings) {
    self.init()
    mail = Mail(globals.mail, routerID: globals.routerID)
    fifo = FIFO(globals.fifo)
    lvsFIFO = FIFO(globals.lvsFIFO)
  }
}

extension NotifierSettings.Mail {
  fileprivate init(_ settings: MailSettings, routerID: String?) {
    self.init()
    recipients = settings.recipients
    sender = settings.sender
    server = settings.server
    port = settings.port
    heloName = settings.heloName
    connectTimeout = TimeAmount(settings.connectTimeout)
    self.routerID = routerID
    omitsFaults = settings.omitsFaults
    omitsCheckers = settings.omitsCheckers
  }
}

extension NotifierSettings.FIFO {
  fileprivate init?(_ fifo: NotifyFIFO) {
    guard let path = fifo.path else { return nil }
    self.init(path: path, user: fifo.user, group: fifo.group, script: fifo.script.map { NotifyScript($0) })
  }
}
