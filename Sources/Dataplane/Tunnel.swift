import Wire

/// TUN: the packet travels unchanged inside another IP packet (RFC 2003, RFC 2473), written into the frame's headroom.
///
/// IPVS's outer header: traffic class from the inner one with its ECN bits, "congestion experienced" becoming ECT(0);
/// TTL is the inner one after decrement; don't-fragment as inside; source is the address the host would use towards the
/// server. A packet that does not fit with the header in front is answered (DF, IPv6) or the outer packet is fragmented.
extension WorkerState {
  @inline(__always)
  mutating func encapsulate(
    _ index: Int, _ packet: UnsafeMutablePointer<Packet>, _ form: PacketForm, _ header: UnsafeMutableRawPointer,
    _ byteCount: UInt16, server: UnsafePointer<ServerRecord>, hop: UnsafePointer<NextHop>
  ) -> Departure {
    if server.pointee.isIPv6 {
      guard _fastPath(Int(byteCount) + 40 <= Int(hop.pointee.mtu)) else {
        return encapsulateBig(index, packet, server: server, hop: hop)
      }
      WorkerState.writeOuterIPv6(header, byteCount, form, server: server)
      return Departure(over: hop, .tunnel, header: header - 40, byteCount: Int(byteCount) &+ 40, isIPv6: true)
    }
    guard _fastPath(Int(byteCount) + 20 <= Int(hop.pointee.mtu)) else {
      return encapsulateBig(index, packet, server: server, hop: hop)
    }
    writeOuterIPv4(header, byteCount, form, server: server)
    return Departure(over: hop, .tunnel, header: header - 20, byteCount: Int(byteCount) &+ 20, isIPv6: false)
  }

  /// Answers, or sends the outer packet in pieces.
  @inline(never)
  private mutating func encapsulateBig(
    _ index: Int, _ packet: UnsafeMutablePointer<Packet>, server: UnsafePointer<ServerRecord>,
    hop: UnsafePointer<NextHop>
  ) -> Departure {
    let limit = Int(hop.pointee.mtu)
    let extra = server.pointee.isIPv6 ? 40 : 20
    if mustNotBeCut(packet, limit: limit - extra) { return answerTooBig(index, packet, limit: limit - extra) }
    let outer = packet.pointee.network - extra
    if server.pointee.isIPv6 {
      WorkerState.writeOuterIPv6(packet.pointee.network, packet.pointee.byteCount, packet.pointee.form, server: server)
      return splitIPv6(index, packet, outer, limit: limit, over: hop, .tunnel)
    }
    writeOuterIPv4(packet.pointee.network, packet.pointee.byteCount, packet.pointee.form, server: server)
    return splitIPv4(index, packet, outer, limit: limit, over: hop, .tunnel)
  }

  /// TTL or hop limit, outer traffic class, number of the packet inside, whether it must not be cut.
  @inline(__always)
  private static func inner(
    _ header: UnsafeRawPointer, _ form: PacketForm
  ) -> (hops: UInt32, trafficClass: UInt32, number: UInt32) {
    let trafficClass =
      form.isIPv6
      ? UInt32(header.loadBigEndian16(at: 0) >> 4 & 0xff) : UInt32(header.loadByte(at: IPv4.serviceOffset))
    let hops = header.loadByte(at: form.isIPv6 ? IPv6.hopLimitOffset : IPv4.timeToLiveOffset)
    // "Congestion experienced" (3) becomes ECT(0), which is 2.
    return (UInt32(hops), trafficClass & 3 == 3 ? trafficClass ^ 1 : trafficClass, form.isIPv6 ? 41 : 4)
  }

  @inline(__always)
  private static func writeOuterIPv6(
    _ header: UnsafeMutableRawPointer, _ byteCount: UInt16, _ form: PacketForm, server: UnsafePointer<ServerRecord>
  ) {
    let outer = header - 40
    let (hops, trafficClass, number) = inner(header, form)
    let length = UInt64(byteCount) << 16
    let start: UInt64 = 6 << 60 | UInt64(trafficClass) << 52 | length
    outer.storeBigEndian64(start | UInt64(number << 8 | hops), at: 0)
    outer.storeBigEndian64(server.pointee.tunnelSourceHigh, at: 8)
    outer.storeBigEndian64(server.pointee.tunnelSourceLow, at: 16)
    outer.storeBigEndian64(server.pointee.addressHigh, at: 24)
    outer.storeBigEndian64(server.pointee.addressLow, at: 32)
  }

  /// Three words as they stand in memory; the sum over the addresses is in the record.
  @inline(__always)
  private mutating func writeOuterIPv4(
    _ header: UnsafeMutableRawPointer, _ byteCount: UInt16, _ form: PacketForm, server: UnsafePointer<ServerRecord>
  ) {
    let outer = header - 20
    let (hops, trafficClass, number) = WorkerState.inner(header, form)
    // IPv6 inside cannot be fragmented by routers, but IPVS does not set the outer bit for it.
    let fragment =
      form.isIPv6 ? 0 : UInt32(header.loadUnaligned(fromByteOffset: IPv4.fragmentOffset, as: UInt16.self) & 0x40)
    identification &+= 1
    let length = UInt32((byteCount &+ 20).bigEndian)
    let first: UInt32 = 0x45 | trafficClass << 8 | length << 16
    let identity = UInt32(UInt16(truncatingIfNeeded: identification).bigEndian)
    let second: UInt32 = identity | fragment << 16
    let third: UInt32 = hops | number << 8
    var sum = UInt64(server.pointee.tunnelSum)
    sum = sum &+ UInt64(first) &+ UInt64(second) &+ UInt64(third)
    let last: UInt64 = UInt64(third) | UInt64(~Checksum.fold(sum)) << 16
    outer.storeBytes(of: UInt64(first) | UInt64(second) << 32, as: UInt64.self)
    outer.storeBytes(of: last | UInt64(server.pointee.tunnelSourceBytes) << 32, toByteOffset: 8, as: UInt64.self)
    outer.storeBytes(of: server.pointee.addressBytes, toByteOffset: 16, as: UInt32.self)
  }

  /// Computes the header checksum anew.
  static func finishIPv4Header(_ header: UnsafeMutableRawPointer, byteCount: Int) {
    header.storeBigEndian16(0, at: IPv4.checksumOffset)
    var sum = Checksum()
    sum.add(UnsafeRawBufferPointer(start: header, count: byteCount))
    header.storeBytes(of: sum.value, toByteOffset: IPv4.checksumOffset, as: UInt16.self)
  }
}
