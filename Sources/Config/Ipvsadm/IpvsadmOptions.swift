// The words of an ipvsadm command line as options, by the rules of the popt library: short options bundle (`-At VIP`),
// an argument is the rest of the bundle or the next word, long options take `--name value` or `--name=value`, words
// that belong to no option are left over. An optional argument is not taken from a word that begins with a dash. Long
// options are written out, popt knows no abbreviations.
//
// `-b` is two options: flags of a scheduler for services, FULLNAT for real servers, as with the ipvsadm of those who
// brought FULLNAT. No command takes both. What lbd adds to ipvsadm: `--json`, `--health`, `--atomic`, and the local addresses.

/// Everything ipvsadm knows by `-x` or `--name`.
enum IpvsadmOption: Hashable, CaseIterable {
  case addService, editService, deleteService, clear, restore, save, addServer, editServer, deleteServer
  case list, zero, set, startDaemon, stopDaemon, help, version
  case tcpService, udpService, sctpService, markService, ipv6, scheduler, persistent, netmask, engine, onePacket
  case schedulerFlags, realServer, gatewaying, ipip, masquerading, weight, upperThreshold, lowerThreshold
  case tunnelType, tunnelPort, tunnelNoChecksum, tunnelChecksum, tunnelRemoteChecksum
  case numeric, connection, exact, timeout, daemon, stats, rate, thresholds, persistentConnections, tunnelInfo
  case noSort, sort, syncID, syncLength, multicastInterface, multicastGroup, multicastPort, multicastTTL
  case fullNAT, addLocalAddress, deleteLocalAddress, listLocalAddresses, localAddress, interface, json, health, atomic

  /// Whether a word belongs to the option.
  enum Argument {
    case none, required, optional
  }

  /// Short forms, long form, argument.
  var syntax: (short: String, long: String, argument: Argument) {
    switch self {
    case .addService: ("A", "add-service", .none)
    case .editService: ("E", "edit-service", .none)
    case .deleteService: ("D", "delete-service", .none)
    case .clear: ("C", "clear", .none)
    case .restore: ("R", "restore", .none)
    case .save: ("S", "save", .none)
    case .addServer: ("a", "add-server", .none)
    case .editServer: ("e", "edit-server", .none)
    case .deleteServer: ("d", "delete-server", .none)
    case .list: ("Ll", "list", .none)
    case .zero: ("Z", "zero", .none)
    case .set: ("", "set", .none)
    case .startDaemon: ("", "start-daemon", .required)
    case .stopDaemon: ("", "stop-daemon", .required)
    case .help: ("h", "help", .none)
    case .version: ("v", "version", .none)
    case .tcpService: ("t", "tcp-service", .required)
    case .udpService: ("u", "udp-service", .required)
    case .sctpService: ("", "sctp-service", .required)
    case .markService: ("f", "fwmark-service", .required)
    case .ipv6: ("6", "ipv6", .none)
    case .scheduler: ("s", "scheduler", .required)
    case .persistent: ("p", "persistent", .optional)
    case .netmask: ("M", "netmask", .required)
    case .engine: ("", "pe", .required)
    case .onePacket: ("o", "ops", .none)
    case .schedulerFlags: ("b", "sched-flags", .required)
    case .realServer: ("r", "real-server", .required)
    case .gatewaying: ("g", "gatewaying", .none)
    case .ipip: ("i", "ipip", .none)
    case .masquerading: ("m", "masquerading", .none)
    case .weight: ("w", "weight", .required)
    case .upperThreshold: ("x", "u-threshold", .required)
    case .lowerThreshold: ("y", "l-threshold", .required)
    case .tunnelType: ("", "tun-type", .required)
    case .tunnelPort: ("", "tun-port", .required)
    case .tunnelNoChecksum: ("", "tun-nocsum", .none)
    case .tunnelChecksum: ("", "tun-csum", .none)
    case .tunnelRemoteChecksum: ("", "tun-remcsum", .none)
    case .numeric: ("n", "numeric", .none)
    case .connection: ("c", "connection", .none)
    case .exact: ("X", "exact", .none)
    case .timeout: ("", "timeout", .none)
    case .daemon: ("", "daemon", .none)
    case .stats: ("", "stats", .none)
    case .rate: ("", "rate", .none)
    case .thresholds: ("", "thresholds", .none)
    case .persistentConnections: ("", "persistent-conn", .none)
    case .tunnelInfo: ("", "tun-info", .none)
    case .noSort: ("", "nosort", .none)
    case .sort: ("", "sort", .none)
    case .syncID: ("", "syncid", .required)
    case .syncLength: ("", "sync-maxlen", .required)
    case .multicastInterface: ("", "mcast-interface", .required)
    case .multicastGroup: ("", "mcast-group", .required)
    case .multicastPort: ("", "mcast-port", .required)
    case .multicastTTL: ("", "mcast-ttl", .required)
    case .fullNAT: ("", "fullnat", .none)
    case .addLocalAddress: ("P", "add-laddr", .none)
    case .deleteLocalAddress: ("Q", "del-laddr", .none)
    case .listLocalAddresses: ("G", "get-laddr", .none)
    case .localAddress: ("z", "local-address", .required)
    case .interface: ("F", "ifname", .required)
    case .json: ("", "json", .none)
    case .health: ("", "health", .none)
    case .atomic: ("", "atomic", .none)
    }
  }

  /// True for what may only stand first.
  var isCommand: Bool {
    switch self {
    case .addService, .editService, .deleteService, .clear, .restore, .save, .addServer, .editServer, .deleteServer,
      .list, .zero, .set, .startDaemon, .stopDaemon, .help, .version, .addLocalAddress, .deleteLocalAddress,
      .listLocalAddresses:
      true
    default: false
    }
  }

  static func short(_ letter: UInt8) -> IpvsadmOption? { byLetter[letter] }

  static func long(_ name: String) -> IpvsadmOption? { byName[name] }

  private static let byLetter: [UInt8: IpvsadmOption] = {
    var table: [UInt8: IpvsadmOption] = [:]
    for option in allCases { for letter in option.syntax.short.utf8 { table[letter] = option } }
    return table
  }()

  private static let byName: [String: IpvsadmOption] = {
    var table: [String: IpvsadmOption] = [:]
    for option in allCases { table[option.syntax.long] = option }
    return table
  }()
}

/// Hands out the options of a command line one by one.
struct IpvsadmScanner {
  /// An option with the last word that belongs to it.
  struct Found {
    let option: IpvsadmOption
    let value: String?
    let word: String
  }

  private let arguments: [String]
  private var index = 0
  private var word = ""
  private var bundle: ArraySlice<UInt8> = []
  /// After `-a` and `-e`.
  private var isOfServer = false
  /// Words that belong to no option.
  private(set) var leftOver: [String] = []

  init(_ arguments: [String]) { self.arguments = arguments }

  /// The next option, or nil at the end.
  mutating func next() throws(IpvsadmError) -> Found? {
    while true {
      if !bundle.isEmpty { return try nextOfBundle() }
      guard index < arguments.count else { return nil }
      word = arguments[index]
      index += 1
      if word == "--" {
        leftOver += arguments[index...]
        index = arguments.count
      } else if word.hasPrefix("--") {
        return try longOption()
      } else if word.hasPrefix("-"), word.utf8.count > 1 {
        bundle = Array(word.utf8)[1...]
      } else {
        leftOver.append(word)
      }
    }
  }

  private mutating func longOption() throws(IpvsadmError) -> Found {
    let parts = word.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    guard let option = IpvsadmOption.long(String(parts[0])) else { throw refusal("unknown option") }
    if parts.count == 2, option.syntax.argument == .none { throw refusal("option does not take an argument") }
    return try found(option, attached: parts.count == 2 ? String(parts[1]) : nil)
  }

  private mutating func nextOfBundle() throws(IpvsadmError) -> Found {
    guard let letter = bundle.popFirst(), var option = IpvsadmOption.short(letter) else {
      throw refusal("unknown option")
    }
    if option == .schedulerFlags, isOfServer { option = .fullNAT }
    guard option.syntax.argument != .none, !bundle.isEmpty else { return try found(option, attached: nil) }
    let rest = bundle.first == UInt8(ascii: "=") ? bundle.dropFirst() : bundle
    bundle = []
    return try found(option, attached: String(decoding: rest, as: UTF8.self))
  }

  private mutating func found(_ option: IpvsadmOption, attached: String?) throws(IpvsadmError) -> Found {
    let word = word
    if option == .addServer || option == .editServer { isOfServer = true }
    if let attached { return Found(option: option, value: attached, word: word) }
    let next = index < arguments.count ? arguments[index] : nil
    switch (option.syntax.argument, next) {
    case (.none, _), (.optional, nil):
      return Found(option: option, value: nil, word: word)
    case (.optional, let next?) where next.hasPrefix("-"):
      return Found(option: option, value: nil, word: word)
    case (.required, nil):
      throw refusal("missing argument")
    case (_, let next):
      index += 1
      return Found(option: option, value: next, word: next ?? word)
    }
  }

  private func refusal(_ reason: String) -> IpvsadmError { IpvsadmError("\(word): \(reason)", exitCode: 255) }
}
