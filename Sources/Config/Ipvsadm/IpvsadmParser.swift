import Wire

// ipvsadm's options to a command, in ipvsadm's own order, because that decides which of two mistakes is reported:
// first each option by itself as it comes, then which options go with which command, then what does not fit together.
// Messages and exit codes are ipvsadm 1.31's.

/// Reads one command line.
struct IpvsadmParser {
  private var given: Set<IpvsadmSlot> = []
  private var key: ServiceKey?
  private var markFamily = IPAddress.Family.ipv4
  private var schedulerName = Defaults.schedulerName
  private var flagNames: [String] = []
  private var persistenceSeconds: Int?
  private var mask: PersistenceMask?
  private var engine: String?
  private var server: Endpoint?
  private var method = IpvsadmOption.gatewaying
  private var weight = Defaults.weight
  private var upperThreshold: UInt32 = 0
  private var lowerThreshold: UInt32 = 0
  private var tunnelType = "ipip"
  private var tunnelPort: UInt16?
  private var times: [Int] = []
  private var localAddress: IPAddress?
  private var interface: String?
  private var daemon = SyncDaemonSpec(role: .master)
  private let names: IpvsadmNames

  private init(names: IpvsadmNames) { self.names = names }

  private static let hint = IpvsadmError("Try `ipvsadm -h' or 'ipvsadm --help' for more information.", exitCode: 255)

  /// The command in these words, the program's name not among them.
  static func command(_ arguments: [String], names: IpvsadmNames) throws(IpvsadmError) -> IpvsadmCommand {
    guard !arguments.isEmpty else { return .list(IpvsadmListing()) }
    var scanner = IpvsadmScanner(arguments)
    var first: IpvsadmScanner.Found?
    do throws(IpvsadmError) { first = try scanner.next() } catch { throw hint }
    guard let first, first.option.isCommand else { throw hint }

    var parser = IpvsadmParser(names: names)
    while let found = try scanner.next() {
      guard !found.option.isCommand else { throw usage("invalid option `\(found.word)'") }
      try parser.take(found.option, found.value ?? "", hasValue: found.value != nil)
    }
    if first.option == .set { parser.times = try timeouts(scanner.leftOver) }
    if let word = first.value {
      guard let role = SyncDaemonSpec.Role(rawValue: word) else {
        throw usage("illegal \(first.option.syntax.long) parameter specified")
      }
      parser.daemon.role = role
    }
    if let word = scanner.leftOver.first, first.option != .set { throw usage("unexpected argument \(word)") }
    return try parser.finish(first.option)
  }

  // MARK: One option at a time

  private mutating func take(_ option: IpvsadmOption, _ value: String, hasValue: Bool) throws(IpvsadmError) {
    if let slot = IpvsadmSlot(option) {
      guard given.insert(slot).inserted else { throw usage("multiple '\(slot.rawValue)' options specified") }
    }
    switch option {
    case .tcpService: key = try serviceKey(.tcp, value)
    case .udpService: key = try serviceKey(.udp, value)
    case .sctpService: key = try serviceKey(.sctp, value)
    case .markService:
      guard let mark = decimal(value), mark > 0, mark <= Int(UInt32.max) else {
        throw usage("invalid fwmark value `\(value)' specified")
      }
      key = .mark(UInt32(mark), .ipv4)
    case .ipv6:
      guard case .mark(let mark, _) = key else { throw usage("-6 used before -f") }
      key = .mark(mark, .ipv6)
    case .scheduler: schedulerName = String(decoding: value.utf8.prefix(15), as: UTF8.self)
    case .persistent:
      persistenceSeconds = hasValue ? try seconds(value, from: 1) : Defaults.persistenceSeconds
    case .netmask: mask = try netmask(value)
    case .engine: engine = String(decoding: value.utf8.prefix(15), as: UTF8.self)
    case .schedulerFlags: flagNames = value.split(separator: ",").map(String.init)
    case .realServer:
      guard let endpoint = names.endpoint(value, defaultPort: key?.port ?? 0, key?.transport ?? .tcp) else {
        throw usage("illegal real server address[:port] specified")
      }
      server = endpoint
    case .gatewaying, .ipip, .masquerading, .fullNAT: method = option
    case .weight: weight = Int32(try number(value, in: 0...Int(Int32.max), "weight"))
    case .upperThreshold: upperThreshold = UInt32(try number(value, in: 0...Int(Int32.max), "u_threshold"))
    case .lowerThreshold: lowerThreshold = UInt32(try number(value, in: 0...Int(Int32.max), "l_threshold"))
    case .tunnelType:
      guard ["ipip", "gue", "gre"].contains(value) else { throw usage("illegal tunnel type specified") }
      tunnelType = value
    case .tunnelPort: tunnelPort = UInt16(try number(value, in: 1...65535, "tunnel port"))
    case .localAddress:
      guard let address = IPAddress(value) else { throw usage("illegal local address specified") }
      localAddress = address
    case .interface: interface = String(decoding: value.utf8.prefix(15), as: UTF8.self)
    default: try daemon.take(option, value)
    }
  }

  private func serviceKey(_ transport: TransportProtocol, _ text: String) throws(IpvsadmError) -> ServiceKey {
    guard let endpoint = names.endpoint(text, defaultPort: 0, transport) else {
      throw usage("illegal virtual server address[:port] specified")
    }
    return .address(transport, endpoint)
  }

  private func netmask(_ text: String) throws(IpvsadmError) -> PersistenceMask {
    let family = key?.family ?? .ipv4
    if let mask = PersistenceMask(text, family: family) { return mask }
    if family == .ipv4, let number = decimal(text), number <= Int(UInt32.max) { return .ipv4(UInt32(number)) }
    throw usage("invalid netmask specified")
  }

  // MARK: All of them together

  private func finish(_ command: IpvsadmOption) throws(IpvsadmError) -> IpvsadmCommand {
    try IpvsadmRules(of: command).check(given)
    switch command {
    case .addService: return .addService(try serviceSpec())
    case .editService: return .editService(try serviceSpec())
    case .deleteService: return .deleteService(try mandatory(key))
    case .addServer: return .addServer(try mandatory(key), try serverSpec())
    case .editServer: return .editServer(try mandatory(key), try serverSpec())
    case .deleteServer: return .deleteServer(try mandatory(key), try mandatory(server))
    case .clear: return .clear
    case .zero: return .zero(key)
    case .set where times.count == 3: return .setTimeouts(tcp: times[0], tcpFin: times[1], udp: times[2])
    case .list: return .list(listing)
    case .save: return .save(isNumeric: given.contains(.numeric))
    case .restore: return .restore(isAtomic: given.contains(.atomic))
    case .startDaemon: return .startDaemon(daemon)
    case .stopDaemon: return .stopDaemon(daemon.role)
    case .addLocalAddress:
      return .addLocalAddress(try mandatory(key), try mandatory(localAddress), interface: interface)
    case .deleteLocalAddress: return .deleteLocalAddress(try mandatory(key), try mandatory(localAddress))
    case .listLocalAddresses: return .listLocalAddresses(key)
    case .help: return .help
    case .version: return .version
    default: throw IpvsadmParser.hint
    }
  }

  /// Of several forms the first of these counts.
  private var listing: IpvsadmListing {
    let formats: [(IpvsadmSlot, IpvsadmListing.Format)] = [
      (.connection, .connections(withEngines: given.contains(.persistentConnections))), (.timeout, .timeouts),
      (.daemon, .daemons), (.stats, .statistics), (.rate, .rates), (.thresholds, .thresholds),
      (.health, .health), (.persistentConnections, .persistentConnections), (.tunnelInfo, .tunnels),
    ]
    var listing = IpvsadmListing()
    listing.service = key
    listing.format = formats.first { given.contains($0.0) }?.1 ?? .services
    listing.isExact = given.contains(.exact)
    listing.isSorted = !given.contains(.noSort)
    listing.isNumeric = given.contains(.numeric)
    listing.isJSON = given.contains(.json)
    return listing
  }

  private func serviceSpec() throws(IpvsadmError) -> ServiceSpec {
    var spec = ServiceSpec(key: try mandatory(key))
    if case .address(let transport, let endpoint) = spec.key {
      guard endpoint.port != 0 || persistenceSeconds != nil else {
        throw usage("Zero port specified for non-persistent service")
      }
      guard transport == .udp || !given.contains(.onePacket) else {
        throw usage("One-Packet Scheduling is only for UDP virtual services")
      }
    }
    spec.schedulerName = schedulerName
    spec.persistenceSeconds = persistenceSeconds
    spec.persistenceMask = mask ?? .full(spec.key.family)
    spec.persistenceEngine = engine
    spec.onePacket = given.contains(.onePacket)
    for name in flagNames { spec.schedulerFlags.insert(try schedulerFlag(name)) }
    return spec
  }

  private func schedulerFlag(_ name: String) throws(IpvsadmError) -> SchedulerFlags {
    let flag: SchedulerFlags
    switch name {
    case "flag-1": return .flag1
    case "flag-2": return .flag2
    case "flag-3": return .flag3
    case "sh-fallback", "mh-fallback": flag = .fallback
    case "sh-port", "mh-port": flag = .port
    default: throw usage("invalid scheduler flag `\(name)'")
    }
    guard name.hasPrefix(schedulerName + "-") else { throw usage("incompatible scheduler flag `\(name)'") }
    return flag
  }

  private func serverSpec() throws(IpvsadmError) -> ServerSpec {
    let service = try mandatory(key)
    var endpoint = try mandatory(server)
    let method = try forwardingMethod()
    if case .address(_, let virtual) = service, !method.translatesPorts {
      endpoint = Endpoint(address: endpoint.address, port: virtual.port)
    }
    if case .mark = service, method == .fullNAT {
      throw usage("FULLNAT is not to be had for a firewall mark: it has no address that answers could come from")
    }
    guard endpoint.address.family == service.family || method.isTunnelling || method == .fullNAT else {
      throw usage("Different address family is allowed only for tunneling servers")
    }
    var spec = ServerSpec(endpoint: endpoint)
    spec.method = method
    spec.weight = weight
    spec.upperThreshold = upperThreshold
    spec.lowerThreshold = lowerThreshold
    return spec
  }

  private func forwardingMethod() throws(IpvsadmError) -> ForwardingMethod {
    let checksums: [IpvsadmSlot] = [.tunnelNoChecksum, .tunnelChecksum, .tunnelRemoteChecksum].filter(given.contains)
    let isTunnelSaid = given.contains(.tunnelType) || given.contains(.tunnelPort) || !checksums.isEmpty
    guard method == .ipip else {
      if isTunnelSaid { throw usage("Tunnel options conflict with forward method") }
      return method == .fullNAT ? .fullNAT : method == .masquerading ? .masquerading : .directRouting
    }
    if checksums.count > 1 { throw usage("multiple 'tun-csum' options specified") }
    if tunnelType == "gue", tunnelPort == nil {
      throw usage("You need to supply the 'tun-port' option for the 'gue' tunnel type")
    }
    var illegal: IpvsadmSlot?
    if tunnelType != "gue", tunnelPort != nil { illegal = .tunnelPort }
    if let checksum = checksums.first {
      if tunnelType == "ipip" || tunnelType == "gre" && checksum == .tunnelRemoteChecksum {
        illegal = illegal ?? checksum
      }
    }
    if let illegal { throw usage("Illegal '\(illegal.rawValue)' option with the '\(tunnelType)' tunnel type") }
    let checksum: Tunnel.Checksum =
      checksums.first == .tunnelChecksum ? .csum : checksums.first == .tunnelRemoteChecksum ? .remcsum : .none
    switch (tunnelType, tunnelPort) {
    case ("gue", let port?): return .tunnelling(Tunnel(kind: .gue(port: port), checksum: checksum))
    case ("gre", _): return .tunnelling(Tunnel(kind: .gre, checksum: checksum))
    default: return .tunnelling(.ipip)
    }
  }

  /// What the check of mandatory options has already made sure of.
  private func mandatory<Value>(_ value: Value?) throws(IpvsadmError) -> Value {
    guard let value else { throw IpvsadmParser.hint }
    return value
  }

  private static func timeouts(_ words: [String]) throws(IpvsadmError) -> [Int] {
    guard words.count >= 3 else { throw usage("--set option requires 3 timeout values") }
    var times: [Int] = []
    for word in words.prefix(3) { times.append(try seconds(word, from: 0)) }
    if words.count > 3 { throw usage("unexpected argument \(words[3])") }
    return times
  }
}

/// A mistake in the command line.
func usage(_ message: String) -> IpvsadmError { IpvsadmError(message, exitCode: 2) }

func number(_ text: String, in range: ClosedRange<Int>, _ name: String) throws(IpvsadmError) -> Int {
  guard let value = decimal(text), range.contains(value) else { throw usage("illegal \(name) specified") }
  return value
}

private func seconds(_ text: String, from least: Int) throws(IpvsadmError) -> Int {
  guard let value = decimal(text), value >= least, value <= Defaults.timeoutSecondsMax else {
    throw usage("invalid timeout value `\(text)' specified")
  }
  return value
}
