import NIOCore
import NIOPosix
import Wire

/// Answers datagrams on loopback as a function says.
final class DatagramServer: Sendable {
  let endpoint: Endpoint
  private let channel: any Channel

  /// - Parameter replies: the datagrams that one is answered with.
  init(_ replies: @escaping @Sendable ([UInt8]) -> [[UInt8]]) async throws {
    channel = try await DatagramBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Responder(replies)) }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    endpoint = Endpoint(address: IPAddress(v4: 0x7f00_0001), port: UInt16(channel.localAddress?.port ?? 0))
  }

  func stop() async throws { try await channel.close() }
}

private final class Responder: ChannelInboundHandler {
  typealias InboundIn = AddressedEnvelope<ByteBuffer>
  typealias OutboundOut = AddressedEnvelope<ByteBuffer>

  private let replies: ([UInt8]) -> [[UInt8]]

  init(_ replies: @escaping ([UInt8]) -> [[UInt8]]) { self.replies = replies }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let question = unwrapInboundIn(data)
    for reply in replies(Array(question.data.readableBytesView)) {
      let buffer = context.channel.allocator.buffer(bytes: reply)
      let envelope = AddressedEnvelope(remoteAddress: question.remoteAddress, data: buffer)
      context.writeAndFlush(wrapOutboundOut(envelope), promise: nil)
    }
  }
}
