import Wire

// Which packets carry which firewall mark. The kernel's own marks come too late for a program that takes frames off the
// wire, so the rules that would make them are lbd's to apply, written as one likes: in a language of lbd's own, or as the
// iptables lines that are there already.

/// Something a packet must or must not have.
public struct Condition<Value: Hashable & Sendable>: Hashable, Sendable {
  /// What it is compared with.
  public var value: Value
  /// True when it must not be so.
  public var isNegated: Bool

  /// A condition.
  public init(_ value: Value, isNegated: Bool = false) {
    self.value = value
    self.isNegated = isNegated
  }
}

/// A rule: packets of this kind get that mark. Where a condition is nil, everything meets it.
public struct MarkRule: Hashable, Sendable {
  /// Those of one family only.
  public var family: IPAddress.Family?
  /// The interface they came in by; with a `+` at the end, every one whose name begins so.
  public var interface: Condition<String>?
  /// Where they come from.
  public var source: Condition<IPPrefix>?
  /// Where they go.
  public var destination: Condition<IPPrefix>?
  /// The IP protocol.
  public var protocolNumber: Condition<UInt8>?
  /// One of these is the source port. A fragment without ports meets no condition on ports.
  public var sourcePorts: Condition<[ClosedRange<UInt16>]>?
  /// One of these is the destination port.
  public var destinationPorts: Condition<[ClosedRange<UInt16>]>?
  /// Bits of the mark that are cleared.
  public var clear: UInt32
  /// Bits that are then flipped.
  public var flip: UInt32
  /// Where it stands.
  public var position: Position?

  /// A rule without conditions.
  public init(clear: UInt32 = .max, flip: UInt32) {
    self.clear = clear
    self.flip = flip
  }

  /// The mark of a packet that had `mark` before.
  public func applied(to mark: UInt32) -> UInt32 { mark & ~clear ^ flip }

  /// The same wherever it stands.
  public var withoutPosition: MarkRule {
    var copy = self
    copy.position = nil
    return copy
  }
}

/// The rules in their order, and how commands change them.
///
/// All rules are applied, one after the other; where several set the mark, the last one's counts. As in the kernel the
/// rules of IPv4 and those of IPv6 are counted apart; rules of lbd's own language that hold for both count in both.
public struct MarkRuleList: Hashable, Sendable {
  /// In order.
  public private(set) var rules: [MarkRule] = []

  /// No rules: every mark is 0.
  public init() {}

  /// The same wherever its rules stand.
  public var withoutPositions: MarkRuleList {
    var copy = self
    copy.rules = rules.map(\.withoutPosition)
    return copy
  }

  /// What a command does.
  public enum Edit: Hashable, Sendable {
    /// At the end.
    case append(MarkRule)
    /// Before the rule with this number, from 1, of the family.
    case insert(MarkRule, number: Int)
    /// In the place of the rule with this number.
    case replace(MarkRule, number: Int)
    /// The first rule that says the same.
    case delete(MarkRule)
    /// The rule with this number.
    case deleteNumber(Int, IPAddress.Family)
    /// All of a family.
    case flush(IPAddress.Family)
  }

  /// Why a command cannot be carried out.
  public struct Failure: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong.
    public let description: String
  }

  /// Carries out a command: all of it, or nothing.
  public mutating func apply(_ edit: Edit) throws(Failure) {
    switch edit {
    case .append(let rule):
      try checkRoom()
      rules.append(rule)
    case .insert(let rule, let number):
      try checkRoom()
      let places = places(rule.family)
      guard number >= 1, number <= places.count + 1 else { throw MarkRuleList.noRule(number) }
      rules.insert(rule, at: number <= places.count ? places[number - 1] : rules.count)
    case .replace(let rule, let number):
      rules[try place(number, rule.family)] = rule
    case .delete(let rule):
      guard let place = rules.firstIndex(where: { $0.withoutPosition == rule.withoutPosition }) else {
        throw Failure(description: "there is no such rule")
      }
      rules.remove(at: place)
    case .deleteNumber(let number, let family):
      rules.remove(at: try place(number, family))
    case .flush(let family):
      rules.removeAll { $0.family == family }
    }
  }

  private func checkRoom() throws(Failure) {
    guard rules.count < Defaults.markRuleCountMax else {
      throw Failure(description: "more than \(Defaults.markRuleCountMax) mark rules")
    }
  }

  private static func noRule(_ number: Int) -> Failure { Failure(description: "there is no rule number \(number)") }

  private func place(_ number: Int, _ family: IPAddress.Family?) throws(Failure) -> Int {
    let places = places(family)
    guard number >= 1, number <= places.count else { throw MarkRuleList.noRule(number) }
    return places[number - 1]
  }

  private func places(_ family: IPAddress.Family?) -> [Int] {
    rules.indices.filter { family == nil || rules[$0].family == nil || rules[$0].family == family }
  }
}

/// The names of protocols that rules use.
func protocolNumber(named name: String) -> UInt8? {
  switch name {
  case "all": 0
  case "icmp": IPProtocol.icmpv4
  case "tcp": IPProtocol.tcp
  case "udp": IPProtocol.udp
  case "gre": IPProtocol.gre
  case "esp": IPProtocol.esp
  case "ah": IPProtocol.authentication
  case "icmpv6", "ipv6-icmp": IPProtocol.icmpv6
  case "vrrp": IPProtocol.vrrp
  case "sctp": IPProtocol.sctp
  case "udplite": 136
  default: decimal(name).flatMap { UInt8(exactly: $0) }
  }
}

/// `80,443,8000:8100`, the ends of a range separated by `separators`; nil when it is no list of ports, or too long a one.
func portRanges(_ text: String, separators: Set<Character> = [":"]) -> [ClosedRange<UInt16>]? {
  let parts = text.split(separator: ",", omittingEmptySubsequences: false)
  guard parts.count <= Defaults.markRulePortsMax else { return nil }
  var ranges: [ClosedRange<UInt16>] = []
  for part in parts {
    let ends = part.split(maxSplits: 1, omittingEmptySubsequences: false, whereSeparator: separators.contains)
    // An end that is left out is the least or the greatest port there is.
    let first = ends[0].isEmpty && ends.count == 2 ? 0 : decimal(String(ends[0]))
    let last = ends.count == 1 ? first : ends[1].isEmpty ? 65535 : decimal(String(ends[1]))
    guard let first, let last, first <= last, last <= 65535 else { return nil }
    ranges.append(UInt16(first)...UInt16(last))
  }
  return ranges
}

/// A number with an optional mask behind a slash, decimal, 0x hexadecimal or 0 octal, as iptables reads them.
func markNumbers(_ text: String) -> (value: UInt32, mask: UInt32?)? {
  func number(_ text: Substring) -> UInt32? {
    guard text.utf8.allSatisfy({ $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "-") }) else { return nil }
    if text.hasPrefix("0x") || text.hasPrefix("0X") { return UInt32(text.dropFirst(2), radix: 16) }
    return UInt32(text, radix: text.hasPrefix("0") ? 8 : 10)
  }
  let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
  guard let value = number(parts[0]) else { return nil }
  guard parts.count == 2 else { return (value, nil) }
  return number(parts[1]).map { (value, $0) }
}
