/// A mail server greets (220), answers HELO (250), and says anything at all to QUIT (RFC 5321).
///
/// As keepalived does, a code counts only with a blank or the end of the line behind it: a greeting of several lines
/// (`220-`) is a failure.
struct SMTPConversation: StreamConversation {
  /// RFC 5321 section 4.5.3.1.5 allows 512.
  static let lineByteLimit = 1024

  private enum Step {
    case greeting, helo, quit
  }

  private let heloName: String
  private var step = Step.greeting
  private var line: [UInt8] = []
  private var hasHeard = false

  init(heloName: String) {
    self.heloName = heloName
  }

  /// A name with an end of line in it would be commands that nobody has configured.
  static func isSound(heloName: String) -> Bool {
    !heloName.utf8.contains { $0 < 0x20 || $0 == 0x7f }
  }

  mutating func open() -> ConversationTurn { .wait }

  mutating func receive(_ bytes: UnsafeRawBufferPointer) -> ConversationTurn {
    var out: [UInt8] = []
    hasHeard = hasHeard || !bytes.isEmpty
    for byte in bytes {
      guard byte != 10 else {
        let heard = line
        line = []
        switch take(heard) {
        case .wait: continue
        case .send(let command): out += command
        case .end(let result): return .end(result)
        }
        continue
      }
      guard line.count < SMTPConversation.lineByteLimit else { return .end(.failed(.tooLong)) }
      line.append(byte)
    }
    return out.isEmpty ? .wait : .send(out)
  }

  mutating func close() -> AttemptResult {
    .failed(hasHeard ? .incomplete : .noData)
  }

  private mutating func take(_ line: [UInt8]) -> ConversationTurn {
    let code = SMTPConversation.code(of: line)
    switch step {
    case .greeting:
      guard code == 220 else { return .end(.failed(.greeting(code))) }
      step = .helo
      return .send(Array("HELO \(heloName)\r\n".utf8))
    case .helo:
      guard code == 250 else { return .end(.failed(.helo(code))) }
      step = .quit
      return .send(Array("QUIT\r\n".utf8))
    case .quit:
      return .end(.well())
    }
  }

  /// Three digits, then a blank or nothing; 0 otherwise.
  private static func code(of line: [UInt8]) -> Int {
    let text = line.last == 13 ? line.dropLast() : line[...]
    let digits = text.prefix { (48...57).contains($0) }
    guard digits.count == 3, text.count == 3 || text[3] == 0x20 || text[3] == 0x09 else { return 0 }
    return digits.reduce(0) { $0 * 10 + Int($1 - 48) }
  }
}
