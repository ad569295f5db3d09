import CShims
import Glibc

/// A change the kernel told us about.
public enum NetlinkEvent: Sendable, Hashable {
  /// What happened to the thing; a change of something that exists arrives as `added` with its new values.
  public enum Change: Sendable, Hashable {
    /// New, or changed.
    case added
    /// Gone; the values are the last ones.
    case removed
  }

  /// An interface.
  case link(Change, Link)
  /// An address of an interface.
  case address(Change, InterfaceAddress)
  /// A route, of any table.
  case route(Change, Route)
  /// A neighbour entry.
  case neighbour(Change, Neighbour)
  /// Events were lost: list everything again.
  case overrun
}

/// A subscription to changes of links, addresses, routes and neighbours, in the namespace it was opened in.
///
/// Open it before the first list is read, then nothing falls between the two. When the kernel has to drop events, or
/// sends one that cannot be read, `overrun` takes their place; it is the one event that cannot be ignored.
public struct NetlinkMonitor: ~Copyable {
  private var channel: NetlinkChannel

  /// Datagrams read by one call; the descriptor stays readable if there are more.
  private static let datagramLimit = 1024

  private static let groups = [
    RTNLGRP_LINK, RTNLGRP_NEIGH, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,
  ]

  /// Subscribes; no privilege is needed.
  public init() throws {
    try self.init(receiveByteCount: NetlinkChannel.receiveByteCount)
  }

  init(receiveByteCount: Int32) throws {
    let channel = try NetlinkChannel(receiveByteCount: receiveByteCount)
    for group in NetlinkMonitor.groups {
      guard channel.set(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, Int32(group.rawValue)) else {
        throw SystemError.current("subscribe to netlink group \(group.rawValue)")
      }
    }
    self.channel = channel
  }

  /// Becomes readable when events wait.
  public var descriptor: Int32 { channel.descriptor.number }

  /// The events that wait, oldest first; empty when there are none. Never blocks.
  public mutating func drain() throws -> [NetlinkEvent] {
    var events: [NetlinkEvent] = []
    for _ in 0..<NetlinkMonitor.datagramLimit {
      do {
        let step = { "read network changes from the kernel" }
        guard let datagram = try channel.receive(flags: Int32(MSG_DONTWAIT), step) else { break }
        events += try NetlinkEvent.decode(datagram)
      } catch let error as SystemError where error.number == ENOBUFS {
        events.append(.overrun)
      } catch is MalformedNetlinkMessage {
        events.append(.overrun)
      }
    }
    return events
  }
}

extension NetlinkEvent {
  /// The events of one datagram; messages that are not about us are left out.
  static func decode(_ datagram: ArraySlice<UInt8>) throws(MalformedNetlinkMessage) -> [NetlinkEvent] {
    var events: [NetlinkEvent] = []
    for message in try NetlinkMessage.split(datagram) {
      if Int32(message.type) == NLMSG_OVERRUN { events.append(.overrun) }
      if let event = try decode(message) { events.append(event) }
    }
    return events
  }

  private static func decode(_ message: NetlinkMessage) throws(MalformedNetlinkMessage) -> NetlinkEvent? {
    switch message.type {
    case RTM_NEWLINK: try Link.decode(message).map { .link(.added, $0) }
    case RTM_DELLINK: try Link.decode(message).map { .link(.removed, $0) }
    case RTM_NEWADDR: try InterfaceAddress.decode(message).map { .address(.added, $0) }
    case RTM_DELADDR: try InterfaceAddress.decode(message).map { .address(.removed, $0) }
    case RTM_NEWROUTE: try Route.decode(message).map { .route(.added, $0) }
    case RTM_DELROUTE: try Route.decode(message).map { .route(.removed, $0) }
    case RTM_NEWNEIGH: try Neighbour.decode(message).map { .neighbour(.added, $0) }
    case RTM_DELNEIGH: try Neighbour.decode(message).map { .neighbour(.removed, $0) }
    default: nil
    }
  }
}
