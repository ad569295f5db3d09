// A configuration file as bytes, cut into physical lines.
//
// This is the first of three steps: physical lines, logical lines (Lexer), block tree (Parser). They are apart because
// includes, conditions and variables work on physical lines, before braces and words are looked for. Lines may have any
// length; LF ends them, a CR before it is a blank like any other.

/// One line of a file, without its line end.
struct PhysicalLine {
  let file: String
  /// From 1.
  let number: Int
  let bytes: ArraySlice<UInt8>
}

/// The bytes of one file.
struct SourceText {
  /// Larger files are refused. A real server takes about 100 bytes, so there is room for eighty thousand.
  static let byteCountMax = 8 << 20

  let file: String
  private let bytes: [UInt8]

  init(bytes: [UInt8], file: String) {
    self.bytes = bytes
    self.file = file
  }

  /// Why the file cannot be read at all, or nil.
  var refusal: Diagnostic? {
    guard bytes.count > SourceText.byteCountMax else { return nil }
    return Diagnostic(
      .error, at: Position(file: file, line: 1, column: 1),
      "the file has \(bytes.count) bytes, at most \(SourceText.byteCountMax) (8 MiB) are read",
      remedy: "split it or remove what is not configuration")
  }

  /// The file's lines in order. The last needs no line end.
  var lines: [PhysicalLine] {
    var lines: [PhysicalLine] = []
    var start = 0
    while start < bytes.count {
      let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
      lines.append(PhysicalLine(file: file, number: lines.count + 1, bytes: bytes[start..<end]))
      start = end + 1
    }
    return lines
  }
}
