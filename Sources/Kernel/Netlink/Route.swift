import CShims
import Glibc
import Wire

/// A route, or the answer to "how would a packet to this address leave?".
public struct Route: Sendable, Hashable {
  /// What happens to packets that match.
  public enum Kind: UInt8, Sendable {
    /// Sent to the gateway, or straight to the neighbour.
    case unicast = 1
    /// Delivered to this host.
    case local = 2
    /// Delivered here, sent as a link broadcast.
    case broadcast = 3
    /// An anycast address of this host.
    case anycast = 4
    /// A multicast group.
    case multicast = 5
    /// Dropped in silence.
    case blackhole = 6
    /// Refused with "host unreachable".
    case unreachable = 7
    /// Refused with "administratively prohibited".
    case prohibit = 8
    /// The search goes on in the next table.
    case nextTable = 9
    /// A kind this program does not know.
    case other = 255
  }

  /// The table of ordinary routes.
  public static let mainTable: UInt32 = 254
  /// The table of this host's own addresses, kept by the kernel.
  public static let localTable: UInt32 = 255

  /// What it matches; the answer to a lookup holds the address that was asked for.
  public let destination: IPPrefix
  /// Where to send; nil: the destination is a neighbour. It may be of the other family (an IPv4 route via IPv6).
  public let gateway: IPAddress?
  /// The interface packets leave by; nil when there is none (blackhole) or when no next hop of several is alive.
  public let linkIndex: Int32?
  /// The source address the kernel would choose.
  public let preferredSource: IPAddress?
  /// The table it stands in.
  public let table: UInt32
  /// The smaller wins.
  public let metric: UInt32
  /// What happens to packets that match.
  public let kind: Kind
  /// A path MTU configured or learnt for it.
  public let mtu: Int?
  /// False when the link of its next hop is down.
  public let isAlive: Bool

  /// Reads an RTM_NEWROUTE or RTM_DELROUTE message.
  /// - Returns: nil for multicast routing families.
  static func decode(_ message: NetlinkMessage) throws(MalformedNetlinkMessage) -> Route? {
    let header = try message.payload.load(rtmsg.self)
    let attributes = try message.attributes(after: rtmsg.self)
    guard let family = IPAddress.Family(socketFamily: header.rtm_family) else { return nil }
    return try Route(header: header, family: family, attributes: attributes)
  }

  init(
    destination: IPPrefix, gateway: IPAddress?, linkIndex: Int32?, preferredSource: IPAddress?, table: UInt32,
    metric: UInt32, kind: Kind, mtu: Int?, isAlive: Bool
  ) {
    self.destination = destination
    self.gateway = gateway
    self.linkIndex = linkIndex
    self.preferredSource = preferredSource
    self.table = table
    self.metric = metric
    self.kind = kind
    self.mtu = mtu
    self.isAlive = isAlive
  }

  private init(
    header: rtmsg, family: IPAddress.Family, attributes: NetlinkAttributes
  ) throws(MalformedNetlinkMessage) {
    let anywhere = family == .ipv4 ? IPAddress(v4: 0) : IPAddress(high: 0, low: 0)
    var address = anywhere
    if let bytes = attributes[RTA_DST] { address = try IPAddress(attribute: bytes, family: family) }
    guard let destination = IPPrefix(address: address, length: Int(header.rtm_dst_len)) else {
      throw MalformedNetlinkMessage()
    }
    self.destination = destination
    kind = Kind(rawValue: header.rtm_type) ?? .other
    table = try attributes[RTA_TABLE]?.load(UInt32.self) ?? UInt32(header.rtm_table)
    metric = try attributes[RTA_PRIORITY]?.load(UInt32.self) ?? 0
    var source: IPAddress?
    if let bytes = attributes[RTA_PREFSRC] { source = try IPAddress(attribute: bytes, family: family) }
    preferredSource = source
    let limit = try attributes.nested(Int(RTA_METRICS.rawValue))?[Int(RTAX_MTU)]?.load(UInt32.self)
    mtu = limit.flatMap { $0 == 0 ? nil : Int($0) }

    let hop: NextHop?
    if let list = attributes[RTA_MULTIPATH] {
      hop = try NextHop.firstAlive(of: list, family: family)
    } else {
      hop = try NextHop(
        index: attributes[RTA_OIF]?.load(Int32.self) ?? 0, flags: header.rtm_flags, attributes: attributes,
        family: family)
    }
    gateway = hop?.gateway
    linkIndex = hop?.linkIndex
    isAlive = hop?.isAlive ?? false
  }
}

/// One of the ways a route goes.
private struct NextHop {
  let gateway: IPAddress?
  let linkIndex: Int32?
  let isAlive: Bool

  init(
    index: Int32, flags: UInt32, attributes: NetlinkAttributes, family: IPAddress.Family
  ) throws(MalformedNetlinkMessage) {
    linkIndex = index > 0 ? index : nil
    isAlive = flags & UInt32(RTNH_F_DEAD | RTNH_F_LINKDOWN) == 0
    if let bytes = attributes[RTA_GATEWAY] {
      gateway = try IPAddress(attribute: bytes, family: family)
    } else if let via = attributes[RTA_VIA] {
      let number = UInt8(truncatingIfNeeded: try via.load(UInt16.self))
      guard let viaFamily = IPAddress.Family(socketFamily: number) else { throw MalformedNetlinkMessage() }
      gateway = try IPAddress(attribute: via.dropFirst(2), family: viaFamily)
    } else {
      gateway = nil
    }
  }

  /// The list is a row of structures with a length, an interface and attributes of their own. All of it is read, so
  /// that a damaged tail is noticed whichever hop is taken.
  static func firstAlive(
    of list: ArraySlice<UInt8>, family: IPAddress.Family
  ) throws(MalformedNetlinkMessage) -> NextHop? {
    let headerByteCount = MemoryLayout<rtnexthop>.size
    var chosen: NextHop?
    var rest = list
    while !rest.isEmpty {
      let header = try rest.load(rtnexthop.self)
      let length = Int(header.rtnh_len)
      guard length >= headerByteCount, length <= rest.count else { throw MalformedNetlinkMessage() }
      let attributes = try NetlinkAttributes(rest.prefix(length).dropFirst(headerByteCount))
      let hop = try NextHop(
        index: header.rtnh_ifindex, flags: UInt32(header.rtnh_flags), attributes: attributes, family: family)
      if chosen == nil && hop.isAlive { chosen = hop }
      rest = rest.dropFirst(NetlinkMessage.aligned(length))
    }
    return chosen
  }
}
