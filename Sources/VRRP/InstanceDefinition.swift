import Wire

// What a virtual router is, as its machine wants it: numbers and addresses, nothing of the configuration's text.
//
// The configuration has its own rules about what goes together, and says so to whoever wrote it. The few that decide
// what is on the wire hold here too, so that a definition made by hand cannot send what no router understands: the
// interval is rounded as the version has it, version 3 and IPv6 have no authentication, an owner preempts.

/// One `vrrp_instance`.
public struct InstanceDefinition: Hashable, Sendable {
  /// The protocol's versions.
  public enum Version: UInt8, Hashable, Sendable, CaseIterable {
    /// RFC 3768.
    case two = 2
    /// RFC 9568.
    case three = 3
  }

  /// Another router that adverts are sent to.
  public struct Peer: Hashable, Sendable {
    /// Its address.
    public var address: IPAddress
    /// The hop limits that its adverts may arrive with, where the sender is checked.
    public var hopLimits: ClosedRange<UInt8>

    /// A peer; from anywhere unless told otherwise.
    public init(_ address: IPAddress, hopLimits: ClosedRange<UInt8> = 0...255) {
      self.address = address
      self.hopLimits = hopLimits
    }
  }

  /// Where adverts go.
  public enum Destination: Hashable, Sendable {
    /// To a group, with hop limit 255.
    case group(IPAddress)
    /// To each of these.
    case peers([Peer], hopLimit: UInt8)
  }

  /// The name in logs.
  public var name: String
  /// The interface that it runs on.
  public var interface = ""
  /// 1 to 255.
  public var virtualRouter: UInt8
  /// The protocol's version.
  public var version: Version
  /// The source of adverts; its family is the instance's.
  public var source: IPAddress
  /// Where they go.
  public var destination: Destination
  /// 1 to 255, before tracking; 255 is the owner of the addresses.
  public var priority: UInt8 = 100
  /// Between adverts, before rounding.
  public var configuredInterval: Microseconds = 1_000_000
  /// Advertised, in the configuration's order; those of another family and behind the 255th are not.
  public var addresses: [IPAddress]
  /// How adverts are signed, where the version has that.
  public var configuredAuthentication: Authentication?
  /// When it takes over, and gives up.
  public var election = Election()
  /// What it thinks of others' adverts.
  public var reception = Reception()
  /// Gratuitous ARP and unsolicited neighbour advertisements.
  public var announcement = Announcement()
  /// What it watches.
  public var tracked: [TrackedObject] = []

  /// An instance with every default.
  public init(
    name: String, virtualRouter: UInt8, version: Version, source: IPAddress, destination: Destination? = nil,
    addresses: [IPAddress]
  ) {
    self.name = name
    self.virtualRouter = virtualRouter
    self.version = version
    self.source = source
    self.destination =
      destination
      ?? .group(source.family == .ipv4 ? VRRPAdvertisement.group4 : VRRPAdvertisement.group6)
    self.addresses = addresses
  }
}

extension InstanceDefinition {
  /// When an instance takes over, and gives up.
  public struct Election: Hashable, Sendable {
    /// A master of lower priority is left alone.
    public var nopreempt = false
    /// How long one is left alone.
    public var preemptDelay: Microseconds = 0
    /// How many adverts may be missing: 1 to 100.
    public var downTimerAdverts: UInt64 = 3
    /// A master of lower priority is not told.
    public var lowerPriorityNoAdvert = false
    /// A master that gives way sends one more advert.
    public var higherPrioritySendAdvert = false
    /// An owner ignores what others of priority 255 send.
    public var ownerIgnoresAdverts = false
    /// The first election begins that long after the start.
    public var startupDelay: Microseconds = 0
    /// By the letter of the RFC: three adverts, no delay, no adverts beside the regular ones.
    public var isStrict = false

    /// The defaults.
    public init() {}
  }

  /// What an instance thinks of others' adverts, and how it sums its own.
  public struct Reception: Hashable, Sendable {
    /// A backup looks at the list of addresses only when the sender changes.
    public var skipsAddressCheck = false
    /// Unicast adverts must come from a peer, with one of its hop limits.
    public var checksUnicastSource = false
    /// Peers before 1.3.6 sum the group's address in unicast adverts: nil is to do as the peer does.
    public var oldUnicastChecksum: Bool?
    /// Version 3 over IPv4 is sent with a checksum of the message alone, as RFC 9568 has it. Both are understood.
    public var usesPlainChecksum = false

    /// The defaults.
    public init() {}
  }

  /// When the network is told where the addresses are. A burst tells of every address several times.
  public struct Announcement: Hashable, Sendable {
    /// From a new master's first burst to the second; 0 is none.
    public var masterDelay: Microseconds = 5_000_000
    /// Times per address in these.
    public var masterRepeat = 5
    /// Between later bursts; 0 is none.
    public var refresh: Microseconds = 0
    /// Times per address in these.
    public var refreshRepeat = 1
    /// After an advert of lower priority, from the first burst to the second; nil is as for a new master.
    public var conflictDelay: Microseconds?
    /// Times per address in these; nil is as for a new master.
    public var conflictRepeat: Int?

    /// The defaults.
    public init() {}
  }
}

extension InstanceDefinition {
  /// The family of its adverts.
  public var family: IPAddress.Family { source.family }

  /// Adverts go to peers.
  public var isUnicast: Bool {
    if case .peers = destination { return true }
    return false
  }

  /// The interval as adverts say it: whole seconds in version 2 (half a second counts up), centiseconds in version 3.
  public var advertisedInterval: UInt16 {
    let isSeconds = version == .two
    let unit: UInt64 = isSeconds ? 1_000_000 : 10_000
    let limit = isSeconds ? 255 : UInt64(VRRPAdvertisement.intervalLimit)
    let rounded = configuredInterval.adding(unit / 2) / unit
    return UInt16(min(max(rounded, 1), limit))
  }

  /// Between two adverts.
  public var interval: Microseconds { UInt64(advertisedInterval) * (version == .two ? 1_000_000 : 10_000) }

  /// How adverts are signed: version 2 over IPv4 only, and not in strict mode.
  public var authentication: Authentication? {
    version == .two && family == .ipv4 && !election.isStrict ? configuredAuthentication : nil
  }

  /// What adverts list.
  var advertised: [IPAddress] { Array(addresses.filter { $0.family == family }.prefix(255)) }

  /// The rules of the election that hold.
  var effectiveElection: Election {
    var rules = election
    if priority == 255 { rules.nopreempt = false }
    if rules.isStrict {
      rules.preemptDelay = 0
      rules.downTimerAdverts = 3
      rules.lowerPriorityNoAdvert = true
      rules.higherPrioritySendAdvert = false
    }
    rules.downTimerAdverts = min(max(rules.downTimerAdverts, 1), 100)
    return rules
  }

  /// What stays the same as long as it is the same virtual router: state and counters go over to the new definition.
  var identity: InstanceIdentity {
    var group: IPAddress?
    if case .group(let address) = destination { group = address }
    return InstanceIdentity(
      interface: interface, virtualRouter: virtualRouter, family: family, group: group, source: isUnicast ? source : nil
    )
  }
}

/// What makes an instance the one it was; its name does not.
struct InstanceIdentity: Hashable, Sendable {
  let interface: String
  let virtualRouter: UInt8
  let family: IPAddress.Family
  let group: IPAddress?
  let source: IPAddress?
}
