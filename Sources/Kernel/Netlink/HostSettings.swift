import Wire

// What lbd sets on the host while it is master: addresses, routes and rules, as values. Interfaces are named, not numbered:
// one that is made anew has another number.

/// An address that is to be set on an interface.
public struct AddressSetting: Hashable, Sendable {
  /// What `ip address` calls its flags.
  public struct Flags: OptionSet, Hashable, Sendable {
    /// The kernel's bits (IFA_F_…).
    public let rawValue: UInt32
    /// Flags from the kernel's bits.
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    /// Duplicates are not looked for (IPv6).
    public static let noDuplicateDetection = Flags(rawValue: 0x02)
    /// A home address (IPv6).
    public static let home = Flags(rawValue: 0x10)
    /// Temporary addresses are made from it (IPv6).
    public static let managesTemporary = Flags(rawValue: 0x100)
    /// No route to its network comes with it.
    public static let noPrefixRoute = Flags(rawValue: 0x200)
    /// Groups are joined for it.
    public static let autoJoin = Flags(rawValue: 0x400)
  }

  /// The address and its network.
  public var prefix: IPPrefix
  /// The interface.
  public var interface: String
  /// The broadcast address (IPv4).
  public var broadcast: IPAddress?
  /// How far it is valid (IPv4).
  public var scope = RouteScope.universe
  /// At most 15 bytes (IPv4).
  public var label: String?
  /// The other end of a point-to-point link.
  public var peer: IPPrefix?
  /// Seconds that it is preferred as a source; nil for ever.
  public var preferredSeconds: UInt32?
  /// As `ip address` says them.
  public var flags: Flags = []
  /// Its interface is watched, and its removal by somebody else.
  public var isTracked = true

  /// An address with every default.
  public init(_ prefix: IPPrefix, interface: String) {
    self.prefix = prefix
    self.interface = interface
  }
}

/// A route that is to be set.
public struct RouteSetting: Hashable, Sendable {
  /// What becomes of packets.
  public enum Kind: UInt8, Hashable, Sendable, CaseIterable {
    /// Forwarded.
    case unicast = 1
    /// Dropped silently.
    case blackhole = 6
    /// Answered with "unreachable".
    case unreachable = 7
    /// Answered with "prohibited".
    case prohibit = 8
    /// As if the table ended here.
    case passOn = 9
  }

  /// What becomes of packets.
  public var kind = Kind.unicast
  /// Where to.
  public var destination: IPPrefix
  /// Next hops; of several each gets an equal part.
  public var gateways: [IPAddress] = []
  /// The interface.
  public var interface: String?
  /// The source address for it.
  public var source: IPAddress?
  /// The table's number.
  public var table: UInt32 = Route.mainTable
  /// Smaller wins; nil is the kernel's choice.
  public var metric: UInt32?
  /// How far it is valid; nil is as `ip route` chooses.
  public var scope: RouteScope?
  /// Its interface is watched.
  public var isTracked = true

  /// A route with every default.
  public init(to destination: IPPrefix) { self.destination = destination }
}

/// A rule that is to be set.
public struct RuleSetting: Hashable, Sendable {
  /// Its family, where no prefix says.
  public var family: IPAddress.Family
  /// Of whom; nil is everybody.
  public var from: IPPrefix?
  /// Where to; nil is everywhere.
  public var to: IPPrefix?
  /// The table's number.
  public var table: UInt32 = Route.mainTable
  /// Smaller comes first; nil is the kernel's choice.
  public var priority: UInt32?
  /// The interface a packet came in by.
  public var inputInterface: String?
  /// The interface it leaves by.
  public var outputInterface: String?
  /// A firewall mark.
  public var mark: UInt32?
  /// Which bits of the mark are looked at; nil is all.
  public var markMask: UInt32?
  /// Its interfaces are watched.
  public var isTracked = true

  /// A rule with every default.
  public init(family: IPAddress.Family) { self.family = family }
}
