import NIOCore
import NIOPosix
import Testing

@testable import Web

/// Over real sockets.
struct WebListenerTests {
  private final class Reader: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private var bytes: [UInt8] = []
    let text: String
    let end: EventLoopPromise<String>

    init(_ text: String, _ end: EventLoopPromise<String>) {
      self.text = text
      self.end = end
    }

    // At once, not when this test has its next turn: on a busy machine that may be later than the listener waits. The other
    // end may be gone already.
    func channelActive(context: ChannelHandlerContext) {
      context.writeAndFlush(NIOAny(ByteBuffer(string: text)), promise: nil)
    }
    func channelRead(context: ChannelHandlerContext, data: NIOAny) { bytes += unwrapInboundIn(data).readableBytesView }
    func channelInactive(context: ChannelHandlerContext) { end.succeed(String(decoding: bytes, as: UTF8.self)) }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
  }

  /// Connects, sends, and waits for the end of the connection.
  private static func ask(_ text: String, at address: SocketAddress) async throws -> String {
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    let end = loop.makePromise(of: String.self)
    let connection = ClientBootstrap(group: loop).channelInitializer { channel in
      channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Reader(text, end)) }
    }.connect(to: address)
    connection.whenFailure { end.fail($0) }
    return try await end.futureResult.get()
  }

  private static func listener(_ limits: WebListener.Limits = .init()) -> WebListener {
    WebListener(
      on: MultiThreadedEventLoopGroup.singleton.next(), pages: ["/healthz": .fixed("text/plain", "ok\n")],
      limits: limits)
  }

  @Test func itAnswersAndEnds() async throws {
    let listener = WebListenerTests.listener()
    let address = try await listener.start(at: SocketAddress(ipAddress: "127.0.0.1", port: 0)).get()
    let answer = try await WebListenerTests.ask(
      "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", at: address)
    #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n") && answer.hasSuffix("\r\n\r\nok\n"))
    try await listener.stop().get()
    await #expect(throws: (any Error).self) { try await WebListenerTests.ask("", at: address) }
  }

  @Test func silenceIsEnded() async throws {
    var limits = WebListener.Limits()
    limits.silence = .milliseconds(20)
    let listener = WebListenerTests.listener(limits)
    let address = try await listener.start(at: SocketAddress(ipAddress: "127.0.0.1", port: 0)).get()
    #expect(try await WebListenerTests.ask("GET", at: address) == "")
    try await listener.stop().get()
  }

  @Test func oneConnectionTooManyIsClosed() async throws {
    var limits = WebListener.Limits()
    limits.connectionsMax = 1
    limits.silence = .hours(1)
    let listener = WebListenerTests.listener(limits)
    let address = try await listener.start(at: SocketAddress(ipAddress: "127.0.0.1", port: 0)).get()
    let first = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton).connect(to: address).get()
    while try await listener.connectionCount().get() == 0 { await Task.yield() }
    #expect(try await WebListenerTests.ask("GET /healthz HTTP/1.0\r\n\r\n", at: address) == "")
    try await first.close()
    while try await listener.connectionCount().get() > 0 { await Task.yield() }
    #expect(try await WebListenerTests.ask("GET /healthz HTTP/1.0\r\n\r\n", at: address).contains("200 OK"))
    try await listener.stop().get()
  }

  @Test func aPortThatIsTakenIsSaid() async throws {
    let listener = WebListenerTests.listener()
    let address = try await listener.start(at: SocketAddress(ipAddress: "127.0.0.1", port: 0)).get()
    let failure = await #expect(throws: WebListener.Failure.self) {
      try await WebListenerTests.listener().start(at: address).get()
    }
    let text = try #require(failure).description
    #expect(text.hasPrefix("cannot listen on ") && text.contains("another program may have the port"))
    try await listener.stop().get()
  }
}
