import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix

/// A small HTTP server for what lbd has to show: metrics, status, a page for people.
///
/// It reads and never changes anything, and whoever speaks to it is taken for hostile: so many connections at a time, heads of
/// a limited size, a limit for silence and one for a connection as a whole, one request at a time. All of it is on one
/// event loop.
///
///     let listener = WebListener(on: loop, pages: ["/healthz": .fixed("text/plain", "ok\n")])
///     try await listener.start(at: address).get()
///     try await listener.stop().get()
public final class WebListener: Sendable {
  /// What one may take.
  public struct Limits: Hashable, Sendable {
    /// Connections at a time; one more is closed at once.
    public var connectionsMax = 64
    /// Bytes of all headers of a request; so many again for its first line.
    public var headerBytesMax = 8192
    /// Without a byte in either direction.
    public var silence = TimeAmount.seconds(10)
    /// Of a connection as a whole.
    public var lifetime = TimeAmount.minutes(5)

    /// The defaults.
    public init() {}
  }

  /// Why nobody can be listened to, said the way an operator needs it.
  public struct Failure: Error, CustomStringConvertible {
    /// What was being done, on which address, and why it cannot be.
    public let description: String
  }

  private struct State {
    var server: (any Channel)?
    var connections: [ObjectIdentifier: any Channel] = [:]
    var isStopping = false
  }

  private let loop: any EventLoop
  private let pages: [String: WebPage]
  private let limits: Limits
  private let state: NIOLoopBoundBox<State>

  /// - Parameter pages: by their paths.
  public init(on loop: any EventLoop, pages: [String: WebPage], limits: Limits = Limits()) {
    self.loop = loop
    self.pages = pages
    self.limits = limits
    state = .makeBoxSendingValue(State(), eventLoop: loop)
  }

  /// Begins to listen. At an address of loopback only those who ask by an address or as localhost are answered.
  /// - Returns: where it listens, as the port may have been 0; fails with a `Failure`.
  public func start(at address: SocketAddress) -> EventLoopFuture<SocketAddress> {
    let acceptsAnyHost = !WebListener.isLoopback(address)
    let bootstrap = ServerBootstrap(group: loop)
      .serverChannelOption(.backlog, value: 64)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelOption(.maxMessagesPerRead, value: 1)
      .childChannelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 4096))
      .childChannelInitializer { [self] channel in
        channel.eventLoop.makeCompletedFuture { try setUp(channel, acceptsAnyHost) }
      }
    return bootstrap.bind(to: address).hop(to: loop).flatMapThrowing { [self] channel in
      guard !state.value.isStopping else {
        channel.close(promise: nil)
        throw Failure(description: "cannot listen on \(address): lbd ends (nothing to do)")
      }
      state.value.server = channel
      return channel.localAddress ?? address
    }.flatMapErrorThrowing { error in
      guard let error = error as? IOError else { throw error }
      throw Failure(
        description:
          "cannot listen on \(address): \(String(cString: strerror(error.errnoCode))) (another program may have the port, or the host not the address)"
      )
    }
  }

  /// Ends, connections included.
  public func stop() -> EventLoopFuture<Void> {
    loop.flatSubmit { [self] in
      state.value.isStopping = true
      let channels = [state.value.server].compactMap { $0 } + state.value.connections.values
      state.value.server = nil
      return EventLoopFuture.andAllComplete(channels.map { $0.close() }, on: loop)
    }
  }

  /// How many connections there are.
  public func connectionCount() -> EventLoopFuture<Int> { loop.submit { [self] in state.value.connections.count } }

  private func setUp(_ channel: any Channel, _ acceptsAnyHost: Bool) throws {
    guard !state.value.isStopping, state.value.connections.count < limits.connectionsMax else {
      throw Failure(description: "too many connections")
    }
    state.value.connections[ObjectIdentifier(channel)] = channel
    let lifetime = loop.scheduleTask(in: limits.lifetime) { channel.close(promise: nil) }
    channel.closeFuture.whenComplete { [state] _ in
      lifetime.cancel()
      state.value.connections[ObjectIdentifier(channel)] = nil
    }
    try WebListener.fill(channel.pipeline.syncOperations, pages, limits, acceptsAnyHost)
  }

  /// The handlers of a connection.
  static func fill(
    _ pipeline: ChannelPipeline.SynchronousOperations, _ pages: [String: WebPage], _ limits: Limits,
    _ acceptsAnyHost: Bool
  ) throws {
    try pipeline.addHandler(IdleStateHandler(allTimeout: limits.silence))
    try pipeline.addHandler(RequestLineLimit(bytesMax: limits.headerBytesMax * 2))
    var decoder = NIOHTTPDecoderLimitConfiguration()
    decoder.maxHeaderFieldSize = limits.headerBytesMax
    decoder.maxHeaderListSize = limits.headerBytesMax
    decoder.maxHeaderFieldCount = 64
    try pipeline.configureHTTPServerPipeline(withEncoderConfiguration: .init(), withDecoderLimitConfiguration: decoder)
    try pipeline.addHandler(WebHandler(pages, acceptsAnyHost: acceptsAnyHost))
  }

  private static func isLoopback(_ address: SocketAddress) -> Bool {
    switch address {
    case .v4: address.ipAddress?.hasPrefix("127.") ?? false
    case .v6: address.ipAddress == "::1"
    case .unixDomainSocket: true
    }
  }
}
