// Places in configuration text. There is one for every word of a file, so they are small: what the words of a file have in
// common is kept once.

/// What the places of one file, or of one variable used in it, have in common.
final class Source: Sendable {
  let file: String
  /// Files are numbered in the order of their opening, which is the order of their findings.
  let number: Int
  /// The variable whose value the text is, when it does not stand in the file itself.
  let definition: Definition?

  init(file: String, number: Int = 0, definition: Definition? = nil) {
    self.file = file
    self.number = number
    self.definition = definition
  }
}

/// A variable of a configuration and where it got its value.
public struct Definition: Hashable, Sendable {
  /// Without `$`.
  public let name: String
  /// The line that defines it.
  public let position: Position

  /// `name`, defined at `position`.
  public init(name: String, position: Position) {
    self.name = name
    self.position = position
  }
}

/// A place in a configuration file.
public struct Position: Hashable, Sendable, CustomStringConvertible {
  let source: Source
  private let lineNumber: Int32
  private let columnNumber: Int32

  init(_ source: Source, line: Int, column: Int) {
    self.source = source
    lineNumber = Int32(clamping: line)
    columnNumber = Int32(clamping: column)
  }

  /// A place in `file`; lines and columns (bytes) count from 1.
  public init(file: String, line: Int, column: Int) {
    self.init(Source(file: file), line: line, column: column)
  }

  /// The file's name as it was given.
  public var file: String { source.file }
  /// The line, from 1.
  public var line: Int { Int(lineNumber) }
  /// The byte within the line, from 1.
  public var column: Int { Int(columnNumber) }
  /// Set when the text here is the value of a variable: the place is where it is used.
  public var definition: Definition? { source.definition }

  /// `FILE:LINE:COLUMN`.
  public var description: String { "\(file):\(line):\(column)" }

  /// The same place, whatever it is made of.
  public static func == (left: Position, right: Position) -> Bool {
    left.lineNumber == right.lineNumber && left.columnNumber == right.columnNumber
      && (left.source === right.source || left.file == right.file)
  }

  /// Goes with `==`.
  public func hash(into hasher: inout Hasher) {
    hasher.combine(file)
    hasher.combine(lineNumber)
    hasher.combine(columnNumber)
  }

  /// True when this place is read before `other`.
  func isBefore(_ other: Position) -> Bool {
    (source.number, line, column) < (other.source.number, other.line, other.column)
  }
}
