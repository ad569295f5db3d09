/// What one part of the benchmark has measured, on its way to the terminal and to `results/`.
public struct PartReport: Sendable {
  /// The part's name; also that of its files.
  public let part: String
  /// A heading for people.
  public let title: String
  /// The command that produces it.
  public let command: String
  /// The table's columns; without any, every field is one.
  public let columns: [Column]
  /// The pictures to draw.
  public let plots: [any Plot]
  /// What has to be known to read the numbers: stands below the table.
  public var notes: [String] = []
  /// The cells, in order.
  public private(set) var cells: [Cell] = []

  /// An empty report.
  public init(part: String, title: String, command: String, columns: [Column] = [], plots: [any Plot] = []) {
    self.part = part
    self.title = title
    self.command = command
    self.columns = columns
    self.plots = plots
  }

  /// Adds a cell.
  public mutating func add(_ cell: Cell) { cells.append(cell) }

  /// The cells that have a goal and do not meet it.
  public var missed: [Cell] { cells.filter { $0.isPassed == false } }

  /// `12 of 14 goals met`, and each that is not.
  public var verdict: String {
    let judged = cells.filter { $0.isPassed != nil }
    guard !judged.isEmpty else { return "no goals\n" }
    let head = "\(judged.count - missed.count) of \(judged.count) goals met\n"
    return head + missed.map { "missed: \(describe($0))\n" }.joined()
  }

  /// A cell by the fields in words and whole numbers that stand before its goal, which is what tells it from the others.
  private func describe(_ cell: Cell) -> String {
    let names = cell.fields.filter { field in
      switch field.value {
      case .text: field.name != "part" && field.name != "goal"
      case .integer: true
      default: false
      }
    }.map(\.name)
    let shown = columns.isEmpty ? names : names.filter { name in columns.contains { $0.field == name } }
    return cell.label(shown) + ": " + cell.label("goal") + values(cell)
  }

  /// What the fields named in the goal are.
  private func values(_ cell: Cell) -> String {
    let words = cell.label("goal").split(separator: " ").map(String.init)
    let fields = words.filter { cell.number($0) != nil }
    guard !fields.isEmpty else { return " (not measured)" }
    return " (" + fields.map { "\($0) \(NumberText.significant(cell.number($0) ?? .nan, 4))" }.joined(separator: ", ")
      + ")"
  }

  /// The terminal's rendering: table, verdict, machine, command.
  public func text(machine: Machine) -> String {
    "\n\(title)\n\n\(Table(cells, columns: columns).text)\n\(notes.map { "\($0)\n" }.joined())"
      + "\(verdict)machine: \(machine.text)\ncommand: \(command)\n"
  }

  /// The Markdown file.
  /// - Parameter pictures: names of the plots that were drawn, beside it.
  public func markdown(machine: Machine, pictures: [(title: String, file: String)]) -> String {
    let images = pictures.map { "![\($0.title)](\($0.file))\n\n" }.joined()
    let remarks = notes.isEmpty ? "" : notes.map { "- \($0)\n" }.joined() + "\n"
    return "# \(title)\n\n\(machine.text)\n\n    \(command)\n\n\(Table(cells, columns: columns).markdown)\n"
      + remarks + images + verdict.split(separator: "\n").map { "- \($0)\n" }.joined()
  }
}
