import Config
import Wire

/// In which order `ipvsadm -L` names services and servers.
///
/// Services by mark (a service without one counts as mark 0, and marks are signed), then IPv4 before IPv6, protocol, address,
/// port; servers by address and port. One habit of ipvsadm's shows: it takes the sign of a 32-bit difference for the order of
/// two addresses (of IPv6 word by word), so that two which lie more than 2^31 apart come out reversed, 192.0.2.10 before
/// 10.0.0.5 and fd00:: before ::1. Scripts that compare listings see that, so it is kept.
enum ListingOrder {
  /// Services as they are listed. The argument's order decides where the rules contradict themselves.
  static func sorted(_ services: [VirtualServices.Service]) -> [VirtualServices.Service] {
    services.sorted { later, earlier in compare(earlier.spec.key, later.spec.key) > 0 }
  }

  /// Servers, given newest first, as they are listed.
  static func sorted(_ servers: [VirtualServices.Server]) -> [VirtualServices.Server] {
    servers.sorted { later, earlier in compare(earlier.spec.endpoint, later.spec.endpoint) > 0 }
  }

  private static func compare(_ left: ServiceKey, _ right: ServiceKey) -> Int {
    let marks = (mark(of: left), mark(of: right))
    if marks.0 != marks.1 { return Int(marks.0 &- marks.1) }
    if left.family != right.family { return Int(left.family.rawValue) - Int(right.family.rawValue) }
    guard case .address(let leftTransport, let leftEndpoint) = left,
      case .address(let rightTransport, let rightEndpoint) = right
    else { return 0 }
    if leftTransport != rightTransport { return Int(leftTransport.rawValue) - Int(rightTransport.rawValue) }
    return compare(leftEndpoint, rightEndpoint)
  }

  private static func mark(of key: ServiceKey) -> Int32 {
    if case .mark(let mark, _) = key { return Int32(bitPattern: mark) }
    return 0
  }

  /// The left one's family says how both addresses are read.
  private static func compare(_ left: Endpoint, _ right: Endpoint) -> Int {
    let count = left.address.family == .ipv4 ? 1 : 4
    for (leftWord, rightWord) in zip(words(left.address).prefix(count), words(right.address)) {
      let difference = Int32(bitPattern: leftWord &- rightWord)
      if difference != 0 { return Int(difference) }
    }
    return Int(left.port) - Int(right.port)
  }

  private static func words(_ address: IPAddress) -> [UInt32] {
    if address.family == .ipv4 { return [address.v4, 0, 0, 0] }
    return [address.high >> 32, address.high, address.low >> 32, address.low].map { UInt32(truncatingIfNeeded: $0) }
  }
}
