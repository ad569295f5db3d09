// From physical lines to logical lines: blanks, comments, quotes, braces.
//
// `#` and `!` start a comment anywhere, even inside a word, unless in double quotes or behind a backslash; that
// has no other meaning. Outside quotes a brace ends the logical line and is one of its own. A double quote inside a
// bare word ends that word and starts a quoted one, which may be empty. Nothing else separates directives.
//
// Pasted text is full of blanks that are none: a byte order mark, U+00A0 and U+3000 outside quotes count as blanks,
// with one warning per file, because keepalived takes them for part of a keyword.
//
// Lines of iptables have `!` as a word of their own, so there it starts no comment.
//
// Directives that carry a command need single quotes and escapes; for them each logical line keeps its raw bytes.

/// One word of a directive.
struct Word {
  let text: String
  let position: Position
  let isQuoted: Bool
}

/// What the parser reads: a line of words, or a brace.
enum LogicalLine {
  case words([Word], raw: ArraySlice<UInt8>)
  case open(Position)
  case close(Position)
}

/// Cuts physical lines into logical ones and reports what is wrong with their text.
struct Lexer {
  private(set) var lines: [LogicalLine] = []
  private(set) var diagnostics: [Diagnostic] = []
  private var strangeBlanks: (first: Position, lineCount: Int)?
  private var lastStrangeLine = 0

  private var words: [Word] = []
  private var bare: [UInt8] = []
  private var bareStart = 0
  private var rawStart: Int?

  private static let byteOrderMark: [UInt8] = [0xef, 0xbb, 0xbf]
  private static let noBreakSpace: [UInt8] = [0xc2, 0xa0]
  private static let ideographicSpace: [UInt8] = [0xe3, 0x80, 0x80]

  /// Reads one physical line. An open brace or quote of an earlier line has no effect on it.
  mutating func read(_ line: PhysicalLine) {
    let bytes = line.bytes
    var index = bytes.startIndex
    scan: while index < bytes.endIndex {
      let blank = blankLength(at: index, in: line)
      if blank > 0 {
        endBareWord(line)
        index += blank
        continue
      }
      switch bytes[index] {
      case UInt8(ascii: "#"):
        break scan
      case UInt8(ascii: "!") where !isIptablesLine:
        break scan
      case UInt8(ascii: "{"), UInt8(ascii: "}"):
        endLogicalLine(line, at: index)
        let position = place(index, in: line)
        lines.append(bytes[index] == UInt8(ascii: "{") ? .open(position) : .close(position))
        index += 1
      case UInt8(ascii: "\""):
        endBareWord(line)
        index = readQuotedWord(from: index, in: line)
      default:
        if let escaped = escapedCommentSign(at: index, in: bytes) {
          append(escaped, at: index)
          index += 2
        } else {
          append(bytes[index], at: index)
          index += 1
        }
      }
    }
    endLogicalLine(line, at: index)
  }

  /// The warning about blanks that keepalived does not know, once all lines are read.
  mutating func finish() {
    guard let (first, lineCount) = strangeBlanks else { return }
    let count = lineCount == 1 ? "this line" : "\(lineCount) lines, here first"
    diagnostics.append(
      Diagnostic(
        .warning, at: first,
        "byte order mark, no-break or ideographic space in \(count): read as a blank, keepalived would reject it",
        remedy: "replace it by a plain space"))
  }

  /// The length of the blank at `index`, 0 when there is none.
  private mutating func blankLength(at index: Int, in line: PhysicalLine) -> Int {
    switch line.bytes[index] {
    case 0x20, 0x09, 0x0b, 0x0c, 0x0d: return 1
    case 0xc2, 0xe3, 0xef: break
    default: return 0
    }
    let rest = line.bytes[index...]
    let isFileStart = line.number == 1 && index == line.bytes.startIndex
    let length: Int
    if rest.starts(with: Lexer.noBreakSpace) {
      length = 2
    } else if rest.starts(with: Lexer.ideographicSpace) || isFileStart && rest.starts(with: Lexer.byteOrderMark) {
      length = 3
    } else {
      return 0
    }
    let seen = strangeBlanks?.lineCount ?? 0
    if seen == 0 || lastStrangeLine != line.number {
      strangeBlanks = (strangeBlanks?.first ?? place(index, in: line), seen + 1)
      lastStrangeLine = line.number
    }
    return length
  }

  /// keepalived has no keyword of that name, so no comment of its files is taken for a word.
  private var isIptablesLine: Bool {
    words.first.map { !$0.isQuoted && IptablesText.isProgram($0.text) } ?? false
  }

  private func escapedCommentSign(at index: Int, in bytes: ArraySlice<UInt8>) -> UInt8? {
    guard bytes[index] == UInt8(ascii: "\\"), index + 1 < bytes.endIndex else { return nil }
    let next = bytes[index + 1]
    return next == UInt8(ascii: "#") || next == UInt8(ascii: "!") ? next : nil
  }

  private mutating func append(_ byte: UInt8, at index: Int) {
    if bare.isEmpty { bareStart = index }
    if rawStart == nil { rawStart = index }
    bare.append(byte)
  }

  /// - Returns: the index behind the closing quote, or the line's end when there is none.
  private mutating func readQuotedWord(from index: Int, in line: PhysicalLine) -> Int {
    if rawStart == nil { rawStart = index }
    let rest = line.bytes[(index + 1)...]
    let end = rest.firstIndex(of: UInt8(ascii: "\""))
    if end == nil {
      diagnostics.append(
        Diagnostic(
          .error, at: place(index, in: line), "this quote is not closed on its line",
          remedy: "add the closing \", or remove this one"))
    }
    let content = rest[..<(end ?? rest.endIndex)]
    words.append(Word(text: String(decoding: content, as: UTF8.self), position: place(index, in: line), isQuoted: true))
    return end.map { $0 + 1 } ?? line.bytes.endIndex
  }

  private mutating func endBareWord(_ line: PhysicalLine) {
    guard !bare.isEmpty else { return }
    let text = String(decoding: bare, as: UTF8.self)
    words.append(Word(text: text, position: place(bareStart, in: line), isQuoted: false))
    bare.removeAll(keepingCapacity: true)
  }

  private mutating func endLogicalLine(_ line: PhysicalLine, at end: Int) {
    endBareWord(line)
    if let rawStart { lines.append(.words(words, raw: line.bytes[rawStart..<end])) }
    words.removeAll(keepingCapacity: true)
    rawStart = nil
  }

  private func place(_ index: Int, in line: PhysicalLine) -> Position {
    Position(file: line.file, line: line.number, column: index - line.bytes.startIndex + 1)
  }
}
