// The options of keepalived 2.2.7, with what stands in front of and behind them. A few that only other builds of it have are
// known as well, so that nobody's service file fails; they are written out, or abbreviations would mean something else here
// than there.

/// Everything keepalived knows by `-x` or `--name`.
enum KeepalivedOption: Hashable, CaseIterable {
  case useFile, vrrp, check, noBFD, all, logConsole, logDetail, logFacility, noSyslog, umask, releaseAddresses
  case keepAddresses, keepServices, noRespawn, foreground, dumpConfiguration, pid, vrrpPid, genhash, checkersPid
  case addressMonitoring, bfdPid, snmp, snmpSocket, namespace, coreDump, coreDumpPattern, allFiles, configID, signum
  case configTest, version, help
  case logFile, flushLogFile, perf, debug, noMemoryCheck

  /// Whether a word belongs to the option; an optional one is glued to it.
  enum Argument {
    case none, required, optional
  }

  /// Short form, long form, argument.
  var syntax: (short: Character?, long: String, argument: Argument) {
    switch self {
    case .useFile: ("f", "use-file", .required)
    case .vrrp: ("P", "vrrp", .none)
    case .check: ("C", "check", .none)
    case .noBFD: ("B", "no_bfd", .none)
    case .all: (nil, "all", .none)
    case .logConsole: ("l", "log-console", .none)
    case .logDetail: ("D", "log-detail", .none)
    case .logFacility: ("S", "log-facility", .required)
    case .noSyslog: ("G", "no-syslog", .none)
    case .umask: ("u", "umask", .required)
    case .releaseAddresses: ("X", "release-vips", .none)
    case .keepAddresses: ("V", "dont-release-vrrp", .none)
    case .keepServices: ("I", "dont-release-ipvs", .none)
    case .noRespawn: ("R", "dont-respawn", .none)
    case .foreground: ("n", "dont-fork", .none)
    case .dumpConfiguration: ("d", "dump-conf", .none)
    case .pid: ("p", "pid", .required)
    case .vrrpPid: ("r", "vrrp_pid", .required)
    case .genhash: ("T", "genhash", .none)
    case .checkersPid: ("c", "checkers_pid", .required)
    case .addressMonitoring: ("a", "address-monitoring", .none)
    case .bfdPid: ("b", "bfd_pid", .required)
    case .snmp: ("x", "snmp", .none)
    case .snmpSocket: ("A", "snmp-agent-socket", .required)
    case .namespace: ("s", "namespace", .required)
    case .coreDump: ("m", "core-dump", .none)
    case .coreDumpPattern: ("M", "core-dump-pattern", .optional)
    case .allFiles: ("e", "all-config", .none)
    case .configID: ("i", "config-id", .required)
    case .signum: (nil, "signum", .required)
    case .configTest: ("t", "config-test", .optional)
    case .version: ("v", "version", .none)
    case .help: ("h", "help", .none)
    case .logFile: ("g", "log-file", .required)
    case .flushLogFile: (nil, "flush-log-file", .none)
    case .perf: (nil, "perf", .optional)
    case .debug: (nil, "debug", .optional)
    case .noMemoryCheck: (nil, "no-mem-check", .none)
    }
  }

  /// Why the option changes nothing here; nil when it does what it does in keepalived.
  var noEffect: String? {
    switch self {
    case .noBFD: "this version runs no BFD"
    case .all: "there is one process, which runs whatever the configuration has"
    case .bfdPid: "this version runs no BFD"
    case .releaseAddresses, .keepAddresses: "this version does not run VRRP, so it sets no addresses"
    case .keepServices: "the services are this process's own, not the kernel's, and end with it"
    case .noRespawn: "there are no child processes"
    case .addressMonitoring: "addresses are followed, but not logged; see ip monitor address"
    case .snmp, .snmpSocket: "there is no SNMP; see ipvsadm, lbd top and the files that signals write"
    case .coreDumpPattern:
      "the pattern is the whole machine's, set it with sysctl kernel.core_pattern; core files are made as with -m"
    case .flushLogFile: "every line is written at once"
    case .perf: "there is no VRRP process to record; use perf record -p"
    case .debug: "there are no debugging switches; see -D"
    case .noMemoryCheck: "memory is not checked"
    default: nil
    }
  }

  /// True for what keepalived has only when it is built so.
  private var isOfOtherBuilds: Bool {
    switch self {
    case .flushLogFile, .perf, .debug, .noMemoryCheck: true
    default: false
    }
  }

  static func short(_ letter: Character) -> KeepalivedOption? { byLetter[letter] }

  /// By name, or by what begins only one name.
  static func long(_ name: String) -> KeepalivedOption? {
    if let exact = byName[name] { return exact }
    let matches = allCases.filter { !$0.isOfOtherBuilds && $0.syntax.long.hasPrefix(name) }
    return matches.count == 1 ? matches[0] : nil
  }

  private static let byLetter: [Character: KeepalivedOption] = {
    var table: [Character: KeepalivedOption] = [:]
    for option in allCases { if let letter = option.syntax.short { table[letter] = option } }
    return table
  }()

  private static let byName: [String: KeepalivedOption] = {
    var table: [String: KeepalivedOption] = [:]
    for option in allCases { table[option.syntax.long] = option }
    return table
  }()
}

/// Hands out the options of a command line one by one, as getopt_long(3) does: short options may share a dash, long ones may
/// be abbreviated, words that belong to no option may stand anywhere.
struct KeepalivedScanner {
  /// What comes next.
  enum Found: Equatable {
    /// An option as it was written, with the word that belongs to it.
    case option(KeepalivedOption, String?, word: String)
    /// An option that there is not, or one with a word it does not take.
    case unknown(String)
    /// An option whose word is missing.
    case incomplete(String)
  }

  private let arguments: [String]
  private var index = 0
  private var cluster: Substring = ""
  /// Words that belong to no option.
  private(set) var leftOver: [String] = []

  init(_ arguments: [String]) { self.arguments = arguments }

  /// The words that have not been looked at.
  var rest: [String] { Array(arguments[index...]) }

  /// The next option, or nil at the end.
  mutating func next() -> Found? {
    while true {
      if !cluster.isEmpty { return nextOfCluster() }
      guard index < arguments.count else { return nil }
      let word = arguments[index]
      index += 1
      if word == "--" {
        leftOver += arguments[index...]
        index = arguments.count
      } else if word.hasPrefix("--") {
        return longOption(word)
      } else if word.hasPrefix("-"), word != "-" {
        cluster = word.dropFirst()
      } else {
        leftOver.append(word)
      }
    }
  }

  private mutating func longOption(_ word: String) -> Found {
    let parts = word.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    guard let option = KeepalivedOption.long(String(parts[0])) else { return .unknown(word) }
    if parts.count == 2 {
      let (name, value) = ("--" + parts[0], String(parts[1]))
      if option.syntax.argument == .none { return .unknown(word) }
      return value.isEmpty && option.syntax.argument == .required
        ? .incomplete(name) : .option(option, value.isEmpty ? nil : value, word: name)
    }
    return found(option, glued: "", word: word)
  }

  private mutating func nextOfCluster() -> Found {
    let letter = cluster.removeFirst()
    let word = "-\(letter)"
    guard let option = KeepalivedOption.short(letter) else { return .unknown(word) }
    guard option.syntax.argument != .none else { return .option(option, nil, word: word) }
    let rest = String(cluster)
    cluster = ""
    return found(option, glued: rest, word: word)
  }

  private mutating func found(_ option: KeepalivedOption, glued: String, word: String) -> Found {
    if !glued.isEmpty { return .option(option, glued, word: word) }
    guard option.syntax.argument == .required else { return .option(option, nil, word: word) }
    guard index < arguments.count else { return .incomplete(word) }
    index += 1
    return .option(option, arguments[index - 1], word: word)
  }
}
