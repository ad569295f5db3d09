import NIOCore
import NIOEmbedded
import Testing

@testable import Web

/// What goes in as bytes comes out as an answer, or as the end of the connection.
struct WebHandlerTests {
  private struct Failure: Error, CustomStringConvertible { let description = "not now" }

  private static let pages: [String: WebPage] = [
    "/healthz": .fixed("text/plain", "ok\n"),
    "/": .fixed("text/html", policy: "default-src 'self'", "<p>"),
    "/never": WebPage("text/plain") { $0.makeFailedFuture(Failure()) },
  ]

  /// The answers to bytes that come in pieces of so many; and whether the connection is still there.
  static func answers(
    _ bytes: [UInt8], piece: Int = .max, acceptsAnyHost: Bool = false
  ) throws -> (text: String, isOpen: Bool) {
    let channel = EmbeddedChannel()
    defer { _ = try? channel.finish(acceptAlreadyClosed: true) }
    try WebListener.fill(channel.pipeline.syncOperations, pages, WebListener.Limits(), acceptsAnyHost)
    try channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
    var rest = bytes[...]
    while !rest.isEmpty, channel.isActive {
      // The error of the decoder comes up here as well, once the connection is closed.
      _ = try? channel.writeInbound(ByteBuffer(bytes: rest.prefix(piece)))
      rest = rest.dropFirst(min(piece, rest.count))
    }
    var text: [UInt8] = []
    while let buffer = try channel.readOutbound(as: ByteBuffer.self) { text += buffer.readableBytesView }
    return (String(decoding: text, as: UTF8.self), channel.isActive)
  }

  static func answers(
    _ text: String, piece: Int = .max, acceptsAnyHost: Bool = false
  ) throws -> (
    text: String, isOpen: Bool
  ) {
    try answers(Array(text.utf8), piece: piece, acceptsAnyHost: acceptsAnyHost)
  }

  @Test(arguments: [
    ("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "200 OK", true),
    ("GET /healthz?x=1 HTTP/1.1\r\nHost: localhost:80\r\n\r\n", "200 OK", true),
    ("GET /healthz HTTP/1.0\r\n\r\n", "200 OK", false),
    ("GET /healthz HTTP/1.1\r\nHost: [::1]:9\r\nConnection: close\r\n\r\n", "200 OK", false),
    ("GET /nothing HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "404 Not Found", true),
    ("GET /../etc/passwd HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "404 Not Found", true),
    ("POST /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n", "405 Method Not Allowed", true),
    ("POST /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\n\r\nhello", "413 ", false),
    ("GET /never HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "503 Service Unavailable", true),
    ("GET /healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n", "403 Forbidden", true),
    ("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: localhost\r\n\r\n", "403 Forbidden", true),
    ("\u{16}\u{3}\u{1}\r\n\r\n", "400 Bad Request", false),
  ])
  func aRequestHasItsAnswer(request: String, status: String, isOpen: Bool) throws {
    for piece in [1, 7, Int.max] {
      let answer = try WebHandlerTests.answers(request, piece: piece)
      #expect(answer.text.dropFirst(9).hasPrefix(status), "\(answer.text)")
      #expect(answer.isOpen == isOpen, "in pieces of \(piece)")
    }
  }

  @Test func anAnswerSaysWhatABrowserMayDo() throws {
    let answer = try WebHandlerTests.answers("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").text
    #expect(answer.contains("Content-Security-Policy: default-src 'self'\r\n"))
    #expect(answer.contains("X-Content-Type-Options: nosniff\r\n") && answer.contains("Cache-Control: no-store\r\n"))
    #expect(answer.hasSuffix("\r\n\r\n<p>"))
  }

  @Test func aHeadHasNoBody() throws {
    let answer = try WebHandlerTests.answers("HEAD /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").text
    #expect(answer.contains("Content-Length: 3\r\n") && answer.hasSuffix("\r\n\r\n"))
  }

  @Test func requestsAreAnsweredInTurn() throws {
    let request = "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    let answer = try WebHandlerTests.answers(request + request + "GET /x HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    let statuses = answer.text.matches(of: /HTTP\/1\.1 ([0-9]+)/).map { String($0.1) }
    #expect(statuses == ["200", "200", "404"] && answer.isOpen)
  }

  @Test func anyHostWhereThatIsAccepted() throws {
    let request = "GET /healthz HTTP/1.1\r\nHost: lbd.example\r\n\r\n"
    #expect(try WebHandlerTests.answers(request, acceptsAnyHost: true).text.hasPrefix("HTTP/1.1 200"))
  }

  /// Neither a line nor a header without an end is kept.
  @Test(arguments: ["GET /", "GET / HTTP/1.1\r\nX: "])
  func whatDoesNotEndIsEnded(start: String) throws {
    let bytes = Array(start.utf8) + [UInt8](repeating: UInt8(ascii: "a"), count: 100_000)
    #expect(try !WebHandlerTests.answers(bytes, piece: 4096).isOpen)
  }

  @Test(arguments: [
    (["127.0.0.1"], true), (["127.0.0.1:8080"], true), (["[::1]"], true), (["[::1]:8080"], true), (["LOCALHOST"], true),
    ([], true), (["localhost.evil"], false), (["127.0.0.1.evil"], false), (["a", "b"], false), (["[::1"], false),
    ([""], false),
  ])
  func hosts(hosts: [String], isOurs: Bool) { #expect(WebHandler.isOurs(hosts) == isOurs) }

  /// Bytes of all kinds: an answer or an end, and never more than a few answers' worth.
  @Test func hostileBytes() throws {
    let seed = UInt64.random(in: .min ... .max)
    print("web fuzz seed \(seed)")
    var random = SplitMix(state: seed)
    let sound = Array("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 3\r\n\r\nabc".utf8)
    for _ in 0..<2000 {
      var bytes = sound
      for _ in 0..<Int.random(in: 0...6, using: &random) {
        let place = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<4, using: &random) {
        case 0: bytes[place] = .random(in: .min ... .max, using: &random)
        case 1: bytes.remove(at: place)
        case 2: bytes.insert(.random(in: .min ... .max, using: &random), at: place)
        default: bytes.insert(contentsOf: bytes[place...].prefix(20), at: place)
        }
        if bytes.isEmpty { bytes = sound }
      }
      let answer = try WebHandlerTests.answers(bytes, piece: .random(in: 1...bytes.count, using: &random))
      #expect(answer.text.utf8.count < 4096, "seed \(seed)")
    }
  }

  private struct SplitMix: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
      state &+= 0x9e37_79b9_7f4a_7c15
      var word = state
      word = (word ^ word >> 30) &* 0xbf58_476d_1ce4_e5b9
      word = (word ^ word >> 27) &* 0x94d0_49bb_1331_11eb
      return word ^ word >> 31
    }
  }
}
