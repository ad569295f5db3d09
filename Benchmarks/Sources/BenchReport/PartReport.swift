/// What one part of the benchmark has measured, on its way to the terminal and to `results/`.
public struct PartReport: Sendable {
  /// The part's name; also that of its files.
  public let part: String
  /// A heading for people.
  public let title: String
  /// The command that produces it.
  public let command: String
  /// The cells, in order.
  public private(set) var cells: [Cell] = []

  /// An empty report.
  public init(part: String, title: String, command: String) {
    self.part = part
    self.title = title
    self.command = command
  }

  /// Adds a cell.
  public mutating func add(_ cell: Cell) { cells.append(cell) }
}
