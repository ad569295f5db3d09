import Wire

// The lines of iptables(8) that set firewall marks: `iptables -t mangle -A PREROUTING … -j MARK --set-mark N`, and those
// that insert, replace, delete and flush such rules. ip6tables, iptables-legacy and iptables-nft are the same language.
//
// Lines for other tables and chains say nothing about marks, and are recognised as that. A match or target not known here
// is refused, not passed over: half a rule would mark packets that the whole one leaves alone.

/// Reads lines of iptables.
public enum IptablesText {
  /// What a line means.
  public enum Line: Hashable, Sendable {
    /// Changes of the rules; one line can make several.
    case edits([MarkRuleList.Edit])
    /// Nothing here, and why.
    case noEffect(String)
  }

  /// Why a line cannot be read.
  public struct Failure: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong with which word.
    public let description: String
  }

  /// True for `iptables`, `ip6tables` and their variants, with or without a path.
  public static func isProgram(_ word: String) -> Bool {
    guard let name = word.split(separator: "/", omittingEmptySubsequences: false).last else { return false }
    return ["", "-legacy", "-nft"].contains { name == "iptables\($0)" || name == "ip6tables\($0)" }
  }

  /// Parses a line of a script; nil when it is not one of iptables.
  public static func parse(line: String) -> Result<Line, Failure>? {
    guard case .success(let words) = CommandWords.split(line) else {
      let isOurs = line.split(separator: " ").first.map { isProgram(String($0)) } ?? false
      return isOurs ? .failure(Failure(description: "the line has an unclosed quote")) : nil
    }
    guard let program = words.first, isProgram(program) else { return nil }
    return parse(words)
  }

  /// Parses the words of a line, the program's name the first.
  public static func parse(_ words: [String]) -> Result<Line, Failure> {
    let isIPv6 = words.first.map { $0.split(separator: "/").last?.hasPrefix("ip6") ?? false } ?? false
    do throws(Failure) {
      var reader = IptablesReader(words: Array(words.dropFirst()), family: isIPv6 ? .ipv6 : .ipv4)
      return .success(try reader.line())
    } catch {
      return .failure(error)
    }
  }
}

/// What stands in a line that is no match: table, chain, command.
private struct IptablesReader {
  typealias Failure = IptablesText.Failure

  private enum Command: String {
    case append, insert, replace, delete, flush
    /// Those that change no rule.
    case other
  }

  private var words: IptablesWords
  private let family: IPAddress.Family
  private var table = "filter"
  private var chain: String?
  private var command: Command?
  private var number: Int?
  private var match: IptablesMatch

  init(words: [String], family: IPAddress.Family) {
    self.words = IptablesWords(words)
    self.family = family
    match = IptablesMatch(family: family)
  }

  mutating func line() throws(Failure) -> IptablesText.Line {
    // The table may stand anywhere, and decides whether the rest has to be understood.
    if words.valueOfTable == "" { throw Failure(description: "'-t' needs a table") }
    if let name = words.valueOfTable, name != "mangle" { return .noEffect("marks are set in the table mangle") }
    if words.valueOfTable == nil { return .noEffect("without '-t mangle' it is about the table filter") }
    while let option = try words.next() { try take(option) }
    guard let command else { throw Failure(description: "there is no command; write -A PREROUTING") }
    if command == .other { return .noEffect("it changes no rule") }
    if command == .flush, chain == nil { return .edits([.flush(family)]) }
    guard chain == "PREROUTING" else { return .noEffect("only the chain PREROUTING is looked at") }
    return .edits(try edits(command))
  }

  private func edits(_ command: Command) throws(Failure) -> [MarkRuleList.Edit] {
    if command == .flush { return [.flush(family)] }
    if command == .delete, let number { return [.deleteNumber(number, family)] }
    let rules = try match.rules()
    switch command {
    case .delete: return rules.map { .delete($0) }
    case .insert:
      // Each goes before the one inserted before it, as in the kernel.
      return rules.map { .insert($0, number: number ?? 1) }
    case .replace:
      guard let number, rules.count == 1 else {
        throw Failure(description: "-R wants PREROUTING, a number and one rule")
      }
      return [.replace(rules[0], number: number)]
    default: return rules.map { .append($0) }
    }
  }

  private mutating func take(_ option: IptablesWords.Option) throws(Failure) {
    switch option.name {
    case "-t", "--table": table = try words.value(of: option)
    case "-A", "--append": try begin(.append, option)
    case "-I", "--insert": try begin(.insert, option)
    case "-R", "--replace": try begin(.replace, option)
    case "-D", "--delete": try begin(.delete, option)
    case "-F", "--flush": try begin(.flush, option, chainIsOptional: true)
    case "-L", "--list", "-S", "--list-rules", "-Z", "--zero", "-N", "--new-chain", "-X", "--delete-chain", "-P",
      "--policy", "-C", "--check", "-E", "--rename-chain":
      command = .other
      words.skipRest()
    case "-v", "--verbose", "-n", "--numeric", "--line-numbers", "-x", "--exact", "-4", "--ipv4", "-6", "--ipv6":
      break
    case "-w", "--wait": _ = words.optionalNumber(of: option)
    default: try match.take(option, &words)
    }
  }

  private mutating func begin(
    _ new: Command, _ option: IptablesWords.Option, chainIsOptional: Bool = false
  ) throws(Failure) {
    guard command == nil else { throw Failure(description: "\(quoted(option.name)) is the second command of the line") }
    command = new
    chain = words.optionalWord(of: option)
    guard chain != nil || chainIsOptional else {
      throw Failure(description: "\(quoted(option.name)) needs a chain, such as PREROUTING")
    }
    // Another chain's rules may use what is not known here.
    if let chain, chain != "PREROUTING" { return words.skipRest() }
    if new != .append, new != .flush { number = words.optionalNumber() }
  }
}

/// The words of a line as options, by the rules of getopt_long.
struct IptablesWords {
  typealias Failure = IptablesText.Failure

  /// An option with what was attached to it.
  struct Option {
    let name: String
    var attached: String?
    /// A `!` stood before it.
    var isNegated = false
  }

  private let words: [String]
  private var index = 0

  init(_ words: [String]) { self.words = words }

  /// The word behind `-t`, wherever that stands.
  var valueOfTable: String? {
    for (index, word) in words.enumerated() {
      if word == "-t" || word == "--table" { return index + 1 < words.count ? words[index + 1] : "" }
      if word.hasPrefix("--table=") { return String(word.dropFirst(8)) }
      if word.hasPrefix("-t"), word.utf8.count > 2 { return String(word.dropFirst(2)) }
    }
    return nil
  }

  /// The next option, or nil at the end.
  mutating func next() throws(Failure) -> Option? {
    guard index < words.count else { return nil }
    var isNegated = false
    if words[index] == "!" {
      isNegated = true
      index += 1
    }
    guard index < words.count else { throw Failure(description: "nothing behind the last '!'") }
    let word = words[index]
    index += 1
    if word.hasPrefix("--"), word.utf8.count > 2 {
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      return Option(
        name: String(parts[0]), attached: parts.count == 2 ? String(parts[1]) : nil, isNegated: isNegated)
    }
    guard word.hasPrefix("-"), word.utf8.count > 1 else {
      throw Failure(description: "\(quoted(word)) belongs to no option")
    }
    let rest = word.dropFirst(2)
    return Option(name: String(word.prefix(2)), attached: rest.isEmpty ? nil : String(rest), isNegated: isNegated)
  }

  /// What the option is set to. A `!` before it, in the manner of old, negates.
  mutating func value(of option: Option, isNegated: inout Bool) throws(Failure) -> String {
    isNegated = option.isNegated
    if let attached = option.attached { return attached }
    if index < words.count, words[index] == "!", !isNegated {
      isNegated = true
      index += 1
    }
    guard index < words.count else { throw Failure(description: "\(quoted(option.name)) needs a value") }
    index += 1
    return words[index - 1]
  }

  /// What an option is set to that cannot be negated.
  mutating func value(of option: Option) throws(Failure) -> String {
    var isNegated = false
    let text = try value(of: option, isNegated: &isNegated)
    guard !isNegated else { throw Failure(description: "\(quoted(option.name)) cannot be negated") }
    return text
  }

  /// The next word if it is no option.
  mutating func optionalWord(of option: Option) -> String? {
    if let attached = option.attached { return attached }
    guard index < words.count, !words[index].hasPrefix("-"), words[index] != "!" else { return nil }
    index += 1
    return words[index - 1]
  }

  /// The next word if it is a number.
  mutating func optionalNumber(of option: Option? = nil) -> Int? {
    if let attached = option?.attached { return decimal(attached) }
    guard index < words.count, let number = decimal(words[index]) else { return nil }
    index += 1
    return number
  }

  /// Passes over what is left.
  mutating func skipRest() { index = words.count }
}
