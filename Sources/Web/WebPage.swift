import NIOCore

/// What is to be found under a path.
public struct WebPage: Sendable {
  /// `text/plain; charset=utf-8`
  public let contentType: String
  /// What a browser may load and run beside it: a `Content-Security-Policy`.
  public let policy: String
  /// Makes it, on the listener's event loop. A failure is told as 503: whoever asked may ask again.
  public let content: @Sendable (any EventLoop) -> EventLoopFuture<[UInt8]>

  /// A page of a program: nothing in it is ever run.
  public init(
    _ contentType: String, policy: String = "default-src 'none'",
    content: @escaping @Sendable (any EventLoop) -> EventLoopFuture<[UInt8]>
  ) {
    self.contentType = contentType
    self.policy = policy
    self.content = content
  }

  /// A page that is always the same.
  public static func fixed(_ contentType: String, policy: String = "default-src 'none'", _ text: String) -> WebPage {
    let bytes = Array(text.utf8)
    return WebPage(contentType, policy: policy) { $0.makeSucceededFuture(bytes) }
  }
}

/// An answer as it goes out, without what every answer has.
struct WebAnswer {
  var status: Status
  var contentType = "text/plain; charset=utf-8"
  var policy = "default-src 'none'"
  var body: [UInt8]
  /// For `Allow`.
  var methods: String?

  /// Those that lbd gives.
  enum Status: Int {
    case ok = 200
    case forbidden = 403
    case notFound = 404
    case methodNotAllowed = 405
    case contentTooLarge = 413
    case unavailable = 503
  }

  /// A line of text, for people who ask by hand.
  static func words(_ status: Status, _ text: String) -> WebAnswer {
    WebAnswer(status: status, body: Array((text + "\n").utf8))
  }
}
