import Wire

// One `virtual_server` block with its real servers, as written. Values are read here one by one; what they mean
// together (defaults, forced ports, families, merging) is the business of ServiceRules, because a directive may stand behind the
// one it governs.

/// What a `virtual_server` block applies to.
enum ServiceTarget {
  case endpoint(Endpoint)
  case mark(UInt32)
  case group(Word)
}

/// A `real_server` block as written.
struct RealServerBlock {
  let position: Position
  let address: IPAddress
  /// 0 when the text has none.
  let port: UInt16
  var weight: Int32?
  var method: ForwardingMethod?
  var upperThreshold: UInt32 = 0
  var lowerThreshold: UInt32 = 0
  var vlan: UInt16?
  var drainSeconds: Int?
  var warmupSeconds: Int?
  var monitoring = ServerMonitoringBlock()
}

/// A `virtual_server` block as written.
struct VirtualServerBlock {
  let position: Position
  let target: ServiceTarget
  var transport: TransportProtocol?
  var schedulerName: String?
  var schedulerFlags: SchedulerFlags = []
  var method: ForwardingMethod?
  var weight: Int32?
  var vlan: UInt16?
  var drainSeconds: Int?
  var warmupSeconds: Int?
  var persistenceSeconds: Int?
  var persistenceMask: Word?
  var persistenceEngine: String?
  var onePacket: Position?
  var localAddressGroup: Word?
  var conveyance: (value: ClientConveyance, position: Position)?
  var sorryServer: Endpoint?
  var markFamily: IPAddress.Family?
  var monitoring = ServiceMonitoring()
  var realServers: [RealServerBlock] = []

  private static let forwarding: Set<String> = [
    "protocol", "lb_algo", "lvs_sched", "lb_kind", "lvs_method", "persistence_granularity", "persistence_engine", "ops",
    "laddr_group_name", "sorry_server", "drain_timeout", "passive_check",
  ]

  /// Packets of UDP can be scheduled one by one, and those of a mark may be UDP.
  var allowsOnePacket: Bool {
    if case .mark = target { return true }
    return transport == nil || transport == .udp
  }

  /// - Returns: nil with an error when it does not say what it applies to; the whole block is then passed over.
  init?(_ directive: Directive, _ diagnostics: inout DiagnosticList) {
    guard let target = VirtualServerBlock.target(of: directive, &diagnostics) else { return nil }
    self.target = target
    position = directive.position
    for inner in directive.block?.directives ?? [] where !inner.words[0].isQuoted {
      readService(inner, &diagnostics)
    }
  }

  private static func target(of directive: Directive, _ diagnostics: inout DiagnosticList) -> ServiceTarget? {
    guard let first = directive.argument(0, "IP PORT, 'group NAME' or 'fwmark N'", &diagnostics) else { return nil }
    switch first.text {
    case "group":
      return directive.argument(1, "a group's name", &diagnostics).map { .group($0) }
    case "fwmark":
      let mark = directive.integer(1, in: 1...Int(UInt32.max), "a firewall mark", &diagnostics)
      return mark.map { .mark(UInt32($0)) }
    default:
      guard let address = directive.address(0, &diagnostics), let port = directive.port(1, &diagnostics) else {
        return nil
      }
      return .endpoint(Endpoint(address: address, port: port))
    }
  }

  private mutating func readService(_ directive: Directive, _ diagnostics: inout DiagnosticList) {
    // A value of these that does not fit refuses the file, so who is named here has been taken.
    if VirtualServerBlock.forwarding.contains(directive.keyword) {
      monitoring.origins.note(directive.keyword, at: directive.position)
    }
    switch directive.keyword {
    case "protocol": readProtocol(directive, &diagnostics)
    case "lb_algo", "lvs_sched": readScheduler(directive, &diagnostics)
    case "lb_kind", "lvs_method": method = directive.forwardingMethod(&diagnostics) ?? method
    case "weight":
      guard let value = directive.number(in: 1...Int(Int32.max), isStrict: true, &diagnostics) else { return }
      weight = Int32(value)
      monitoring.origins.note("weight", at: directive.position)
    case "vlan": vlan = directive.vlan(&diagnostics) ?? vlan
    case "drain_timeout": drainSeconds = directive.drainSeconds(&diagnostics) ?? drainSeconds
    case "warmup_weight": warmupSeconds = directive.warmupSeconds(&diagnostics) ?? warmupSeconds
    case "persistence_timeout": readPersistence(directive, &diagnostics)
    case "persistence_granularity":
      persistenceMask = directive.argument(0, "a netmask or prefix length", &diagnostics)
    case "persistence_engine": readEngine(directive, &diagnostics)
    case "ops": onePacket = directive.position
    case "flag-1": schedulerFlags.insert(.flag1)
    case "flag-2": schedulerFlags.insert(.flag2)
    case "flag-3": schedulerFlags.insert(.flag3)
    case "sh-port", "mh-port", "sh-fallback", "mh-fallback": readNamedFlag(directive, &diagnostics)
    case "laddr_group_name": localAddressGroup = directive.argument(0, "a group's name", &diagnostics)
    case "toa": convey(.toa, directive, &diagnostics)
    case "proxy_protocol": readProxyProtocol(directive, &diagnostics)
    case "ip_family": readFamily(directive, &diagnostics)
    case "hashed":
      if schedulerName != "sh" {
        diagnostics.warning(at: directive.position, "'hashed' is ignored, the scheduler is not sh here")
      }
    case "sorry_server":
      guard let address = directive.address(0, &diagnostics), let port = directive.port(1, &diagnostics) else { return }
      sorryServer = Endpoint(address: address, port: port)
    case "sorry_server_inhibit" where sorryServer == nil, "sorry_server_lvs_method" where sorryServer == nil:
      diagnostics.warning(
        at: directive.position, "'\(directive.keyword)' is ignored, there is no sorry_server before it",
        remedy: "write it behind 'sorry_server IP PORT'")
    case "passive_check": monitoring.passive = PassiveCheck(directive, &diagnostics)
    case "real_server":
      if let server = RealServerBlock(directive, &diagnostics) { realServers.append(server) }
    default: _ = ServiceMonitoring.table.read(directive, into: &monitoring, &diagnostics)
    }
  }

  private mutating func readProtocol(_ directive: Directive, _ diagnostics: inout DiagnosticList) {
    guard let word = directive.argument(0, "TCP, UDP or SCTP", &diagnostics) else { return }
    guard let value = TransportProtocol.allCases.first(where: { $0.name == word.text.uppercased() }) else {
      diagnostics.error(
        at: word.position, "\(quoted(word.text)) is not a protocol", remedy: "write TCP, UDP or SCTP")
      return
    }
    transport = value
  }

  private mutating func readScheduler(_ directive: Directive, _ diagnostics: inout DiagnosticList) {
    guard let word = directive.argument(0, "a scheduler", &diagnostics) else { return }
    guard Defaults.schedulerNames.contains(word.text) else {
      diagnostics.error(
        at: word.position, "\(quoted(word.text)) is not a scheduler",
        remedy: "write one of " + Defaults.schedulerNames.joined(separator: ", "))
      return
    }
    schedulerName = word.text
  }

  private mutating func readNamedFlag(_ directive: Directive, _ diagnostics: inout DiagnosticList) {
    let wanted = String(directive.keyword.prefix(2))
    guard schedulerName == wanted else {
      diagnostics.warning(
        at: directive.position, "'\(directive.keyword)' is ignored, the scheduler is not \(wanted) here",
        remedy: "write it behind 'lb_algo \(wanted)'")
      return
    }
    schedulerFlags.insert(directive.keyword.hasSuffix("port") ? .port : .fallback)
  }

  /// 0 is off; keepalived calls it out of range, with the same effect.
  private mutating func readPersistence(_ directive: Directive, _ diagnostics: inout DiagnosticList) {
    guard directive.words.count > 1 else {
      monitoring.origins.note(directive.keyword, at: directive.position)
      persistenceSeconds = Defaults.persistenceSeconds
      return
    }
    let range = 0...Defaults.timeoutSecondsMax
    guard let seconds = directive.number(in: range, isStrict: true, &diagnostics) else { return }
    monitoring.origins.note(directive.keyword, at: directive.position)
    persistenceSeconds = seconds == 0 ? nil : seconds
  }

  private mutating func readEngine(_ directive: Directive, _ diagnostics: inout DiagnosticList) {
    guard let word = directive.argument(0, "a persistence engine", &diagnostics) else { return }
    guard Defaults.persistenceEngineNames.contains(word.text) else {
      diagnostics.error(
        at: word.position, "\(quoted(word.text)) is not a persistence engine",
        remedy: "write " + Defaults.persistenceEngineNames.joined(separator: " or "))
      return
    }
    persistenceEngine = word.text
  }

  private mutating func readProxyProtocol(_ directive: Directive, _ diagnostics: inout DiagnosticList) {
    guard let word = directive.argument(0, "v1 or v2", &diagnostics) else { return }
    switch word.text {
    case "v1": convey(.proxyV1, directive, &diagnostics)
    case "v2": convey(.proxyV2, directive, &diagnostics)
    default:
      diagnostics.error(
        at: word.position, "\(quoted(word.text)) is not a version of the PROXY protocol", remedy: "write v1 or v2")
    }
  }

  private mutating func convey(
    _ value: ClientConveyance, _ directive: Directive, _ diagnostics: inout DiagnosticList
  ) {
    if let conveyance, conveyance.value != value {
      diagnostics.error(
        at: directive.position, "\(quoted(value.directive)) contradicts \(quoted(conveyance.value.directive))",
        remedy: "keep one: a server takes the client's address from one place")
      return
    }
    conveyance = (value, directive.position)
  }

  private mutating func readFamily(_ directive: Directive, _ diagnostics: inout DiagnosticList) {
    guard let word = directive.argument(0, "inet or inet6", &diagnostics) else { return }
    switch word.text {
    case "inet": markFamily = .ipv4
    case "inet6": markFamily = .ipv6
    default: diagnostics.error(at: word.position, "\(quoted(word.text)) is not a family", remedy: "write inet or inet6")
    }
  }
}

extension RealServerBlock {
  /// - Returns: nil with an error when its address is none; the whole block is then passed over.
  init?(_ directive: Directive, _ diagnostics: inout DiagnosticList) {
    guard let address = directive.address(0, &diagnostics), let port = directive.port(1, &diagnostics) else {
      return nil
    }
    self.init(position: directive.position, address: address, port: port)
    for inner in directive.block?.directives ?? [] where !inner.words[0].isQuoted {
      read(inner, &diagnostics)
    }
    if lowerThreshold > upperThreshold {
      diagnostics.error(
        at: position, "lthreshold \(lowerThreshold) is above uthreshold \(upperThreshold)",
        remedy: "set uthreshold to more, or lthreshold to less")
    }
  }

  private mutating func read(_ directive: Directive, _ diagnostics: inout DiagnosticList) {
    switch directive.keyword {
    case "weight":
      guard let value = number(of: directive, &diagnostics) else { return }
      weight = Int32(value)
    case "lvs_method":
      guard let value = directive.forwardingMethod(&diagnostics) else { return }
      method = value
    case "vlan":
      guard let value = directive.vlan(&diagnostics) else { return }
      vlan = value
    case "drain_timeout":
      guard let value = directive.drainSeconds(&diagnostics) else { return }
      drainSeconds = value
    case "warmup_weight":
      guard let value = directive.warmupSeconds(&diagnostics) else { return }
      warmupSeconds = value
    case "uthreshold":
      guard let value = number(of: directive, &diagnostics) else { return }
      upperThreshold = UInt32(value)
    case "lthreshold":
      guard let value = number(of: directive, &diagnostics) else { return }
      lowerThreshold = UInt32(value)
    default: return monitoring.read(directive, &diagnostics)
    }
    monitoring.origins.note(directive.keyword, at: directive.position)
  }

  private func number(of directive: Directive, _ diagnostics: inout DiagnosticList) -> Int? {
    directive.number(in: 0...Int(Int32.max), isStrict: true, &diagnostics)
  }
}

extension Directive {
  /// An 802.1Q tag, or nil with an error.
  fileprivate func vlan(_ diagnostics: inout DiagnosticList) -> UInt16? {
    integer(in: 1...4094, "a VLAN id", &diagnostics).map { UInt16($0) }
  }

  /// Seconds, or nil with an error.
  fileprivate func drainSeconds(_ diagnostics: inout DiagnosticList) -> Int? {
    integer(in: 0...Defaults.drainSecondsMax, "a time in seconds", &diagnostics)
  }

  /// Seconds, or nil with an error.
  fileprivate func warmupSeconds(_ diagnostics: inout DiagnosticList) -> Int? {
    integer(in: 0...Defaults.warmupSecondsMax, "a time in seconds", &diagnostics)
  }
}
