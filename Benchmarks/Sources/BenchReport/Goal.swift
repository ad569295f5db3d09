/// What a cell must show.
public struct Goal: Sendable {
  /// On which side of the value the field has to be.
  public enum Bound: String, Sendable {
    case atMost = "<="
    case atLeast = ">="
  }

  /// The field that is judged.
  public let field: String
  /// Which side.
  public let bound: Bound
  /// The limit, itself good enough.
  public let value: Double

  /// A goal: `Goal("ratio", .atMost, 1.05)`.
  public init(_ field: String, _ bound: Bound, _ value: Double) {
    self.field = field
    self.bound = bound
    self.value = value
  }

  /// `ratio <= 1.05`.
  public var text: String { "\(field) \(bound.rawValue) \(NumberText.significant(value, 6))" }

  /// True when the cell has the field, as a number, on the right side.
  public func isMet(by cell: Cell) -> Bool {
    guard let number = cell.number(field), number.isFinite else { return false }
    return bound == .atMost ? number <= value : number >= value
  }
}

extension Cell {
  /// Judges the cell: sets `goal` and `passed`. Of several goals all are named, and all have to be met.
  public mutating func judge(_ goal: Goal) {
    var text = goal.text
    var passed = goal.isMet(by: self)
    if case .text(let earlier) = self["goal"] { text = earlier + "; " + text }
    if case .flag(let earlier) = self["passed"] { passed = passed && earlier }
    self["goal"] = .text(text)
    self["passed"] = .flag(passed)
  }

  /// Whether its goals are met; nil without any.
  public var isPassed: Bool? { if case .flag(let flag) = self["passed"] { flag } else { nil } }
}
