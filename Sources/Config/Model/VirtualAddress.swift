import Wire

// Lines of addresses, routes and rules: nearly the language of `ip address`, `ip route` and `ip rule`.

/// An address that is set on an interface.
public struct VirtualAddress: Hashable, Sendable {
  /// The address and its network.
  public var prefix: IPPrefix
  /// The interface; nil is the instance's own.
  public var device: String?
  /// `brd`: an address, `+` for all ones, `-` for all zeros.
  public var broadcast: String?
  /// `global`, `link`, `host`, `site`, or a number.
  public var scope: String?
  /// At most 15 bytes.
  public var label: String?
  /// The other end of a point-to-point link.
  public var peer: IPPrefix?
  /// Seconds that it is preferred as a source; nil is forever, but 0 for a /128.
  public var preferredSeconds: Int?
  /// `home`, `-nodad`, `mngtmpaddr`, `noprefixroute`, `autojoin`.
  public var flags: [String] = []
  /// Its interface is not watched, nor is its removal.
  public var isTracked = true
  /// On the virtual interface, whatever the device says.
  public var usesVirtualMAC = false
  /// Of static ones.
  public var trackGroup: String?
  /// Where.
  public var position: Position
}

/// A route that is set.
public struct VirtualRoute: Hashable, Sendable {
  /// `unicast`, `blackhole`, `unreachable`, `prohibit`, `throw`.
  public var kind = "unicast"
  /// Where to; nil is `default`.
  public var destination: IPPrefix?
  /// The family, where the destination does not say.
  public var family: IPAddress.Family?
  /// One or several next hops.
  public var gateways: [IPAddress] = []
  /// The interface.
  public var device: String?
  /// The source address for it.
  public var source: IPAddress?
  /// A name or a number.
  public var table: String?
  /// Smaller wins.
  public var metric: Int?
  /// A name or a number.
  public var scope: String?
  /// Its interface is not watched.
  public var isTracked = true
  /// Of static ones.
  public var trackGroup: String?
  /// What else was said, as `ip route` would be told.
  public var options: [String] = []
  /// Where.
  public var position: Position
}

/// A rule that is set.
public struct VirtualRule: Hashable, Sendable {
  /// Of whom; nil is everybody.
  public var from: IPPrefix?
  /// Where to; nil is everywhere.
  public var to: IPPrefix?
  /// A name or a number.
  public var table: String?
  /// Smaller comes first.
  public var priority: Int?
  /// The interface a packet came in by.
  public var inputDevice: String?
  /// The interface it leaves by.
  public var outputDevice: String?
  /// A firewall mark, with its mask.
  public var mark: String?
  /// Its interface is not watched.
  public var isTracked = true
  /// Of static ones.
  public var trackGroup: String?
  /// What else was said, as `ip rule` would be told.
  public var options: [String] = []
  /// Where.
  public var position: Position
}
