import NIOCore

/// Ends a connection that sends and sends without an end of its request: NIO's decoder has limits for headers, none for
/// the line before them.
final class RequestLineLimit: ChannelDuplexHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer
  typealias OutboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let bytesMax: Int
  /// Since the last answer.
  private var count = 0

  init(bytesMax: Int) { self.bytesMax = bytesMax }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    count += unwrapInboundIn(data).readableBytes
    guard count <= bytesMax else { return context.close(promise: nil) }
    context.fireChannelRead(data)
  }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    count = 0
    context.write(data, promise: promise)
  }
}
