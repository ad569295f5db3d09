/// `passive_check` of a virtual server: from when on a server whose SYNs stay without an answer is taken out. lbd's own.
public struct PassiveCheck: Hashable, Sendable, Traced {
  /// What is looked at: the connections of so many seconds.
  public var windowSeconds = 10
  /// Taken out when more than so many of a hundred were not answered, or were reset.
  public var unansweredPercent = 50
  /// With fewer connections nothing is concluded.
  public var minimumConnections = 20
  /// Which keywords were written, and where.
  public var origins = Origins()

  /// The defaults.
  public init() {}

  static let table = KeyTable<PassiveCheck>([
    row("window", \.windowSeconds, Defaults.passiveWindowRange, "a time in seconds", form: " s"),
    row("unanswered", \.unansweredPercent, 1...99, "a percentage", form: " %"),
    row("minimum", \.minimumConnections, Defaults.passiveMinimumRange, "a number of connections"),
  ])

  /// Nobody's files have these words from elsewhere, so a value that does not fit refuses the file.
  private static func row(
    _ name: String, _ path: Property<PassiveCheck, Int>, _ range: ClosedRange<Int>, _ meaning: String, form: String = ""
  ) -> Key<PassiveCheck> {
    Key(name, rangeText(range) + form, show: { "\($0[keyPath: path])" }) { directive, check, diagnostics in
      guard let value = directive.integer(in: range, meaning, &diagnostics) else { return false }
      check[keyPath: path] = value
      return true
    }
  }
}

extension PassiveCheck {
  /// As a block says it.
  init(_ directive: Directive, _ diagnostics: inout DiagnosticList) {
    self.init()
    PassiveCheck.table.read(directive.block, into: &self, &diagnostics)
  }
}
