import Logging
import NIOCore

/// Mails on their way: one connection at a time, in the order in which they came.
///
/// A server that is away is asked again after 5 s, then after twice as long each time, up to five minutes. A mail that the server
/// refuses for now is tried six times. What is an hour old is given up, and what would be the 257th to wait pushes the oldest one
/// out: news of the present are worth more. Nobody waits for any of this.
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
    let deadline: NIODeadline
  }

  private let loop: any EventLoop
  private let connect: MailConnector
  private let log: Logger
  private var settings = NotifierSettings.Mail()
  private var heloName = "localhost"
  private var waiting = CircularBuffer<Entry>()
  private var current: (entry: Entry, channel: (any Channel)?)?
  private var pause: Scheduled<Void>?
  private var failures = 0
  private var pushedOut = Losses()
  private var isClosing = false
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
    if waiting.count >= MailQueue.waitingMax {
      waiting.removeFirst()
      lostCount += 1
      if pushedOut.add() { log.warning("mail: more than \(MailQueue.waitingMax) wait, the oldest are dropped") }
    }
    waiting.append(Entry(message: message, deadline: loop.now + MailQueue.patience))
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

  /// Gives up whatever is left.
  func abort() {
    isClosing = true
    lose(all: "lbd ends")
    if let channel = current?.channel { channel.close(promise: nil) }
    pump()
  }

  /// How many wait, the one being sent included.
  var count: Int { waiting.count + (current == nil ? 0 : 1) }

  private func pump() {
    while let first = waiting.first, first.deadline <= loop.now {
      waiting.removeFirst()
      lose(first, "it could not be sent for \(MailQueue.patience.words)")
    }
    if waiting.isEmpty {
      if let count = pushedOut.end() { log.notice("mail: \(count) were dropped; none waits any longer") }
      if current == nil {
        for promise in idlePromises { promise.succeed() }
        idlePromises = []
      }
    }
    guard current == nil, pause == nil, let entry = waiting.popFirst(), let server = settings.server else { return }
    current = (entry, nil)
    let (limit, place) = (settings.connectTimeout, "\(server) port \(settings.port)")
    connect(server, settings.port, limit).assumeIsolated().whenComplete { [self] result in
      switch result {
      case .success(let channel): converse(channel, limit, place)
      case .failure(let error): ended(.failed("\(error)"), place)
      }
    }
  }

  private func converse(_ channel: any Channel, _ limit: TimeAmount, _ place: String) {
    guard let entry = current?.entry else { return }
    current?.channel = channel
    let dialogue = MailDialogue(entry.message, heloName: heloName)
    let handler = MailHandler(dialogue, answerLimit: limit) { [self] in ended($0, place) }
    do {
      try channel.pipeline.syncOperations.addHandler(handler)
      // Aborted while it was being opened, or closed by the other side before anybody listened.
      if isClosing && !channel.isActive { channel.close(promise: nil) }
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
      // The others have it: whatever comes next need not wait for these.
      if !entry.message.recipients.isEmpty, entry.refusals < MailQueue.refusalsMax, !isClosing { waiting.append(entry) }
    case .finished(.noRecipients(let refusals)):
      takeBack(refusals, &entry)
      entry.message.recipients.isEmpty ? lose(entry, "no recipient is accepted") : refused(entry, refusals[0].reply, place)
    case .finished(.refused(let step, let reply)):
      reply.isPermanent
        ? lose(entry, "\(place) refuses it at \(step): \(reply.description)") : refused(entry, reply, place)
    case .finished(.notUnderstood(let step, let reason)):
      again(entry, "\(reason) is no answer to \(step)", place)
    case .failed(let reason):
      again(entry, reason, place)
    }
    pump()
  }

  /// Recipients that may yet be accepted stay, the others are said.
  private func takeBack(_ refusals: [MailDialogue.Refusal], _ entry: inout Entry) {
    entry.refusals += 1
    entry.message.recipients = refusals.filter { !$0.reply.isPermanent }.map(\.recipient)
    for refusal in refusals where refusal.reply.isPermanent {
      log.warning("mail: <\(refusal.recipient)> is refused: \(refusal.reply.description)")
    }
  }

  /// The server works, but does not take this mail yet.
  private func refused(_ entry: Entry, _ reply: MailReply, _ place: String) {
    var entry = entry
    entry.refusals += 1
    guard entry.refusals < MailQueue.refusalsMax else {
      return lose(entry, "\(place) has refused it \(entry.refusals) times: \(reply.description)")
    }
    again(entry, reply.description, place)
  }

  private func again(_ entry: Entry, _ reason: String, _ place: String) {
    guard !isClosing, settings.isUsable else {
      lose(entry, "\(place): \(reason)")
      return lose(all: "lbd ends")
    }
    waiting.prepend(entry)
    let nanoseconds = MailQueue.firstPause.nanoseconds.multipliedSafely(by: 1 << Int64(min(failures, 10)))
    let time = min(.nanoseconds(nanoseconds), MailQueue.longestPause)
    failures += 1
    if failures == 1 {
      log.warning("mail: cannot send by \(place): \(reason) (\(count) wait, tried again in \(time.words) and later)")
    } else {
      log.debug("mail: cannot send by \(place): \(reason) (\(count) wait, tried again in \(time.words))")
    }
    pause = loop.assumeIsolated().scheduleTask(in: time) { [self] in
      pause = nil
      pump()
    }
  }

  private func worked(_ place: String) {
    if failures > 0 { log.notice("mail: \(place) takes mail again, after \(failures) failures") }
    failures = 0
  }

  private func endPause() {
    pause?.cancel()
    pause = nil
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
