import Wire

// What instances, groups and checkers watch: interfaces, scripts, files, processes, BFD sessions.

/// What an instance or a group watches, by name.
public struct VRRPTracking: Hashable, Sendable {
  /// One watched thing.
  public struct Reference: Hashable, Sendable {
    /// Its name.
    public let name: String
    /// What it adds to the priority; nil is what the thing itself says, 0 is a fault.
    public let weight: Int?
    /// The other way round.
    public let isReversed: Bool
    /// Where.
    public let position: Position
  }

  /// The instance's own interface is not watched.
  public var ignoresPrimary = false
  /// Interfaces.
  public var interfaces: [Reference] = []
  /// Of `vrrp_script`.
  public var scripts: [Reference] = []
  /// Of `track_file`.
  public var files: [Reference] = []
  /// Of `vrrp_track_process`.
  public var processes: [Reference] = []
  /// Of `bfd_instance`.
  public var sessions: [Reference] = []

  /// Nothing.
  public init() {}
}

/// A `vrrp_script`.
public struct TrackedScript: Hashable, Sendable, Traced {
  /// The name.
  public let name: String
  /// What runs.
  public var command: ScriptCommand?
  /// Between the starts of two runs.
  public var interval = Duration.seconds(1)
  /// How long it may run; nil is the interval.
  public var timeout: Duration?
  /// What it adds to the priority; 0 is a fault.
  public var weight = 0
  /// The other way round.
  public var isReversed = false
  /// Successes until it counts as well.
  public var rise = 1
  /// Failures until it no longer does.
  public var fall = 1
  /// As whom it runs.
  public var user: String?
  /// With which group.
  public var group: String?
  /// Down until the first success.
  public var failsAtFirst = false
  /// Which keywords were written, and where.
  public var origins = Origins()
  /// Where it was configured.
  public let position: Position

  /// A script with every default.
  public init(name: String, position: Position) {
    self.name = name
    self.position = position
  }
}

/// A `track_file`: a number in a file.
public struct TrackedFile: Hashable, Sendable, Traced {
  /// The name.
  public let name: String
  /// The file.
  public var path: String?
  /// What the number is multiplied by.
  public var weight = 1
  /// The other way round.
  public var isReversed = false
  /// What the file is made with when it is missing; nil is not at all.
  public var initialValue: Int?
  /// An existing file is written anew.
  public var overwrites = false
  /// Which keywords were written, and where.
  public var origins = Origins()
  /// Where it was configured.
  public let position: Position

  /// A file with every default.
  public init(name: String, position: Position) {
    self.name = name
    self.position = position
  }
}

/// A `vrrp_track_process`.
public struct TrackedProcess: Hashable, Sendable, Traced {
  /// How much of the arguments must match.
  public enum Match: String, Hashable, Sendable, CaseIterable {
    /// The first ones, each as a whole.
    case initial
    /// The first ones, the last of them in part.
    case partial
  }

  /// The name.
  public let name: String
  /// Program and arguments.
  public var command: [String] = []
  /// Whether arguments matter; nil is that all of them do, where some are given.
  public var match: Match?
  /// What it adds to the priority; 0 is a fault.
  public var weight = 0
  /// The other way round.
  public var isReversed = false
  /// At least so many.
  public var quorum = 1
  /// At most so many; nil is any number.
  public var quorumMax: Int?
  /// Wait before a new process counts.
  public var forkDelay = Duration.zero
  /// Wait before an ended one no longer does.
  public var terminateDelay = Duration.zero
  /// The whole command line is looked at, not only the program's name.
  public var matchesFullCommand = false
  /// Which keywords were written, and where.
  public var origins = Origins()
  /// Where it was configured.
  public let position: Position

  /// A process with every default.
  public init(name: String, position: Position) {
    self.name = name
    self.position = position
  }
}

/// A `bfd_instance`.
public struct BFDInstance: Hashable, Sendable, Traced {
  /// The name.
  public let name: String
  /// The other end.
  public var neighbour: IPAddress?
  /// The own end.
  public var source: IPAddress?
  /// Milliseconds that the neighbour may take at the least.
  public var minReceiveMilliseconds = 10
  /// Milliseconds between own packets at the least.
  public var minTransmitMilliseconds = 10
  /// Milliseconds between packets of a session that is down.
  public var idleTransmitMilliseconds = 1000
  /// Packets that may be missing.
  public var multiplier = 5
  /// The neighbour begins.
  public var isPassive = false
  /// IPv4's hop limit; nil is 255.
  public var timeToLive: Int?
  /// IPv6's.
  public var hopLimit: Int?
  /// Hops that a packet may have taken; -1 is any number.
  public var maxHops = 0
  /// What it adds to the priority; 0 is a fault.
  public var weight = 0
  /// The other way round.
  public var isReversed = false
  /// For VRRP only.
  public var isForVRRP = false
  /// For checkers only.
  public var isForCheckers = false
  /// Which keywords were written, and where.
  public var origins = Origins()
  /// Where it was configured.
  public let position: Position

  /// A session with every default.
  public init(name: String, position: Position) {
    self.name = name
    self.position = position
  }
}

/// How announcements of some interfaces are spaced: a `garp_group`.
public struct GARPGroup: Hashable, Sendable, Traced {
  /// Between gratuitous ARPs.
  public var arpInterval = Duration.zero
  /// Between neighbour advertisements.
  public var neighbourInterval = Duration.zero
  /// The interfaces.
  public var interfaces: [String] = []
  /// Which keywords were written, and where.
  public var origins = Origins()
  /// Where it was configured.
  public let position: Position

  /// A group of no interface.
  public init(position: Position) { self.position = position }
}

/// How long changes of a link must last: a line of `interface_up_down_delays`.
public struct InterfaceDelay: Hashable, Sendable {
  /// The interface.
  public let interface: String
  /// Until a link that went down counts as down.
  public let down: Duration
  /// Until one that came up counts as up.
  public let up: Duration
}
