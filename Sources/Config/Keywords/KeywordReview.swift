// Goes over the whole tree once and reports keywords: those nobody knows, those in a wrong place, and those that
// keepalived acts on and this version does not (one note for each keyword of a file, with the number of places).

/// Collects what is to be said about a file's keywords.
struct KeywordReview {
  private(set) var diagnostics: [Diagnostic] = []
  private var suggestionCount = 0
  /// Each looks at every keyword; a file with more unknown ones is no keepalived.conf.
  private static let suggestionsMax = 100
  private var withoutEffect: [String: (first: Position, count: Int, why: NoEffect)] = [:]

  /// Everything found in `root` and the blocks within.
  static func findings(in root: Block) -> [Diagnostic] {
    var review = KeywordReview()
    review.read(root, insideUnusedBlock: false)
    for (name, (first, count, why)) in review.withoutEffect.sorted(by: { $0.key < $1.key }) {
      let places = count == 1 ? "" : " (\(count) places)"
      review.diagnostics.append(
        Diagnostic(
          .note, at: first, "'\(name)' is accepted and has no effect in lbd, because \(why.rawValue)\(places)"))
    }
    return review.diagnostics
  }

  private mutating func read(_ block: Block, insideUnusedBlock: Bool) {
    guard block.kind.hasKeywords else { return }
    for directive in block.directives {
      guard let keyword = directive.known else {
        reportUnknown(directive, in: block.kind)
        continue
      }
      var isUnused = insideUnusedBlock
      switch keyword.effect {
      case .acted: break
      case .none(let why):
        isUnused = true
        if !insideUnusedBlock {
          let seen = withoutEffect[keyword.name]
          withoutEffect[keyword.name] = (seen?.first ?? directive.position, (seen?.count ?? 0) + 1, why)
        }
      case .obsolete(let why):
        diagnostics.append(Diagnostic(.note, at: directive.position, "'\(keyword.name)' is ignored: \(why)"))
      }
      if let inner = directive.block { read(inner, insideUnusedBlock: isUnused) }
    }
  }

  private mutating func reportUnknown(_ directive: Directive, in kind: BlockKind) {
    let name = directive.keyword
    let skipped =
      directive.block == nil
      ? ", the line is ignored" : ", its block is skipped; keepalived would read the block's lines in \(kind.name)"
    let other = KeywordTable.blocks(knowing: name)
    if !other.isEmpty {
      let places = other.prefix(3).map(\.name).joined(separator: ", ")
      diagnostics.append(
        Diagnostic(
          .warning, at: directive.position, "\(quoted(name)) is not known in \(kind.name)\(skipped)",
          remedy: "it belongs in \(places)"))
      return
    }
    if name.utf8.contains(where: { $0 >= 0x80 }) {
      diagnostics.append(
        Diagnostic(
          .warning, at: directive.position, "unknown keyword \(quoted(name))\(skipped)",
          remedy: "it looks like a wrapped comment; begin the line with #"))
      return
    }
    suggestionCount += 1
    let known = suggestionCount <= KeywordReview.suggestionsMax ? KeywordTable.suggestion(for: name, in: kind) : nil
    let suggestion = known.map { "did you mean '\($0)'?" }
    diagnostics.append(
      Diagnostic(
        kind.isOwn ? .error : .warning, at: directive.position,
        "unknown keyword \(quoted(name))\(skipped)", remedy: suggestion ?? "remove the line or correct the word"))
  }
}
