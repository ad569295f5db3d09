/// How a field is shown in a table.
public enum Format: Sendable {
  /// As it is: text, integers in groups of three digits, numbers with three significant digits, yes or no.
  case plain
  /// With a fixed number of decimals.
  case fixed(Int)
  /// Rounded to four significant digits or so.
  case significant(Int)
  /// 1 k, 2.5 M.
  case short
  /// In millions, with decimals: 12300000 as 12.3.
  case millions(Int)
  /// A share as a percentage: 0.62 as 62 %.
  case percent(Int)

  /// A value in this format; a dash for none in a cell that should have one is the table's business.
  public func text(_ value: Cell.Value?) -> String {
    switch value {
    case nil: ""
    case .text(let text): text
    case .flag(let flag): flag ? "yes" : "no"
    case .integer(let number): isPlain ? NumberText.grouped(number) : text(Double(number))
    case .number(let number): text(number)
    }
  }

  private var isPlain: Bool { if case .plain = self { true } else { false } }

  private func text(_ number: Double) -> String {
    switch self {
    case .plain: NumberText.significant(number, 4)
    case .fixed(let decimals): NumberText.fixed(number, decimals)
    case .significant(let digits): NumberText.significant(number, digits)
    case .short: NumberText.short(number)
    case .millions(let decimals): NumberText.fixed(number / 1e6, decimals)
    case .percent(let decimals): NumberText.fixed(number * 100, decimals) + " %"
    }
  }
}

/// A column of a part's table: a field, what stands above it, and how it is shown.
public struct Column: Sendable {
  /// The field of the cells.
  public let field: String
  /// What stands above.
  public let heading: String
  /// How the values are shown.
  public let format: Format

  /// A column; without a heading the field's name stands above it.
  public init(_ field: String, _ heading: String? = nil, _ format: Format = .plain) {
    self.field = field
    self.heading = heading ?? field
    self.format = format
  }
}
