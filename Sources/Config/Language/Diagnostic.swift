// What a reader of configuration text has to say to its author.
//
// A message states what is wrong at which place, its remedy what to write instead. Text quoted from the input is made
// harmless first: it may hold terminal escapes or be megabytes long.

/// One finding about a configuration, tied to its place.
public struct Diagnostic: Hashable, Sendable, CustomStringConvertible {
  /// How much a finding matters.
  public enum Severity: Int, Hashable, Sendable, Comparable {
    /// Accepted; the author should know something about it.
    case note
    /// Accepted in a way the author may not have meant.
    case warning
    /// The line is lost. A check and a reload refuse the configuration; a start goes on without the line, because a
    /// director that does not come up is worse than one with a line less.
    case fault
    /// The configuration is refused.
    case error

    /// Note before warning before fault before error.
    public static func < (left: Severity, right: Severity) -> Bool { left.rawValue < right.rawValue }

    /// `note`, `warning` or `error`; whoever reads a message need not know what a start makes of it.
    public var name: String {
      switch self {
      case .note: "note"
      case .warning: "warning"
      case .fault, .error: "error"
      }
    }
  }

  /// Where.
  public let position: Position
  /// How bad.
  public let severity: Severity
  /// What is wrong.
  public let message: String
  /// What to do about it, where that is not plain from the message.
  public let remedy: String?

  /// A finding at `position`.
  public init(_ severity: Severity, at position: Position, _ message: String, remedy: String? = nil) {
    self.position = position
    self.severity = severity
    self.message = message
    self.remedy = remedy
  }

  /// The file's name.
  public var file: String { position.file }
  /// The line, from 1.
  public var line: Int { position.line }
  /// The byte within the line, from 1.
  public var column: Int { position.column }

  /// `FILE:LINE:COLUMN: SEVERITY: MESSAGE (REMEDY)`, and behind it which variable the text comes from.
  public var description: String {
    var text = "\(position): \(severity.name): \(message)"
    if let remedy { text += " (\(remedy))" }
    if let definition = position.definition { text += " [$\(definition.name) is set at \(definition.position)]" }
    return text
  }
}

/// Collects findings up to a bound, so that a hostile file cannot fill memory with complaints.
struct DiagnosticList {
  static let capacity = 1000

  private var kept: [Diagnostic] = []
  private var dropped = 0
  private var worstDropped: Diagnostic?

  mutating func add(_ diagnostic: Diagnostic) {
    guard kept.count >= DiagnosticList.capacity else {
      kept.append(diagnostic)
      return
    }
    dropped += 1
    if diagnostic.severity > worstDropped?.severity ?? .note || worstDropped == nil { worstDropped = diagnostic }
  }

  /// Adds what another list has.
  mutating func add(contentsOf other: DiagnosticList) {
    for diagnostic in other.kept { add(diagnostic) }
    guard let worst = other.worstDropped else { return }
    dropped += other.dropped
    if worst.severity > worstDropped?.severity ?? .note || worstDropped == nil { worstDropped = worst }
  }

  mutating func fault(at position: Position, _ message: String, remedy: String? = nil) {
    add(Diagnostic(.fault, at: position, message, remedy: remedy))
  }

  mutating func error(at position: Position, _ message: String, remedy: String? = nil) {
    add(Diagnostic(.error, at: position, message, remedy: remedy))
  }

  mutating func warning(at position: Position, _ message: String, remedy: String? = nil) {
    add(Diagnostic(.warning, at: position, message, remedy: remedy))
  }

  mutating func note(at position: Position, _ message: String, remedy: String? = nil) {
    add(Diagnostic(.note, at: position, message, remedy: remedy))
  }

  /// All findings in the order of the text, file by file; the last tells how many more there were, with the severity of the worst.
  func sorted() -> [Diagnostic] {
    let numbered = kept.enumerated().sorted { left, right in
      let (first, second) = (left.element.position, right.element.position)
      return first.isBefore(second) || !second.isBefore(first) && left.offset < right.offset
    }
    let all = numbered.map(\.element)
    guard let worst = worstDropped else { return all }
    let rest = Diagnostic(
      worst.severity, at: worst.position,
      "\(worst.message); \(dropped) findings beyond the first \(kept.count) are left out",
      remedy: worst.remedy)
    return all + [rest]
  }
}

/// Input text made fit for a message: control characters escaped, at most 64 characters, in single quotes.
func quoted(_ text: String) -> String {
  var result = "'"
  for (count, scalar) in text.unicodeScalars.enumerated() {
    guard count < 64 else {
      result += "…"
      break
    }
    switch scalar.value {
    case 0..<0x20, 0x7f..<0xa0, 0x2028...0x202e, 0x2066...0x2069:
      result += "\\u{" + String(scalar.value, radix: 16) + "}"
    default:
      result.unicodeScalars.append(scalar)
    }
  }
  return result + "'"
}
