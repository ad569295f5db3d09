import Logging
import NIOCore

/// Mails on their way: one connection at a time, in the order in which they came.
///
/// A server that is away is asked again after 5 s, then after twice as long each time, up to five minutes. A mail that the server
/// refuses for now is tried six times; when it is only some recipients that are refused, other mails overtake it meanwhile. What
/// is an hour old is given up, and the 257th to wait pushes the oldest one out: news of the present are worth more. Nobody waits
/// for any of this.
///
/// Lives on an event loop; all of it is to be called there.
final class MailQueue {
  /// That wait, the one being sent not counted.
  static let waitingMax = 256
  /// Tries of a mail that the server refuses for now.
  static let refusalsMax = 6
  /// Until a mail is given up.
  static let patience = TimeAmount.hours(1)
  /// After the first failure.
  static let firstPause = TimeAmount.seconds(5)
  /// After many.
  static let longestPause = TimeAmount.minutes(5)

  private struct Entry {
    var message: MailMessage
    var refusals = 0
    /// Of its own, whatever others have.
    var notBefore: NIODeadline
    let deadline: NIODeadline
  }

  private let loop: any EventLoop
  private let connect: MailConnector
  private let log: Logger
  private var settings = NotifierSettings.Mail()
  private var heloName = "localhost"
  private var waiting = CircularBuffer<Entry>()
  private var current: (entry: Entry, channel: (any Channel)?)?
  /// Until then the server is left alone.
  private var pauseEnd = NIODeadline.distantPast
  private var wake: Scheduled<Void>?
  private var failures = 0
  private var pushedOut = Losses()
  private var isClosing = false
  private var isAborted = false
  private var idlePromises: [EventLoopPromise<Void>] = []

  /// Mails that a server has taken.
  private(set) var sentCount = 0
  /// Mails that nobody will get.
  private(set) var lostCount = 0

  init(on loop: any EventLoop, connect: @escaping MailConnector, log: Logger) {
    self.loop = loop
    self.connect = connect
    self.log = log
  }

  /// Takes over another configuration, for what waits as well.
  func configure(_ settings: NotifierSettings.Mail, heloName: String) {
    let isOtherServer = settings.server != self.settings.server || settings.port != self.settings.port
    self.settings = settings
    self.heloName = heloName
    if !settings.isUsable { lose(all: "there is no mail any longer") }
    if isOtherServer { endPause() }
    pump()
  }

  /// Sends a mail some time.
  func add(_ message: MailMessage) {
    guard settings.isUsable, !isClosing else { return }
    while waiting.count >= MailQueue.waitingMax {
      waiting.removeFirst()
      lostCount += 1
      if pushedOut.add() { log.warning("mail: more than \(MailQueue.waitingMax) wait, the oldest are dropped") }
    }
    waiting.append(Entry(message: message, notBefore: .distantPast, deadline: loop.now + MailQueue.patience))
    pump()
  }

  /// Takes no more, and tries once more what it has.
  /// - Returns: when all of it has been sent or given up.
  func close() -> EventLoopFuture<Void> {
    isClosing = true
    endPause()
    let promise = loop.makePromise(of: Void.self)
    idlePromises.append(promise)
    pump()
    return promise.futureResult
  }

  /// Gives up whatever is left, at once.
  func abort() {
    (isClosing, isAborted) = (true, true)
    if let current {
      self.current = nil
      lose(current.entry, "lbd ends")
      current.channel?.close(promise: nil)
    }
    lose(all: "lbd ends")
    pump()
  }

  /// How many wait, the one being sent included.
  var count: Int { waiting.count + (current == nil ? 0 : 1) }

  private func pump() {
    let now = loop.now
    while let first = waiting.first, first.deadline <= now {
      waiting.removeFirst()
      lose(first, "it could not be sent for \(MailQueue.patience.words)")
    }
    guard current == nil else { return }
    guard !waiting.isEmpty else { return idle() }
    wake?.cancel()
    // At the end there is one try for each, now.
    let due = isClosing ? now : max(pauseEnd, waiting.map(\.notBefore).min() ?? now)
    guard due <= now else {
      wake = loop.assumeIsolated().scheduleTask(deadline: due) { [self] in pump() }
      return
    }
    guard let index = waiting.firstIndex(where: { isClosing || $0.notBefore <= now }), let server = settings.server
    else {
      return
    }
    let entry = waiting.remove(at: index)
    let (limit, place) = (answerLimit, "\(server) port \(settings.port)")
    current = (entry, nil)
    connect(server, settings.port, limit).assumeIsolated().whenComplete { [self] result in
      switch result {
      case .success(let channel): converse(channel, limit, place)
      case .failure(let error): ended(.failed("\(error)"), place)
      }
    }
  }

  private func idle() {
    if let count = pushedOut.end() { log.notice("mail: \(count) were dropped; none waits any longer") }
    for promise in idlePromises { promise.succeed() }
    idlePromises = []
  }

  /// Whatever the configuration says: not nothing, nor years.
  private var answerLimit: TimeAmount { min(max(settings.connectTimeout, .seconds(1)), .hours(1)) }

  private func converse(_ channel: any Channel, _ limit: TimeAmount, _ place: String) {
    guard let entry = current?.entry, !isAborted else { return channel.close(promise: nil) }
    current?.channel = channel
    let dialogue = MailDialogue(entry.message, heloName: heloName)
    let handler = MailHandler(dialogue, answerLimit: limit) { [self] in ended($0, place) }
    do {
      try channel.pipeline.syncOperations.addHandler(handler)
    } catch {
      channel.close(promise: nil)
      ended(.failed("\(error)"), place)
    }
  }

  private func ended(_ attempt: MailAttempt, _ place: String) {
    guard var entry = current?.entry else { return }
    current = nil
    switch attempt {
    case .finished(.sent(let refusals)):
      worked(place)
      sentCount += 1
      log.info("mail: sent '\(entry.message.subject)' to \(entry.message.recipients.count - refusals.count) recipients")
      takeBack(refusals, &entry)
      if !entry.message.recipients.isEmpty { later(entry, refusals) }
    case .finished(.noRecipients(let refusals)):
      worked(place)
      takeBack(refusals, &entry)
      entry.message.recipients.isEmpty ? lose(entry, "no recipient is accepted") : later(entry, refusals)
    case .finished(.refused(let step, let reply)):
      if reply.isPermanent {
        worked(place)
        lose(entry, "\(place) refuses it at \(step): \(reply.description)")
      } else {
        refused(entry, step, reply, place)
      }
    case .finished(.notUnderstood(let step, let reason)):
      again(entry, "\(reason) is no answer to \(step)", place)
    case .failed(let reason):
      again(entry, reason, place)
    }
    pump()
  }

  /// Recipients that may yet be accepted stay, the others are said.
  private func takeBack(_ refusals: [MailDialogue.Refusal], _ entry: inout Entry) {
    entry.message.recipients = refusals.filter { !$0.reply.isPermanent }.map(\.recipient)
    for refusal in refusals where refusal.reply.isPermanent {
      log.warning("mail: <\(refusal.recipient)> is refused: \(refusal.reply.description)")
    }
  }

  /// Recipients that are refused for now have the mail later, and nobody else waits for that.
  private func later(_ entry: Entry, _ refusals: [MailDialogue.Refusal]) {
    var entry = entry
    let reason = refusals.last { !$0.reply.isPermanent }?.reply.description ?? ""
    entry.refusals += 1
    guard entry.refusals < MailQueue.refusalsMax, !isClosing, settings.isUsable else {
      return lose(entry, "\(entry.message.recipients.joined(separator: ", ")) refused: \(reason)")
    }
    entry.notBefore = loop.now + MailQueue.pause(after: entry.refusals)
    waiting.prepend(entry)
  }

  /// The server takes no mail yet, or not this one.
  private func refused(_ entry: Entry, _ step: String, _ reply: MailReply, _ place: String) {
    var entry = entry
    entry.refusals += 1
    let reason = "\(reply.description), to \(step)"
    guard entry.refusals < MailQueue.refusalsMax, !isClosing else {
      return lose(entry, "\(place) has refused it \(entry.refusals) times: \(reason)")
    }
    again(entry, reason, place)
  }

  /// The server does not work.
  private func again(_ entry: Entry, _ reason: String, _ place: String) {
    guard !isClosing, settings.isUsable else {
      lose(entry, "\(place): \(reason)")
      return lose(all: isClosing ? "\(place) does not work, and lbd ends" : "there is no mail any longer")
    }
    waiting.prepend(entry)
    failures += 1
    let time = MailQueue.pause(after: failures)
    pauseEnd = loop.now + time
    let words = "mail: cannot send by \(place): \(reason) (\(count) wait, tried again in \(time.words)"
    failures == 1 ? log.warning("\(words) and later)") : log.debug("\(words))")
  }

  /// 5 s, 10 s, … after one failure, two, …
  static func pause(after failures: Int) -> TimeAmount {
    min(.nanoseconds(firstPause.nanoseconds << Int64(min(max(failures - 1, 0), 10))), longestPause)
  }

  private func worked(_ place: String) {
    if failures > 0 { log.notice("mail: \(place) takes mail again, after \(failures) failures") }
    failures = 0
  }

  private func endPause() {
    pauseEnd = .distantPast
    failures = 0
  }

  private func lose(_ entry: Entry, _ reason: String) {
    lostCount += 1
    log.warning("mail: '\(entry.message.subject)' is given up: \(reason)")
  }

  private func lose(all reason: String) {
    guard !waiting.isEmpty else { return }
    lostCount += waiting.count
    log.warning("mail: \(waiting.count) are given up: \(reason)")
    waiting.removeAll()
  }
}
