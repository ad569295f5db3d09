import NIOCore
import NIOPosix
import Synchronization

/// A mail server on loopback that takes all mail, and remembers what it has heard.
final class LoopbackServer: Sendable {
  private struct State {
    var heard: [String] = []
    var acceptedCount = 0
  }

  let loop: any EventLoop
  let port: Int
  private let channel: any Channel
  private let state: Remembered

  private final class Remembered: Sendable {
    let value = Mutex(State())
  }

  init() async throws {
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    let state = Remembered()
    (self.loop, self.state) = (loop, state)
    channel = try await ServerBootstrap(group: loop)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Clerk(state)) }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    port = channel.localAddress?.port ?? 0
  }

  func close() async throws { try await channel.close() }

  /// What has been heard, lines of commands and whole texts, once there is so much.
  func heard(_ count: Int) async throws -> [String] {
    while state.value.withLock({ $0.heard.count < count }) { try await Task.sleep(for: .milliseconds(2)) }
    return state.value.withLock { $0.heard }
  }

  /// Returns once so many connections have been made and greeted.
  func accepted(_ count: Int) async throws {
    while state.value.withLock({ $0.acceptedCount < count }) { try await Task.sleep(for: .milliseconds(2)) }
  }

  private final class Clerk: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let state: Remembered
    private var text = ""
    private var isInText = false

    init(_ state: Remembered) { self.state = state }

    func channelActive(context: ChannelHandlerContext) {
      say("220 loopback", context)
      state.value.withLock { $0.acceptedCount += 1 }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      var buffer = unwrapInboundIn(data)
      text += buffer.readString(length: buffer.readableBytes) ?? ""
      while let range = text.firstRange(of: isInText ? "\r\n.\r\n" : "\r\n") {
        let line = isInText ? text[..<range.lowerBound] + "\r\n." : text[..<range.lowerBound]
        text.removeSubrange(..<range.upperBound)
        answer(String(line), context)
      }
    }

    private func answer(_ line: String, _ context: ChannelHandlerContext) {
      state.value.withLock { $0.heard.append(line) }
      if isInText {
        isInText = false
        say("250 queued", context)
      } else if line == "DATA" {
        isInText = true
        say("354 go on", context)
      } else {
        say("250 ok", context)
      }
    }

    private func say(_ line: String, _ context: ChannelHandlerContext) {
      context.writeAndFlush(NIOAny(context.channel.allocator.buffer(string: line + "\r\n")), promise: nil)
    }
  }
}
