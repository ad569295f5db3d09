import Wire

// A received datagram, taken apart as far as VRRP needs it. All lengths are checked here and nowhere else: whatever holds
// a `Datagram` may read its message's fields and, if there is one, its authentication header.
//
// Frames on real networks are padded to 60 bytes, so what follows the IP header's own length is cut off and not held
// against the sender.

/// An advert as it came, in the caller's memory.
public struct Datagram {
  /// Who sent it, as it says.
  public let source: IPAddress
  /// To whom.
  public let destination: IPAddress
  /// What is left of its time to live.
  public let hopLimit: UInt8
  /// IPv4's header; nil for IPv6.
  let header: UnsafeRawBufferPointer?
  /// The authentication header, all of it.
  let authentication: UnsafeRawPointer?
  /// The message; at least eight bytes.
  let message: UnsafeRawBufferPointer
  /// Its fields.
  public let head: VRRPAdvertisement

  /// Takes an IPv4 datagram apart, as raw sockets give it.
  /// - Returns: nil when it is not whole, a fragment, or not VRRP.
  public init?(ipv4 packet: UnsafeRawBufferPointer) {
    guard let base = packet.baseAddress, packet.count >= IPv4.minimumHeaderByteCount, base.loadByte(at: 0) >> 4 == 4
    else { return nil }
    let headerCount = IPv4.headerByteCount(base)
    let total = Int(base.loadBigEndian16(at: IPv4.totalLengthOffset))
    guard headerCount >= IPv4.minimumHeaderByteCount, headerCount <= total, total <= packet.count,
      !IPv4.isFragment(base)
    else { return nil }
    var start = headerCount
    var number = base.loadByte(at: IPv4.protocolOffset)
    if number == IPProtocol.authentication {
      guard total - start >= AuthenticationHeader.byteCount,
        base.loadByte(at: start + AuthenticationHeader.lengthOffset) == AuthenticationHeader.length
      else { return nil }
      authentication = base + start
      number = base.loadByte(at: start + AuthenticationHeader.nextHeaderOffset)
      start += AuthenticationHeader.byteCount
    } else {
      authentication = nil
    }
    message = UnsafeRawBufferPointer(start: base + start, count: total - start)
    guard number == IPProtocol.vrrp, let head = VRRPAdvertisement(message) else { return nil }
    self.head = head
    header = UnsafeRawBufferPointer(start: base, count: headerCount)
    source = IPv4.source(base)
    destination = IPv4.destination(base)
    hopLimit = base.loadByte(at: IPv4.timeToLiveOffset)
  }

  /// Takes an IPv6 packet apart; one with extension headers is not VRRP's.
  /// - Returns: nil when it is not whole, or not VRRP.
  public init?(ipv6 packet: UnsafeRawBufferPointer) {
    guard let base = packet.baseAddress, packet.count >= IPv6.headerByteCount, base.loadByte(at: 0) >> 4 == 6,
      base.loadByte(at: IPv6.nextHeaderOffset) == IPProtocol.vrrp
    else { return nil }
    let count = Int(base.loadBigEndian16(at: IPv6.payloadLengthOffset))
    guard count <= packet.count - IPv6.headerByteCount else { return nil }
    self.init(
      ipv6Message: UnsafeRawBufferPointer(start: base + IPv6.headerByteCount, count: count),
      source: IPv6.source(base), destination: IPv6.destination(base),
      hopLimit: base.loadByte(at: IPv6.hopLimitOffset))
  }

  /// A message over IPv6 without its header, as raw sockets give it; the rest comes beside it.
  /// - Returns: nil when it is too short.
  public init?(ipv6Message message: UnsafeRawBufferPointer, source: IPAddress, destination: IPAddress, hopLimit: UInt8)
  {
    guard let head = VRRPAdvertisement(message) else { return nil }
    self.head = head
    self.message = message
    self.source = source
    self.destination = destination
    self.hopLimit = hopLimit
    header = nil
    authentication = nil
  }
}
