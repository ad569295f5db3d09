import NIOCore

/// Finds out the digest of a page, as `digest` in a configuration wants it: what keepalived's genhash does.
///
///     var generator = GenHash(path: "/index.html", at: CheckTarget(endpoint))
///     generator.virtualHost = "web.example"
///     let page = try await generator.fetch(on: loop).get()
///     print(page.digest)
///
/// The page is asked for and read by what reads it for checks, so that the digests are the same.
public struct GenHash: Hashable, Sendable {
  /// Where from; `-s`, `-p`, `-m`.
  public var target: CheckTarget
  /// What stands in the request's first line; `-u`.
  public var path: String
  /// The host asked for; nil is the address and port connected to; `-V`.
  public var virtualHost: String?
  /// The request's version; `-P`.
  public var version = HTTPDefinition.Version.http10
  /// nil is plain text; `-S`, and `-I` with `sendsServerName`.
  public var tls: TLSDefinition?
  /// For the connection to be there, and again for every piece of the answer; `-t`.
  public var timeout: Duration = .seconds(5)
  /// The body is wanted too, not only its digest; `-v`.
  public var keepsBody = false

  /// A page over plain text and HTTP/1.0.
  public init(path: String, at target: CheckTarget) {
    self.path = path
    self.target = target
  }

  /// A page and its digest.
  public struct Page: Hashable, Sendable {
    /// The status line and the fields with the empty line behind them.
    public let head: [UInt8]
    /// What is hashed of the body; empty unless asked for.
    public let body: [UInt8]
    /// The MD5 sum of the body in lower case.
    public let digest: String
    /// The status, 0 for none. A digest of an error's page is seldom what one wants.
    public let status: Int
    /// How many bytes of the body are hashed.
    public let hashedByteCount: Int
    /// How many bytes the server has sent behind the head.
    public let bodyByteCount: Int

    /// The answer for people, as genhash shows it with `-v`. Nothing in it can move a terminal's cursor.
    public var dump: String {
      let digestBytes = stride(from: 0, to: digest.utf8.count, by: 2).compactMap { offset in
        UInt8(digest.dropFirst(offset).prefix(2), radix: 16)
      }
      return Page.rule("    HTTP Header Buffer    ") + HexDump.text(of: head)
        + Page.rule(" HTTP Header Ascii Buffer ") + headText + "\n"
        + Page.rule("        HTML Buffer        ") + HexDump.text(of: body) + "\n"
        + Page.rule("    HTML hash resulting    ") + HexDump.text(of: digestBytes)
        + Page.rule(" HTML hash final resulting ") + digest + "\n"
    }

    private static func rule(_ title: String) -> String {
      let dashes = String(repeating: "-", count: 23)
      return "\(dashes)[\(title)]\(dashes)\n"
    }

    private var headText: String {
      let lines = head.filter { $0 != 13 }.split(separator: 10, omittingEmptySubsequences: false)
      return lines.dropLast().map { line in
        String(decoding: line.map { HexDump.isPrintable($0) || $0 == 9 ? $0 : UInt8(ascii: ".") }, as: UTF8.self) + "\n"
      }.joined()
    }
  }

  /// Asks for the page once.
  /// - Returns: the page, whatever its status; or a `CheckError`: no connection, no answer in time, closed before the head
  ///   was complete, more than 64 MiB.
  public func fetch(on loop: any EventLoop) -> EventLoopFuture<Page> {
    let promise = loop.makePromise(of: Page.self)
    loop.execute { fetch(into: promise, on: loop) }
    return promise.futureResult
  }

  private func fetch(into promise: EventLoopPromise<Page>, on loop: any EventLoop) {
    var wanted = HTTPDefinition.Page(path: path)
    wanted.virtualHost = virtualHost
    var check = HTTPDefinition(pages: [wanted], tls: tls)
    check.version = version
    var times = CheckTimes()
    times.connectTimeout = timeout
    let definition = CheckDefinition(.http(check), target: target, times: times)
    let contexts = TLSContexts()
    let reading = Reading(keepsBody: keepsBody)
    let probe = ConversationProbe(definition, on: loop) { _ throws(CheckError) in
      reading.request = try HTTPRequest.bytes(for: wanted, of: check, to: target.endpoint)
      var plan = ConversationProbe.Plan(conversation: reading, piecesCount: true, tls: nil)
      if let tls {
        let name = try tls.serverName(of: wanted)
        plan.tls = (try contexts.context(for: tls, checksName: name != nil), name)
      }
      return plan
    }
    probe.begin(page: 0) { result in
      // The probe lives until its attempt is over.
      withExtendedLifetime(probe) {}
      switch result {
      case .well: promise.succeed(reading.page)
      case .failed(let error), .notRun(let error): promise.fail(error)
      }
    }
  }

  /// Any page is good that has a head.
  private final class Reading: StreamConversation {
    var request: [UInt8] = []
    private var reader: HTTPReader

    init(keepsBody: Bool) {
      reader = HTTPReader(hashes: true, keeping: keepsBody ? HTTPReader.bodyByteLimit : 0)
    }

    func open() -> ConversationTurn { .send(request) }

    func receive(_ bytes: UnsafeRawBufferPointer) -> ConversationTurn {
      reader.receive(bytes).map { .end(.failed($0)) } ?? .wait
    }

    func close() -> AttemptResult {
      guard reader.isHeadComplete else { return .failed(reader.head.isEmpty ? .noData : .incomplete) }
      return .well()
    }

    var page: Page {
      Page(
        head: reader.head, body: reader.kept, digest: reader.digest, status: reader.status,
        hashedByteCount: reader.hashedByteCount, bodyByteCount: reader.bodyByteCount)
    }
  }
}
