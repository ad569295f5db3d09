import Wire

// The block `mark_rules` of lbd's configuration, a rule in each line, in either of two languages:
//
//     [family inet|inet6] [interface NAME] [from PREFIX] [to PREFIX] [protocol P] [source_port PORTS] [port PORTS]
//       mark N[/MASK]
//
// where `not` before a value negates it and PORTS is `80`, `8000-8100` or a list of those with commas; or the lines of
// iptables that do the same.

extension Configuration {
  /// Takes the lines of a block behind those of earlier blocks.
  mutating func readMarkRules(_ block: Block?, _ diagnostics: inout DiagnosticList) {
    for line in block?.directives ?? [] {
      let isCommand = IptablesText.isProgram(line.keyword)
      guard let edits = isCommand ? line.iptables(&diagnostics) : line.markRule(&diagnostics).map({ [.append($0)] })
      else { continue }
      for edit in edits {
        do throws(MarkRuleList.Failure) {
          try markRules.apply(edit.standing(at: line.position))
        } catch {
          diagnostics.error(at: line.position, error.description, remedy: "remove the line, or those before it")
          return
        }
      }
    }
  }
}

extension MarkRuleList.Edit {
  /// The same with a rule that knows its place.
  fileprivate func standing(at position: Position) -> MarkRuleList.Edit {
    func placed(_ rule: MarkRule) -> MarkRule {
      var copy = rule
      copy.position = position
      return copy
    }
    switch self {
    case .append(let rule): return .append(placed(rule))
    case .insert(let rule, let number): return .insert(placed(rule), number: number)
    case .replace(let rule, let number): return .replace(placed(rule), number: number)
    case .delete, .deleteNumber, .flush: return self
    }
  }
}

extension Directive {
  /// The changes of an iptables line; nil with a finding when it makes none.
  fileprivate func iptables(_ diagnostics: inout DiagnosticList) -> [MarkRuleList.Edit]? {
    switch IptablesText.parse(line: String(decoding: raw, as: UTF8.self)) {
    case .success(.edits(let edits)): return edits
    case .success(.noEffect(let why)):
      diagnostics.warning(at: position, "the line has no effect here: \(why)", remedy: "remove it")
    case .failure(let failure):
      diagnostics.error(
        at: position, failure.description,
        remedy:
          "write iptables -t mangle -A PREROUTING [-i IF] [-s NET] [-d NET] [-p P] [--dport N] -j MARK --set-mark N")
    case nil: break
    }
    return nil
  }

  /// The rule of a line in lbd's own language, or nil with an error.
  fileprivate func markRule(_ diagnostics: inout DiagnosticList) -> MarkRule? {
    var reader = MarkRuleReader(words: words)
    while let word = reader.next() {
      if let complaint = reader.take(word) {
        diagnostics.error(at: complaint.position, complaint.message, remedy: complaint.remedy)
        return nil
      }
    }
    if let complaint = reader.finish(at: position) {
      diagnostics.error(at: complaint.position, complaint.message, remedy: complaint.remedy)
      return nil
    }
    return reader.rule
  }
}

/// Walks over the words of a rule.
private struct MarkRuleReader {
  struct Complaint {
    let position: Position
    let message: String
    let remedy: String
  }

  private static let keywords = [
    "family", "interface", "from", "to", "protocol", "source_port", "port", "mark",
  ]

  private var words: ArraySlice<Word>
  private var given: Set<String> = []
  private(set) var rule = MarkRule(clear: 0, flip: 0)

  init(words: [Word]) { self.words = words[...] }

  mutating func next() -> Word? { words.popFirst() }

  /// Takes a keyword with its value.
  mutating func take(_ keyword: Word) -> Complaint? {
    let name = keyword.text
    guard MarkRuleReader.keywords.contains(name) else {
      let like = nearest(to: name, among: MarkRuleReader.keywords).map { "did you mean '\($0)'?" }
      return Complaint(
        position: keyword.position, message: "\(quoted(name)) is no part of a mark rule",
        remedy: like ?? "write some of \(MarkRuleReader.keywords.joined(separator: ", "))")
    }
    guard given.insert(name).inserted else {
      return Complaint(
        position: keyword.position, message: "\(quoted(name)) is given twice in one rule", remedy: "write two rules")
    }
    var isNegated = false
    if let word = words.first, word.text == "not", !word.isQuoted, name != "mark", name != "family" {
      isNegated = true
      words.removeFirst()
    }
    guard let word = words.popFirst() else {
      return Complaint(
        position: keyword.position, message: "\(quoted(name)) needs \(meaning(name))",
        remedy: "write it behind the word")
    }
    guard set(name, word.text, isNegated) else {
      return Complaint(
        position: word.position, message: "\(quoted(word.text)) is not \(meaning(name))",
        remedy: "see mark_rules in lbd.conf(5)")
    }
    return nil
  }

  private func meaning(_ name: String) -> String {
    switch name {
    case "family": "inet or inet6"
    case "interface": "an interface's name"
    case "from", "to": "an address or NETWORK/LENGTH"
    case "protocol": "tcp, udp, sctp or a number from 1 to 255"
    case "source_port", "port": "a list of at most \(Defaults.markRulePortsMax) ports or ranges FIRST-LAST"
    default: "a mark N or N/MASK up to 0xffffffff"
    }
  }

  private mutating func set(_ name: String, _ text: String, _ isNegated: Bool) -> Bool {
    switch name {
    case "family":
      guard text == "inet" || text == "inet6" else { return false }
      rule.family = text == "inet" ? .ipv4 : .ipv6
    case "interface":
      guard isInterfaceName(text) else { return false }
      rule.interface = Condition(text, isNegated: isNegated)
    case "from", "to":
      guard let prefix = prefixWithMask(text) else { return false }
      if name == "from" {
        rule.source = Condition(prefix, isNegated: isNegated)
      } else {
        rule.destination = Condition(prefix, isNegated: isNegated)
      }
    case "protocol":
      guard let number = protocolNumber(named: text.lowercased()), number != 0 else { return false }
      rule.protocolNumber = Condition(number, isNegated: isNegated)
    case "source_port", "port":
      guard let ranges = portRanges(text, separators: ["-", ":"]) else { return false }
      let condition = Condition(ranges, isNegated: isNegated)
      if name == "port" { rule.destinationPorts = condition } else { rule.sourcePorts = condition }
    default:
      guard let (value, mask) = markNumbers(text) else { return false }
      (rule.clear, rule.flip) = (value | (mask ?? .max), value)
    }
    return true
  }

  /// What does not fit together; otherwise the family is settled.
  mutating func finish(at position: Position) -> Complaint? {
    guard given.contains("mark") else {
      return Complaint(position: position, message: "the rule sets no mark", remedy: "end it with 'mark N'")
    }
    let families = [rule.family, rule.source?.value.address.family, rule.destination?.value.address.family]
      .compactMap { $0 }
    guard Set(families).count <= 1 else {
      return Complaint(
        position: position, message: "the rule mixes IPv4 and IPv6, no packet is both", remedy: "write two rules")
    }
    rule.family = families.first
    let ports = rule.sourcePorts ?? rule.destinationPorts
    let withPorts = [IPProtocol.tcp, IPProtocol.udp, IPProtocol.sctp]
    if ports != nil, let number = rule.protocolNumber, number.isNegated || !withPorts.contains(number.value) {
      return Complaint(
        position: position, message: "ports go with tcp, udp or sctp", remedy: "write 'protocol tcp', or no protocol")
    }
    return nil
  }
}
