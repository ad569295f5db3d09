// A configuration file as bytes, cut into physical lines.
//
// This is the first of four steps: physical lines, what the language makes of them (LineReader), logical lines (Lexer),
// block tree (Parser). They are apart because includes, conditions and variables work on physical lines, before braces
// and words are looked for. Lines may have any length; LF ends them, a CR before it is a blank like any other.

/// One line of a file without its line end, or what became of it when variables were replaced.
struct SourceLine {
  /// Some bytes of a line in which something was replaced.
  struct Piece {
    /// The index of its first byte.
    let start: Int
    /// Where that byte stands in the file.
    let column: Int
    /// Names the variable when the bytes are its value; they then stand all at one place.
    let source: Source
  }

  let source: Source
  /// From 1.
  let number: Int
  var bytes: ArraySlice<UInt8>
  /// The index of the first byte of the physical line, which `bytes` may have left behind.
  let lineStart: Int
  /// In ascending order; empty when nothing was replaced.
  var pieces: [Piece] = []
  /// Set for the further lines of a variable of several: all that is in them stands where the variable is used.
  var use: Position?

  init(source: Source, number: Int, bytes: ArraySlice<UInt8>) {
    self.source = source
    self.number = number
    self.bytes = bytes
    lineStart = bytes.startIndex
  }

  /// The place of the byte at `index`.
  func position(of index: Int) -> Position {
    if let use { return use }
    guard let piece = pieces.last(where: { $0.start <= index }) else {
      return Position(source, line: number, column: index - lineStart + 1)
    }
    let column = piece.source.definition == nil ? piece.column + index - piece.start : piece.column
    return Position(piece.source, line: number, column: column)
  }

  /// The place of a word; it knows the variable that any part of the word is from.
  func position(of word: Range<Int>) -> Position {
    let position = position(of: word.lowerBound)
    guard !pieces.isEmpty, position.definition == nil,
      let piece = pieces.first(where: { word.contains($0.start) && $0.source.definition != nil })
    else { return position }
    return Position(piece.source, line: number, column: position.column)
  }
}

/// The bytes of one file.
struct SourceText {
  let source: Source
  private let bytes: [UInt8]

  init(bytes: [UInt8], source: Source) {
    self.bytes = bytes
    self.source = source
  }

  /// Calls `body` for the file's lines in order. The last needs no line end.
  func forEachLine(_ body: (SourceLine) -> Void) {
    var start = 0
    var number = 0
    while start < bytes.count {
      let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
      number += 1
      body(SourceLine(source: source, number: number, bytes: bytes[start..<end]))
      start = end + 1
    }
  }
}
