import Wire

/// TUN: the packet travels unchanged inside another IP packet (RFC 2003, RFC 2473), written into the frame's headroom.
///
/// IPVS's outer header: traffic class from the inner one with its ECN bits, "congestion experienced" becoming ECT(0);
/// TTL is the inner one after decrement; don't-fragment as inside; source is the address the host would use towards the
/// server. A packet that does not fit with the header in front is answered (DF, IPv6) or the outer packet is fragmented.
extension WorkerState {
  mutating func encapsulate(_ index: Int, server: UnsafePointer<ServerRecord>, hop: UnsafePointer<NextHop>) {
    let outerIPv6 = server.pointee.isIPv6
    let extra = outerIPv6 ? 40 : 20
    let total = Int(batch.networkByteCounts[index])
    let limit = Int(hop.pointee.mtu) - extra
    let dontFragment = batch.flags[index].contains(.dontFragment)
    if total > limit && dontFragment { return answerTooBig(index, limit: limit) }

    let networkOffset = Int(batch.networkOffsets[index])
    let inner = UnsafeRawPointer(batch.packets[index] + networkOffset)
    let outer = batch.packets[index] + (networkOffset - extra)
    let innerIPv6 = batch.flags[index].contains(.ipv6)
    let trafficClass =
      innerIPv6
      ? UInt8(truncatingIfNeeded: inner.loadBigEndian16(at: 0) >> 4) : inner.load(fromByteOffset: 1, as: UInt8.self)
    let hops = inner.load(fromByteOffset: innerIPv6 ? 7 : 8, as: UInt8.self)
    let number: UInt8 = innerIPv6 ? 41 : 4
    let outerClass = trafficClass & 3 == 3 ? trafficClass & 0xfc | 2 : trafficClass
    batch.outcomes[index] = .tunnel
    if outerIPv6 {
      outer.storeBigEndian32(0x6000_0000 | UInt32(outerClass) << 20, at: 0)
      outer.storeBigEndian16(UInt16(truncatingIfNeeded: total), at: 4)
      outer.storeBigEndian16(UInt16(number) << 8 | UInt16(hops), at: 6)
      outer.storeBigEndian64(server.pointee.tunnelSourceHigh, at: 8)
      outer.storeBigEndian64(server.pointee.tunnelSourceLow, at: 16)
      outer.storeBigEndian64(server.pointee.addressHigh, at: 24)
      outer.storeBigEndian64(server.pointee.addressLow, at: 32)
    } else {
      // IPv6 inside cannot be fragmented by routers, but IPVS does not set the outer bit for it.
      let fragment: UInt16 = !innerIPv6 && dontFragment ? 0x4000 : 0
      writeOuterIPv4(
        outer, total: total + extra, trafficClass: outerClass, fragment: fragment, hops: hops, number: number,
        source: UInt32(truncatingIfNeeded: server.pointee.tunnelSourceLow),
        destination: UInt32(truncatingIfNeeded: server.pointee.addressLow))
    }
    if total > limit {
      if outerIPv6 {
        splitIPv6(index, networkOffset: networkOffset - extra, limit: Int(hop.pointee.mtu), over: hop)
      } else {
        splitIPv4(index, networkOffset: networkOffset - extra, limit: Int(hop.pointee.mtu), over: hop)
      }
      return
    }
    send(index, networkOffset: networkOffset - extra, over: hop, type: outerIPv6 ? EtherType.ipv6 : EtherType.ipv4)
  }

  @inline(__always)
  private mutating func writeOuterIPv4(
    _ outer: UnsafeMutableRawPointer, total: Int, trafficClass: UInt8, fragment: UInt16, hops: UInt8, number: UInt8,
    source: UInt32, destination: UInt32
  ) {
    identification &+= 1
    outer.storeBigEndian32(0x4500_0000 | UInt32(trafficClass) << 16 | UInt32(truncatingIfNeeded: total), at: 0)
    outer.storeBigEndian32(identification << 16 | UInt32(fragment), at: 4)
    outer.storeBigEndian32(UInt32(hops) << 24 | UInt32(number) << 16, at: 8)
    outer.storeBigEndian32(source, at: 12)
    outer.storeBigEndian32(destination, at: 16)
    WorkerState.finishIPv4Header(outer, byteCount: 20)
  }

  /// Computes the header checksum anew.
  static func finishIPv4Header(_ header: UnsafeMutableRawPointer, byteCount: Int) {
    header.storeBigEndian16(0, at: IPv4.checksumOffset)
    var sum = Checksum()
    sum.add(UnsafeRawBufferPointer(start: header, count: byteCount))
    header.storeBytes(of: sum.value, toByteOffset: IPv4.checksumOffset, as: UInt16.self)
  }
}
