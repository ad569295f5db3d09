// A command of the configuration: notification scripts, checks by script.
//
// Its line has word rules of its own: both kinds of quotes, and escapes. The first word is split once more, at blanks
// outside single quotes, into the program and its arguments; a second word is the user it runs as, a third the group.
// No shell is involved.

/// A program with arguments, and who runs it.
public struct ScriptCommand: Hashable, Sendable, CustomStringConvertible {
  /// The program and its arguments, at least one.
  public let words: [String]
  /// nil is the configuration's `script_user`.
  public let user: String?
  /// nil is the user's own.
  public let group: String?

  /// A command.
  public init(words: [String], user: String? = nil, group: String? = nil) {
    self.words = words
    self.user = user
    self.group = group
  }

  /// The words with single quotes where they need them, then user and group.
  public var description: String {
    let text = words.map { $0.contains(where: \.isWhitespace) || $0.isEmpty ? "'\($0)'" : $0 }.joined(separator: " ")
    return (["\"\(text)\""] + [user, group].compactMap(\.self)).joined(separator: " ")
  }

  /// - Returns: nil with a warning when there is none.
  init?(_ directive: Directive, _ diagnostics: inout DiagnosticList) {
    guard let text = directive.text(0, "a command", &diagnostics) else { return nil }
    guard directive.raw.count <= 16 * Defaults.textBytesMax else {
      diagnostics.warning(
        at: directive.position, "the line of '\(directive.keyword)' has \(directive.raw.count) bytes, it is ignored",
        remedy: "at most \(16 * Defaults.textBytesMax) are read")
      return nil
    }
    var parts = ScriptCommand.parts(of: directive.raw).dropFirst()
    if directive.words[1].isQuoted, parts.isEmpty { parts = [text] }
    let words = ScriptCommand.arguments(of: parts.first ?? "")
    guard let program = words.first, !program.isEmpty else {
      diagnostics.warning(
        at: directive.position, "'\(directive.keyword)' has an empty command, it is ignored",
        remedy: "write the program's path")
      return nil
    }
    guard words.count <= Defaults.commandWordsMax, words.allSatisfy({ $0.utf8.count <= Defaults.textBytesMax }) else {
      diagnostics.warning(
        at: directive.position, "the command of '\(directive.keyword)' is too long, it is ignored",
        remedy: "at most \(Defaults.commandWordsMax) words of \(Defaults.textBytesMax) bytes")
      return nil
    }
    let rest = Array(parts.dropFirst())
    if let user = rest.first, user.hasPrefix("-") || user.hasPrefix("/") {
      diagnostics.warning(
        at: directive.position, "\(quoted(user)) is read as the user of \(quoted(program))",
        remedy: "put a command with arguments into double quotes")
    }
    self.init(words: words, user: rest.first, group: rest.count > 1 ? rest[1] : nil)
  }

  /// The words of a line, keyword included: blanks separate them, quotes of either kind keep blanks, a backslash says
  /// what the next character means.
  static func parts(of line: ArraySlice<UInt8>) -> [String] {
    var parts: [String] = []
    var word: [UInt8]?
    var quote: UInt8?
    var rest = line
    while let byte = rest.popFirst() {
      switch byte {
      case UInt8(ascii: "\\"):
        word = (word ?? []) + [escaped(&rest)]
      case quote where quote != nil:
        quote = nil
        parts.append(String(decoding: word ?? [], as: UTF8.self))
        word = nil
      case _ where quote != nil:
        word?.append(byte)
      case UInt8(ascii: "\""), UInt8(ascii: "'"):
        if let word { parts.append(String(decoding: word, as: UTF8.self)) }
        word = []
        quote = byte
      case 0x20, 0x09...0x0d:
        if let word { parts.append(String(decoding: word, as: UTF8.self)) }
        word = nil
      default:
        word = (word ?? []) + [byte]
      }
    }
    if let word { parts.append(String(decoding: word, as: UTF8.self)) }
    return parts
  }

  /// What stands behind a backslash.
  private static func escaped(_ rest: inout ArraySlice<UInt8>) -> UInt8 {
    guard let byte = rest.popFirst() else { return UInt8(ascii: "\\") }
    switch byte {
    case UInt8(ascii: "a"): return 7
    case UInt8(ascii: "b"): return 8
    case UInt8(ascii: "E"): return 27
    case UInt8(ascii: "f"): return 12
    case UInt8(ascii: "n"): return 10
    case UInt8(ascii: "r"): return 13
    case UInt8(ascii: "t"): return 9
    case UInt8(ascii: "v"): return 11
    case UInt8(ascii: "c"): return (rest.popFirst() ?? 0) & 0x1f
    case UInt8(ascii: "x"):
      var value = 0
      while let digit = rest.first.flatMap({ Character(UnicodeScalar($0)).hexDigitValue }) {
        value = value << 4 & 0xff | digit
        rest = rest.dropFirst()
      }
      return UInt8(value)
    case UInt8(ascii: "0")...UInt8(ascii: "7"):
      var value = Int(byte - 48)
      for _ in 0..<2 {
        guard let digit = rest.first, (48...55).contains(digit) else { break }
        value = value << 3 | Int(digit - 48)
        rest = rest.dropFirst()
      }
      return UInt8(truncatingIfNeeded: value)
    default: return byte
    }
  }

  /// A command split at blanks; single quotes keep them.
  static func arguments(of command: String) -> [String] {
    var words: [String] = []
    var word: String?
    var isQuoted = false
    for scalar in command.unicodeScalars {
      if scalar == "'" {
        isQuoted.toggle()
        word = word ?? ""
      } else if !isQuoted, scalar == " " || scalar == "\t" || scalar == "\n" {
        if let complete = word { words.append(complete) }
        word = nil
      } else {
        word = (word ?? "") + String(scalar)
      }
    }
    if let complete = word { words.append(complete) }
    return words
  }
}
