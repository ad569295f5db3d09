import CShims
import Glibc
import Wire

/// How far an address or a route is valid: the kernel's numbers, smaller means farther.
public struct RouteScope: RawRepresentable, Sendable, Hashable {
  /// The kernel's number.
  public let rawValue: UInt8

  /// A scope by its number.
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// Valid everywhere.
  public static let universe = RouteScope(rawValue: 0)
  /// Valid on its link.
  public static let link = RouteScope(rawValue: 253)
  /// Valid inside this host: never chosen as the source of a packet that leaves it.
  public static let host = RouteScope(rawValue: 254)
}

/// An address of an interface.
public struct InterfaceAddress: Sendable, Hashable {
  /// The interface it belongs to.
  public let linkIndex: Int32
  /// The address itself, with the length of its network's prefix.
  public let prefix: IPPrefix
  /// How far it is valid.
  public let scope: RouteScope
  /// Not usable yet: duplicate address detection is under way (IPv6).
  public let isTentative: Bool
  /// Not to be chosen for new connections.
  public let isDeprecated: Bool

  /// Reads an RTM_NEWADDR or RTM_DELADDR message.
  /// - Returns: nil for families other than IPv4 and IPv6, and for an address of all zeros, which the kernel
  ///   leaves out.
  static func decode(_ message: NetlinkMessage) throws(MalformedNetlinkMessage) -> InterfaceAddress? {
    let header = try message.payload.load(ifaddrmsg.self)
    let attributes = try message.attributes(after: ifaddrmsg.self)
    guard let family = IPAddress.Family(socketFamily: header.ifa_family) else { return nil }
    // On a point-to-point link IFA_ADDRESS is the other end and IFA_LOCAL our own; elsewhere one or both are ours.
    guard let bytes = attributes[Int(IFA_LOCAL)] ?? attributes[Int(IFA_ADDRESS)] else { return nil }
    let address = try IPAddress(attribute: bytes, family: family)
    guard let prefix = IPPrefix(address: address, length: Int(header.ifa_prefixlen)) else {
      throw MalformedNetlinkMessage()
    }
    let flags = try attributes[Int(IFA_FLAGS)]?.load(UInt32.self) ?? UInt32(header.ifa_flags)
    return InterfaceAddress(
      linkIndex: Int32(truncatingIfNeeded: header.ifa_index), prefix: prefix,
      scope: RouteScope(rawValue: header.ifa_scope), isTentative: flags & UInt32(IFA_F_TENTATIVE) != 0,
      isDeprecated: flags & UInt32(IFA_F_DEPRECATED) != 0)
  }
}

extension IPAddress.Family {
  /// From AF_INET or AF_INET6; nil for any other.
  init?(socketFamily: UInt8) {
    switch Int32(socketFamily) {
    case AF_INET: self = .ipv4
    case AF_INET6: self = .ipv6
    default: return nil
    }
  }

  /// AF_INET or AF_INET6.
  var socketFamily: UInt8 { UInt8(self == .ipv4 ? AF_INET : AF_INET6) }
}

extension IPAddress {
  /// An address attribute: as many bytes as the family has.
  init(attribute bytes: ArraySlice<UInt8>, family: Family) throws(MalformedNetlinkMessage) {
    guard let address = IPAddress(bytes: bytes), address.family == family else { throw MalformedNetlinkMessage() }
    self = address
  }
}
