import Kernel
import NIOCore
import Synchronization
import Web

/// Between those who ask by HTTP and the director: questions come by an inbox to the director's thread, which alone may look at
/// everything, and answers go back to the loop.
///
/// Whoever asks often is answered from what was made for somebody else a moment ago: the director is asked for each of
/// the texts five times a second at most, however many ask.
final class WebDesk: Sendable {
  /// What may be asked for.
  enum Text: Hashable, Sendable, CaseIterable {
    case metrics, status, health
  }

  /// Nobody has answered: the director is busy, or ends.
  struct Unanswered: Error, CustomStringConvertible {
    let description = "lbd is busy, ask again"
  }

  private struct Held {
    var made = NIODeadline.distantPast
    var bytes: [UInt8] = []
    var waiting: [EventLoopPromise<[UInt8]>] = []
  }

  private let questions: Inbox<Text>
  private let held: NIOLoopBoundBox<[Text: Held]>
  private let loop: any EventLoop
  private let listener: WebListener

  /// How long a text is good enough.
  static let freshness = TimeAmount.milliseconds(200)
  /// How long one waits for the director.
  static let patience = TimeAmount.seconds(5)

  init(on loop: any EventLoop) throws {
    self.loop = loop
    questions = try Inbox<Text>()
    held = .makeBoxSendingValue([:], eventLoop: loop)
    let pages = WebPages()
    listener = WebListener(on: loop, pages: pages.all)
    pages.ask.withLock { [unowned self] in $0 = { self.text($0) } }
  }

  /// Readable while there are questions.
  var descriptor: Int32 { questions.descriptor }

  /// Begins to listen, and waits until it does.
  /// - Throws: `WebListener.Failure`.
  func start(at address: SocketAddress) throws -> SocketAddress { try listener.start(at: address).wait() }

  /// Ends, and waits for that.
  func stop() {
    try? listener.stop().wait()
    try? loop.submit { [self] in
      for text in held.value.values { for promise in text.waiting { promise.fail(Unanswered()) } }
      held.value = [:]
    }.wait()
  }

  /// Answers what has been asked; on the director's thread.
  func serve(_ answer: (Text) -> String) {
    for text in Set(questions.take()) {
      let bytes = Array(answer(text).utf8)
      loop.execute { [self] in
        let waiting = held.value[text]?.waiting ?? []
        held.value[text] = Held(made: loop.now, bytes: bytes)
        for promise in waiting { promise.succeed(bytes) }
      }
    }
  }

  private func text(_ text: Text) -> EventLoopFuture<[UInt8]> {
    var entry = held.value[text] ?? Held()
    if entry.waiting.isEmpty, loop.now - entry.made < WebDesk.freshness, !entry.bytes.isEmpty {
      return loop.makeSucceededFuture(entry.bytes)
    }
    let promise = loop.makePromise(of: [UInt8].self)
    if entry.waiting.isEmpty { questions.post(text) }
    entry.waiting.append(promise)
    held.value[text] = entry
    let limit = loop.scheduleTask(in: WebDesk.patience) { promise.fail(Unanswered()) }
    promise.futureResult.whenComplete { _ in limit.cancel() }
    return promise.futureResult
  }
}

/// The paths.
private final class WebPages: Sendable {
  let ask = Mutex<(@Sendable (WebDesk.Text) -> EventLoopFuture<[UInt8]>)?>(nil)

  var all: [String: WebPage] {
    [
      "/metrics": page("text/plain; version=0.0.4; charset=utf-8", .metrics),
      "/healthz": page("text/plain; charset=utf-8", .health),
      "/api/v1/status": page("application/json", .status),
      "/": .fixed("text/html; charset=utf-8", policy: StatusPage.policy, StatusPage.html),
      "/status.css": .fixed("text/css; charset=utf-8", StatusPage.style),
      "/status.js": .fixed("text/javascript; charset=utf-8", StatusPage.script),
    ]
  }

  private func page(_ type: String, _ text: WebDesk.Text) -> WebPage {
    WebPage(type) { [self] loop in
      ask.withLock { $0 }?(text) ?? loop.makeFailedFuture(WebDesk.Unanswered())
    }
  }
}
