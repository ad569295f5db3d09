/// One page asked for and judged: bytes out, bytes in, a result at the end. No sockets, no time.
///
/// An answer ends where the connection ends, whatever it says of its length. It is judged in the order that keepalived
/// has: something complete came, status, digest, pattern.
struct HTTPConversation: StreamConversation {
  private let page: HTTPDefinition.Page
  private let request: [UInt8]
  private let pattern: BodyPattern?
  private(set) var reader: HTTPReader

  /// - Parameter pattern: the page's, compiled.
  init(_ page: HTTPDefinition.Page, request: [UInt8], pattern: BodyPattern?) {
    self.page = page
    self.request = request
    self.pattern = pattern
    reader = HTTPReader(hashes: page.digest != nil, keeping: pattern == nil ? 0 : HTTPReader.keptByteLimit)
  }

  mutating func open() -> ConversationTurn { .send(request) }

  mutating func receive(_ bytes: UnsafeRawBufferPointer) -> ConversationTurn {
    reader.receive(bytes).map { .end(.failed($0)) } ?? .wait
  }

  mutating func close() -> AttemptResult {
    guard reader.isHeadComplete else { return .failed(reader.head.isEmpty ? .noData : .incomplete) }
    let good = page.statusCodes.isEmpty ? [200...299] : page.statusCodes
    guard good.contains(where: { $0.contains(reader.status) }) else { return .failed(.status(reader.status)) }
    if let digest = page.digest, digest.lowercased() != reader.digest { return .failed(.digest(reader.digest)) }
    guard let pattern, let definition = page.pattern else { return .well() }
    return switch (pattern.search(reader.kept), definition.mustNotMatch) {
    case (.limit, _): .failed(.matchLimit)
    case (.match, true): .failed(.match)
    case (.noMatch, false): .failed(.noMatch)
    case (.match, false), (.noMatch, true): .well()
    }
  }
}
