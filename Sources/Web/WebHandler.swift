import NIOCore
import NIOHTTP1

/// One connection: a request at a time, and only such as ask for something (RFC 9110 section 9.3: GET and HEAD).
///
/// What comes behind NIO's decoder has a head of limited size and is whole; what is left to refuse is a body, another method,
/// a path that is none, and a host that we are not. The last is for browsers: a page of somebody else's whose name
/// is made to lead to 127.0.0.1 would otherwise read what is listed here.
final class WebHandler: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart

  private let pages: [String: WebPage]
  private let acceptsAnyHost: Bool
  private var head: HTTPRequestHead?
  private var hasBody = false

  init(_ pages: [String: WebPage], acceptsAnyHost: Bool) {
    self.pages = pages
    self.acceptsAnyHost = acceptsAnyHost
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head):
      self.head = head
      hasBody = false
    case .body:
      // Refused as soon as there is a byte of it, so that none has to be kept or waited for.
      guard !hasBody else { return }
      hasBody = true
      head?.headers.replaceOrAdd(name: "Connection", value: "close")
      answer(.words(.contentTooLarge, "a request has no body here"), context)
    case .end:
      if !hasBody { answer(context) }
    }
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if event is IdleStateHandler.IdleStateEvent { return context.close(promise: nil) }
    context.fireUserInboundEventTriggered(event)
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    // The decoder's, answered already by the handler before this one; or the connection's.
    context.close(promise: nil)
  }

  private func answer(_ context: ChannelHandlerContext) {
    guard let head else { return }
    guard head.method == .GET || head.method == .HEAD else {
      var refusal = WebAnswer.words(.methodNotAllowed, "GET and HEAD only")
      refusal.methods = "GET, HEAD"
      return answer(refusal, context)
    }
    guard acceptsAnyHost || WebHandler.isOurs(head.headers["Host"]) else {
      return answer(.words(.forbidden, "this is not that host: ask by address, or as localhost"), context)
    }
    let path = String(head.uri.prefix { $0 != "?" && $0 != "#" })
    guard let page = pages[path] else {
      let known = pages.keys.sorted().joined(separator: " ")
      return answer(.words(.notFound, "there is no such page; there are: \(known)"), context)
    }
    let contextBox = NIOLoopBound(context, eventLoop: context.eventLoop)
    page.content(context.eventLoop).hop(to: context.eventLoop).assumeIsolated().whenComplete { [self] result in
      let context = contextBox.value
      guard context.channel.isActive else { return }
      switch result {
      case .success(let body):
        answer(WebAnswer(status: .ok, contentType: page.contentType, policy: page.policy, body: body), context)
      case .failure(let error): answer(.words(.unavailable, "\(error)"), context)
      }
    }
  }

  private func answer(_ answer: WebAnswer, _ context: ChannelHandlerContext) {
    guard let head else { return }
    self.head = nil
    let keepsAlive = head.isKeepAlive
    var headers = HTTPHeaders([
      ("Content-Type", answer.contentType), ("Content-Length", "\(answer.body.count)"),
      ("Content-Security-Policy", answer.policy), ("X-Content-Type-Options", "nosniff"),
      ("Referrer-Policy", "no-referrer"), ("X-Frame-Options", "DENY"), ("Cache-Control", "no-store"),
    ])
    if let methods = answer.methods { headers.add(name: "Allow", value: methods) }
    if !keepsAlive { headers.add(name: "Connection", value: "close") }
    if keepsAlive, head.version == .http1_0 { headers.add(name: "Connection", value: "keep-alive") }
    let response = HTTPResponseHead(
      version: head.version, status: .init(statusCode: answer.status.rawValue), headers: headers)
    context.write(wrapOutboundOut(.head(response)), promise: nil)
    if head.method != .HEAD {
      context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: answer.body)))), promise: nil)
    }
    let end = context.writeAndFlush(wrapOutboundOut(.end(nil)))
    guard !keepsAlive else { return }
    let channel = context.channel
    end.whenComplete { _ in channel.close(promise: nil) }
  }

  /// Exactly one host, and that an address or localhost. HTTP/1.0 need not say any; no browser speaks it.
  static func isOurs(_ hosts: [String]) -> Bool {
    guard hosts.count <= 1 else { return false }
    guard let host = hosts.first else { return true }
    var name = Substring(host)
    if name.first == "[" {
      guard let end = name.firstIndex(of: "]") else { return false }
      let address = name[name.index(after: name.startIndex)..<end]
      return (try? SocketAddress(ipAddress: String(address), port: 0)) != nil
    }
    if let colon = name.firstIndex(of: ":") { name = name[..<colon] }
    return name.lowercased() == "localhost" || (try? SocketAddress(ipAddress: String(name), port: 0)) != nil
  }
}
