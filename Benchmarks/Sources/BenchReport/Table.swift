/// Cells under headings, as text for a terminal or as Markdown. Numbers stand right, text stands left.
public struct Table: Sendable {
  /// What stands above the columns.
  public let headings: [String]
  /// By row, by column.
  public let rows: [[String]]
  private let isRight: [Bool]

  /// The table of some cells. Without columns every field becomes one; goals and verdicts are added where there are any.
  public init(_ cells: [Cell], columns: [Column]) {
    var columns = columns
    if columns.isEmpty {
      for cell in cells {
        for field in cell.fields where field.name != "part" && !columns.contains(where: { $0.field == field.name }) {
          columns.append(Column(field.name))
        }
      }
    }
    if cells.contains(where: { $0.isPassed != nil }) {
      columns.removeAll { $0.field == "goal" || $0.field == "passed" }
      columns += [Column("goal"), Column("passed", "")]
    }
    headings = columns.map(\.heading)
    rows = cells.map { cell in columns.map { Table.text($0, of: cell) } }
    isRight = columns.map { column in
      cells.contains { $0.number(column.field) != nil }
    }
  }

  private static func text(_ column: Column, of cell: Cell) -> String {
    if column.field == "passed" { return cell.isPassed.map { $0 ? "met" : "MISSED" } ?? "" }
    let text = column.format.text(cell[column.field])
    return text.isEmpty ? "-" : text
  }

  /// For a terminal: padded with blanks, a rule below the headings.
  public var text: String {
    let widths = headings.indices.map { column in
      rows.reduce(headings[column].count) { max($0, $1[column].count) }
    }
    func line(_ words: [String]) -> String {
      var text = words.indices.map { pad(words[$0], widths[$0], isRight[$0]) }.joined(separator: "  ")
      while text.hasSuffix(" ") { text.removeLast() }
      return text + "\n"
    }
    let rule = widths.map { String(repeating: "-", count: $0) }.joined(separator: "  ") + "\n"
    return line(headings) + rule + rows.map(line).joined()
  }

  /// For a Markdown file.
  public var markdown: String {
    func line(_ words: [String]) -> String {
      "| "
        + words.map { $0.split(separator: "|", omittingEmptySubsequences: false).joined(separator: "\\|") }
        .joined(separator: " | ") + " |\n"
    }
    return line(headings) + "|" + isRight.map { $0 ? "---:|" : "---|" }.joined() + "\n" + rows.map(line).joined()
  }

  private func pad(_ text: String, _ width: Int, _ right: Bool) -> String {
    let blanks = String(repeating: " ", count: max(0, width - text.count))
    return right ? blanks + text : text + blanks
  }
}
