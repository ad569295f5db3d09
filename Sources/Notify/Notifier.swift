import Glibc
import Logging
import NIOCore

/// Tells people and programs what has happened: by scripts, by lines in pipes, by mail.
///
/// `tell` never waits, and whatever it starts is bounded in number and in time: the one who tells decides who serves, and must
/// not be held up by a mail server. What is told about one subject is told in order, by each of the three ways: scripts one after
/// the other, lines at once, mails one after the other.
///
/// Everything happens on one event loop; every method may be called from any thread. What one thread tells is told in its order.
///
///     let notifier = Notifier(on: loop, runner: runner, log: log)
///     notifier.configure(settings)
///     notifier.tell(
///       Notice(
///         .realServer("[10.0.0.1]:tcp:80", of: "[10.0.0.100]:tcp:80"), .down,
///         detail: "TCP CHECK failed on service",
///         scripts: ["notify_down": NotifyScript(words: ["/etc/lbd/down.sh", "web1"])], sendsMail: true))
///     try await notifier.close().get()  // The loop must live until then.
public final class Notifier: Sendable {
  private let loop: any EventLoop
  private let core: NIOLoopBoundBox<Core>

  /// How long `close` may take beyond its time: for scripts that must be killed.
  static let closeGrace = TimeAmount.seconds(5)

  /// A notifier that tells nobody, until `configure`.
  /// - Parameters:
  ///   - loop: one that has sockets.
  ///   - runner: runs scripts.
  public convenience init(on loop: any EventLoop, runner: any ScriptRunning, log: Logger) {
    self.init(on: loop, runner: runner, log: log, host: .own, connect: connectMail(on: loop), time: { time(nil) })
  }

  /// - Parameters:
  ///   - connect: opens connections.
  ///   - time: seconds since 1970, for the dates of mails.
  init(
    on loop: any EventLoop, runner: any ScriptRunning, log: Logger, host: MailMessage.Host,
    connect: @escaping MailConnector, time: @escaping @Sendable () -> time_t
  ) {
    self.loop = loop
    core = .makeBoxSendingValue(
      Core(on: loop, runner: runner, log: log, host: host, connect: connect, time: time), eventLoop: loop)
  }

  /// Takes over another configuration. Pipes that stay are not closed, what waits is not lost.
  public func configure(_ settings: NotifierSettings) {
    onLoop { $0.configure(settings) }
  }

  /// Tells whoever is to know.
  public func tell(_ notice: Notice) { tell([notice]) }

  /// Tells whoever is to know, in this order.
  public func tell(_ notices: [Notice]) {
    guard !notices.isEmpty else { return }
    onLoop { core in for notice in notices { core.tell(notice) } }
  }

  /// Ends: takes nothing more, and tries once to get rid of what it has.
  /// - Parameter time: 0 to an hour, until scripts that still run are ended and mails that still wait are given up.
  /// - Returns: when nothing is left, 5 s after that time at the latest. It does not fail. A second call has the same answer.
  public func close(within time: TimeAmount = .seconds(5)) -> EventLoopFuture<Void> {
    let end = loop.makePromise(of: Void.self)
    onLoop { $0.close(within: time).cascade(to: end) }
    return end.futureResult
  }

  /// What has been told so far.
  public func numbers() -> EventLoopFuture<NotifierNumbers> {
    let numbers = loop.makePromise(of: NotifierNumbers.self)
    onLoop { numbers.succeed($0.numbers) }
    return numbers.futureResult
  }

  private func onLoop(_ body: @escaping @Sendable (Core) -> Void) {
    if loop.inEventLoop { return body(core.value) }
    loop.execute { [core] in body(core.value) }
  }
}

/// The notifier's part on its loop.
private final class Core {
  private let loop: any EventLoop
  private let log: Logger
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
    self.log = log
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

  func close(within time: TimeAmount) -> EventLoopFuture<Void> {
    if let end { return end }
    let time = min(max(time, .zero), .hours(1))
    let promise = loop.makePromise(of: Void.self)
    end = promise.futureResult
    let limit = loop.assumeIsolated().scheduleTask(in: time) { [self] in
      scripts.abort()
      mail.abort()
    }
    let lastLimit = loop.assumeIsolated().scheduleTask(in: time + Notifier.closeGrace) { [log] in
      log.warning("notifications: scripts do not end, lbd ends without them")
      promise.succeed()
    }
    let parts = [scripts.close(), mail.close(), fifos.close()]
    EventLoopFuture.andAllComplete(parts, on: loop).assumeIsolated().whenComplete { _ in
      limit.cancel()
      lastLimit.cancel()
      promise.succeed()
    }
    return promise.futureResult
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
