import Wire

// The commands of ipvsadm as values. Whether a command fits what exists (service already there, no such server) is for
// its receiver to say; here it is only known to be well formed.

/// What ipvsadm would print, and how it would exit.
public struct IpvsadmError: Error, Hashable, Sendable, CustomStringConvertible {
  /// One line for standard error.
  public let message: String
  /// 2 for mistakes in the command line, 255 where the option parser or the kernel refuses.
  public let exitCode: Int32

  /// A refusal.
  public init(_ message: String, exitCode: Int32) {
    self.message = message
    self.exitCode = exitCode
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

/// A change to services and servers, from an ipvsadm command line.
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

  /// Why the engine of this version cannot do what the command asks, or nil.
  public var missingInThisVersion: String? {
    switch self {
    case .addService(let service), .editService(let service):
      if case .mark = service.key { return "services by firewall mark are not in this version" }
      if service.persistenceEngine != nil { return "persistence engines are not in this version" }
      if service.onePacket { return "one-packet scheduling is not in this version" }
      return service.persistenceSeconds == nil ? nil : "persistence is not in this version"
    case .addServer(let key, let server), .editServer(let key, let server):
      if case .mark = key { return "services by firewall mark are not in this version" }
      guard case .tunnelling(let tunnel) = server.method, tunnel != .ipip else { return nil }
      return "tunnels other than ipip are not in this version"
    case .deleteService, .clear, .deleteServer: return nil
    }
  }
}
