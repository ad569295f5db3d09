/// One measured cell: named fields in a fixed order, as they stand in `results/PART.json`.
public struct Cell: Sendable {
  /// A field's value.
  public enum Value: Sendable, Equatable {
    case text(String)
    case integer(Int)
    case number(Double)
    case flag(Bool)
  }

  /// The fields, in the order they were set.
  public private(set) var fields: [(name: String, value: Value)] = []

  /// A cell of a part: `core`, `capture`, `wire`, `scale`, `peers`.
  public init(part: String) { self["part"] = .text(part) }

  /// A field by name; setting nil takes it away.
  public subscript(name: String) -> Value? {
    get { fields.first { $0.name == name }?.value }
    set {
      let position = fields.firstIndex { $0.name == name }
      switch (position, newValue) {
      case (let position?, let value?): fields[position].value = value
      case (let position?, nil): fields.remove(at: position)
      case (nil, let value?): fields.append((name, value))
      case (nil, nil): break
      }
    }
  }

  /// A field as a number: an integer or a number, nothing else.
  public func number(_ name: String) -> Double? {
    switch self[name] {
    case .integer(let value): Double(value)
    case .number(let value): value
    default: nil
    }
  }

  /// A field in words, as labels need it: plain text, short counts; empty when the cell has not got it.
  public func label(_ name: String) -> String { Format.plain.text(self[name]) }

  /// Fields in words, those that are there, joined by a blank.
  public func label(_ names: [String]) -> String {
    names.map { label($0) }.filter { !$0.isEmpty }.joined(separator: " ")
  }
}
