// What the language makes of physical lines: conditions, definitions, variables, repetitions, includes. What comes out
// goes to the lexer line by line.
//
//     @WORD rest        only when WORD is the configuration's id; @^WORD only when it is not
//     $NAME=value       a definition; `\` at the end takes in the next line
//     ~SEQ(…) text      the text for each value
//     include PATTERN   the lines of other files
//
// An include may be conditional and have variables in it: that keepalived looks for it first is no longer so in 2.2.7.

/// Reads the lines of a file and of those it includes.
struct LineReader {
  private let files: any ConfigurationFiles
  private let limits: ReadingLimits
  private(set) var lexer: Lexer
  private(set) var diagnostics = DiagnosticList()
  private(set) var definitions: Definitions
  private var budget: ExpansionBudget
  private let configID: [UInt8]
  private var byteCount = 0

  private var fileCount = 0
  /// The files that are being read, each included by the one before.
  private var openFiles: [String] = []
  private var strictness: IncludeStrictness

  /// A definition whose further lines are still to come.
  private var openDefinition: (name: ArraySlice<UInt8>, lines: [ArraySlice<UInt8>], position: Position)?
  private var reportedNames: Set<String> = []
  private var depth = 0
  private var isBudgetReported = false

  init(_ options: ReadingOptions, _ files: any ConfigurationFiles, limits: ReadingLimits = ReadingLimits()) {
    self.files = files
    self.limits = limits
    lexer = Lexer(lineCountMax: limits.lineCount)
    budget = ExpansionBudget(byteCount: limits.expandedByteCount)
    configID = Array(options.configID.utf8)
    strictness = options.needsAllFiles ? .all : []
    let surroundings = Definitions.Surroundings(folder: options.folder, configID: options.configID)
    definitions = Definitions(surroundings: surroundings, randomSeed: options.randomSeed)
  }

  /// Reads a file.
  mutating func read(_ text: ConfigurationText, file: String) {
    let source = Source(file: file, number: fileCount)
    let start = Position(source, line: 1, column: 1)
    fileCount += 1
    byteCount += text.bytes.count
    guard byteCount <= limits.byteCount else {
      diagnostics.error(
        at: start,
        "with this file the configuration has \(byteCount) bytes, at most \(ReadingLimits.text(limits.byteCount)) are read",
        remedy: "remove what is not configuration")
      return
    }
    openFiles.append(text.identity)
    SourceText(bytes: text.bytes, source: source).forEachLine { line in
      if !lexer.isFull { readPhysical(line) }
    }
    if let open = openDefinition { finish(open) }
    openFiles.removeLast()
  }

  /// What is to be said once everything is read.
  mutating func finish() {
    lexer.finish()
    diagnostics.add(contentsOf: lexer.diagnostics)
  }

  // MARK: - Lines

  private mutating func readPhysical(_ line: SourceLine) {
    if openDefinition != nil { return continueDefinition(line) }
    read(line)
  }

  private mutating func read(_ line: SourceLine) {
    var line = line
    while true {
      let first = Blanks.end(in: line, from: line.bytes.startIndex)
      guard first < line.bytes.endIndex else { return }
      switch line.bytes[first] {
      case UInt8(ascii: "@"):
        guard let rest = conditional(line, at: first) else { return }
        line = rest
        continue
      case UInt8(ascii: "$"):
        if define(line, at: first) { return }
      case UInt8(ascii: "~"):
        if repeatLine(line, at: first) { return }
      case UInt8(ascii: "i"), UInt8(ascii: "r"):
        if actAtOnce(line, at: first) { return }
      default: break
      }
      return emit(line)
    }
  }

  /// The rest of a conditional line whose condition holds.
  private func conditional(_ line: SourceLine, at sign: Int) -> SourceLine? {
    let bytes = line.bytes
    let isNegated = sign + 1 < bytes.endIndex && bytes[sign + 1] == UInt8(ascii: "^")
    let start = sign + (isNegated ? 2 : 1)
    let end = bytes[min(start, bytes.endIndex)...].firstIndex(where: Blanks.isPlain) ?? bytes.endIndex
    guard start < end, bytes[start..<end].elementsEqual(configID) != isNegated else { return nil }
    var rest = line
    rest.bytes = bytes[end...]
    return rest
  }

  /// Gives a line to the lexer with its variables replaced.
  private mutating func emit(_ line: SourceLine) {
    guard line.bytes.contains(UInt8(ascii: "$")) else { return lexer.read(line) }
    var expansion = Expansion(line)
    expansion.run(&definitions, &budget)
    report(expansion, in: line)
    guard expansion.failure == nil else { return }
    lexer.read(expansion.expanded)
    guard let use = expansion.tailUse else { return }
    for bytes in expansion.tail {
      var further = SourceLine(source: use.source, number: line.number, bytes: bytes)
      further.use = use
      guard enter(further) else { return }
      read(further)
      depth -= 1
    }
  }

  private mutating func report(_ expansion: Expansion, in line: SourceLine) {
    let position = line.position(of: Blanks.end(in: line, from: line.bytes.startIndex))
    switch expansion.failure {
    case nil: break
    case .budget: reportBudget(at: position)
    case .depth: reportDepth(at: position)
    case .loop(let name):
      diagnostics.error(
        at: position, "the value of \(quoted("$" + name)) leads back to itself, the line is left out",
        remedy: "give one of the variables another name")
    }
    guard !expansion.undefined.isEmpty, !LineReader.isCommand(line) else { return }
    for (name, position) in expansion.undefined where reportedNames.count < 1000 && reportedNames.insert(name).inserted
    {
      diagnostics.note(
        at: position, "variable \(quoted("$" + name)) is not defined here, it is left as it is",
        remedy: "define it above with '$\(name)=value' if it is meant to be one")
    }
  }

  /// True for directives with a command in them: a shell has variables of its own.
  private static func isCommand(_ line: SourceLine) -> Bool {
    let start = Blanks.end(in: line, from: line.bytes.startIndex)
    let end = line.bytes[start...].firstIndex(where: Blanks.isPlain) ?? line.bytes.endIndex
    let keyword = String(decoding: line.bytes[start..<end], as: UTF8.self)
    return keyword.hasPrefix("notify") || keyword.hasSuffix("script")
      || ["misc_path", "quorum_up", "quorum_down", "process", "regex"].contains(keyword)
  }

  // MARK: - Bounds

  /// Goes into a line that does not stand in a file.
  /// - Returns: false with an error when that has gone far enough.
  private mutating func enter(_ line: SourceLine) -> Bool {
    let position = line.position(of: line.bytes.startIndex)
    guard depth < ExpansionBudget.depthMax else {
      reportDepth(at: position)
      return false
    }
    guard budget.spend(line.bytes.count) else {
      reportBudget(at: position)
      return false
    }
    depth += 1
    return true
  }

  private mutating func reportBudget(at position: Position) {
    guard !isBudgetReported else { return }
    isBudgetReported = true
    diagnostics.error(
      at: position,
      "variables, sequences and lists make more than \(ReadingLimits.text(limits.expandedByteCount)) of text",
      remedy: "what they would make from here on is left out; make less")
  }

  private mutating func reportDepth(at position: Position) {
    diagnostics.error(
      at: position, "variables and repetitions nest deeper than \(ExpansionBudget.depthMax), the line is left out",
      remedy: "a value may not lead back to itself")
  }

  // MARK: - Definitions

  /// - Returns: false when the line defines nothing.
  private mutating func define(_ line: SourceLine, at dollar: Int) -> Bool {
    let bytes = line.bytes
    let end = VariableName.end(in: bytes, from: dollar + 1)
    guard end > dollar + 1, end < bytes.endIndex else { return false }
    let position = line.position(of: dollar)
    guard bytes[end] == UInt8(ascii: "=") else {
      let next = Blanks.end(in: line, from: end)
      guard next > end, next < bytes.endIndex, bytes[next] == UInt8(ascii: "=") else { return false }
      diagnostics.warning(
        at: position, "this is no definition, because of the blank before '='; the line is ignored",
        remedy: "write \(quoted(String(decoding: bytes[dollar..<end], as: UTF8.self) + "=value"))")
      return true
    }
    let name = bytes[(dollar + 1)..<end]
    var value = line
    value.bytes = bytes[(end + 1)...]
    let (text, continues) = definitionLine(value)
    if continues, line.use == nil {
      openDefinition = (name, text.isEmpty ? [] : [text], position)
    } else {
      definitions.set(name, to: [text], at: position)
    }
    return true
  }

  /// A line of a definition without blanks at its ends, comment and the backslash that takes in the next.
  private func definitionLine(_ line: SourceLine) -> (text: ArraySlice<UInt8>, continues: Bool) {
    var line = line
    line.bytes = Blanks.trimmed(line.bytes)
    let continues = line.bytes.last == UInt8(ascii: "\\")
    if continues { line.bytes = line.bytes.dropLast() }
    return (Blanks.trimmed(line.bytes[..<Lexer.commentStart(in: line)]), continues)
  }

  private mutating func continueDefinition(_ line: SourceLine) {
    guard var open = openDefinition else { return }
    let (text, continues) = definitionLine(line)
    if !text.isEmpty { open.lines.append(text) }
    let isComment = text.isEmpty && !Blanks.trimmed(line.bytes).isEmpty
    if continues || isComment {
      openDefinition = open
    } else {
      finish(open)
    }
  }

  private mutating func finish(_ open: (name: ArraySlice<UInt8>, lines: [ArraySlice<UInt8>], position: Position)) {
    openDefinition = nil
    definitions.set(open.name, to: open.lines, at: open.position)
  }

  // MARK: - Repetitions

  /// - Returns: false when the line is no repetition.
  private mutating func repeatLine(_ line: SourceLine, at start: Int) -> Bool {
    guard let (keyword, open, close) = RepeatedLine.arguments(of: line.bytes, at: start) else { return false }
    let position = line.position(of: start)
    var arguments = line
    arguments.bytes = line.bytes[(open + 1)..<(close ?? line.bytes.endIndex)]
    var expansion = Expansion(arguments)
    expansion.run(&definitions, &budget)
    guard let close, expansion.failure == nil,
      let repeated = RepeatedLine(keyword, arguments: expansion.expanded.bytes, textStart: close + 1)
    else {
      diagnostics.warning(
        at: position, "this is no \(keyword.rawValue), the line is ignored",
        remedy:
          "write \(keyword == .list ? "~LST(name,value,value) text" : "\(keyword.rawValue)(name,start,step,end) text")")
      return true
    }
    var text = line
    text.bytes = line.bytes[(close + 1)...]
    for turn in 0..<repeated.count {
      guard enter(text) else { break }
      for (name, value) in zip(repeated.names, repeated.values(inTurn: turn)) {
        definitions.set(name, to: [value], at: position)
      }
      read(text)
      depth -= 1
      if budget.isSpent || lexer.isFull { break }
    }
    return true
  }

  // MARK: - Includes

  /// Directives that have an effect on how the file is read.
  /// - Returns: true when the line is done with.
  private mutating func actAtOnce(_ line: SourceLine, at start: Int) -> Bool {
    let bytes = line.bytes
    let end = bytes[start...].firstIndex(where: Blanks.isPlain) ?? bytes.endIndex
    guard end - start <= 13 else { return false }
    let keyword = String(decoding: bytes[start..<end], as: UTF8.self)
    guard keyword.hasPrefix("include") || keyword == "random_seed" else { return false }
    var rest = line
    rest.bytes = bytes[end...]
    var expansion = Expansion(rest)
    expansion.run(&definitions, &budget)
    let text = String(decoding: Blanks.trimmed(expansion.expanded.bytes), as: UTF8.self)
    let words = text.split(separator: " ").map(String.init)
    let position = line.position(of: start)
    switch keyword {
    case "include_check":
      guard let wrong = strictness.check(words) else { return false }
      diagnostics.warning(
        at: position, "\(quoted(wrong)) is not what include_check takes",
        remedy: "write readable, match, wildcard_match or brace_match")
      return false
    case "random_seed":
      if let seed = words.first.flatMap(decimal) { definitions.seed(UInt64(seed)) }
      return false
    default:
      guard let asked = IncludeStrictness.of(keyword: keyword), !text.isEmpty else { return false }
      include(text, asked.union(strictness), keyword: keyword, at: position)
      return true
    }
  }

  private mutating func include(
    _ text: String, _ strictness: IncludeStrictness, keyword: String, at position: Position
  ) {
    var pattern = text
    if pattern.utf8.count > 2, pattern.hasPrefix("\""), pattern.hasSuffix("\"") {
      pattern = String(pattern.dropFirst().dropLast())
      diagnostics.warning(
        at: position, "keepalived takes the quotes for a part of the file's name", remedy: "remove them")
    }
    guard openFiles.count < limits.fileDepth else {
      diagnostics.error(
        at: position, "includes nest deeper than \(limits.fileDepth), \(quoted(pattern)) is not read",
        remedy: "include it higher up")
      return
    }
    guard let alternatives = IncludePattern.alternatives(of: pattern) else {
      diagnostics.error(
        at: position, "\(quoted(pattern)) has more than \(IncludePattern.alternativesMax) alternatives",
        remedy: "use wildcards")
      return
    }
    var matched = 0
    for alternative in alternatives {
      let name = alternative.hasPrefix("/") ? alternative : definitions.surroundings.folder + "/" + alternative
      let names = files.names(matching: name)
      matched += names.isEmpty ? 0 : 1
      if names.isEmpty, alternatives.count > 1, strictness.contains(.braceMatch) {
        diagnostics.error(
          at: position, "\(quoted(alternative)) of \(quoted(pattern)) matches no file",
          remedy: "create it, or use 'include'")
      }
      for name in names { include(file: name, strictness, at: position) }
    }
    guard matched == 0 else { return }
    let hasWildcard = IncludePattern.hasWildcard(pattern)
    let isRequired = strictness.contains(hasWildcard ? .wildcardMatch : .match)
    let severity: Diagnostic.Severity = isRequired ? .error : hasWildcard ? .note : .warning
    diagnostics.add(
      Diagnostic(
        severity, at: position,
        "\(quoted(keyword)): no file \(hasWildcard ? "matches" : "is named") \(quoted(pattern))",
        remedy: isRequired ? "create it, or use 'include'" : "nothing is included; check the name"))
  }

  private mutating func include(file name: String, _ strictness: IncludeStrictness, at position: Position) {
    guard fileCount < limits.fileCount else {
      diagnostics.error(
        at: position, "more than \(limits.fileCount) files, \(quoted(name)) is not read",
        remedy: "include fewer")
      return
    }
    let text: ConfigurationText
    do {
      text = try files.text(of: name, atMost: limits.byteCount)
    } catch {
      let severity: Diagnostic.Severity = strictness.contains(.readable) ? .error : .warning
      diagnostics.add(
        Diagnostic(
          severity, at: position, "\(quoted(name)) cannot be read: \(error.description)",
          remedy: severity == .error ? "make it readable, or use 'include'" : "it is passed over"))
      return
    }
    guard !openFiles.contains(text.identity) else {
      diagnostics.error(
        at: position, "\(quoted(name)) includes itself, directly or through others",
        remedy: "it is not read again; remove the include")
      return
    }
    let folder = definitions.surroundings.folder
    let outer = self.strictness
    let outerDefinition = openDefinition
    openDefinition = nil
    definitions.surroundings.folder = name.lastIndex(of: "/").map { String(name[..<$0]) } ?? folder
    read(text, file: name)
    openDefinition = outerDefinition
    definitions.surroundings.folder = folder
    self.strictness = outer
  }
}
