import Glibc
import Logging
import NIOCore

/// Tells people and programs what has happened: by scripts, by lines in pipes, by mail.
///
/// `tell` never waits, and whatever it starts is bounded in number and in time: the one who tells decides who serves, and must
/// not be held up by a mail server. What is told about one subject is told in order, by each of the three ways: scripts one after
/// the other, lines at once, mails one after the other.
///
/// Everything happens on one event loop; the calls may come from anywhere.
public final class Notifier: Sendable {
  private let loop: any EventLoop
  private let core: NIOLoopBoundBox<Core?>
  private let makeCore: @Sendable () -> Core

  /// A notifier that tells nobody, until `configure`.
  /// - Parameters:
  ///   - loop: one that has sockets.
  ///   - runner: runs scripts.
  public convenience init(on loop: any EventLoop, runner: any ScriptRunning, log: Logger) {
    self.init(on: loop, runner: runner, log: log, host: .own, connect: { connectMail(on: loop) }, time: { time(nil) })
  }

  /// - Parameters:
  ///   - connect: makes what opens connections.
  ///   - time: seconds since 1970, for the dates of mails.
  init(
    on loop: any EventLoop, runner: any ScriptRunning, log: Logger, host: MailMessage.Host,
    connect: @escaping @Sendable () -> MailConnector, time: @escaping @Sendable () -> time_t
  ) {
    self.loop = loop
    core = NIOLoopBoundBox<Core?>.makeEmptyBox(valueType: Core.self, eventLoop: loop)
    makeCore = { Core(on: loop, runner: runner, log: log, host: host, connect: connect(), time: time) }
  }

  /// Takes over another configuration. Pipes that stay are not closed, what waits is not lost.
  public func configure(_ settings: NotifierSettings) {
    onLoop { $0.configure(settings) }
  }

  /// Tells whoever is to know.
  public func tell(_ notice: Notice) {
    onLoop { $0.tell(notice) }
  }

  /// Ends: takes nothing more, and gives what it has some time.
  /// - Parameter time: until scripts that still run are ended and mails that still wait are given up. Readers of pipes, which
  ///   come last, have a second more; ending scripts takes as long as the runner needs for it.
  /// - Returns: when nothing is left.
  public func stop(within time: TimeAmount) -> EventLoopFuture<Void> {
    let end = loop.makePromise(of: Void.self)
    onLoop { $0.stop(within: time).cascade(to: end) }
    return end.futureResult
  }

  /// What has been told so far.
  public func numbers() -> EventLoopFuture<NotifierNumbers> {
    let numbers = loop.makePromise(of: NotifierNumbers.self)
    onLoop { numbers.succeed($0.numbers) }
    return numbers.futureResult
  }

  private func onLoop(_ body: @escaping @Sendable (Core) -> Void) {
    if loop.inEventLoop { return body(onlyCore()) }
    loop.execute { [self] in body(onlyCore()) }
  }

  private func onlyCore() -> Core {
    if let core = core.value { return core }
    let new = makeCore()
    core.value = new
    return new
  }
}

/// The notifier's part on its loop.
private final class Core {
  private let loop: any EventLoop
  private let host: MailMessage.Host
  private let time: @Sendable () -> time_t
  private let fifos: FIFOSet
  private let scripts: ScriptQueue
  private let mail: MailQueue
  private var settings = NotifierSettings()
  private var mailedStates: [Notice.Subject: Notice.VRRPState] = [:]
  private var end: EventLoopFuture<Void>?

  init(
    on loop: any EventLoop, runner: any ScriptRunning, log: Logger, host: MailMessage.Host,
    connect: @escaping MailConnector, time: @escaping @Sendable () -> time_t
  ) {
    self.loop = loop
    self.host = host
    self.time = time
    fifos = FIFOSet(on: loop, runner: runner, log: log)
    scripts = ScriptQueue(on: loop, runner: runner, log: log)
    mail = MailQueue(on: loop, connect: connect, log: log)
  }

  func configure(_ settings: NotifierSettings) {
    guard end == nil else { return }
    self.settings = settings
    fifos.configure(settings)
    scripts.timeLimit = settings.scriptTimeLimit
    mail.configure(settings.mail, heloName: settings.mail.heloName ?? host.name)
  }

  func tell(_ notice: Notice) {
    guard end == nil else { return }
    fifos.write(notice)
    let calls = NotifyScripts.calls(for: notice)
    if !calls.isEmpty { scripts.add(calls, for: notice.subject) }
    if isMailed(notice), let message = MailMessage(notice, settings.mail, host: host, time: time()) {
      mail.add(message)
    }
  }

  func stop(within time: TimeAmount) -> EventLoopFuture<Void> {
    if let end { return end }
    let limit = loop.assumeIsolated().scheduleTask(in: time) { [self] in
      scripts.abort()
      mail.abort()
    }
    let told = scripts.close().and(mail.close())
    let end = told.assumeIsolated().flatMap { [self] _ in
      limit.cancel()
      return fifos.close()
    }.nonisolated()
    self.end = end
    return end
  }

  var numbers: NotifierNumbers {
    var numbers = NotifierNumbers()
    (numbers.linesWritten, numbers.linesLost) = (fifos.writtenCount, fifos.lostCount)
    (numbers.scriptsRun, numbers.scriptsFailed) = (scripts.runCount, scripts.failedCount)
    numbers.scriptsLost = scripts.lostCount
    (numbers.mailsSent, numbers.mailsLost) = (mail.sentCount, mail.lostCount)
    return numbers
  }

  /// Whether there is mail about it: the same state of an instance is not mailed twice in a row.
  private func isMailed(_ notice: Notice) -> Bool {
    guard notice.sendsMail, settings.mail.isUsable else { return false }
    switch notice.event {
    case .checker: return !settings.mail.omitsCheckers
    case .state(.fault, _) where settings.mail.omitsFaults: return false
    case .state(let state, _):
      if mailedStates.count >= 65536 { mailedStates = [:] }
      return mailedStates.updateValue(state, forKey: notice.subject) != state
    case .up, .down, .masterHeardLowerPriority, .priority: return true
    }
  }
}
