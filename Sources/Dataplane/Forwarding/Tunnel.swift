import Wire

/// TUN: the packet travels unchanged inside another IP packet (RFC 2003, RFC 2473), with GRE or GUE between them if the
/// server wants that, written into the frame's headroom.
///
/// IPVS's outer header: traffic class from the inner one with its ECN bits, "congestion experienced" becoming ECT(0);
/// TTL is the inner one after decrement; don't-fragment as inside, and then no identification; source is the address the
/// host would use towards the server. A packet that does not fit with the headers in front is answered (DF, IPv6) or the
/// outer packet is fragmented.
extension WorkerState {
  @inline(__always)
  mutating func encapsulate(
    _ index: Int, _ packet: UnsafeMutablePointer<Packet>, _ form: PacketForm, _ header: UnsafeMutableRawPointer,
    _ byteCount: UInt16, server: UnsafePointer<ServerRecord>, hop: UnsafePointer<NextHop>
  ) -> Departure {
    guard _fastPath(byteCount <= server.pointee.tunnelRoom), _fastPath(PathMTUs.fits(byteCount, server)) else {
      return encapsulateClosely(index, packet, server: server, hop: hop)
    }
    if server.pointee.isIPv6 {
      WorkerState.writeOuterIPv6(
        header - 40, payload: byteCount, WorkerState.inner(header, form), server: server)
      return Departure(over: hop, .tunnel, header: header - 40, byteCount: Int(byteCount) &+ 40, isIPv6: true)
    }
    writeOuterIPv4(header - 20, payload: byteCount, WorkerState.inner(header, form), server: server)
    return Departure(over: hop, .tunnel, header: header - 20, byteCount: Int(byteCount) &+ 20, isIPv6: false)
  }

  /// Any packet in any tunnel: with GRE or GUE, larger than the path takes, or over a path that takes less than its link.
  @inline(never)
  private mutating func encapsulateClosely(
    _ index: Int, _ packet: UnsafeMutablePointer<Packet>, server: UnsafePointer<ServerRecord>,
    hop: UnsafePointer<NextHop>
  ) -> Departure {
    let encapsulation = server.pointee.encapsulation
    let isIPv6 = server.pointee.isIPv6
    let linkMTU = Int(hop.pointee.mtu)
    var room = encapsulation.room(mtu: linkMTU, isIPv6: isIPv6)
    guard room > 0 else {
      batch.finish(index, .tunnelTooNarrow)
      return .none(packet)
    }
    let limit = pathMTU(server, hop: hop)
    if limit < linkMTU {
      // Further on the path may be narrower still: what every link carries goes in fragments then (RFC 2473 section 7,
      // RFC 4213 section 3.2), so that nobody can shut a server off by a word.
      room = max(encapsulation.room(mtu: limit, isIPv6: isIPv6), isIPv6 || packet.pointee.isIPv6 ? 1280 : 68)
    }
    let byteCount = packet.pointee.byteCount
    let isCutInside = mayBeCutInside(packet)
    if Int(byteCount) > room, !isCutInside, mustNotBeCut(packet, limit: room),
      packet.pointee.isIPv6 || snapshot.pointee.settings.honoursDontFragment
    {
      return answerTooBig(index, packet, limit: room)
    }
    guard isCutInside || Int(byteCount) + encapsulation.byteCount + (isIPv6 ? 0 : IPv4.minimumHeaderByteCount) <= 65_535
    else {
      // Only a datagram that was put together is as long as that.
      batch.finish(index, .tooBig)
      return .none(packet)
    }
    if isCutInside, Int(byteCount) > room, !packet.pointee.flags.contains(.reassembled) {
      whole.take(packet, frameHeader: batch.bytes(index))
    }
    let outer = writeTunnelHeaders(
      index, inFrontOf: packet.pointee.network, byteCount: Int(byteCount), server: server)
    let total = Int(byteCount) + (packet.pointee.network - outer)
    guard total > limit else {
      return Departure(over: hop, .tunnel, header: outer, byteCount: total, isIPv6: isIPv6)
    }
    if isCutInside {
      sendWhole(index, Departure(over: hop, .tunnel, header: outer, byteCount: total, isIPv6: isIPv6), over: hop)
      return .none(packet)
    }
    return isIPv6
      ? splitIPv6(index, packet, outer, limit: limit, over: hop, .tunnel)
      : splitIPv4(index, packet, outer, limit: limit, over: hop, .tunnel)
  }

  /// `tunnel_fragments inside`: what may be cut is cut before it is put into the tunnel. That is IPv4 without "don't
  /// fragment", and what has come in fragments. (Errors are small; whoever sends large ones has them cut outside.)
  func mayBeCutInside(_ packet: UnsafeMutablePointer<Packet>) -> Bool {
    guard snapshot.pointee.settings.cutsInsideTunnels, !packet.pointee.flags.contains(.icmpError) else { return false }
    return packet.pointee.isIPv6 ? packet.pointee.flags.contains(.reassembled) : !packet.pointee.mustNotBeCut
  }

  /// Puts all headers of a tunnel in front of a packet, or of a piece of it.
  /// - Returns: where the outer header begins.
  mutating func writeTunnelHeaders(
    _ index: Int, inFrontOf header: UnsafeMutableRawPointer, byteCount: Int, server: UnsafePointer<ServerRecord>
  ) -> UnsafeMutableRawPointer {
    let packet = batch.packet(index)
    let encapsulation = server.pointee.encapsulation
    let form = packet.pointee.form
    let start = header - encapsulation.byteCount
    let payload = byteCount + encapsulation.byteCount
    // The client's side of the connection's key, and of IPv6 its address besides.
    let flow = form.isIPv6 ? packet.pointee.head ^ packet.pointee.high ^ packet.pointee.low : packet.pointee.head
    encapsulation.writeHeader(inFrontOf: header, byteCount: byteCount, isIPv6: form.isIPv6, flow: flow)
    var inner = WorkerState.inner(header, form)
    inner.number = UInt32(encapsulation.protocolNumber(inner: UInt8(truncatingIfNeeded: inner.number)))
    let outer: UnsafeMutableRawPointer
    let addresses: Int
    if server.pointee.isIPv6 {
      (outer, addresses) = (start - IPv6.headerByteCount, IPv6.sourceOffset)
      WorkerState.writeOuterIPv6(outer, payload: UInt16(truncatingIfNeeded: payload), inner, server: server)
    } else {
      (outer, addresses) = (start - IPv4.minimumHeaderByteCount, IPv4.sourceOffset)
      writeOuterIPv4(outer, payload: UInt16(truncatingIfNeeded: payload), inner, server: server)
    }
    encapsulation.finish(start, byteCount: payload, addresses: outer + addresses, isIPv6: server.pointee.isIPv6)
    return outer
  }

  /// What the outer header takes from the packet inside. The fragment word is as it stands in memory, and has nothing
  /// but "don't fragment".
  private typealias Inner = (hops: UInt32, trafficClass: UInt32, number: UInt32, fragment: UInt32)

  @inline(__always)
  private static func inner(_ header: UnsafeRawPointer, _ form: PacketForm) -> Inner {
    let trafficClass =
      form.isIPv6
      ? UInt32(header.loadBigEndian16(at: 0) >> 4 & 0xff) : UInt32(header.loadByte(at: IPv4.serviceOffset))
    let hops = header.loadByte(at: form.isIPv6 ? IPv6.hopLimitOffset : IPv4.timeToLiveOffset)
    // IPv6 inside cannot be fragmented by routers, but IPVS does not set the outer bit for it.
    let fragment =
      form.isIPv6 ? 0 : UInt32(header.loadUnaligned(fromByteOffset: IPv4.fragmentOffset, as: UInt16.self))
    // "Congestion experienced" (3) becomes ECT(0), which is 2.
    return (
      UInt32(hops), trafficClass & 3 == 3 ? trafficClass ^ 1 : trafficClass, form.isIPv6 ? 41 : 4, fragment
    )
  }

  @inline(__always)
  private static func writeOuterIPv6(
    _ outer: UnsafeMutableRawPointer, payload: UInt16, _ inner: Inner, server: UnsafePointer<ServerRecord>
  ) {
    let length = UInt64(payload) << 16
    let start: UInt64 = 6 << 60 | UInt64(inner.trafficClass) << 52 | length
    outer.storeBigEndian64(start | UInt64(inner.number << 8 | inner.hops), at: 0)
    outer.storeBigEndian64(server.pointee.tunnelSourceHigh, at: 8)
    outer.storeBigEndian64(server.pointee.tunnelSourceLow, at: 16)
    outer.storeBigEndian64(server.pointee.addressHigh, at: 24)
    outer.storeBigEndian64(server.pointee.addressLow, at: 32)
  }

  /// Three words as they stand in memory; the sum over the addresses is in the record.
  @inline(__always)
  private mutating func writeOuterIPv4(
    _ outer: UnsafeMutableRawPointer, payload: UInt16, _ inner: Inner, server: UnsafePointer<ServerRecord>
  ) {
    let fragment = inner.fragment & UInt32(server.pointee.tunnelFragmentMask)
    identification &+= 1
    let length = UInt32((payload &+ 20).bigEndian)
    let first: UInt32 = 0x45 | inner.trafficClass << 8 | length << 16
    // What is not fragmented needs no identification (RFC 6864 section 4.1).
    let identity = fragment != 0 ? 0 : identification & 0xffff
    let second: UInt32 = identity | fragment << 16
    let third: UInt32 = inner.hops | inner.number << 8
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
