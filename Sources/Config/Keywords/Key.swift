// Keywords as rows of tables: each says what may stand behind it, where the value goes in the model, and how it looks
// when shown. Reading a block, explaining it, and the list of keywords in the documentation come from the same rows.

/// One keyword of a block that is read into a `Model`.
struct Key<Model: Traced & Sendable>: Sendable {
  /// Takes a directive's value.
  /// - Returns: false when it was reported and the value stays as it was.
  typealias Read = @Sendable (Directive, inout Model, inout DiagnosticList) -> Bool

  let name: String
  /// What may stand behind it, with its range.
  let form: String
  let read: Read
  /// The value as it would be written; nil where there is none.
  let show: @Sendable (Model) -> String?

  init(
    _ name: String, _ form: String, show: @escaping @Sendable (Model) -> String?, read: @escaping Read
  ) {
    self.name = name
    self.form = form
    self.read = read
    self.show = show
  }
}

/// The keywords of one kind of block.
struct KeyTable<Model: Traced & Sendable>: Sendable {
  let keys: [Key<Model>]
  private let indices: [String: Int]

  init(_ keys: [Key<Model>]) {
    self.keys = keys
    indices = Dictionary(keys.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
  }

  /// Takes every directive that has a row here. Others are somebody else's.
  func read(_ block: Block?, into model: inout Model, _ diagnostics: inout DiagnosticList) {
    for directive in block?.directives ?? [] { _ = read(directive, into: &model, &diagnostics) }
  }

  /// Takes one directive.
  /// - Returns: false when it has no row here.
  func read(_ directive: Directive, into model: inout Model, _ diagnostics: inout DiagnosticList) -> Bool {
    guard !directive.words[0].isQuoted, let index = indices[directive.keyword] else { return false }
    if keys[index].read(directive, &model, &diagnostics) {
      model.origins.note(keys[index].name, at: directive.position)
    }
    return true
  }

  /// Every value that there is, written or not.
  func explain(_ model: Model) -> [ExplainedSetting] {
    keys.compactMap { key in
      key.show(model).map { ExplainedSetting(key: key.name, value: $0, origin: model.origins.position(of: key.name)) }
    }
  }
}
