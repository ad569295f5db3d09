import CShims
import Glibc
import Wire

// Questions to the kernel about links, addresses, routes and neighbours, and the few changes lbd makes to them
// (rtnetlink(7), RFC 3549). One question at a time, each with a number that its answer repeats; a late answer to an
// earlier question is recognised by that number and skipped.
//
// A list is read while the kernel changes it. The kernel marks a list that was disturbed (NLM_F_DUMP_INTR): entries
// may be missing, so it is read again. Changes after the list come by NetlinkMonitor: open that one first, then list.

/// A socket for requests to the kernel's network configuration, in the namespace it was opened in.
public struct NetlinkSocket: ~Copyable {
  private var channel: NetlinkChannel
  private var sequence: UInt32 = 0

  private static let attemptLimit = 8
  private static let answerTimeoutSeconds = 10

  /// Opens a socket; no privilege is needed to ask.
  public init() throws {
    channel = try NetlinkChannel()
    // Errors with the kernel's own words and without a copy of the request; old kernels know neither.
    _ = channel.set(SOL_NETLINK, NETLINK_EXT_ACK, 1)
    _ = channel.set(SOL_NETLINK, NETLINK_CAP_ACK, 1)
    var patience = timeval(tv_sec: NetlinkSocket.answerTimeoutSeconds, tv_usec: 0)
    _ = setsockopt(
      channel.descriptor.number, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
  }

  /// All interfaces.
  public mutating func links() throws -> [Link] {
    var request = NetlinkRequest(type: RTM_GETLINK, flags: NLM_F_DUMP, header: ifinfomsg())
    request.append(Int(IFLA_EXT_MASK), value: UInt32(LBD_LINK_FILTER_SKIP_STATISTICS))
    return try list("list links", request, of: RTM_NEWLINK, Link.decode)
  }

  /// The interface of this name, or nil.
  public mutating func link(named name: String) throws -> Link? {
    try links().first { $0.name == name }
  }

  /// All addresses of all interfaces.
  public mutating func addresses() throws -> [InterfaceAddress] {
    let request = NetlinkRequest(type: RTM_GETADDR, flags: NLM_F_DUMP, header: ifaddrmsg())
    return try list("list addresses", request, of: RTM_NEWADDR, InterfaceAddress.decode)
  }

  /// The routes of some tables, both families.
  public mutating func routes(
    inTables tables: Set<UInt32> = [Route.mainTable, Route.localTable]
  ) throws -> [Route] {
    try list("list routes", routeRequests(), of: RTM_NEWROUTE, Route.decode).filter { tables.contains($0.table) }
  }

  /// All ARP and neighbour discovery entries.
  public mutating func neighbours() throws -> [Neighbour] {
    let request = NetlinkRequest(type: RTM_GETNEIGH, flags: NLM_F_DUMP, header: ndmsg())
    return try list("list neighbours", request, of: RTM_NEWNEIGH, Neighbour.decode)
  }

  /// How a packet from this host to `address` would leave, policy rules included.
  ///
  /// Throws ENETUNREACH and its like when it would not leave at all.
  public mutating func route(to address: IPAddress) throws -> Route {
    var header = rtmsg()
    header.rtm_family = address.family.socketFamily
    header.rtm_dst_len = UInt8(address.bitCount)
    header.rtm_flags = UInt32(RTM_F_LOOKUP_TABLE)
    var request = NetlinkRequest(type: RTM_GETROUTE, flags: NLM_F_ACK, header: header)
    request.append(Int(RTA_DST.rawValue), address.bytes)
    let step = "find a route to \(address)"
    guard let route = try list(step, request, of: RTM_NEWROUTE, Route.decode).first else {
      throw SystemError(step, errno: ENETUNREACH)
    }
    return route
  }

  /// Makes the kernel find out, or confirm, a neighbour's link address by ARP or neighbour discovery of its own.
  ///
  /// Returns at once; the outcome arrives as neighbour events.
  public mutating func solicit(neighbour address: IPAddress, linkIndex: Int32) throws {
    var header = ndmsg()
    header.ndm_family = address.family.socketFamily
    header.ndm_ifindex = linkIndex
    header.ndm_state = UInt16(NUD_NONE)
    header.ndm_flags = UInt8(NTF_USE)
    var request = NetlinkRequest(type: RTM_NEWNEIGH, flags: NLM_F_CREATE | NLM_F_ACK, header: header)
    request.append(Int(NDA_DST), address.bytes)
    try command("solicit neighbour \(address)", request)
  }

  /// Adds an address to an interface.
  /// - Parameters:
  ///   - label: an alias such as `lo:lbd`, shown by ifconfig (IPv4 only, at most 15 bytes).
  ///   - isDeprecated: never chosen as source by the kernel itself (IPv6).
  public mutating func addAddress(
    _ prefix: IPPrefix, linkIndex: Int32, scope: RouteScope = .universe, label: String? = nil,
    isDeprecated: Bool = false
  ) throws {
    var request = addressRequest(
      type: RTM_NEWADDR, flags: NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, prefix, linkIndex: linkIndex, scope: scope)
    if let label, prefix.address.family == .ipv4 { request.append(Int(IFA_LABEL), text: label) }
    if prefix.address.family == .ipv6 {
      let lifetime = ifa_cacheinfo(
        ifa_prefered: isDeprecated ? 0 : .max, ifa_valid: .max, cstamp: 0, tstamp: 0)
      request.append(Int(IFA_CACHEINFO), value: lifetime)
    }
    try command("add address \(prefix) to link \(linkIndex)", request)
  }

  /// Removes an address from an interface.
  public mutating func removeAddress(_ prefix: IPPrefix, linkIndex: Int32) throws {
    let request = addressRequest(
      type: RTM_DELADDR, flags: NLM_F_ACK, prefix, linkIndex: linkIndex, scope: .universe)
    try command("remove address \(prefix) from link \(linkIndex)", request)
  }

  /// Takes the XDP program off an interface, whoever attached it.
  public mutating func detachXDP(from link: Link) throws {
    var header = ifinfomsg()
    header.ifi_index = link.index
    var request = NetlinkRequest(type: RTM_SETLINK, flags: NLM_F_ACK, header: header)
    request.nest(Int(IFLA_XDP)) { nest in
      nest.append(Int(IFLA_XDP_FD), value: Int32(-1))
      // Without the mode the kernel looks in the driver's place only, if the driver has one.
      if let mode = link.xdpMode { nest.append(Int(IFLA_XDP_FLAGS), value: mode.attachFlag) }
    }
    try command("detach the XDP program from \(link.name)", request)
  }

  /// One for each family: a request for all of them would bring multicast routing along.
  func routeRequests() -> [NetlinkRequest] {
    [IPAddress.Family.ipv4, .ipv6].map { family in
      var header = rtmsg()
      header.rtm_family = family.socketFamily
      return NetlinkRequest(type: RTM_GETROUTE, flags: NLM_F_DUMP, header: header)
    }
  }

  private func addressRequest(
    type: Int, flags: Int32, _ prefix: IPPrefix, linkIndex: Int32, scope: RouteScope
  ) -> NetlinkRequest {
    // Duplicate detection would make a VIP that moves between hosts unusable for a second (IPv6; no effect on IPv4).
    let header = ifaddrmsg(
      ifa_family: prefix.address.family.socketFamily, ifa_prefixlen: UInt8(prefix.length),
      ifa_flags: prefix.address.family == .ipv6 ? UInt8(IFA_F_NODAD) : 0, ifa_scope: scope.rawValue,
      ifa_index: UInt32(bitPattern: linkIndex))
    var request = NetlinkRequest(type: type, flags: flags, header: header)
    request.append(Int(IFA_LOCAL), prefix.address.bytes)
    request.append(Int(IFA_ADDRESS), prefix.address.bytes)
    return request
  }
}

extension NetlinkSocket {
  /// Sends a request that is answered by nothing but success or failure.
  mutating func command(_ step: @autoclosure () -> String, _ request: NetlinkRequest) throws {
    let step = step()
    _ = try exchange(step, request) { _ in }
  }

  /// The answers to several requests, one after the other.
  mutating func list<Element>(
    _ step: String, _ requests: [NetlinkRequest], of type: Int,
    _ decode: (NetlinkMessage) throws(MalformedNetlinkMessage) -> Element?
  ) throws -> [Element] {
    var elements: [Element] = []
    for request in requests { elements += try list(step, request, of: type, decode) }
    return elements
  }

  /// Sends a request and decodes the answers of one type, again if the kernel says that the list was disturbed.
  private mutating func list<Element>(
    _ step: String, _ request: NetlinkRequest, of type: Int,
    _ decode: (NetlinkMessage) throws(MalformedNetlinkMessage) -> Element?
  ) throws -> [Element] {
    for _ in 0..<NetlinkSocket.attemptLimit {
      var elements: [Element] = []
      let isComplete = try exchange(step, request) { message throws(MalformedNetlinkMessage) in
        if message.type == type, let element = try decode(message) { elements.append(element) }
      }
      if isComplete { return elements }
    }
    throw SystemError(step, errno: EAGAIN, remedy: "it changes faster than it can be read")
  }

  /// One request and its answers.
  /// - Returns: false when the kernel says that the list may have gaps.
  private mutating func exchange(
    _ step: String, _ request: NetlinkRequest,
    _ handle: (NetlinkMessage) throws(MalformedNetlinkMessage) -> Void
  ) throws -> Bool {
    sequence &+= 1
    try channel.send(request.sealed(sequence: sequence)) { step }
    var isComplete = true
    do {
      while let datagram = try channel.receive({ step }) {
        for message in try NetlinkMessage.split(datagram) where message.sequence == sequence {
          if message.flags & NLM_F_DUMP_INTR != 0 { isComplete = false }
          switch Int32(message.type) {
          case NLMSG_ERROR, NLMSG_DONE:
            if let failure = try NetlinkSocket.failure(step, message) { throw failure }
            return isComplete
          default:
            try handle(message)
          }
        }
      }
    } catch is MalformedNetlinkMessage {
      throw SystemError(step, errno: EBADMSG, remedy: "the kernel's answer has lengths that do not add up")
    }
    return isComplete
  }

  /// What a final message says, nil for success. A list ends in NLMSG_DONE, which may carry an error as well; from
  /// very old kernels without any number.
  static func failure(
    _ step: String, _ message: NetlinkMessage
  ) throws(MalformedNetlinkMessage) -> SystemError? {
    let isDone = Int32(message.type) == NLMSG_DONE
    if isDone && message.payload.isEmpty { return nil }
    let number = try message.payload.load(Int32.self)
    guard number != 0 else { return nil }
    var remedy: String?
    if message.flags & NLM_F_ACK_TLVS != 0 {
      var rest = message.payload.dropFirst(4)
      if !isDone {
        let original = Int(try message.payload.load(nlmsghdr.self, at: 4).nlmsg_len)
        let isCapped = message.flags & NLM_F_CAPPED != 0
        rest = rest.dropFirst(isCapped ? MemoryLayout<nlmsghdr>.size : NetlinkMessage.aligned(original))
      }
      remedy = try NetlinkAttributes(rest)[Int(NLMSGERR_ATTR_MSG.rawValue)]?.text
    }
    let magnitude = Int32(clamping: number.magnitude)
    if remedy == nil && magnitude == EPERM { remedy = "run as root or with CAP_NET_ADMIN" }
    return SystemError(step, errno: magnitude, remedy: remedy)
  }
}
