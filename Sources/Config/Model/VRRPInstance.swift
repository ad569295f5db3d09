import Wire

// A virtual router of VRRP: what its block says, with the values of `global_defs` and the defaults filled in.

/// A `vrrp_instance`.
public struct VRRPInstance: Hashable, Sendable, Traced {
  /// What it starts as.
  public enum State: String, Hashable, Sendable, CaseIterable {
    /// With priority 255, master at once; else backup.
    case master = "MASTER"
    /// Backup.
    case backup = "BACKUP"
  }

  /// The name.
  public let name: String
  /// 2 or 3.
  public var version: Int
  /// What it starts as; nil is MASTER with priority 255 and else BACKUP.
  public var state: State?
  /// The interface it runs on.
  public var interface: String?
  /// 1 to 255; nil is a fault that has been reported.
  public var routerID: Int?
  /// 1 to 255, before tracking.
  public var priority = Defaults.vrrpPriority
  /// Between advertisements.
  public var advertInterval = Duration.seconds(1)
  /// How others see it: addresses, unicast, virtual MAC.
  public var network = VRRPNetwork()
  /// When it takes over, and gives up.
  public var election: VRRPElection
  /// Gratuitous ARP and unsolicited neighbour advertisements.
  public var announcement: VRRPAnnouncement
  /// What goes with the master.
  public var addresses = VRRPAddresses()
  /// How adverts are signed.
  public var authentication: VRRPAuthentication?
  /// What it watches.
  public var tracking = VRRPTracking()
  /// Who is told of changes.
  public var notification = VRRPNotification()
  /// Which keywords were written, and where.
  public var origins = Origins()
  /// Where it was configured.
  public let position: Position

  /// An instance with every default.
  public init(name: String, defaults: VRRPDefaults = VRRPDefaults(), position: Position) {
    self.name = name
    self.position = position
    version = defaults.version
    election = defaults.election
    announcement = defaults.announcement
    notification.priorityChanges = defaults.notifiesPriorityChanges
  }
}

/// How an instance is seen on the wire.
public struct VRRPNetwork: Hashable, Sendable {
  /// A peer that adverts are sent to.
  public struct Peer: Hashable, Sendable {
    /// Its address.
    public let address: IPAddress
    /// Which hop limits its adverts may have.
    public let hopLimits: ClosedRange<Int>
  }

  /// The source of adverts; nil is the interface's first address.
  public var source: IPAddress?
  /// Adverts go to peers, not to a group, even if there are none.
  public var isUnicast = false
  /// The instance is faulty while the source is missing.
  public var tracksSource = false
  /// The group; nil is the default one.
  public var group: IPAddress?
  /// The peers.
  public var peers: [Peer] = []
  /// The hop limit of adverts to peers.
  public var unicastHopLimit = 255
  /// Without peers the instance is faulty, instead of using the group.
  public var faultsWithoutPeers = false
  /// Adverts must come from a peer.
  public var checksUnicastSource = false
  /// Peers before 1.3.6 have other checksums: nil is to find out, true always, false never.
  public var oldUnicastChecksum: Bool?
  /// Checksums of version 3 without the pseudo header.
  public var usesPlainChecksum = false
  /// A virtual MAC address; nil is the interface's own.
  public var virtualMAC: VRRPVirtualMAC?
  /// Adverts leave by the interface under the virtual one.
  public var sendsFromBase = false
  /// Addresses are set on the virtual interface even when they name another.
  public var usesVirtualMACForAddresses = false
  /// An ipvlan instead: its arguments.
  public var ipvlan: [String]?
  /// For IPv6, the family of an instance without addresses.
  public var isNativeIPv6 = false
  /// A VRF.
  public var vrf: String?
  /// Bytes of receive buffer.
  public var receiveBufferBytes: Int?

  /// The defaults.
  public init() {}
}

/// `use_vmac`.
public struct VRRPVirtualMAC: Hashable, Sendable {
  /// The interface's name; nil is `vrrp.` with the router's number.
  public var interface: String?
  /// nil is 00:00:5e:00:01:VRID, or 02 for IPv6.
  public var address: EthernetAddress?
}

/// When an instance takes over, and gives up.
public struct VRRPElection: Hashable, Sendable {
  /// A master of lower priority is left alone.
  public var nopreempt = false
  /// How long a master of lower priority is left alone.
  public var preemptDelay = Duration.zero
  /// Adverts that may be missing.
  public var downTimerAdverts = 3
  /// A master is not told that it is of lower priority.
  public var lowerPriorityNoAdvert = false
  /// A master that gives way sends one more advert.
  public var higherPrioritySendAdvert = false
  /// The addresses of adverts are looked at only when the sender changes.
  public var skipsAddressCheck = false
  /// By the letter of the RFC.
  public var isStrict = false
  /// The host answers on the addresses.
  public var acceptsTraffic: Bool?
  /// An owner of the address ignores others' adverts.
  public var ownerIgnoresAdverts = false

  /// The defaults.
  public init() {}
}

/// Gratuitous ARP, and unsolicited neighbour advertisements.
public struct VRRPAnnouncement: Hashable, Sendable {
  /// Until the second burst; 0 is none.
  public var masterDelay = Duration.seconds(5)
  /// In each burst, for each address.
  public var masterRepeat = 5
  /// Between later ones; 0 is none.
  public var masterRefresh = Duration.zero
  /// In each later one.
  public var masterRefreshRepeat = 1
  /// After an advert of lower priority, until the second burst; nil is as for a new master.
  public var lowerPriorityDelay: Duration?
  /// In each of these bursts.
  public var lowerPriorityRepeat: Int?
  /// Between two of them on one interface.
  public var arpInterval = Duration.zero
  /// The same for IPv6.
  public var neighbourInterval = Duration.zero
  /// On the virtual interface and others besides; 0 is never.
  public var extraInterfaceInterval = Duration.zero
  /// For all of them.
  public var coversAllExtraInterfaces = false

  /// The defaults.
  public init() {}
}

/// What goes with the master.
public struct VRRPAddresses: Hashable, Sendable {
  /// Set and advertised.
  public var virtual: [VirtualAddress] = []
  /// Set, not advertised.
  public var excluded: [VirtualAddress] = []
  /// Routes.
  public var routes: [VirtualRoute] = []
  /// Rules.
  public var rules: [VirtualRule] = []
  /// Secondary addresses survive their primary one.
  public var promotesSecondaries = false
  /// None is needed, in version 3.
  public var mayBeEmpty = false
  /// The interface of `lvs_sync_daemon_interface`.
  public var syncInterface: String?

  /// None.
  public init() {}
}

/// How adverts are signed.
public struct VRRPAuthentication: Hashable, Sendable {
  /// The kinds.
  public enum Kind: String, Hashable, Sendable, CaseIterable {
    /// A password in clear.
    case password = "PASS"
    /// HMAC-MD5 in an authentication header.
    case header = "AH"
  }

  /// The kind.
  public var kind: Kind
  /// At most 8 bytes.
  public var password: [UInt8]
}

/// Who is told.
public struct VRRPNotification: Hashable, Sendable {
  /// By the keyword: `notify`, `notify_master` and so on.
  public var scripts: [String: ScriptCommand] = [:]
  /// Mail; nil is what `global_defs` says.
  public var smtpAlert: Bool?
  /// A removed instance is told as DELETED, not as FAULT.
  public var tellsDeletion = false
  /// Lines for changes of priority.
  public var priorityChanges = false

  /// Nobody.
  public init() {}
}

/// A `vrrp_sync_group`.
public struct VRRPSyncGroup: Hashable, Sendable, Traced {
  /// The name.
  public let name: String
  /// The instances by name.
  public var members: [String] = []
  /// Who is told.
  public var notification = VRRPNotification()
  /// What the whole group watches.
  public var tracking = VRRPTracking()
  /// Members keep their own weights.
  public var usesTrackingWeight = false
  /// What one member watches, all do.
  public var tracksGlobally = false
  /// Which keywords were written, and where.
  public var origins = Origins()
  /// Where it was configured.
  public let position: Position

  /// A group without members.
  public init(name: String, position: Position) {
    self.name = name
    self.position = position
  }
}
