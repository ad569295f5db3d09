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

/// A virtual service in full: an edit replaces everything, with defaults where an option is absent.
public struct ServiceSpec: Hashable, Sendable {
  /// Which service.
  public var key: ServiceKey
  /// The scheduler, at most 15 bytes; it may be unknown.
  public var schedulerName: String = Defaults.schedulerName
  /// Flags for the scheduler.
  public var schedulerFlags: SchedulerFlags = []
  /// nil is not persistent.
  public var persistenceSeconds: Int?
  /// Which clients are one for persistence.
  public var persistenceMask: PersistenceMask
  /// The engine that makes persistence keys; it may be unknown.
  public var persistenceEngine: String?
  /// Schedule every UDP packet on its own.
  public var onePacket = false

  /// A service with every default.
  public init(key: ServiceKey) {
    self.key = key
    persistenceMask = .full(key.family)
  }
}

/// A real server in full.
public struct ServerSpec: Hashable, Sendable {
  /// Where it listens; DR and TUN have the service's port.
  public var endpoint: Endpoint
  /// Direct routing unless told otherwise.
  public var method: ForwardingMethod = .directRouting
  /// 0 is quiescent.
  public var weight: Int32 = Defaults.weight
  /// 0 is none.
  public var upperThreshold: UInt32 = 0
  /// 0 is three quarters of the upper one.
  public var lowerThreshold: UInt32 = 0

  /// A server with every default.
  public init(endpoint: Endpoint) { self.endpoint = endpoint }

  /// What the kernel would have against these values, once the service is found.
  public var refusal: IpvsadmError? {
    if lowerThreshold > upperThreshold { return IpvsadmError("Numerical result out of range", exitCode: 255) }
    let address = endpoint.address
    let isUnusable =
      address.isMulticast || address.isUnspecified || address == IPAddress(v4: .max)
      || address.family == .ipv6 && address.isLinkLocal
    guard isUnusable else { return nil }
    return IpvsadmError(
      "Invalid operation.  Possibly wrong module version, address not unicast, ...", exitCode: 255)
  }
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
  }

  /// The one service to list.
  public var service: ServiceKey?
  /// In which form.
  public var format: Format = .services
  /// Numbers in full.
  public var isExact = false
  /// False for `--nosort`.
  public var isSorted = true

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
  case save

  /// Parses the words behind `ipvsadm`.
  public static func parse(_ arguments: [String]) -> Result<IpvsadmCommand, IpvsadmError> {
    do throws(IpvsadmError) {
      return .success(try IpvsadmParser.command(arguments))
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
