/// Cells as JSON: an array of objects, one a line, fields in their order, numbers with seven digits.
public enum JSONText {
  /// The whole array.
  public static func array(_ cells: [Cell]) -> String {
    guard !cells.isEmpty else { return "[]\n" }
    return "[\n" + cells.map { "  " + object($0) }.joined(separator: ",\n") + "\n]\n"
  }

  /// One cell.
  public static func object(_ cell: Cell) -> String {
    "{" + cell.fields.map { quoted($0.name) + ": " + text($0.value) }.joined(separator: ", ") + "}"
  }

  static func text(_ value: Cell.Value) -> String {
    switch value {
    case .text(let text): quoted(text)
    case .integer(let number): String(number)
    // JSON has no word for what is not a number.
    case .number(let number): number.isFinite ? NumberText.significant(number, 7) : "null"
    case .flag(let flag): flag ? "true" : "false"
    }
  }

  static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\t": result += "\\t"
      case "\r": result += "\\r"
      case let other where other.value < 0x20:
        let digits = String(other.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
