import Wire

/// What `global_defs` says.
public struct GlobalSettings: Hashable, Sendable, Traced {
  /// Mail.
  public var mail = MailSettings()
  /// What instances of VRRP begin with.
  public var vrrp = VRRPDefaults()
  /// Scripts.
  public var scripts = ScriptSettings()
  /// Pipes that are told of changes: for everything, for VRRP, for services.
  public var fifo = NotifyFIFO()
  /// The same for VRRP only.
  public var vrrpFIFO = NotifyFIFO()
  /// The same for services only.
  public var lvsFIFO = NotifyFIFO()
  /// The states are written again after a reload.
  public var writesStatesOnReload = false
  /// The host's name in mails.
  public var routerID: String?
  /// Every failing attempt of a check is logged.
  public var logsAllCheckFailures = false
  /// Servers that are up at the start are told of.
  public var notifiesAtStart = false
  /// The interface of static addresses.
  public var defaultInterface = "eth0"
  /// Interfaces may come later.
  public var allowsMissingInterfaces = false
  /// Synchronisation of connections.
  public var syncDaemon: SyncDaemonDefinition?
  /// Services are removed at the start.
  public var flushesAtStart = false
  /// Services are removed at the end: all at once.
  public var flushesAtStop = false
  /// A wrong configuration is not loaded over a good one; lbd never does.
  public var checksBeforeReload = true
  /// Which keywords were written, and where.
  public var origins = Origins()

  /// The defaults.
  public init() {}
}

/// Mail about changes.
public struct MailSettings: Hashable, Sendable {
  /// To whom.
  public var recipients: [String] = []
  /// From whom; nil is the process's user at this host.
  public var sender: String?
  /// The server, by name or address.
  public var server: String?
  /// Its port.
  public var port = 25
  /// The name in the greeting; nil is the host's.
  public var heloName: String?
  /// For connecting, and for each answer.
  public var connectTimeout = Duration.seconds(30)
  /// Whether mail is sent at all where nothing else is said.
  public var alert: Bool?
  /// The same for VRRP.
  public var alertVRRP: Bool?
  /// The same for services and servers.
  public var alertChecker: Bool?
  /// Nothing about faults.
  public var omitsFaults = false
  /// Only about servers that come and go, not about each checker.
  public var omitsCheckers = false

  /// The defaults.
  public init() {}

  /// True when there is somebody to send to, and something to send by.
  public var isUsable: Bool { !recipients.isEmpty && server != nil }
  /// Whether instances and groups send mail where they do not say.
  public var alertsForVRRP: Bool { alertVRRP ?? alert ?? false }
  /// Whether virtual servers do.
  public var alertsForServices: Bool { alertChecker ?? alert ?? false }
  /// Whether real servers do: yes, unless told otherwise.
  public var alertsForServers: Bool { alertChecker ?? alert ?? true }
}

/// Who runs scripts, and which.
public struct ScriptSettings: Hashable, Sendable {
  /// The user; nil is `keepalived_script` if there is one, else the process's own.
  public var user: String?
  /// The group; nil is the user's.
  public var group: String?
  /// Scripts that others than root can change do not run as root.
  public var isSecure = false
  /// Once before everything.
  public var startup: ScriptCommand?
  /// Seconds it may take.
  public var startupTimeoutSeconds = 10
  /// Once after everything.
  public var shutdown: ScriptCommand?
  /// Seconds it may take.
  public var shutdownTimeoutSeconds = 10

  /// The defaults.
  public init() {}
}

/// A pipe that is told of changes.
public struct NotifyFIFO: Hashable, Sendable {
  /// Where it is; nil is none.
  public var path: String?
  /// Whose it is.
  public var user: String?
  /// Whose group.
  public var group: String?
  /// What reads it: started with its path as last argument.
  public var script: ScriptCommand?

  /// None.
  public init() {}
}

/// `lvs_sync_daemon`.
public struct SyncDaemonDefinition: Hashable, Sendable {
  /// The interface.
  public var interface: String
  /// The instance whose state it follows; nil is none, and both roles at once.
  public var instance: String?
  /// nil is the instance's router ID, else 0.
  public var syncID: Int?
  /// Bytes of a message; nil is the interface's MTU.
  public var lengthLimit: Int?
  /// The port.
  public var port = 8848
  /// The hop limit.
  public var hopLimit = 1
  /// The group.
  public var group = IPAddress(v4: 0xe000_0051)
}

/// What instances of VRRP begin with.
public struct VRRPDefaults: Hashable, Sendable {
  /// 2 or 3.
  public var version = 2
  /// True when the text says which.
  public var isVersionGiven = false
  /// When to take over.
  public var election = VRRPElection()
  /// Announcements.
  public var announcement = VRRPAnnouncement()
  /// The group of IPv4.
  public var group4 = IPAddress(v4: 0xe000_0012)
  /// The group of IPv6.
  public var group6 = IPAddress(high: 0xff02_0000_0000_0000, low: 0x12)
  /// Adverts must come from a peer.
  public var checksUnicastSource = false
  /// Checksums of version 3 without the pseudo header.
  public var usesPlainChecksum = false
  /// Lines for changes of priority.
  public var notifiesPriorityChanges = false
  /// One burst of one announcement, nothing later.
  public var usesMinimalAnnouncement = false
  /// The first timers run from so long after the start.
  public var startupDelay = Duration.zero
  /// The same from the host's start.
  public var delayAfterBoot = Duration.zero
  /// Adverts of routers nobody has here are logged.
  public var logsUnknownRouters = false
  /// What names of virtual interfaces begin with.
  public var virtualMACPrefix: String?
  /// The same for those of single addresses.
  public var addressMACPrefix: String?

  /// The defaults.
  public init() {}
}
