// The effective configuration: every value that is in force, written or not, and where it comes from.
//
// A block is a section, a value a row. What a row says and which line counts is the model's (ModelExplanation); that a line is
// an enclosing block's, or one of several, or has a finding, is looked up in what was written.

/// An effective configuration for people and programs.
public struct Explanation: Sendable {
  /// Where a value comes from.
  public enum Origin: Sendable, CustomStringConvertible {
    /// The line that counts, and whether there is something to be said about it.
    case line(Position, hasFinding: Bool, others: Int)
    /// A line of an enclosing block.
    case inherited(Position)
    /// Not written anywhere.
    case standard

    /// For people.
    public var description: String {
      switch self {
      case .line(let position, let hasFinding, let others):
        "\(position.file):\(position.line)" + (others == 0 ? "" : ", one of \(others + 1)")
          + (hasFinding ? ", with a finding" : "")
      case .inherited(let position): "inherited from \(position.file):\(position.line)"
      case .standard: "default"
      }
    }
  }

  /// One value.
  public struct Row: Sendable {
    /// The keyword.
    public let key: String
    /// As it would be written behind the keyword.
    public let value: String
    /// Where it comes from.
    public let origin: Origin

    /// A value.
    public init(key: String, value: String, origin: Origin) {
      self.key = key
      self.value = value
      self.origin = origin
    }
  }

  /// One block.
  public struct Section: Sendable {
    /// What the block begins with.
    public let title: String
    /// Where it begins, when it is written.
    public let position: Position?
    /// Its values.
    public var rows: [Row]
    /// The blocks in it.
    public var sections: [Section] = []
  }

  /// In the order of the text, general blocks first.
  public var sections: [Section]

  /// Indented like a configuration, each value with its origin behind it.
  public var text: String {
    var text = ""
    for section in sections { Explanation.write(section, depth: 0, to: &text) }
    return text
  }

  private static func write(_ section: Section, depth: Int, to text: inout String) {
    let indent = String(repeating: "  ", count: depth)
    text += "\(indent)\(section.title) {" + (section.position.map { "  # \($0.file):\($0.line)" } ?? "") + "\n"
    let width = section.rows.map { $0.key.count + $0.value.count + 1 }.filter { $0 < 60 }.max() ?? 0
    for row in section.rows {
      let written = row.value.isEmpty ? row.key : "\(row.key) \(row.value)"
      let padding = String(repeating: " ", count: max(0, width - written.count))
      text += "\(indent)  \(written)\(padding)  # \(row.origin)\n"
    }
    for inner in section.sections { write(inner, depth: depth + 1, to: &text) }
    text += "\(indent)}\n"
  }
}

/// Which lines were written in which block.
struct WrittenLines {
  private var blocks: [Position: [Directive]] = [:]
  /// For each line, the block it is in.
  private var places: [Position: (block: Position, keyword: String)] = [:]
  private let findings: Set<LineOfFile>

  private struct LineOfFile: Hashable {
    let file: String
    let line: Int
  }

  init(_ reading: ConfigurationReading) {
    findings = Set(
      reading.diagnostics.filter { $0.severity > .note }.map { LineOfFile(file: $0.file, line: $0.line) })
    add(reading.root)
  }

  private mutating func add(_ block: Block) {
    for directive in block.directives {
      guard let inner = directive.block else { continue }
      blocks[directive.position] = inner.directives
      for line in inner.directives { places[line.position] = (directive.position, line.keyword) }
      add(inner)
    }
  }

  /// Where the last line that fits stands in the block that begins at a place.
  func origin(in block: Position, where fits: (Directive) -> Bool) -> Explanation.Origin? {
    guard let lines = blocks[block]?.filter(fits), let last = lines.last else { return nil }
    return .line(last.position, hasFinding: hasFinding(last.position), others: lines.count - 1)
  }

  /// What there is to say of the line at a place, for a value of the block that begins at another.
  func origin(of line: Position, in block: Position?) -> Explanation.Origin {
    guard let place = places[line] else { return .line(line, hasFinding: hasFinding(line), others: 0) }
    if let block, place.block != block { return .inherited(line) }
    let alike = blocks[place.block]?.filter { $0.keyword == place.keyword && $0.block == nil }.count ?? 1
    return .line(line, hasFinding: hasFinding(line), others: max(0, alike - 1))
  }

  private func hasFinding(_ line: Position) -> Bool {
    findings.contains(LineOfFile(file: line.file, line: line.line))
  }
}
