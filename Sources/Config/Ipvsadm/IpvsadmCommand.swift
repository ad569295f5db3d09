import Wire

// The commands of ipvsadm as values. Whether a command fits what exists (service already there, no such server) is for
// its receiver to say; here it is only known to be well formed.

/// What ipvsadm would print, and how it would exit.
public struct IpvsadmError: Error, Hashable, Sendable, CustomStringConvertible {
  /// One line for standard error.
  public let message: String
  /// 2 for mistakes in the command line, 255 where the option parser or the kernel refuses, 1 where a listing fails.
  public let exitCode: Int32
  /// True when ipvsadm could do it and this version cannot.
  public let isMissing: Bool

  /// A refusal.
  public init(_ message: String, exitCode: Int32, isMissing: Bool = false) {
    self.message = message
    self.exitCode = exitCode
    self.isMissing = isMissing
  }

  /// The message.
  public var description: String { message }
}

/// What `ipvsadm -L` is asked for.
public struct IpvsadmListing: Hashable, Sendable {
  /// The forms of a listing.
  public enum Format: Hashable, Sendable {
    /// Services and servers with their connections, as without an option.
    case services
    /// `--stats`
    case statistics
    /// `--rate`
    case rates
    /// `--thresholds`
    case thresholds
    /// `--persistent-conn`
    case persistentConnections
    /// `--tun-info`
    case tunnels
    /// `-c`, with the columns of persistence engines for `--persistent-conn`.
    case connections(withEngines: Bool)
    /// `--timeout`
    case timeouts
    /// `--daemon`
    case daemons
    /// `--health`: who is well; lbd's own.
    case health
  }

  /// The one service to list.
  public var service: ServiceKey?
  /// In which form.
  public var format: Format = .services
  /// Numbers in full.
  public var isExact = false
  /// False for `--nosort`.
  public var isSorted = true
  /// Addresses and ports as numbers, `-n`.
  public var isNumeric = false
  /// As JSON, for programs; lbd's own.
  public var isJSON = false

  /// All services, as `ipvsadm -L` has them.
  public init() {}
}

/// A command of ipvsadm: a change to services and servers, or a question.
public enum IpvsadmCommand: Hashable, Sendable {
  /// `-A`
  case addService(ServiceSpec)
  /// `-E`
  case editService(ServiceSpec)
  /// `-D`
  case deleteService(ServiceKey)
  /// `-C`
  case clear
  /// `-a`
  case addServer(ServiceKey, ServerSpec)
  /// `-e`
  case editServer(ServiceKey, ServerSpec)
  /// `-d`
  case deleteServer(ServiceKey, Endpoint)
  /// `-Z`: one service's counters, or all.
  case zero(ServiceKey?)
  /// `--set`, in seconds; 0 leaves a time as it is.
  case setTimeouts(tcp: Int, tcpFin: Int, udp: Int)
  /// `-L`
  case list(IpvsadmListing)
  /// `-S`
  case save(isNumeric: Bool)
  /// `-R`; with `--atomic` all lines or none.
  case restore(isAtomic: Bool)
  /// `--start-daemon`
  case startDaemon(SyncDaemonSpec)
  /// `--stop-daemon`
  case stopDaemon(SyncDaemonSpec.Role)
  /// `--add-laddr`: a local address for FULLNAT, and the interface that shall have it.
  case addLocalAddress(ServiceKey, IPAddress, interface: String?)
  /// `--del-laddr`
  case deleteLocalAddress(ServiceKey, IPAddress)
  /// `--get-laddr`: those of one service, or of all.
  case listLocalAddresses(ServiceKey?)
  /// `-h`
  case help
  /// `-v`
  case version

  /// True for a question, which changes nothing.
  public var isQuestion: Bool {
    switch self {
    case .list, .save, .listLocalAddresses, .help, .version: true
    default: false
    }
  }

  /// Parses the words behind `ipvsadm`.
  /// - Parameter names: what names of hosts and ports mean; without them only numbers are understood.
  public static func parse(
    _ arguments: [String], names: IpvsadmNames = IpvsadmNames()
  ) -> Result<IpvsadmCommand, IpvsadmError> {
    do throws(IpvsadmError) {
      return .success(try IpvsadmParser.command(arguments, names: names))
    } catch {
      return .failure(error)
    }
  }

  /// Parses a line of a script: `ipvsadm` with its options; nil for other programs, blanks and comments.
  public static func parse(line: String) -> Result<IpvsadmCommand, IpvsadmError>? {
    switch CommandWords.split(line) {
    case .failure(let failure):
      return .failure(IpvsadmError(failure.description, exitCode: 2))
    case .success(let words):
      guard let program = words.first, program == "ipvsadm" || program.hasSuffix("/ipvsadm") else { return nil }
      return parse(Array(words.dropFirst()))
    }
  }
}
