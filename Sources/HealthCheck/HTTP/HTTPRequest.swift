import Wire

/// What an HTTP check sends: the four or five lines that keepalived sends, byte for byte, since servers have been
/// configured to know them.
enum HTTPRequest {
  /// The bytes, or what is wrong with what is configured.
  static func bytes(
    for page: HTTPDefinition.Page, of check: HTTPDefinition, to endpoint: Endpoint
  ) throws(CheckError) -> [UInt8] {
    let host = page.virtualHost ?? check.virtualHost ?? endpoint.description
    for (name, text) in [("path", page.path), ("virtualhost", host)] {
      // Either would end the line early, and what follows would be lines that nobody has configured.
      guard !text.utf8.contains(where: { $0 == 0x0d || $0 == 0x0a || $0 == 0 }) else {
        throw .definition("the \(name) has an end of line in it")
      }
    }
    let version = check.version == .http11 ? "1.1" : "1.0"
    let closes = check.version == .http10 ? "" : "Connection: close\r\n"
    let text = "GET \(page.path) HTTP/\(version)\r\nUser-Agent: KeepAliveClient\r\n\(closes)Host: \(host)\r\n\r\n"
    return Array(text.utf8)
  }
}
