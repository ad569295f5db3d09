import CShims
import Glibc

/// A route in the kernel's own words, kept whole so that it can be put back as it was.
///
/// `Route` holds what a director needs to know; a route has more to it. To change one thing, the kernel's description
/// is given back to it with that one thing changed, which is how a dump and a restore of a routing table work.
public struct RouteRecord: Sendable, Hashable {
  /// What it says, as far as we understand it.
  public let route: Route
  /// The message's body: a fixed part and attributes.
  public let bytes: [UInt8]
  /// The TCP segment size announced to peers behind this route; nil: derived from the link.
  public let advertisedMSS: Int?

  /// - Returns: nil unless the bytes describe an IPv4 or IPv6 route.
  public init?(bytes: [UInt8]) {
    let message = NetlinkMessage(type: RTM_NEWROUTE, flags: 0, sequence: 0, payload: bytes[...])
    do {
      guard let route = try Route.decode(message) else { return nil }
      let metrics = try message.attributes(after: rtmsg.self).nested(Int(RTA_METRICS.rawValue))
      let size = try metrics?[Int(RTAX_ADVMSS)]?.load(UInt32.self)
      advertisedMSS = size.map(Int.init)
      self.route = route
      self.bytes = bytes
    } catch {
      return nil
    }
  }

  /// What the kernel adds of its own and does not take back: ages, and the state of the links.
  init?(reported message: NetlinkMessage) {
    guard var header = try? message.payload.load(rtmsg.self),
      let attributes = try? message.attributes(after: rtmsg.self)
    else { return nil }
    header.rtm_flags &= UInt32(RTNH_F_ONLINK)
    var copy = NetlinkRequest(type: RTM_NEWROUTE, flags: 0, header: header)
    let dropped = [RTA_CACHEINFO, RTA_EXPIRES].map { Int($0.rawValue) }
    for (type, value) in attributes.items where !dropped.contains(type) { copy.append(type, value) }
    self.init(bytes: Array(copy.bytes.dropFirst(MemoryLayout<nlmsghdr>.size)))
  }

  /// The same route announcing another segment size.
  public func announcing(maximumSegmentSize: Int) -> RouteRecord? {
    let message = NetlinkMessage(type: RTM_NEWROUTE, flags: 0, sequence: 0, payload: bytes[...])
    let metricsType = Int(RTA_METRICS.rawValue)
    guard let header = try? message.payload.load(rtmsg.self),
      let attributes = try? message.attributes(after: rtmsg.self),
      let metrics = try? attributes.nested(metricsType)?.items ?? []
    else { return nil }
    var copy = NetlinkRequest(type: RTM_NEWROUTE, flags: 0, header: header)
    for (type, value) in attributes.items where type != metricsType { copy.append(type, value) }
    copy.nest(metricsType) { nest in
      for (type, value) in metrics where type != Int(RTAX_ADVMSS) { nest.append(type, value) }
      nest.append(Int(RTAX_ADVMSS), value: UInt32(truncatingIfNeeded: maximumSegmentSize))
    }
    return RouteRecord(bytes: Array(copy.bytes.dropFirst(MemoryLayout<nlmsghdr>.size)))
  }

  /// The message that replaces the kernel's route of the same destination, table and metric.
  var replacement: NetlinkRequest? {
    guard let header = try? bytes[...].load(rtmsg.self),
      let attributes = try? NetlinkAttributes(bytes[...].dropFirst(MemoryLayout<rtmsg>.size))
    else { return nil }
    var request = NetlinkRequest(type: RTM_NEWROUTE, flags: NLM_F_REPLACE | NLM_F_ACK, header: header)
    for (type, value) in attributes.items { request.append(type, value) }
    return request
  }
}

extension NetlinkSocket {
  /// The main table's routes of both families, whole.
  public mutating func routeRecords() throws -> [RouteRecord] {
    try list("list routes", routeRequests(), of: RTM_NEWROUTE) { RouteRecord(reported: $0) }
      .filter { $0.route.table == Route.mainTable }
  }

  /// Replaces the route of the same destination, table and metric.
  public mutating func replaceRoute(by record: RouteRecord) throws {
    let step = "change the route to \(record.route.destination)"
    guard let request = record.replacement else { throw SystemError(step, errno: EINVAL) }
    try command(step, request)
  }
}
