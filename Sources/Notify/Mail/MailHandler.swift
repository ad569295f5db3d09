import NIOCore

/// What came of one connection for one mail.
enum MailAttempt: Hashable, Sendable {
  /// The server has said something about the mail.
  case finished(MailDialogue.Outcome)
  /// There was no connection, or none any longer, or no answer.
  case failed(String)
}

/// A connection to a mail server, for one mail.
///
/// Each answer has its time, which begins with the question: a server that sends a byte now and then does not prolong it. The
/// whole conversation has its time as well. Nothing is read that has not been worked on.
final class MailHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  /// Times an answer's limit, for all of it.
  static let wholeFactor: Int64 = 20
  /// For the answer to QUIT, which no longer matters.
  static let farewellLimit = TimeAmount.seconds(5)

  private var dialogue: MailDialogue
  private let answerLimit: TimeAmount
  private var onEnd: ((MailAttempt) -> Void)?
  private var answerTimer: Scheduled<Void>?
  private var wholeTimer: Scheduled<Void>?
  private var failure: String?

  /// - Parameter onEnd: called once, when the connection is closed.
  init(_ dialogue: MailDialogue, answerLimit: TimeAmount, onEnd: @escaping (MailAttempt) -> Void) {
    self.dialogue = dialogue
    self.answerLimit = answerLimit
    self.onEnd = onEnd
  }

  func handlerAdded(context: ChannelHandlerContext) {
    if context.channel.isActive { begin(context) }
  }

  func channelActive(context: ChannelHandlerContext) {
    begin(context)
    context.fireChannelActive()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let step = dialogue.name
    let answer = dialogue.receive(unwrapInboundIn(data).readableBytesView)
    if !answer.isEmpty {
      context.writeAndFlush(wrapOutboundOut(context.channel.allocator.buffer(bytes: answer)), promise: nil)
    }
    if dialogue.isOver {
      context.close(promise: nil)
    } else if dialogue.name != step {
      waitForAnswer(context)
    }
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    if !dialogue.isOver { context.read() }
  }

  func channelInactive(context: ChannelHandlerContext) {
    end()
    context.fireChannelInactive()
  }

  func handlerRemoved(context: ChannelHandlerContext) { end() }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    give(up: "\(error)", context)
  }

  private func begin(_ context: ChannelHandlerContext) {
    guard wholeTimer == nil else { return }
    let whole = TimeAmount.nanoseconds(answerLimit.nanoseconds.multipliedSafely(by: MailHandler.wholeFactor))
    wholeTimer = context.eventLoop.assumeIsolated().scheduleTask(in: whole) { [self] in
      give(up: "it takes longer than \(whole.words)", context)
    }
    waitForAnswer(context)
    context.read()
  }

  private func waitForAnswer(_ context: ChannelHandlerContext) {
    answerTimer?.cancel()
    let limit = dialogue.outcome == nil ? answerLimit : min(answerLimit, MailHandler.farewellLimit)
    answerTimer = context.eventLoop.assumeIsolated().scheduleTask(in: limit) { [self] in
      give(up: "no answer to \(dialogue.name) within \(limit.words)", context)
    }
  }

  private func give(up reason: String, _ context: ChannelHandlerContext) {
    failure = failure ?? reason
    context.close(promise: nil)
  }

  private func end() {
    answerTimer?.cancel()
    wholeTimer?.cancel()
    let attempt =
      dialogue.outcome.map(MailAttempt.finished)
      ?? .failed(failure ?? "the connection was closed in place of an answer to \(dialogue.name)")
    onEnd?(attempt)
    onEnd = nil
  }
}

extension Int64 {
  /// At most the greatest number.
  func multipliedSafely(by factor: Int64) -> Int64 {
    let (value, isTooLarge) = multipliedReportingOverflow(by: factor)
    return isTooLarge ? .max : value
  }
}

extension TimeAmount {
  /// `30 s`, `1.5 s`.
  var words: String {
    nanoseconds % 1_000_000_000 == 0
      ? "\(nanoseconds / 1_000_000_000) s" : "\(Double(nanoseconds / 1_000_000) / 1000) s"
  }
}
