import Wire

// What ipvsadm's commands say of a service, a real server, a daemon: in full, for a command never changes only one thing.

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

/// A connection synchronisation daemon, as `--start-daemon` describes it.
public struct SyncDaemonSpec: Hashable, Sendable {
  /// Whether it sends or receives.
  public enum Role: String, Hashable, Sendable, CaseIterable {
    case master
    case backup
  }

  /// Whether it sends or receives.
  public var role: Role
  /// The interface of its multicasts.
  public var interface = "eth0"
  /// Which directors belong together.
  public var syncID: UInt8 = 0
  /// Bytes of a message at most; nil is what a frame of 1500 bytes holds.
  public var lengthLimit: Int?
  /// Where to.
  public var group = IPAddress(v4: 0xe000_0051)
  /// Where to.
  public var port: UInt16 = 8848
  /// How far.
  public var ttl: UInt8 = 1

  /// A daemon with every default.
  public init(role: Role) { self.role = role }
}
