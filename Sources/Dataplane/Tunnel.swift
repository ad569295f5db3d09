import Wire

/// TUN: the packet travels unchanged inside another IP packet (RFC 2003, RFC 2473), written into the frame's headroom.
///
/// IPVS's outer header: traffic class from the inner one with its ECN bits, "congestion experienced" becoming ECT(0);
/// TTL is the inner one after decrement; don't-fragment as inside; source is the address the host would use towards the
/// server. A packet that does not fit with the header in front is answered (DF, IPv6) or the outer packet is fragmented.
extension WorkerState {
  @inline(__always)
  mutating func encapsulate(
    _ index: Int, _ packet: UnsafeMutablePointer<Packet>, _ form: PacketForm, server: UnsafePointer<ServerRecord>,
    hop: UnsafePointer<NextHop>
  ) -> Departure {
    let outerIPv6 = server.pointee.isIPv6
    let extra = outerIPv6 ? 40 : 20
    let total = Int(packet.pointee.byteCount)
    let limit = Int(hop.pointee.mtu) &- extra
    if total > limit && packet.pointee.flags.contains(.dontFragment) {
      return answerTooBig(index, packet, limit: limit)
    }
    let outer = packet.pointee.network - extra
    if outerIPv6 {
      WorkerState.writeOuterIPv6(packet, form, outer, total: total, server: server)
    } else {
      writeOuterIPv4(packet, form, outer, total: total &+ 20, server: server)
    }
    if total > limit { return splitTunnel(index, packet, outer, outerIPv6, over: hop) }
    return Departure(over: hop, .tunnel, header: outer, byteCount: total &+ extra, isIPv6: outerIPv6)
  }

  @inline(never)
  private mutating func splitTunnel(
    _ index: Int, _ packet: UnsafeMutablePointer<Packet>, _ outer: UnsafeMutableRawPointer, _ outerIPv6: Bool,
    over hop: UnsafePointer<NextHop>
  ) -> Departure {
    let limit = Int(hop.pointee.mtu)
    return outerIPv6
      ? splitIPv6(index, packet, outer, limit: limit, over: hop, .tunnel)
      : splitIPv4(index, packet, outer, limit: limit, over: hop, .tunnel)
  }

  /// TTL or hop limit, outer traffic class and number of the packet inside.
  @inline(__always)
  private static func inner(
    _ packet: UnsafeMutablePointer<Packet>, _ form: PacketForm
  ) -> (hops: UInt64, trafficClass: UInt64, number: UInt64) {
    let header = UnsafeRawPointer(packet.pointee.network)
    let isIPv6 = form.isIPv6
    let trafficClass =
      isIPv6 ? UInt64(header.loadBigEndian16(at: 0) >> 4 & 0xff) : UInt64(header.loadByte(at: IPv4.serviceOffset))
    let hops = header.loadByte(at: isIPv6 ? IPv6.hopLimitOffset : IPv4.timeToLiveOffset)
    // "Congestion experienced" (3) becomes ECT(0), which is 2.
    return (UInt64(hops), trafficClass & 3 == 3 ? trafficClass ^ 1 : trafficClass, isIPv6 ? 41 : 4)
  }

  @inline(__always)
  private static func writeOuterIPv6(
    _ packet: UnsafeMutablePointer<Packet>, _ form: PacketForm, _ outer: UnsafeMutableRawPointer, total: Int,
    server: UnsafePointer<ServerRecord>
  ) {
    let (hops, trafficClass, number) = WorkerState.inner(packet, form)
    let length = UInt64(truncatingIfNeeded: total) << 16
    let start: UInt64 = 6 << 60 | trafficClass << 52 | length
    outer.storeBigEndian64(start | number << 8 | hops, at: 0)
    outer.storeBigEndian64(server.pointee.tunnelSourceHigh, at: 8)
    outer.storeBigEndian64(server.pointee.tunnelSourceLow, at: 16)
    outer.storeBigEndian64(server.pointee.addressHigh, at: 24)
    outer.storeBigEndian64(server.pointee.addressLow, at: 32)
  }

  /// The sum over version and addresses is in the record; the words that differ from packet to packet come on top.
  @inline(__always)
  private mutating func writeOuterIPv4(
    _ packet: UnsafeMutablePointer<Packet>, _ form: PacketForm, _ outer: UnsafeMutableRawPointer, total: Int,
    server: UnsafePointer<ServerRecord>
  ) {
    let (hops, trafficClass, number) = WorkerState.inner(packet, form)
    // IPv6 inside cannot be fragmented by routers, but IPVS does not set the outer bit for it.
    let keepsWhole = number == 4 && packet.pointee.flags.contains(PacketFlags.dontFragment)
    let fragment: UInt64 = keepsWhole ? 0x4000 : 0
    identification &+= 1
    let length = UInt64(truncatingIfNeeded: total)
    let identity = UInt64(identification & 0xffff)
    let hopsAndNumber: UInt64 = hops << 8 | number
    // One's complement does not mind the byte order, as long as it is one.
    var sum = UInt64(server.pointee.tunnelSum.bigEndian)
    sum = sum &+ trafficClass &+ hopsAndNumber
    sum = sum &+ length &+ identity &+ fragment
    sum = (sum & 0xffff) &+ (sum >> 16)
    let checksum: UInt64 = ~((sum & 0xffff) &+ (sum >> 16)) & 0xffff
    let start: UInt64 = 0x45 << 56 | trafficClass << 48 | length << 32
    outer.storeBigEndian64(start | identity << 16 | fragment, at: 0)
    let end: UInt64 = hopsAndNumber << 48 | checksum << 32
    outer.storeBigEndian64(end | server.pointee.tunnelSourceLow, at: 8)
    outer.storeBigEndian32(UInt32(truncatingIfNeeded: server.pointee.addressLow), at: 16)
  }

  /// Computes the header checksum anew.
  static func finishIPv4Header(_ header: UnsafeMutableRawPointer, byteCount: Int) {
    header.storeBigEndian16(0, at: IPv4.checksumOffset)
    var sum = Checksum()
    sum.add(UnsafeRawBufferPointer(start: header, count: byteCount))
    header.storeBytes(of: sum.value, toByteOffset: IPv4.checksumOffset, as: UInt16.self)
  }
}
