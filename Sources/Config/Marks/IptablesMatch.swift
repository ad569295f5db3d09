import Wire

// What a rule of iptables matches, and the mark it sets.

/// The matches and the target of one line.
struct IptablesMatch {
  typealias Failure = IptablesText.Failure
  typealias Words = IptablesWords

  private let family: IPAddress.Family
  private var rule = MarkRule(clear: 0, flip: 0)
  /// Lists of addresses make a rule of each.
  private var sources: [Condition<IPPrefix>] = []
  private var destinations: [Condition<IPPrefix>] = []
  private var given: Set<String> = []
  private var modules: Set<String> = []
  private var target: String?
  private var isMarkSet = false

  init(family: IPAddress.Family) {
    self.family = family
    rule.family = family
  }

  /// Takes one option that is not table, chain or command.
  mutating func take(_ option: Words.Option, _ words: inout Words) throws(Failure) {
    switch option.name {
    case "-i", "--in-interface": try takeInterface(option, &words)
    case "-s", "--source", "--src": sources = try addresses(option, &words, "-s")
    case "-d", "--destination", "--dst": destinations = try addresses(option, &words, "-d")
    case "-p", "--protocol", "--proto": try takeProtocol(option, &words)
    case "-m", "--match": try takeModule(option, &words)
    case "--comment":
      try require("comment", for: option)
      _ = try words.value(of: option)
    case "--sport", "--source-port": rule.sourcePorts = try ports(option, &words, "--sport")
    case "--dport", "--destination-port": rule.destinationPorts = try ports(option, &words, "--dport")
    case "--sports", "--source-ports":
      try require("multiport", for: option)
      rule.sourcePorts = try ports(option, &words, "--sport")
    case "--dports", "--destination-ports":
      try require("multiport", for: option)
      rule.destinationPorts = try ports(option, &words, "--dport")
    case "-j", "--jump": try takeTarget(option, &words)
    case "--set-mark", "--set-xmark", "--or-mark", "--and-mark", "--xor-mark": try takeMark(option, &words)
    case "-c", "--set-counters":
      _ = try words.value(of: option)
      _ = words.optionalNumber()
    default: throw Failure(description: "the option \(quoted(option.name)) is not known here")
    }
  }

  /// The rules of the line.
  func rules() throws(Failure) -> [MarkRule] {
    guard target != nil else { throw Failure(description: "the rule has no target; write -j MARK --set-mark N") }
    guard isMarkSet else { throw Failure(description: "the target MARK needs --set-mark N") }
    let hasPorts = rule.sourcePorts != nil || rule.destinationPorts != nil
    let withPorts = [IPProtocol.tcp, IPProtocol.udp, IPProtocol.sctp]
    if hasPorts {
      guard let number = rule.protocolNumber, !number.isNegated, withPorts.contains(number.value) else {
        throw Failure(description: "ports need -p tcp, -p udp or -p sctp")
      }
    }
    var rules: [MarkRule] = []
    for source in sources.isEmpty ? [nil] : sources.map(Optional.some) {
      for destination in destinations.isEmpty ? [nil] : destinations.map(Optional.some) {
        var copy = rule
        copy.source = source
        copy.destination = destination
        rules.append(copy)
      }
    }
    guard rules.count <= Defaults.markRuleCountMax else { throw Failure(description: "too many addresses in one line") }
    return rules
  }

  private mutating func once(_ name: String) throws(Failure) {
    guard given.insert(name).inserted else { throw Failure(description: "\(quoted(name)) is given twice") }
  }

  private func require(_ module: String, for option: Words.Option) throws(Failure) {
    guard modules.contains(module) else {
      throw Failure(description: "\(quoted(option.name)) needs '-m \(module)' before it")
    }
  }

  private mutating func takeInterface(_ option: Words.Option, _ words: inout Words) throws(Failure) {
    try once("-i")
    var isNegated = false
    let name = try words.value(of: option, isNegated: &isNegated)
    guard isInterfaceName(name) else { throw Failure(description: "\(quoted(name)) is not an interface's name") }
    rule.interface = Condition(name, isNegated: isNegated)
  }

  private mutating func addresses(
    _ option: Words.Option, _ words: inout Words, _ name: String
  ) throws(Failure) -> [Condition<IPPrefix>] {
    try once(name)
    var isNegated = false
    let text = try words.value(of: option, isNegated: &isNegated)
    var found: [Condition<IPPrefix>] = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      guard let prefix = prefixWithMask(String(part)), prefix.address.family == family else {
        let kind = family == .ipv4 ? "IPv4" : "IPv6"
        throw Failure(
          description:
            "\(quoted(String(part))) is not an \(kind) address with or without /LENGTH; names are not looked up")
      }
      found.append(Condition(prefix, isNegated: isNegated))
    }
    guard found.count == 1 || !isNegated else {
      throw Failure(description: "'!' goes with one address, not with a list")
    }
    return found
  }

  private mutating func takeProtocol(_ option: Words.Option, _ words: inout Words) throws(Failure) {
    try once("-p")
    var isNegated = false
    let name = try words.value(of: option, isNegated: &isNegated)
    guard let number = protocolNumber(named: name.lowercased()) else {
      throw Failure(description: "\(quoted(name)) is not a protocol; write tcp, udp, sctp or a number")
    }
    // 0 is every protocol.
    guard number != 0 else {
      if isNegated { throw Failure(description: "'! -p all' matches nothing") }
      return
    }
    rule.protocolNumber = Condition(number, isNegated: isNegated)
  }

  private mutating func takeModule(_ option: Words.Option, _ words: inout Words) throws(Failure) {
    let name = try words.value(of: option)
    guard ["tcp", "udp", "sctp", "multiport", "comment"].contains(name) else {
      throw Failure(description: "the match \(quoted(name)) is not known here; a rule without it would mark too much")
    }
    modules.insert(name)
  }

  private mutating func ports(
    _ option: Words.Option, _ words: inout Words, _ name: String
  ) throws(Failure) -> Condition<[ClosedRange<UInt16>]> {
    try once(name)
    var isNegated = false
    let text = try words.value(of: option, isNegated: &isNegated)
    let isList = option.name.hasSuffix("s")
    guard let ranges = portRanges(text), isList || ranges.count == 1 else {
      throw Failure(
        description: "\(quoted(text)) is not "
          + (isList ? "a list of at most \(Defaults.markRulePortsMax) ports" : "a port or FIRST:LAST")
          + "; names are not looked up")
    }
    return Condition(ranges, isNegated: isNegated)
  }

  private mutating func takeTarget(_ option: Words.Option, _ words: inout Words) throws(Failure) {
    try once("-j")
    let name = try words.value(of: option)
    guard name == "MARK" else {
      throw Failure(description: "the target \(quoted(name)) is not known here, only MARK is")
    }
    target = name
  }

  private mutating func takeMark(_ option: Words.Option, _ words: inout Words) throws(Failure) {
    guard target != nil else { throw Failure(description: "\(quoted(option.name)) needs '-j MARK' before it") }
    guard !isMarkSet else { throw Failure(description: "the mark is set twice in one rule") }
    isMarkSet = true
    let text = try words.value(of: option)
    let takesMask = option.name == "--set-mark" || option.name == "--set-xmark"
    guard let (value, mask) = markNumbers(text), mask == nil || takesMask else {
      throw Failure(
        description: "\(quoted(text)) is not a mark; write a number up to 0xffffffff\(takesMask ? ", or N/MASK" : "")")
    }
    switch option.name {
    case "--set-mark": (rule.clear, rule.flip) = (value | (mask ?? .max), value)
    case "--set-xmark": (rule.clear, rule.flip) = (mask ?? .max, value)
    case "--or-mark": (rule.clear, rule.flip) = (value, value)
    case "--and-mark": (rule.clear, rule.flip) = (~value, 0)
    default: (rule.clear, rule.flip) = (0, value)
    }
  }
}

/// A prefix, its length in bits or as a dotted mask; host bits are dropped.
func prefixWithMask(_ text: String) -> IPPrefix? {
  let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
  guard let address = IPAddress(String(parts[0])) else { return nil }
  var length = address.bitCount
  if parts.count == 2 {
    if let mask = IPAddress(String(parts[1])), mask.family == .ipv4, address.family == .ipv4 {
      length = (~mask.v4).leadingZeroBitCount
      guard mask.v4 == (length == 0 ? 0 : UInt32.max << UInt32(32 - length)) else { return nil }
    } else if let bits = decimal(String(parts[1])) {
      length = bits
    } else {
      return nil
    }
  }
  guard length <= address.bitCount else { return nil }
  return IPPrefix(address: masked(address, length), length: length)
}

private func masked(_ address: IPAddress, _ length: Int) -> IPAddress {
  if address.family == .ipv4 { return IPAddress(v4: length == 0 ? 0 : address.v4 & UInt32.max << UInt32(32 - length)) }
  let high = length >= 64 ? UInt64.max : length == 0 ? 0 : UInt64.max << UInt64(64 - length)
  let low = length <= 64 ? 0 : UInt64.max << UInt64(128 - length)
  return IPAddress(high: address.high & high, low: address.low & low)
}
