import Wire

// What a director's kernel knows of its network, as lines of ip(8) and sysctl(8). Replays have no kernel to ask: they
// are told with the commands that would have told the kernel. Words that matter only to a kernel (`nodad`, `nud
// permanent`, `scope`, `brd`) are read and dropped.

/// One change to interfaces, addresses, routes, neighbours or settings.
public enum TopologyEdit: Hashable, Sendable {
  /// An interface's properties; nil leaves one as it is. A name not met before is a new interface.
  case setLink(name: String, mac: EthernetAddress?, mtu: Int?, isUp: Bool?)
  /// A VLAN interface on a parent.
  case addVLAN(name: String, parent: String, id: UInt16)
  /// An interface is gone.
  case removeLink(name: String)
  /// A local address with its on-link prefix.
  case addAddress(IPPrefix, device: String)
  /// A local address is gone.
  case removeAddress(IPPrefix, device: String)
  /// A route; without a next hop the destination is on the link.
  case addRoute(IPPrefix, via: IPAddress?, device: String?, source: IPAddress?, mtu: Int?)
  /// A route is gone.
  case removeRoute(IPPrefix, via: IPAddress?, device: String?)
  /// The MAC of a neighbour.
  case addNeighbour(IPAddress, EthernetAddress, device: String)
  /// A neighbour is forgotten.
  case removeNeighbour(IPAddress, device: String)
  /// Addresses that are this host's own without standing on an interface: a route of type `local`.
  case addLocalPrefix(IPPrefix)
  /// Such a route is gone.
  case removeLocalPrefix(IPPrefix)
  /// A kernel setting by its dotted name.
  case setSysctl(name: String, value: String)
  /// One of `net.ipv4.vs.*`.
  case setIPVS(IPVSSetting, IPVSSetting.Value)
}

/// Reads topology lines.
public enum TopologyText {
  /// Why a line cannot be read.
  public struct Failure: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong with which word, and what to write.
    public let description: String
  }

  /// The changes of one line: none for blank lines and comments, several for `sysctl` with several settings.
  public static func parse(line: String) -> Result<[TopologyEdit], Failure> {
    do throws(Failure) {
      let split = CommandWords.split(line)
      guard case .success(let words) = split else { throw Failure(description: "the line has an unclosed quote") }
      guard let program = words.first else { return .success([]) }
      var reader = TopologyReader(words: Array(words.dropFirst()))
      switch program {
      case "ip": return .success(try reader.ip().map { [$0] } ?? [])
      case "sysctl": return .success(try reader.sysctl())
      default: throw Failure(description: "\(quoted(program)) is not known; write ip or sysctl lines")
      }
    } catch {
      return .failure(error)
    }
  }
}

/// Walks over the words behind the program's name.
private struct TopologyReader {
  typealias Failure = TopologyText.Failure

  private let words: [String]
  private var index = 0
  private var family: IPAddress.Family?

  init(words: [String]) { self.words = words }

  private var isAtEnd: Bool { index >= words.count }

  private mutating func next(_ meaning: String) throws(Failure) -> String {
    guard index < words.count else { throw Failure(description: "\(meaning) is missing at the end of the line") }
    index += 1
    return words[index - 1]
  }

  private func wrong(_ word: String, _ meaning: String) -> Failure {
    Failure(description: "\(quoted(word)) is not \(meaning)")
  }

  /// - Returns: nil for policy routing: it leads packets to the host's own stack or past it, which lbd does not need.
  mutating func ip() throws(Failure) -> TopologyEdit? {
    var object = try next("link, addr, route or neigh")
    while object == "-4" || object == "-6" {
      family = object == "-4" ? .ipv4 : .ipv6
      object = try next("link, addr, route or neigh")
    }
    let verb = try next("add, del, set or replace")
    switch (object, verb) {
    case ("rule", "add"), ("rule", "del"), ("rule", "delete"): return nil
    case ("link", "set"): return try setLink()
    case ("link", "add"): return try addLink()
    case ("link", "del"), ("link", "delete"): return .removeLink(name: try device(afterOptional: "dev"))
    case ("addr", _), ("address", _), ("a", _): return try address(verb)
    case ("route", _), ("r", _): return try route(verb)
    case ("neigh", _), ("neighbour", _), ("neighbor", _), ("n", _): return try neighbour(verb)
    default: throw Failure(description: "'ip' \(quoted(object)) \(quoted(verb)) is not known here")
    }
  }

  // MARK: Links

  private mutating func setLink() throws(Failure) -> TopologyEdit {
    let name = try device(afterOptional: "dev")
    var (mac, mtu, isUp): (EthernetAddress?, Int?, Bool?) = (nil, nil, nil)
    while !isAtEnd {
      let word = try next("a property")
      switch word {
      case "up": isUp = true
      case "down": isUp = false
      case "address", "mtu": try readLinkValue(word, &mac, &mtu)
      default: throw wrong(word, "a property of a link; write address, mtu, up or down")
      }
    }
    return .setLink(name: name, mac: mac, mtu: mtu, isUp: isUp)
  }

  /// `ip link add NAME …` or `ip link add link PARENT name NAME type vlan id N`.
  private mutating func addLink() throws(Failure) -> TopologyEdit {
    var (mac, mtu): (EthernetAddress?, Int?) = (nil, nil)
    var (name, parent, type, id): (String?, String?, String?, Int?) = (nil, nil, nil, nil)
    while !isAtEnd {
      let word = try next("a property")
      switch word {
      case "link": parent = try device()
      case "name", "dev": name = try device()
      case "type": type = try next("a type of link")
      case "id": id = try number(1...4094, "a VLAN id")
      case "address", "mtu": try readLinkValue(word, &mac, &mtu)
      default:
        guard name == nil, isInterfaceName(word) else { throw wrong(word, "a property of a link") }
        name = word
      }
    }
    guard let name else { throw Failure(description: "the new link has no name; write name NAME") }
    guard type == "vlan" else { return .setLink(name: name, mac: mac, mtu: mtu, isUp: nil) }
    guard let parent, let id else { throw Failure(description: "a VLAN needs 'link PARENT' and 'id N'") }
    return .addVLAN(name: name, parent: parent, id: UInt16(id))
  }

  private mutating func readLinkValue(
    _ word: String, _ mac: inout EthernetAddress?, _ mtu: inout Int?
  ) throws(Failure) {
    if word == "mtu" {
      mtu = try number(68...65536, "an MTU")
    } else {
      mac = try ethernet()
    }
  }

  // MARK: Addresses, routes, neighbours

  private mutating func address(_ verb: String) throws(Failure) -> TopologyEdit {
    let prefix = try prefix()
    var name: String?
    while !isAtEnd {
      let word = try next("a property")
      switch word {
      case "dev": name = try device()
      case "nodad", "noprefixroute", "home": break
      case "brd", "broadcast", "scope", "label", "peer", "valid_lft", "preferred_lft": _ = try next("a value")
      default: throw wrong(word, "a property of an address; write dev DEVICE")
      }
    }
    guard let name else { throw Failure(description: "the address has no device; write dev DEVICE") }
    switch verb {
    case "add", "replace", "change": return .addAddress(prefix, device: name)
    case "del", "delete": return .removeAddress(prefix, device: name)
    default: throw wrong(verb, "add or del")
    }
  }

  private mutating func route(_ verb: String) throws(Failure) -> TopologyEdit? {
    var text = try next("default or a prefix")
    let isLocal = text == "local"
    if isLocal { text = try next("a prefix") }
    var (via, source): (IPAddress?, IPAddress?) = (nil, nil)
    var (name, mtu): (String?, Int?) = (nil, nil)
    var isOfAnotherTable = false
    while !isAtEnd {
      let word = try next("a property")
      switch word {
      case "via":
        via = try ipAddress(skipping: ["inet", "inet6"])
      case "src": source = try ipAddress()
      case "dev": name = try device()
      case "mtu":
        if index < words.count, words[index] == "lock" { index += 1 }
        mtu = try number(68...65536, "an MTU")
      case "onlink": break
      case "table": isOfAnotherTable = !["local", "main", "254", "255"].contains(try next("a table"))
      case "metric", "proto", "scope", "advmss", "pref": _ = try next("a value")
      default: throw wrong(word, "a property of a route; write via, dev, src or mtu")
      }
    }
    let prefix = try routePrefix(text, family: family ?? via?.family ?? source?.family ?? .ipv4)
    for address in [via, source].compactMap({ $0 }) where address.family != prefix.address.family {
      throw wrong("\(address)", "of the family of \(prefix)")
    }
    if isOfAnotherTable { return nil }
    switch (verb, isLocal) {
    case ("add", true), ("replace", true), ("change", true), ("append", true): return .addLocalPrefix(prefix)
    case ("del", true), ("delete", true): return .removeLocalPrefix(prefix)
    default: break
    }
    switch verb {
    case "add", "replace", "change", "append":
      guard via != nil || name != nil else {
        throw Failure(description: "the route to \(prefix) leads nowhere; write via ADDRESS or dev DEVICE")
      }
      return .addRoute(prefix, via: via, device: name, source: source, mtu: mtu)
    case "del", "delete": return .removeRoute(prefix, via: via, device: name)
    default: throw wrong(verb, "add, replace or del")
    }
  }

  private func routePrefix(_ text: String, family: IPAddress.Family) throws(Failure) -> IPPrefix {
    if text == "default" {
      let any = family == .ipv4 ? IPAddress(v4: 0) : IPAddress(high: 0, low: 0)
      if let prefix = IPPrefix(address: any, length: 0) { return prefix }
    }
    guard let prefix = IPPrefix(text), prefix.address.family == self.family ?? prefix.address.family else {
      throw wrong(text, "default or a prefix")
    }
    return prefix
  }

  private mutating func neighbour(_ verb: String) throws(Failure) -> TopologyEdit {
    let address = try ipAddress()
    var (mac, name): (EthernetAddress?, String?) = (nil, nil)
    while !isAtEnd {
      let word = try next("a property")
      switch word {
      case "lladdr": mac = try ethernet()
      case "dev": name = try device()
      case "nud": _ = try next("a state")
      case "router": break
      default: throw wrong(word, "a property of a neighbour; write lladdr MAC and dev DEVICE")
      }
    }
    guard let name else { throw Failure(description: "the neighbour has no device; write dev DEVICE") }
    switch verb {
    case "add", "replace", "change":
      guard let mac else { throw Failure(description: "the neighbour has no MAC; write lladdr MAC") }
      return .addNeighbour(address, mac, device: name)
    case "del", "delete": return .removeNeighbour(address, device: name)
    default: throw wrong(verb, "add, replace or del")
    }
  }

  // MARK: sysctl

  /// `sysctl [-w] [-q] NAME=VALUE …`, slashes taken for dots.
  mutating func sysctl() throws(Failure) -> [TopologyEdit] {
    var edits: [TopologyEdit] = []
    while !isAtEnd {
      let word = try next("NAME=VALUE")
      if word.hasPrefix("-") {
        guard word.dropFirst().utf8.allSatisfy({ "wqe".utf8.contains($0) }) else { throw wrong(word, "-w or -q") }
        continue
      }
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, !parts[0].isEmpty else { throw wrong(word, "NAME=VALUE without blanks") }
      let name = String(parts[0].map { $0 == "/" ? "." : $0 })
      guard name.hasPrefix(IPVSSetting.prefix) else {
        if case .failure(let failure) = ICMPSetting.parse(name: name, value: String(parts[1])) {
          throw Failure(description: failure.description)
        }
        edits.append(.setSysctl(name: name, value: String(parts[1])))
        continue
      }
      switch IPVSSetting.parse(name: name, value: String(parts[1])) {
      case .success(let parsed): edits.append(.setIPVS(parsed.setting, parsed.value))
      case .failure(let failure): throw Failure(description: failure.description)
      }
    }
    guard !edits.isEmpty else { throw Failure(description: "sysctl sets nothing; write NAME=VALUE") }
    return edits
  }

  // MARK: Values

  private mutating func device(afterOptional word: String? = nil) throws(Failure) -> String {
    if let word, index < words.count, words[index] == word { index += 1 }
    let name = try next("an interface's name")
    guard isInterfaceName(name) else { throw wrong(name, "an interface's name") }
    return name
  }

  private mutating func number(_ range: ClosedRange<Int>, _ meaning: String) throws(Failure) -> Int {
    let text = try next(meaning)
    guard let value = decimal(text), range.contains(value) else {
      throw wrong(text, "\(meaning) from \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }

  private mutating func ethernet() throws(Failure) -> EthernetAddress {
    let text = try next("a MAC")
    guard let mac = EthernetAddress(text) else { throw wrong(text, "a MAC such as 02:00:00:00:01:fe") }
    return mac
  }

  private mutating func ipAddress(skipping skipped: Set<String> = []) throws(Failure) -> IPAddress {
    if index < words.count, skipped.contains(words[index]) { index += 1 }
    let text = try next("an IP address")
    guard let address = IPAddress(text), address.family == family ?? address.family else {
      throw wrong(text, "an IP address" + (family == nil ? "" : " of the family asked for"))
    }
    return address
  }

  private mutating func prefix() throws(Failure) -> IPPrefix {
    let text = try next("an address")
    guard let prefix = IPPrefix(text), prefix.address.family == family ?? prefix.address.family else {
      throw wrong(text, "ADDRESS/LENGTH")
    }
    return prefix
  }
}
