import Kernel
import NIOCore
import Web

/// What is shown by HTTP, as far as it changes: questions go by an inbox to the director's thread, which alone may look at
/// everything, and answers come back to the event loop.
///
/// Whoever asks often is answered from what was made for somebody else a moment ago: the director is asked for each text
/// five times a second at most, however many ask.
final class WebTexts: Sendable {
  /// What may be asked for.
  enum Name: Hashable, Sendable {
    case metrics, status, health
  }

  /// The director is busy, or ends.
  struct Unanswered: Error, CustomStringConvertible {
    let description = "lbd is busy, ask again"
  }

  private struct Text {
    var made: NIODeadline?
    var bytes: [UInt8] = []
    var waiting: [EventLoopPromise<[UInt8]>] = []
  }

  private let loop: any EventLoop
  private let inbox: Inbox<Name>
  private let texts: NIOLoopBoundBox<[Name: Text]>
  private let patience: TimeAmount

  /// How long a text is good enough.
  static let freshness = TimeAmount.milliseconds(200)
  /// How many wait for one text.
  static let waitingMax = 256

  /// - Parameter patience: how long one waits for the director.
  init(on loop: any EventLoop, patience: TimeAmount = .seconds(5)) throws {
    self.loop = loop
    self.patience = patience
    inbox = try Inbox<Name>()
    texts = .makeBoxSendingValue([:], eventLoop: loop)
  }

  /// Readable while there are questions.
  var descriptor: Int32 { inbox.descriptor }

  /// What has been asked for; on the director's thread.
  func questions() -> Set<Name> { Set(inbox.take()) }

  /// Answers a question.
  func answer(_ name: Name, _ text: String) {
    let bytes = Array(text.utf8)
    loop.execute { [self] in
      let waiting = texts.value[name]?.waiting ?? []
      texts.value[name] = Text(made: loop.now, bytes: bytes)
      for promise in waiting { promise.succeed(bytes) }
    }
  }

  /// The text, from now or a moment ago; on the loop.
  func text(_ name: Name) -> EventLoopFuture<[UInt8]> {
    var text = texts.value[name] ?? Text()
    if let made = text.made, loop.now - made < WebTexts.freshness { return loop.makeSucceededFuture(text.bytes) }
    guard text.waiting.count < WebTexts.waitingMax else { return loop.makeFailedFuture(Unanswered()) }
    if text.waiting.isEmpty { inbox.post(name) }
    let promise = loop.makePromise(of: [UInt8].self)
    text.waiting.append(promise)
    texts.value[name] = text
    let limit = loop.scheduleTask(in: patience) { promise.fail(Unanswered()) }
    promise.futureResult.whenComplete { _ in limit.cancel() }
    return promise.futureResult
  }

  /// Whoever waits is told that there will be no answer.
  func close() {
    try? loop.submit { [texts] in
      for promise in texts.value.values.flatMap(\.waiting) { promise.fail(Unanswered()) }
      texts.value = [:]
    }.wait()
  }

  /// The pages.
  var pages: [String: WebPage] {
    func page(_ type: String, _ name: Name) -> WebPage { WebPage(type) { [self] _ in text(name) } }
    return [
      "/metrics": page("text/plain; version=0.0.4; charset=utf-8", .metrics),
      "/healthz": page("text/plain; charset=utf-8", .health),
      "/api/v1/status": page("application/json", .status),
      "/": .fixed("text/html; charset=utf-8", policy: StatusPage.policy, StatusPage.html),
      "/status.css": .fixed("text/css; charset=utf-8", StatusPage.style),
      "/status.js": .fixed("text/javascript; charset=utf-8", StatusPage.script),
    ]
  }
}
