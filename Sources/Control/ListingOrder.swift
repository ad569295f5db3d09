import Config
import Wire

/// In which order `ipvsadm -L` names services and servers.
///
/// Services by mark (a service without one counts as mark 0, and marks are signed), then IPv4 before IPv6, protocol, address,
/// port; servers by address and port. One habit of ipvsadm's shows: it takes the sign of a 32-bit difference for the order of
/// two IPv4 addresses, so that two which lie more than 2^31 apart come out reversed, 192.0.2.10 before 10.0.0.5. Scripts that
/// compare listings see that, so it is kept.
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
    if left.address.family == .ipv4 {
      let difference = Int32(bitPattern: leadingWord(left.address) &- leadingWord(right.address))
      if difference != 0 { return Int(difference) }
    } else {
      let bytes = (
        left.address.bytes, right.address.bytes + [UInt8](repeating: 0, count: 16 - right.address.bytes.count)
      )
      for (leftByte, rightByte) in zip(bytes.0, bytes.1) where leftByte != rightByte {
        return Int(leftByte) - Int(rightByte)
      }
    }
    return Int(left.port) - Int(right.port)
  }

  private static func leadingWord(_ address: IPAddress) -> UInt32 {
    address.family == .ipv4 ? address.v4 : UInt32(truncatingIfNeeded: address.high >> 32)
  }
}
