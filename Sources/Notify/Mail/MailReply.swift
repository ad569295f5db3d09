/// A server's answer (RFC 5321, section 4.2): a code of three digits and some text, on one line or several.
struct MailReply: Hashable, Sendable {
  /// 200 to 599.
  let code: Int
  /// The last line's text, for the log: what can be printed, not too long.
  let text: String

  /// 2xx or 3xx.
  var isPositive: Bool { code < 400 }
  /// It makes no sense to ask again.
  var isPermanent: Bool { code >= 500 }
  /// `550 no such user`.
  var description: String { text.isEmpty ? "\(code)" : "\(code) \(text)" }
}

/// Puts a server's answers together from bytes, however they are cut.
struct MailReplyReader {
  /// What is not an answer.
  enum Fault: Error, Hashable {
    /// A line, or an answer, has no end in sight.
    case tooLong
    /// A line does not begin with three digits and a blank, a hyphen, or nothing.
    case notSMTP(String)
  }

  /// RFC 5321 4.5.3.1.5 has 512 bytes for a line; some servers take more.
  static let lineBytesMax = 2048
  static let linesMax = 128

  private var line: [UInt8] = []
  private var lineCount = 0
  private var code: Int?

  /// Takes one byte.
  /// - Returns: the answer that it completes.
  mutating func read(_ byte: UInt8) throws(Fault) -> MailReply? {
    guard byte == UInt8(ascii: "\n") else {
      guard line.count < MailReplyReader.lineBytesMax else { throw .tooLong }
      line.append(byte)
      return nil
    }
    if line.last == UInt8(ascii: "\r") { line.removeLast() }
    defer { line.removeAll(keepingCapacity: true) }
    lineCount += 1
    guard lineCount <= MailReplyReader.linesMax else { throw .tooLong }
    guard let number = MailReplyReader.code(line), code == nil || code == number else {
      throw .notSMTP(MailReplyReader.printable(line[...]))
    }
    if line.count > 3 && line[3] == UInt8(ascii: "-") {
      code = number
      return nil
    }
    defer { (code, lineCount) = (nil, 0) }
    return MailReply(code: number, text: MailReplyReader.printable(line.dropFirst(4)))
  }

  private static func code(_ line: [UInt8]) -> Int? {
    guard line.count >= 3, line[..<3].allSatisfy({ (48...57).contains($0) }), (50...53).contains(line[0]) else { return nil }
    guard line.count == 3 || line[3] == UInt8(ascii: " ") || line[3] == UInt8(ascii: "-") else { return nil }
    return line[..<3].reduce(0) { $0 * 10 + Int($1 - 48) }
  }

  /// For a log: ASCII, at most 120 bytes.
  private static func printable(_ bytes: ArraySlice<UInt8>) -> String {
    String(decoding: bytes.prefix(120).map { (0x20..<0x7f).contains($0) ? $0 : UInt8(ascii: "?") }, as: UTF8.self)
  }
}
