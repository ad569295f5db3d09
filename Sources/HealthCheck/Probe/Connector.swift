import Glibc
import NIOCore
import NIOPosix
import Wire

/// Opens connections for checks: from where and with which mark they are told, within one limit of time, and with
/// errors that say whether the server or this machine is to blame.
///
/// Only the former is a failure of the check. A server must not go down because the director has run out of ports.
struct Connector {
  let loop: any EventLoop
  /// For checks that go the way of clients' packets.
  var ways: (any CheckWays)?

  /// Connects.
  /// - Parameters:
  ///   - timeout: from now until the connection is there.
  ///   - initialise: is given the channel before it connects, on the loop; the caller may close it any time.
  /// - Returns: the channel, or a `CheckError`; then the channel is closed.
  func connect(
    to target: CheckTarget, within timeout: Duration, initialise: @escaping @Sendable (any Channel) throws -> Void
  ) -> EventLoopFuture<any Channel> {
    let loop = loop
    do throws(CheckError) {
      let (target, departure) = try target.departing(by: ways)
      let scope = if let departure { departure.device } else { try target.interfaceIndex() }
      return bootstrap(target, scope, timeout, notesPort: departure != nil)
        .channelInitializer { channel in
          loop.makeCompletedFuture {
            if let departure { try channel.pipeline.syncOperations.addHandler(PortNote(departure)) }
            try initialise(channel)
          }
        }
        .connect(to: SocketAddress(target.address, port: target.port, scope: scope))
        .flatMapErrorThrowing { throw Connector.checkError($0, target) }
    } catch {
      return loop.makeFailedFuture(error)
    }
  }

  /// - Parameter notesPort: the local port is to be known before the connection is.
  private func bootstrap(
    _ target: CheckTarget, _ scope: UInt32, _ timeout: Duration, notesPort: Bool
  ) -> ClientBootstrap {
    var bootstrap = ClientBootstrap(group: loop).connectTimeout(TimeAmount(timeout))
    if target.mark != 0 {
      bootstrap = bootstrap.channelOption(
        .socketOption(.init(rawValue: SocketOptions.mark)), value: SocketOptionValue(target.mark))
    }
    if scope != 0 {
      bootstrap = bootstrap.channelOption(
        .socketOption(.init(rawValue: SocketOptions.boundInterface)), value: SocketOptionValue(scope))
    }
    guard target.bindAddress != nil || target.bindPort != nil else { return bootstrap }
    let any = target.address.family == .ipv4 ? IPAddress(v4: 0) : IPAddress(high: 0, low: 0)
    if target.bindPort == nil, !notesPort {
      // For both families: the option is one of the TCP socket, whatever level it is set on.
      bootstrap = bootstrap.channelOption(
        ChannelOptions.Types.SocketOption(level: .ip, name: .init(rawValue: SocketOptions.bindAddressNoPort)), value: 1)
    } else if target.bindPort != nil {
      bootstrap = bootstrap.channelOption(.socketOption(.so_reuseaddr), value: 1)
    }
    return bootstrap.bind(
      to: SocketAddress(target.bindAddress ?? any, port: target.bindPort ?? 0, scope: scope))
  }

  /// What a failed connection means.
  static func checkError(_ error: any Error, _ target: CheckTarget) -> CheckError {
    switch error {
    case let error as CheckError: return error
    case ChannelError.connectTimeout: return .connectTimeout
    case let error as IOError:
      if isOfServer(error.errnoCode) { return .connect(error.errnoCode) }
      return .cannotRun(step: step(of: error, target), errno: error.errnoCode)
    default: return .cannotRun(step: "connect to \(target.endpoint)", errno: EIO)
    }
  }

  /// Errors that the other end, or the way there, has caused.
  static func isOfServer(_ number: Int32) -> Bool {
    switch number {
    case ECONNREFUSED, ECONNRESET, ECONNABORTED, ETIMEDOUT, EHOSTUNREACH, ENETUNREACH, EHOSTDOWN, ENETDOWN, ENOPROTOOPT,
      EPROTO, EPIPE:
      true
    default: false
    }
  }

  /// NIO names the system call, at the beginning of its words.
  private static func step(of error: IOError, _ target: CheckTarget) -> String {
    let words = error.description
    if words.hasPrefix("bind") {
      return "bind to \(Endpoint(address: target.bindAddress ?? IPAddress(v4: 0), port: target.bindPort ?? 0))"
    }
    if words.hasPrefix("setsockopt") { return "set the mark or the interface of a socket" }
    if words.hasPrefix("socket") { return "open a socket" }
    return "connect to \(target.endpoint)"
  }
}

/// Tells of the local port between bind and connect.
private final class PortNote: ChannelOutboundHandler, RemovableChannelHandler {
  typealias OutboundIn = ByteBuffer
  private let departure: CheckDeparture

  init(_ departure: CheckDeparture) { self.departure = departure }

  func connect(context: ChannelHandlerContext, to address: SocketAddress, promise: EventLoopPromise<Void>?) {
    guard let port = context.channel.localAddress?.port, let number = UInt16(exactly: port) else {
      let error = CheckError.cannotRun(step: "find the local port of a check", errno: EADDRNOTAVAIL)
      promise?.fail(error)
      return
    }
    departure.note(number)
    context.connect(to: address, promise: promise)
  }
}
