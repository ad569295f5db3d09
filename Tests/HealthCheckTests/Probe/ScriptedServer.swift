import Foundation
import Glibc
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization
import Wire

@testable import HealthCheck

/// A server on loopback that does with every connection what a script says.
final class ScriptedServer: Sendable {
  /// What it does, one step after the other.
  enum Step: Sendable {
    /// Waits until this text has come.
    case hear(String)
    /// Sends all of it.
    case send([UInt8])
    /// Sends it in single bytes.
    case trickle([UInt8])
    /// Sends this again and again until the connection is closed.
    case repeats([UInt8])
    /// Closes its own direction, and waits for the other end to close.
    case halfClose
    /// Closes.
    case close
    /// Closes with a reset.
    case reset
  }

  private let channel: any Channel
  private let record: Record

  /// Where it listens.
  let endpoint: Endpoint

  /// Starts one that does `steps`, and then nothing more. `tls` is for all connections; what is received counts as it
  /// came over the wire.
  init(tls: NIOSSLContext? = nil, _ steps: [Step]) async throws {
    let record = Record()
    channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .serverChannelOption(.backlog, value: 4096)
      .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
      .childChannelOption(.allowRemoteHalfClosure, value: true)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          let number = record.add()
          try channel.pipeline.syncOperations.addHandler(Tap { record.append($0, to: number) })
          if let tls { try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls)) }
          try channel.pipeline.syncOperations.addHandler(Actor(steps))
        }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    endpoint = Samples.endpoint("127.0.0.1", UInt16(channel.localAddress?.port ?? 0))
    self.record = record
  }

  /// What has come, for every connection so far.
  var requests: [[UInt8]] { record.all }

  /// The first connection's as text.
  var request: String { String(decoding: requests.first ?? [], as: UTF8.self) }

  /// Closes the listener.
  func stop() async throws { try await channel.close() }
}

private final class Record: Sendable {
  private let pieces = Mutex<[[UInt8]]>([])

  var all: [[UInt8]] { pieces.withLock { $0 } }

  func add() -> Int {
    pieces.withLock {
      $0.append([])
      return $0.count - 1
    }
  }

  func append(_ bytes: [UInt8], to number: Int) { pieces.withLock { $0[number] += bytes } }
}

private final class Tap: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer

  private let take: ([UInt8]) -> Void

  init(_ take: @escaping ([UInt8]) -> Void) { self.take = take }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    take(Array(unwrapInboundIn(data).readableBytesView))
    context.fireChannelRead(data)
  }
}

private final class Actor: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private var steps: ArraySlice<ScriptedServer.Step>
  private var heard = ""
  private var isSending = false

  init(_ steps: [ScriptedServer.Step]) { self.steps = steps[...] }

  func channelActive(context: ChannelHandlerContext) { go(context) }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    heard += String(decoding: unwrapInboundIn(data).readableBytesView, as: UTF8.self)
    go(context)
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    context.close(promise: nil)
  }

  private func go(_ context: ChannelHandlerContext) {
    while !isSending, context.channel.isActive, let step = steps.first {
      switch step {
      case .hear(let text):
        guard let found = heard.range(of: text) else { return }
        heard.removeSubrange(..<found.upperBound)
        steps.removeFirst()
      case .send(let bytes):
        steps.removeFirst()
        send(bytes[...], by: bytes.count, context)
      case .trickle(let bytes):
        steps.removeFirst()
        send(bytes[...], by: 1, context)
      case .repeats(let bytes):
        send(bytes[...], by: bytes.count, context)
      case .halfClose:
        steps.removeFirst()
        context.close(mode: .output, promise: nil)
      case .close:
        steps.removeFirst()
        context.close(promise: nil)
      case .reset:
        steps.removeFirst()
        // SO_LINGER of no time at all.
        guard let provider = context.channel as? any SocketOptionProvider else { return }
        let own = NIOLoopBound(context, eventLoop: context.eventLoop)
        provider.setSoLinger(linger(l_onoff: 1, l_linger: 0)).whenComplete { _ in own.value.close(promise: nil) }
      }
    }
  }

  private func send(_ bytes: ArraySlice<UInt8>, by size: Int, _ context: ChannelHandlerContext) {
    guard !bytes.isEmpty else { return }
    isSending = true
    let own = NIOLoopBound((actor: self, context: context), eventLoop: context.eventLoop)
    let rest = bytes.dropFirst(size)
    context.writeAndFlush(wrapOutboundOut(context.channel.allocator.buffer(bytes: bytes.prefix(size))))
      .whenSuccess {
        // Tasks that are ready keep the loop from its sockets, so now and then there must be none.
        own.value.context.eventLoop.scheduleTask(in: .microseconds(rest.count % 32 == 0 ? 100 : 0)) {
          let (actor, context) = own.value
          actor.isSending = false
          if rest.isEmpty { actor.go(context) } else { actor.send(rest, by: size, context) }
        }
      }
  }
}
