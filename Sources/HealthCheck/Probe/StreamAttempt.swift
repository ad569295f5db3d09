import NIOCore
import NIOSSL

/// One conversation over one connection, with its limits of time.
///
/// keepalived gives a server `connect_timeout` for every piece of an answer, so one that sends a byte now and then is
/// never found out; here an attempt as a whole has a limit too.
final class StreamAttempt: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  /// The limits of an attempt.
  struct Limits {
    /// For every wait.
    var wait: TimeAmount
    /// Every piece that comes begins the wait anew; otherwise only what is sent does.
    var piecesCount: Bool
    /// When the attempt is over in any case.
    var end: NIODeadline
  }

  private var conversation: any StreamConversation
  private let limits: Limits
  private let usesTLS: Bool
  private let loop: any EventLoop
  private var done: ((AttemptResult) -> Void)?
  private var channel: (any Channel)?
  private var waitEnd = NIODeadline.distantFuture
  private var timer: Scheduled<Void>?
  /// What was to be sent has left: over TLS, the handshake is complete then.
  private var hasSent = false

  init(
    _ conversation: any StreamConversation, limits: Limits, usesTLS: Bool, on loop: any EventLoop,
    then done: @escaping (AttemptResult) -> Void
  ) {
    self.conversation = conversation
    self.limits = limits
    self.usesTLS = usesTLS
    self.loop = loop
    self.done = done
  }

  /// No connection.
  func fail(_ error: CheckError) { end(AttemptResult(error)) }

  /// Nobody is interested any more.
  func cancel() {
    done = nil
    close()
  }

  func handlerAdded(context: ChannelHandlerContext) {
    channel = context.channel
    if done == nil { close() }
  }

  func channelActive(context: ChannelHandlerContext) {
    beginWait()
    take(conversation.open())
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard done != nil else { return }
    if limits.piecesCount { beginWait() }
    take(unwrapInboundIn(data).withUnsafeReadableBytes { conversation.receive($0) })
  }

  func channelInactive(context: ChannelHandlerContext) {
    guard done != nil else { return }
    end(usesTLS && !hasSent ? .failed(.handshake("closed")) : conversation.close())
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    // Many servers close TLS without saying so. It is the end of the stream then; that the channel is inactive comes next.
    if hasSent, let error = error as? NIOSSLError, error == .uncleanShutdown { return }
    if let error = error as? IOError { return end(.failed(.read(error.errnoCode))) }
    end(.failed(usesTLS && !hasSent ? .handshake(StreamAttempt.words(error)) : .malformed))
  }

  private func take(_ turn: ConversationTurn) {
    switch turn {
    case .wait: break
    case .end(let result): end(result)
    case .send(let bytes):
      guard let channel else { return }
      let sent = loop.makePromise(of: Void.self)
      sent.futureResult.assumeIsolated().whenSuccess { [self] in
        hasSent = true
        beginWait()
      }
      channel.writeAndFlush(channel.allocator.buffer(bytes: bytes), promise: sent)
    }
  }

  /// The timer is not moved with every piece: when it fires too early it is set again.
  private func beginWait() {
    guard done != nil else { return }
    waitEnd = min(loop.now + limits.wait, limits.end)
    if timer == nil { setTimer() }
  }

  private func setTimer() {
    timer = loop.assumeIsolated().scheduleTask(deadline: waitEnd) { [self] in
      timer = nil
      guard done != nil else { return }
      guard loop.now >= waitEnd else { return setTimer() }
      if usesTLS, !hasSent { return end(.failed(.handshake("no answer in time"))) }
      end(.failed(waitEnd == limits.end && limits.piecesCount ? .deadline : .readTimeout))
    }
  }

  private func end(_ result: AttemptResult) {
    guard let done else { return }
    self.done = nil
    close()
    done(result)
  }

  private func close() {
    timer?.cancel()
    timer = nil
    channel?.close(promise: nil)
    channel = nil
  }

  /// The library's words, without its names of types.
  private static func words(_ error: any Error) -> String {
    let text = "\(error)"
    // OpenSSL's form is "error:NUMBER:LIBRARY:FUNCTION:REASON at FILE:LINE".
    guard let start = text.firstRange(of: "OPENSSL_internal:")?.upperBound else { return String(text.prefix(200)) }
    return String(text[start...].prefix { $0 != " " && $0 != "]" }.prefix(200))
  }
}
