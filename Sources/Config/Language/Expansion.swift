// Puts the values of variables in the place of their names, in one line.
//
// It is done from the inside out at the place of use: a value may name other variables. Undefined names stay as they are,
// since the lines of scripts have variables of their own. A hostile file can make values grow without end, so what they
// may come to in all is bounded, and no value may lead back to itself.

/// What variables, sequences and lists may make of a configuration.
struct ExpansionBudget {
  /// What each value and each line costs besides its bytes, so that empty ones come to an end as well.
  private static let costOfOne = 32
  /// How deep values may nest.
  static let depthMax = 32

  private var rest: Int
  private(set) var isSpent = false

  /// - Parameter byteCount: of text that does not stand in a file.
  init(byteCount: Int) { rest = byteCount }

  /// False when there is no room for so many more bytes, now or ever after.
  mutating func spend(_ byteCount: Int) -> Bool {
    rest -= byteCount + ExpansionBudget.costOfOne
    if rest < 0 { isSpent = true }
    return !isSpent
  }
}

/// Replaces the variables of one line.
struct Expansion {
  /// What went wrong.
  enum Failure {
    case budget
    case depth
    case loop(String)
  }

  /// The bytes so far.
  private(set) var bytes: [UInt8] = []
  private(set) var pieces: [SourceLine.Piece] = []
  /// The further lines of a variable of several that ends the line.
  private(set) var tail: ArraySlice<ArraySlice<UInt8>> = []
  /// Where a variable of several lines is used that ends the line.
  private(set) var tailUse: Position?
  private(set) var failure: Failure?
  /// Names without a definition.
  private(set) var undefined: [(name: String, position: Position)] = []

  private let line: SourceLine
  private var isQuoted = false
  private var names: [ArraySlice<UInt8>] = []

  init(_ line: SourceLine) { self.line = line }

  /// The line with its values, without its comment.
  var expanded: SourceLine {
    var result = line
    result.bytes = bytes[...]
    if line.use == nil { result.pieces = pieces }
    return result
  }

  /// Goes over the line up to its comment.
  mutating func run(_ definitions: inout Definitions, _ budget: inout ExpansionBudget) {
    let text = line.bytes[..<Lexer.commentStart(in: line)]
    let last = text.lastIndex { !Blanks.isPlain($0) }.map { $0 + 1 } ?? text.startIndex
    var index = text.startIndex
    copyFrom(index)
    while index < text.endIndex {
      guard text[index] == UInt8(ascii: "$"), let use = VariableName.use(in: text, at: index) else {
        append(text[index])
        index += 1
        continue
      }
      let position = line.position(of: index)
      if append(use.name, usedAt: position, endsLine: use.end >= last, &definitions, &budget) {
        copyFrom(use.end)
        index = use.end
      } else {
        undefined.append((String(decoding: use.name, as: UTF8.self), position))
        append(text[index])
        index += 1
      }
    }
  }

  /// What follows stands in the file itself.
  private mutating func copyFrom(_ index: Int) {
    pieces.append(SourceLine.Piece(start: bytes.count, column: index - line.lineStart + 1, source: line.source))
  }

  private mutating func append(_ byte: UInt8) {
    if byte == UInt8(ascii: "\"") { isQuoted.toggle() }
    bytes.append(byte)
  }

  /// Appends the value of a variable.
  /// - Returns: false when there is none of that name.
  private mutating func append(
    _ name: ArraySlice<UInt8>, usedAt position: Position, endsLine: Bool,
    _ definitions: inout Definitions, _ budget: inout ExpansionBudget
  ) -> Bool {
    if let text = definitions.predefined(name, isQuoted: isQuoted) {
      guard budget.spend(text.count) else {
        failure = .budget
        return true
      }
      if names.isEmpty { beginValue(line.source, position) }
      for byte in text { append(byte) }
      return true
    }
    guard let value = definitions.value(of: name) else { return false }
    guard value.lines.count <= 1 || endsLine && names.isEmpty else { return false }
    let source = value.source(usedIn: position.source)
    if names.isEmpty { beginValue(source, position) }
    if value.lines.count > 1 {
      tailUse = Position(source, line: position.line, column: position.column)
      tail = value.lines[...]
      // Alone on its line the first line may be anything, too.
      if bytes.allSatisfy(Blanks.isPlain) { return true }
      tail.removeFirst()
    }
    appendValue(value.lines.first ?? [], of: name, usedAt: position, &definitions, &budget)
    return true
  }

  private mutating func beginValue(_ source: Source, _ position: Position) {
    pieces.append(SourceLine.Piece(start: bytes.count, column: position.column, source: source))
  }

  private mutating func appendValue(
    _ text: ArraySlice<UInt8>, of name: ArraySlice<UInt8>, usedAt position: Position,
    _ definitions: inout Definitions, _ budget: inout ExpansionBudget
  ) {
    guard budget.spend(text.count) else { return failure = .budget }
    guard names.count < ExpansionBudget.depthMax else { return failure = .depth }
    guard !names.contains(where: { $0.elementsEqual(name) }) else {
      return failure = .loop(String(decoding: name, as: UTF8.self))
    }
    names.append(name)
    defer { names.removeLast() }
    var index = text.startIndex
    while index < text.endIndex, failure == nil {
      if text[index] == UInt8(ascii: "$"), let use = VariableName.use(in: text, at: index),
        append(use.name, usedAt: position, endsLine: false, &definitions, &budget)
      {
        index = use.end
      } else {
        append(text[index])
        index += 1
      }
    }
  }
}
