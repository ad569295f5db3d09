import Glibc
import NIOCore
import NIOPosix
import Wire

/// DNS_CHECK, UDP_CHECK and PING_CHECK: a socket for every attempt, a datagram out, an answer within `connect_timeout`.
final class DatagramProbe: Probe {
  private let definition: CheckDefinition
  private let loop: any EventLoop
  private let kinds: [DatagramSocket.Kind]
  private let ways: (any CheckWays)?
  private let ask: (DatagramSocket.Kind) throws(CheckError) -> any DatagramQuestion
  private var attempt: DatagramAttempt?

  /// - Parameters:
  ///   - kinds: tried in this order until one is permitted.
  ///   - ask: a new question for every attempt.
  init(
    _ definition: CheckDefinition, over kinds: [DatagramSocket.Kind], on loop: any EventLoop,
    ways: (any CheckWays)? = nil,
    ask: @escaping (DatagramSocket.Kind) throws(CheckError) -> any DatagramQuestion
  ) {
    self.definition = definition
    self.loop = loop
    self.kinds = kinds
    self.ways = ways
    self.ask = ask
  }

  func begin(page: Int, then done: @escaping (AttemptResult) -> Void) {
    let target = definition.target
    do throws(CheckError) {
      let socket = try open(kinds, to: target)
      let question = try ask(socket.kind)
      try socket.send(question.bytes, to: target.endpoint)
      let reading = try socket.duplicate()
      let attempt = DatagramAttempt(socket, question, on: loop, then: done)
      self.attempt = attempt
      attempt.begin(reading: reading, within: definition.times.connectTimeout)
    } catch {
      done(AttemptResult(error))
    }
  }

  func cancel() {
    attempt?.cancel()
    attempt = nil
  }

  private func open(_ kinds: [DatagramSocket.Kind], to target: CheckTarget) throws(CheckError) -> DatagramSocket {
    var refusal = CheckError.definition("there is no kind of socket to try")
    for kind in kinds {
      do throws(CheckError) {
        return try DatagramSocket.connect(kind, to: target, ways: ways)
      } catch .cannotRun(let step, let number) where [EACCES, EPERM, EPROTONOSUPPORT].contains(number) {
        refusal = .cannotRun(step: step, errno: number)
      }
    }
    throw refusal
  }
}

/// The wait for an answer to one question.
private final class DatagramAttempt: ChannelInboundHandler {
  typealias InboundIn = AddressedEnvelope<ByteBuffer>

  /// The largest datagram there is, and one more byte, so that nothing is cut off unseen.
  private static let largest = 65536

  private let socket: DatagramSocket
  private let question: any DatagramQuestion
  private let loop: any EventLoop
  private var done: ((AttemptResult) -> Void)?
  private var channel: (any Channel)?
  private var timer: Scheduled<Void>?

  init(
    _ socket: consuming DatagramSocket, _ question: any DatagramQuestion, on loop: any EventLoop,
    then done: @escaping (AttemptResult) -> Void
  ) {
    self.socket = socket
    self.question = question
    self.loop = loop
    self.done = done
  }

  func begin(reading descriptor: Int32, within timeout: Duration) {
    timer = loop.assumeIsolated().scheduleTask(in: TimeAmount(timeout)) { [self] in end(question.silence) }
    let own = NIOLoopBound(self, eventLoop: loop)
    DatagramBootstrap(group: loop)
      .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: DatagramAttempt.largest))
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(own.value) }
      }
      .withBoundSocket(descriptor)
      .assumeIsolated().whenFailure { [self] error in
        end(.notRun(.cannotRun(step: "wait for an answer", errno: (error as? IOError)?.errnoCode ?? EIO)))
      }
  }

  func handlerAdded(context: ChannelHandlerContext) {
    channel = context.channel
    if done == nil { close() }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard done != nil else { return }
    let reply = unwrapInboundIn(data).data
    if let result = question.result(of: Array(reply.readableBytesView)) { end(result) }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    fail((error as? IOError)?.errnoCode)
  }

  func channelInactive(context: ChannelHandlerContext) {
    fail(nil)
  }

  /// The queue knows better than the channel.
  private func fail(_ number: Int32?) {
    guard done != nil else { return }
    end(.failed(.connect(socket.queuedError() ?? number ?? ECONNRESET)))
  }

  func cancel() {
    done = nil
    close()
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
}
