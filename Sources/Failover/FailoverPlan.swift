import Kernel
import VRRP
import Wire

// What is to run, as the configuration has it: the machines' definitions, and beside each what its state means to this
// host. All of it is values that can be compared: a new plan is held against the old one, and only what differs is touched.

/// All instances of this machine.
public struct FailoverPlan: Hashable, Sendable {
  /// In the configuration's order.
  public var instances: [FailoverInstance] = []
  /// Instances that change together.
  public var groups: [SyncGroupDefinition] = []
  /// Files with a number that changes priorities.
  public var files: [WatchedFile] = []
  /// Processes that are to be there.
  public var processes: [WatchedProcess] = []
  /// How long a link must have changed before that counts.
  public var linkDelays: [String: LinkDelay] = [:]
  /// How announcements are spaced, by interface.
  public var spacing: [AnnouncementSpacing] = []

  /// Nothing.
  public init() {}
}

/// One `vrrp_instance`.
public struct FailoverInstance: Hashable, Sendable {
  /// The machine's own part. Its source is a placeholder while `source` is nil.
  public var definition: InstanceDefinition
  /// The source of adverts; nil is the interface's first address.
  public var source: IPAddress?
  /// It is at fault while the source is not an address of this host.
  public var tracksSource = false
  /// The interface that adverts go by, and that addresses are set on unless they say otherwise.
  public var interface: String
  /// A MAC address of its own.
  public var virtualMAC: VirtualMAC?
  /// Set by a master, advertised ones first.
  public var addresses: [AddressSetting] = []
  /// Set by a master, after the addresses.
  public var routes: [RouteSetting] = []
  /// Set by a master, after the routes.
  public var rules: [RuleSetting] = []
  /// Bytes of receive buffer; nil is the system's.
  public var receiveBufferBytes: Int?

  /// An instance without addresses.
  public init(_ definition: InstanceDefinition, interface: String) {
    self.definition = definition
    self.interface = interface
  }
}

/// `use_vmac`: an interface of its own with the virtual router's MAC address.
public struct VirtualMAC: Hashable, Sendable {
  /// Of the interface to be made.
  public var interface: String
  /// Its address.
  public var address: EthernetAddress
  /// Adverts leave by the interface underneath, from its address.
  public var sendsFromBase: Bool

  /// A MAC address for an instance.
  public init(interface: String, address: EthernetAddress, sendsFromBase: Bool) {
    self.interface = interface
    self.address = address
    self.sendsFromBase = sendsFromBase
  }
}

/// `track_file`.
public struct WatchedFile: Hashable, Sendable {
  /// The name that instances watch it by.
  public var name: String
  /// The file.
  public var path: String
  /// It is made with this number when it is missing.
  public var initialValue: Int?
  /// An existing one is written anew.
  public var overwrites: Bool

  /// A file to watch.
  public init(name: String, path: String, initialValue: Int? = nil, overwrites: Bool = false) {
    self.name = name
    self.path = path
    self.initialValue = initialValue
    self.overwrites = overwrites
  }
}

/// `vrrp_track_process`.
public struct WatchedProcess: Hashable, Sendable {
  /// How the arguments have to match.
  public enum Match: Hashable, Sendable {
    /// Arguments do not matter.
    case any
    /// All of them, as they are.
    case exact
    /// The first ones, each as a whole.
    case initial
    /// The first ones, the last of them in part.
    case partial
  }

  /// The name that instances watch it by.
  public var name: String
  /// Program and arguments.
  public var command: [String]
  /// How arguments match.
  public var match = Match.any
  /// The whole command line is looked at, not only the program's name.
  public var matchesFullCommand = false
  /// So many are enough, and not too many.
  public var quorum: ClosedRange<Int> = 1...Int.max
  /// Until a new process counts.
  public var forkDelay: Microseconds = 0
  /// Until an ended one no longer does.
  public var terminateDelay: Microseconds = 0

  /// One of this program is enough.
  public init(name: String, command: [String]) {
    self.name = name
    self.command = command
  }
}

/// A line of `interface_up_down_delays`.
public struct LinkDelay: Hashable, Sendable {
  /// Until a link that went down counts as down.
  public var down: Microseconds
  /// Until one that came up counts as up.
  public var up: Microseconds

  /// Delays of an interface.
  public init(down: Microseconds, up: Microseconds) {
    self.down = down
    self.up = up
  }
}

/// A `garp_group`: announcements of its interfaces keep a distance.
public struct AnnouncementSpacing: Hashable, Sendable {
  /// Between gratuitous ARPs.
  public var arp: Microseconds
  /// Between neighbour advertisements.
  public var neighbour: Microseconds
  /// The interfaces; empty for all others, each by itself.
  public var interfaces: [String]

  /// A distance for some interfaces.
  public init(arp: Microseconds, neighbour: Microseconds, interfaces: [String]) {
    self.arp = arp
    self.neighbour = neighbour
    self.interfaces = interfaces
  }
}
