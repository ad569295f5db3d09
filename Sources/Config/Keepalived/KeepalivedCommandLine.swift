// A command line of keepalived. swift-argument-parser does not read it: it has no optional arguments that are glued to their
// option (`-tFILE`), no abbreviations of long options, and ends at the first unknown one, where keepalived goes on and may
// yet be asked for its version.

/// What keepalived is told to do.
public struct KeepalivedCommandLine: Hashable, Sendable {
  /// What comes of the call.
  public enum Task: Hashable, Sendable {
    /// The daemon.
    case run
    /// A check of the configuration; findings go to the file or to standard error.
    case test(logFile: String?)
    /// Prints the version.
    case version
    /// Prints the options.
    case help
    /// Prints the number of a signal.
    case signalNumber(String)
    /// Hashes a page.
    case genhash
  }

  /// What is to run of a configuration.
  public struct Parts: OptionSet, Hashable, Sendable {
    /// The bits.
    public let rawValue: UInt8
    /// From the bits.
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    /// `vrrp_instance`.
    public static let vrrp = Parts(rawValue: 1)
    /// `virtual_server`.
    public static let services = Parts(rawValue: 2)
  }

  /// Where the log goes.
  public struct Log: Hashable, Sendable {
    /// To syslog.
    public var usesSyslog = true
    /// syslog's number of the facility: 3 is daemon.
    public var facility: Int32 = 3
    /// To standard error.
    public var usesConsole = false
    /// To a file.
    public var file: String?
    /// More of it.
    public var isDetailed = false
  }

  /// Files for numbers of processes that are named.
  public struct PidFiles: Hashable, Sendable {
    /// The parent's.
    public var parent: String?
    /// That of VRRP.
    public var vrrp: String?
    /// That of services and checks.
    public var checkers: String?
  }

  /// An option that changes nothing.
  public struct NoEffect: Hashable, Sendable {
    /// The option as it was written.
    public let option: String
    /// Completes "… has no effect: ".
    public let reason: String
  }

  /// What comes of the call.
  public private(set) var task = Task.run
  /// The configuration.
  public private(set) var path = "/etc/keepalived/keepalived.conf"
  /// What lines behind `@WORD` are for; nil is the machine's name.
  public private(set) var configID: String?
  /// Every file that is included must be there.
  public private(set) var needsAllFiles = false
  /// What is to run.
  public private(set) var parts: Parts = [.vrrp, .services]
  /// Stays in the foreground.
  public private(set) var isForeground = false
  /// Where the log goes.
  public private(set) var log = Log()
  /// The configuration is logged.
  public private(set) var dumpsConfiguration = false
  /// Files for numbers of processes.
  public private(set) var pidFiles = PidFiles()
  /// The network namespace.
  public private(set) var namespace: String?
  /// Which permissions new files do not get.
  public private(set) var umask: UInt32?
  /// A crash leaves a core file.
  public private(set) var makesCore = false
  /// Options that change nothing.
  public private(set) var withoutEffect: [NoEffect] = []
  /// Lines for standard error.
  public private(set) var complaints: [String] = []
  /// False when the program must not start.
  public private(set) var isValid = true
  /// What stands behind --genhash: options of its own.
  public private(set) var behindGenhash: [String] = []
  /// Words that belong to no option.
  public private(set) var leftOver: [String] = []

  /// The command in these words, the program's name not among them.
  public init(_ arguments: [String]) {
    var scanner = KeepalivedScanner(arguments)
    scan: while let found = scanner.next() {
      switch found {
      case .unknown(let word): refuse("Unknown option \(word)")
      case .incomplete(let word): refuse("Missing parameter for option \(word)")
      case .option(let option, let value, let word):
        if let reason = option.noEffect { withoutEffect.append(NoEffect(option: word, reason: reason)) }
        take(option, value)
        // These end the reading: what stands behind them is not looked at, what stood before them does not matter.
        switch task {
        case .run, .test: break
        case .version, .help, .signalNumber: break scan
        case .genhash:
          behindGenhash = scanner.rest
          break scan
        }
      }
    }
    leftOver = scanner.leftOver
  }

  private mutating func refuse(_ complaint: String) {
    complaints.append(complaint)
    isValid = false
  }

  private mutating func take(_ option: KeepalivedOption, _ value: String?) {
    switch option {
    case .useFile: path = value ?? path
    case .configID: configID = value
    case .allFiles: needsAllFiles = true
    case .vrrp: parts.remove(.services)
    case .check: parts.remove(.vrrp)
    case .foreground: isForeground = true
    case .logConsole: log.usesConsole = true
    case .logDetail: log.isDetailed = true
    case .noSyslog: log.usesSyslog = false
    case .logFile: log.file = value
    case .logFacility: takeFacility(value ?? "")
    case .umask: takeUmask(value ?? "")
    case .dumpConfiguration: dumpsConfiguration = true
    case .pid: pidFiles.parent = value
    case .vrrpPid: pidFiles.vrrp = value
    case .checkersPid: pidFiles.checkers = value
    case .namespace: namespace = value
    case .coreDump, .coreDumpPattern: makesCore = true
    case .configTest: task = .test(logFile: value)
    case .version: task = .version
    case .help: task = .help
    case .signum: task = .signalNumber(value ?? "")
    case .genhash: task = .genhash
    case .noBFD, .all, .bfdPid, .releaseAddresses, .keepAddresses, .keepServices, .noRespawn, .addressMonitoring,
      .snmp, .snmpSocket, .flushLogFile, .perf, .debug, .noMemoryCheck:
      break
    }
  }

  /// `daemon`, `user`, `local0` to `local7`, or the number of a local one.
  private mutating func takeFacility(_ text: String) {
    switch text {
    case "daemon": log.facility = 3
    case "user": log.facility = 1
    default:
      let digits = text.hasPrefix("local") ? String(text.dropFirst(5)) : text
      guard let number = decimal(digits), number <= 7 else {
        return complaints.append("Invalid log facility '\(text)'")
      }
      log.facility = Int32(16 + number)
    }
  }

  /// A number as in C: octal with a leading 0, hexadecimal with 0x.
  private mutating func takeUmask(_ text: String) {
    let radix = text.hasPrefix("0x") || text.hasPrefix("0X") ? 16 : text.hasPrefix("0") ? 8 : 10
    guard let mask = UInt32(radix == 16 ? String(text.dropFirst(2)) : text, radix: radix), mask <= 0o777 else {
      return complaints.append("Invalid --umask option \(text)")
    }
    umask = mask
  }
}
