import Wire

// Lines of `virtual_ipaddress`, `virtual_routes`, `virtual_rules` and their static fellows. A line that cannot be
// understood is left out with a warning; options of `ip` that lbd does not look at are kept as they are.

extension Directive {
  /// The lines of a block of values, up to a bound.
  func lines(limit: Int, _ diagnostics: inout DiagnosticList) -> ArraySlice<Directive> {
    let lines = block?.directives ?? []
    if lines.count > limit {
      diagnostics.warning(
        at: lines[limit].position, "'\(keyword)' has \(lines.count) lines, those from here on are left out",
        remedy: "at most \(limit) are read")
    }
    return lines.prefix(limit)
  }

  /// The words of a block of values, up to a bound.
  func listedWords(_ diagnostics: inout DiagnosticList) -> ArraySlice<Word> {
    lines(limit: Defaults.listedNamesMax, &diagnostics).flatMap(\.words).prefix(Defaults.listedNamesMax)
  }

  /// Several blocks together have more names than one thing refers to.
  /// - Returns: true, because those up to here are taken.
  func reportTooMany(_ diagnostics: inout DiagnosticList) -> Bool {
    diagnostics.warning(
      at: position, "'\(keyword)' has more than \(Defaults.listedNamesMax) entries, the rest is left out",
      remedy: "use fewer")
    return true
  }

  /// The value of an option of this line, or nil with a warning.
  fileprivate func value(_ index: inout Int, _ diagnostics: inout DiagnosticList) -> Word? {
    index += 1
    guard index < words.count else {
      diagnostics.warning(
        at: position, "\(quoted(words[index - 1].text)) needs a value, it is left out", remedy: "write it behind")
      return nil
    }
    return words[index]
  }

  fileprivate func prefix(_ index: inout Int, _ diagnostics: inout DiagnosticList) -> IPPrefix? {
    guard let word = value(&index, &diagnostics) else { return nil }
    if let prefix = IPPrefix(word.text) { return prefix }
    diagnostics.warning(
      at: word.position, "\(quoted(word.text)) is not an address, it is left out", remedy: "write IP or IP/LENGTH")
    return nil
  }
}

extension VirtualAddress {
  /// The addresses of a block.
  static func read(_ block: Directive, _ diagnostics: inout DiagnosticList) -> [VirtualAddress] {
    block.lines(limit: Defaults.addressesInInstanceMax, &diagnostics).compactMap { VirtualAddress($0, &diagnostics) }
  }

  /// - Returns: nil with a warning when the line is left out.
  init?(_ line: Directive, _ diagnostics: inout DiagnosticList) {
    guard let prefix = IPPrefix(line.keyword) else {
      diagnostics.warning(
        at: line.position, "\(quoted(line.keyword)) is not an address, the line is left out",
        remedy: "write IP or IP/LENGTH, then dev, label, scope and so on")
      return nil
    }
    self.init(prefix: prefix, position: line.position)
    var index = 1
    while index < line.words.count {
      guard readOption(line, &index, &diagnostics) else { return nil }
      index += 1
    }
    if label != nil || scope != nil, prefix.address.family == .ipv6 {
      diagnostics.warning(at: line.position, "label and scope are for IPv4 only, they are ignored here")
      (label, scope) = (nil, nil)
    }
  }

  /// - Returns: false when the whole line is to be left out.
  private mutating func readOption(
    _ line: Directive, _ index: inout Int, _ diagnostics: inout DiagnosticList
  ) -> Bool {
    let word = line.words[index]
    switch word.text {
    case "dev":
      guard let name = line.value(&index, &diagnostics) else { return true }
      guard isInterfaceName(name.text) else {
        line.refuse(name, "an interface's name", &diagnostics)
        return true
      }
      device = name.text
    case "brd", "broadcast": broadcast = line.value(&index, &diagnostics)?.text
    case "scope":
      guard let name = line.value(&index, &diagnostics) else { return true }
      let names = ["global", "site", "link", "host", "nowhere"]
      guard names.contains(name.text) || decimal(name.text).map({ $0 < 256 }) == true else {
        line.refuse(name, "one of " + names.joined(separator: ", "), &diagnostics)
        return true
      }
      scope = name.text
    case "label":
      guard let name = line.value(&index, &diagnostics) else { return true }
      guard name.text.utf8.count <= 15 else {
        diagnostics.warning(
          at: name.position, "the label \(quoted(name.text)) has more than 15 bytes, the address is left out",
          remedy: "shorten it")
        return false
      }
      label = name.text
    case "peer": peer = line.prefix(&index, &diagnostics)
    case "preferred_lft":
      guard let time = line.value(&index, &diagnostics) else { return true }
      preferredSeconds =
        time.text == "forever" ? Int(UInt32.max) : line.number(time, in: 0...Int(UInt32.max), &diagnostics)
    case "home", "-nodad", "mngtmpaddr", "noprefixroute", "autojoin": flags.append(word.text)
    case "no_track": isTracked = false
    case "use_vmac": usesVirtualMAC = true
    case "track_group": trackGroup = line.value(&index, &diagnostics)?.text
    default:
      diagnostics.warning(
        at: word.position, "\(quoted(word.text)) is not an option of an address, it is ignored",
        remedy: IPPrefix(word.text) == nil ? "remove it" : "write each address on a line of its own")
    }
    return true
  }
}

extension VirtualRoute {
  private static let kinds = ["unicast", "blackhole", "unreachable", "prohibit", "throw", "local"]

  /// The routes of a block.
  static func read(_ block: Directive, _ diagnostics: inout DiagnosticList) -> [VirtualRoute] {
    block.lines(limit: Defaults.addressesInInstanceMax, &diagnostics).compactMap { VirtualRoute($0, &diagnostics) }
  }

  /// - Returns: nil with a warning when the line is left out.
  init?(_ line: Directive, _ diagnostics: inout DiagnosticList) {
    self.init(position: line.position)
    var index = 0
    var hasDestination = false
    while index < line.words.count {
      let word = line.words[index]
      switch word.text {
      case _ where VirtualRoute.kinds.contains(word.text) && !hasDestination: kind = word.text
      case "src": source = line.value(&index, &diagnostics).flatMap { IPAddress($0.text) }
      case "via", "gw":
        guard let gateway = line.value(&index, &diagnostics) else { break }
        if gateway.text == "inet" || gateway.text == "inet6" {
          index -= 1
          options.append(gateway.text)
          index += 1
        } else if let address = IPAddress(gateway.text) {
          gateways.append(address)
        } else {
          line.refuse(gateway, "a gateway's address", &diagnostics)
        }
      case "or":
        if let address = line.value(&index, &diagnostics).flatMap({ IPAddress($0.text) }) { gateways.append(address) }
      case "dev", "oif": device = line.value(&index, &diagnostics)?.text
      case "table": table = line.value(&index, &diagnostics)?.text
      case "metric", "priority", "preference":
        metric = line.value(&index, &diagnostics).flatMap { line.number($0, in: 0...Int(UInt32.max), &diagnostics) }
      case "scope": scope = line.value(&index, &diagnostics)?.text
      case "no_track": isTracked = false
      case "track_group": trackGroup = line.value(&index, &diagnostics)?.text
      case "to": break
      case "inet": family = .ipv4
      case "inet6": family = .ipv6
      case "default" where !hasDestination: hasDestination = true
      default:
        if !hasDestination, let prefix = IPPrefix(word.text) {
          destination = prefix
          hasDestination = true
        } else if hasDestination {
          options.append(word.text)
        } else {
          diagnostics.warning(
            at: word.position, "\(quoted(word.text)) is not a route's destination, the line is left out",
            remedy: "write NETWORK/LENGTH or default")
          return nil
        }
      }
      index += 1
    }
    guard hasDestination else {
      diagnostics.warning(at: line.position, "this route has no destination, it is left out", remedy: "add one")
      return nil
    }
  }
}

extension VirtualRule {
  /// The rules of a block.
  static func read(_ block: Directive, _ diagnostics: inout DiagnosticList) -> [VirtualRule] {
    block.lines(limit: Defaults.addressesInInstanceMax, &diagnostics).map { VirtualRule($0, &diagnostics) }
  }

  init(_ line: Directive, _ diagnostics: inout DiagnosticList) {
    self.init(position: line.position)
    var index = 0
    while index < line.words.count {
      let word = line.words[index]
      switch word.text {
      case "from": from = rulePrefix(line, &index, &diagnostics)
      case "to": to = rulePrefix(line, &index, &diagnostics)
      case "table", "lookup": table = line.value(&index, &diagnostics)?.text
      case "priority", "preference", "pref", "order":
        priority = line.value(&index, &diagnostics).flatMap { line.number($0, in: 0...Int(UInt32.max), &diagnostics) }
      case "iif", "dev": inputDevice = line.value(&index, &diagnostics)?.text
      case "oif": outputDevice = line.value(&index, &diagnostics)?.text
      case "fwmark": mark = line.value(&index, &diagnostics)?.text
      case "no_track": isTracked = false
      case "track_group": trackGroup = line.value(&index, &diagnostics)?.text
      default: options.append(word.text)
      }
      index += 1
    }
  }

  private func rulePrefix(
    _ line: Directive, _ index: inout Int, _ diagnostics: inout DiagnosticList
  ) -> IPPrefix? {
    if index + 1 < line.words.count, ["all", "any", "default"].contains(line.words[index + 1].text) {
      index += 1
      return nil
    }
    return line.prefix(&index, &diagnostics)
  }
}
