// From logical lines to a tree of directives and blocks.
//
// The parser knows from the keyword table which keywords open a block, and uses it only to recover from slips so that
// one of them does not take the rest of the file with it:
//   - the block of an unknown keyword, or one behind a keyword that has none, is skipped up to its closing brace
//     (keepalived would read its lines as if they stood in the enclosing block);
//   - a block keyword without `{` is read as if the brace were there;
//   - `}` at the top level is passed over; blocks still open at the end of the file are closed;
//   - a keyword of the top level that opens a block, met inside another block, closes what is open before it.
// keepalived goes on after all of these, so they are warnings. What the keywords mean is not decided here.

/// A line of words with the block that follows it, if any. A class, so that passing it on counts one reference instead of
/// that of each part: a large file has hundreds of thousands, and every reader looks at them.
final class Directive: Sendable {
  /// Never empty.
  let words: [Word]
  /// What is known of its keyword where it stands; nil when nothing is, or the block has no keywords.
  let known: Keyword?
  /// The line's bytes without comment, for directives with rules of their own about words.
  let raw: ArraySlice<UInt8>
  let block: Block?

  init(words: [Word], known: Keyword?, raw: ArraySlice<UInt8>, block: Block?) {
    self.words = words
    self.known = known
    self.raw = raw
    self.block = block
  }

  var keyword: String { words[0].text }
  var position: Position { words[0].position }
  var arguments: ArraySlice<Word> { words.dropFirst() }
}

/// The directives between two braces, or of a whole file.
struct Block {
  let kind: BlockKind
  let directives: [Directive]
}

/// Builds the tree.
struct Parser {
  private let lines: [LogicalLine]
  private var index = 0
  private var open: [(keyword: Word, kind: BlockKind)] = []
  /// How many of the open blocks end before the next line, whatever the braces say.
  private var impliedCloses = 0
  /// How many blocks the end of the file found open.
  private var missingAtEnd = 0
  private(set) var diagnostics = DiagnosticList()

  init(lines: [LogicalLine]) { self.lines = lines }

  /// The top level with everything in it.
  mutating func parse() -> Block {
    var directives: [Directive] = []
    while index < lines.count {
      directives += directivesOfBlock(.root)
      guard index < lines.count, case .close(let position) = lines[index] else { continue }
      diagnostics.warning(
        at: position, "extra '}' at the top level, it is passed over",
        remedy: "a block was closed too early; check the braces above")
      index += 1
    }
    return Block(kind: .root, directives: directives)
  }

  /// Reads up to the closing brace, which is left for the caller, or to the end of the file.
  private mutating func directivesOfBlock(_ kind: BlockKind) -> [Directive] {
    var directives: [Directive] = []
    while index < lines.count, impliedCloses == 0 {
      switch lines[index] {
      case .close:
        return directives
      case .open(let position):
        diagnostics.warning(at: position, "unexpected '{': no keyword before it", remedy: "its block is skipped")
        index += 1
        skipBlock(openedAt: position)
      case .words(let words, let raw):
        if kind != .root, isTopLevelBlock(words[0]) {
          closeAll(before: words[0])
          return directives
        }
        index += 1
        directives.append(directive(words, raw: raw, in: kind))
      }
    }
    return directives
  }

  private mutating func directive(_ words: [Word], raw: ArraySlice<UInt8>, in kind: BlockKind) -> Directive {
    let name = words[0].text
    let known = kind.hasKeywords && !words[0].isQuoted ? KeywordTable.keyword(name, in: kind) : nil
    let opening = index < lines.count ? lines[index].opening : nil
    guard let blockKind = known?.block else {
      guard let opening else { return Directive(words: words, known: known, raw: raw, block: nil) }
      if known != nil || !kind.hasKeywords {
        diagnostics.warning(at: opening, "unexpected '{': \(quoted(name)) takes no block", remedy: "it is skipped")
      }
      index += 1
      skipBlock(openedAt: opening)
      let skipped = known == nil ? Block(kind: .unknown, directives: []) : nil
      return Directive(words: words, known: known, raw: raw, block: skipped)
    }
    if opening != nil {
      index += 1
    } else {
      diagnostics.warning(
        at: words[0].position, "\(quoted(name)) has no '{'", remedy: "read as if it were there; add it")
    }
    return Directive(words: words, known: known, raw: raw, block: block(blockKind, of: words[0]))
  }

  private mutating func block(_ kind: BlockKind, of keyword: Word) -> Block {
    open.append((keyword, kind))
    let directives = directivesOfBlock(kind)
    open.removeLast()
    if impliedCloses > 0 {
      impliedCloses -= 1
    } else if index < lines.count {
      index += 1
    } else {
      missingAtEnd += 1
      if open.isEmpty { reportMissingBraces(outermost: keyword) }
    }
    return Block(kind: kind, directives: directives)
  }

  /// Passes over everything up to the brace that matches one already read.
  private mutating func skipBlock(openedAt position: Position) {
    var depth = 1
    while index < lines.count, depth > 0 {
      switch lines[index] {
      case .open: depth += 1
      case .close: depth -= 1
      case .words(let words, _):
        if isTopLevelBlock(words[0]) {
          closeAll(before: words[0], skipped: depth)
          return
        }
      }
      index += 1
    }
    if depth > 0 {
      diagnostics.warning(at: position, "the block opened here has no '}'", remedy: "everything after it was skipped")
    }
  }

  private func isTopLevelBlock(_ word: Word) -> Bool {
    guard !word.isQuoted, index + 1 < lines.count, lines[index + 1].opening != nil else { return false }
    return KeywordTable.startsTopLevelBlock(word.text)
  }

  private mutating func closeAll(before word: Word, skipped: Int = 0) {
    let count = "\(open.count + skipped) '}'"
    let opener = open.first.map { " for \(quoted($0.keyword.text)) opened in line \($0.keyword.position.line)" } ?? ""
    diagnostics.warning(
      at: word.position, "\(count) missing before \(quoted(word.text))\(opener)",
      remedy: "read as if it were there, keepalived would read on in the open block; add it")
    impliedCloses = open.count
  }

  private mutating func reportMissingBraces(outermost keyword: Word) {
    diagnostics.warning(
      at: keyword.position, "\(missingAtEnd) '}' missing at the end of the file for \(quoted(keyword.text))",
      remedy: "read as if the file had them; add them")
  }
}

extension LogicalLine {
  /// The place of the opening brace, when this is one.
  fileprivate var opening: Position? {
    if case .open(let position) = self { return position }
    return nil
  }
}
