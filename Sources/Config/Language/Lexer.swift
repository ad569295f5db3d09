// From lines to logical lines: blanks, comments, quotes, braces.
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
  /// Further lines and braces are not kept.
  private let lineCountMax: Int
  private(set) var lines: [LogicalLine] = []
  private(set) var diagnostics = DiagnosticList()
  /// For each file with blanks that keepalived does not know: where they are.
  private var strangeBlanks: [Int: (first: Position, lineCount: Int, lastLine: Int)] = [:]

  private(set) var isFull = false
  private var words: [Word] = []
  private var bare: [UInt8] = []
  private var bareStart = 0
  private var rawStart: Int?

  init(lineCountMax: Int = ReadingLimits().lineCount) { self.lineCountMax = lineCountMax }

  /// Reads one physical line. An open brace or quote of an earlier line has no effect on it.
  mutating func read(_ line: SourceLine) {
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
        let position = line.position(of: index)
        append(bytes[index] == UInt8(ascii: "{") ? .open(position) : .close(position), at: position)
        index += 1
      case UInt8(ascii: "\""):
        endBareWord(line)
        index = readQuotedWord(from: index, in: line)
      default:
        if let escaped = escapedCommentSign(at: index, in: bytes) {
          append([escaped], at: index)
          index += 2
        } else {
          let end = bytes[(index + 1)...].firstIndex { !Lexer.isOrdinary[Int($0)] } ?? bytes.endIndex
          append(bytes[index..<end], at: index)
          index = end
        }
      }
    }
    endLogicalLine(line, at: index)
  }

  /// The warnings about blanks that keepalived does not know, once all lines are read.
  mutating func finish() {
    for (_, (first, lineCount, _)) in strangeBlanks {
      let count = lineCount == 1 ? "this line" : "\(lineCount) lines, here first"
      diagnostics.warning(
        at: first,
        "byte order mark, no-break or ideographic space in \(count): read as a blank, keepalived would reject it",
        remedy: "replace it by a plain space")
    }
  }

  /// The length of the blank at `index`, 0 when there is none.
  private mutating func blankLength(at index: Int, in line: SourceLine) -> Int {
    let blank = Blanks.length(at: index, in: line)
    guard !blank.isPlain else { return blank.length }
    let file = line.source.number
    let seen = strangeBlanks[file]
    if seen?.lastLine != line.number {
      strangeBlanks[file] = (seen?.first ?? line.position(of: index), (seen?.lineCount ?? 0) + 1, line.number)
    }
    return blank.length
  }

  /// keepalived has no keyword of that name, so no comment of its files is taken for a word.
  private var isIptablesLine: Bool {
    words.first.map { !$0.isQuoted && IptablesText.isProgram($0.text) } ?? false
  }

  /// Where the comment of a line begins, or its end. It is the rule of `read` over again, for what has to be done before.
  static func commentStart(in line: SourceLine) -> Int {
    let bytes = line.bytes
    var isQuoted = false
    var index = bytes.startIndex
    while index < bytes.endIndex {
      switch bytes[index] {
      case UInt8(ascii: "\""): isQuoted.toggle()
      case UInt8(ascii: "\\") where !isQuoted && index + 1 < bytes.endIndex && isCommentSign(bytes[index + 1]):
        index += 1
      case UInt8(ascii: "#") where !isQuoted: return index
      case UInt8(ascii: "!") where !isQuoted && !startsWithIptables(line): return index
      default: break
      }
      index += 1
    }
    return bytes.endIndex
  }

  private static func startsWithIptables(_ line: SourceLine) -> Bool {
    let start = Blanks.end(in: line, from: line.bytes.startIndex)
    let end = line.bytes[start...].firstIndex(where: Blanks.isPlain) ?? line.bytes.endIndex
    return IptablesText.isProgram(String(decoding: line.bytes[start..<end], as: UTF8.self))
  }

  private static func isCommentSign(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "#") || byte == UInt8(ascii: "!") }

  private func escapedCommentSign(at index: Int, in bytes: ArraySlice<UInt8>) -> UInt8? {
    guard bytes[index] == UInt8(ascii: "\\"), index + 1 < bytes.endIndex else { return nil }
    return Lexer.isCommentSign(bytes[index + 1]) ? bytes[index + 1] : nil
  }

  /// Bytes that have no meaning of their own wherever they stand: words are made of runs of them.
  private static let isOrdinary: [Bool] = (0..<256).map { byte in
    !Blanks.mayBegin(UInt8(byte)) && !Array("#!{}\"\\".utf8).contains(UInt8(byte))
  }

  private mutating func append(_ bytes: ArraySlice<UInt8>, at index: Int) {
    if bare.isEmpty { bareStart = index }
    if rawStart == nil { rawStart = index }
    bare += bytes
  }

  /// - Returns: the index behind the closing quote, or the line's end when there is none.
  private mutating func readQuotedWord(from index: Int, in line: SourceLine) -> Int {
    if rawStart == nil { rawStart = index }
    let rest = line.bytes[(index + 1)...]
    let end = rest.firstIndex(of: UInt8(ascii: "\""))
    if end == nil {
      diagnostics.warning(
        at: line.position(of: index), "this quote is not closed on its line, all up to the line's end is quoted",
        remedy: "add the closing \", or remove this one")
    }
    let content = rest[..<(end ?? rest.endIndex)]
    // A quote that stands alone at the end is a slip, no empty word.
    guard end != nil || !content.allSatisfy(Blanks.isPlain) else { return line.bytes.endIndex }
    let position = line.position(of: index..<content.endIndex)
    words.append(Word(text: String(decoding: content, as: UTF8.self), position: position, isQuoted: true))
    return end.map { $0 + 1 } ?? line.bytes.endIndex
  }

  private mutating func endBareWord(_ line: SourceLine) {
    guard !bare.isEmpty else { return }
    let text = String(decoding: bare, as: UTF8.self)
    // Without the backslashes of escaped comment signs the word is a little shorter than its text; that does no harm.
    let position = line.position(of: bareStart..<bareStart + bare.count)
    words.append(Word(text: text, position: position, isQuoted: false))
    bare.removeAll(keepingCapacity: true)
  }

  private mutating func endLogicalLine(_ line: SourceLine, at end: Int) {
    endBareWord(line)
    if let rawStart, let first = words.first {
      append(.words(words, raw: line.bytes[rawStart..<end]), at: first.position)
    }
    words.removeAll(keepingCapacity: true)
    rawStart = nil
  }

  private mutating func append(_ line: LogicalLine, at position: Position) {
    guard lines.count >= lineCountMax else { return lines.append(line) }
    guard !isFull else { return }
    isFull = true
    diagnostics.error(
      at: position, "the configuration has more than \(lineCountMax) lines and braces, the rest is not read",
      remedy: "make it smaller")
  }
}
