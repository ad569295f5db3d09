import Wire

/// TUN: the packet travels unchanged inside another IP packet (RFC 2003, RFC 2473), written into the frame's headroom.
///
/// IPVS's outer header: traffic class from the inner one with its ECN bits, "congestion experienced" becoming ECT(0);
/// TTL is the inner one after decrement; don't-fragment as inside; source is the address the host would use towards the
/// server. A packet that does not fit with the header in front is answered (DF, IPv6) or the outer packet is fragmented.
extension WorkerState {
  @inline(__always)
  mutating func encapsulate(_ index: Int, server: UnsafePointer<ServerRecord>, hop: UnsafePointer<NextHop>) {
    let outerIPv6 = server.pointee.isIPv6
    let extra = outerIPv6 ? 40 : 20
    let total = Int(batch.networkByteCounts[index])
    let networkOffset = Int(batch.networkOffsets[index])
    let limit = Int(hop.pointee.mtu) &- extra
    if total > limit && batch.flags[index].contains(.dontFragment) { return answerTooBig(index, limit: limit) }
    batch.outcomes[index] = .tunnel
    let outer = batch.packets[index] + (networkOffset &- extra)
    if outerIPv6 {
      writeOuterIPv6(index, outer, total: total, server: server)
    } else {
      writeOuterIPv4(index, outer, total: total &+ 20, server: server)
    }
    if total > limit { return splitTunnel(index, networkOffset: networkOffset - extra, outerIPv6, over: hop) }
    send(index, networkOffset: networkOffset &- extra, over: hop, isIPv6: outerIPv6)
  }

  @inline(never)
  private mutating func splitTunnel(
    _ index: Int, networkOffset: Int, _ outerIPv6: Bool, over hop: UnsafePointer<NextHop>
  ) {
    if outerIPv6 {
      splitIPv6(index, networkOffset: networkOffset, limit: Int(hop.pointee.mtu), over: hop)
    } else {
      splitIPv4(index, networkOffset: networkOffset, limit: Int(hop.pointee.mtu), over: hop)
    }
  }

  /// TTL or hop limit, outer traffic class and number of the packet inside.
  @inline(__always)
  private mutating func inner(_ index: Int) -> (hops: UInt64, trafficClass: UInt64, number: UInt64) {
    let packet = UnsafeRawPointer(batch.network(index))
    let isIPv6 = batch.flags[index].contains(.ipv6)
    let trafficClass =
      isIPv6 ? UInt64(packet.loadBigEndian16(at: 0) >> 4 & 0xff) : UInt64(packet.loadByte(at: IPv4.serviceOffset))
    let hops = packet.loadByte(at: isIPv6 ? IPv6.hopLimitOffset : IPv4.timeToLiveOffset)
    // "Congestion experienced" (3) becomes ECT(0), which is 2.
    return (UInt64(hops), trafficClass & 3 == 3 ? trafficClass ^ 1 : trafficClass, isIPv6 ? 41 : 4)
  }

  @inline(__always)
  private mutating func writeOuterIPv6(
    _ index: Int, _ outer: UnsafeMutableRawPointer, total: Int, server: UnsafePointer<ServerRecord>
  ) {
    let (hops, trafficClass, number) = inner(index)
    outer.storeBigEndian64(
      0x6000_0000_0000_0000 | trafficClass << 52 | UInt64(truncatingIfNeeded: total) << 16 | number << 8 | hops, at: 0)
    outer.storeBigEndian64(server.pointee.tunnelSourceHigh, at: 8)
    outer.storeBigEndian64(server.pointee.tunnelSourceLow, at: 16)
    outer.storeBigEndian64(server.pointee.addressHigh, at: 24)
    outer.storeBigEndian64(server.pointee.addressLow, at: 32)
  }

  /// The sum over version and addresses is in the record; the words that differ from packet to packet come on top.
  @inline(__always)
  private mutating func writeOuterIPv4(
    _ index: Int, _ outer: UnsafeMutableRawPointer, total: Int, server: UnsafePointer<ServerRecord>
  ) {
    let (hops, trafficClass, number) = inner(index)
    // IPv6 inside cannot be fragmented by routers, but IPVS does not set the outer bit for it.
    let keepsWhole = number == 4 && batch.flags[index].contains(.dontFragment)
    identification &+= 1
    let start =
      0x4500_0000_0000_0000 | trafficClass << 48 | UInt64(truncatingIfNeeded: total) << 32
      | UInt64(identification & 0xffff) << 16 | (keepsWhole ? 0x4000 : 0)
    let last = hops << 8 | number
    // One's complement does not mind the byte order, as long as it is one.
    var sum = UInt64(server.pointee.tunnelSum.bigEndian) &+ trafficClass &+ last
    sum &+= UInt64(truncatingIfNeeded: total) &+ UInt64(identification & 0xffff) &+ start & 0xffff
    sum = (sum & 0xffff) &+ (sum >> 16)
    sum = (sum & 0xffff) &+ (sum >> 16)
    outer.storeBigEndian64(start, at: 0)
    outer.storeBigEndian64(last << 48 | (~sum & 0xffff) << 32 | server.pointee.tunnelSourceLow, at: 8)
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
