import Wire

/// What IPv6 extension headers change in a packet's journey (RFC 8200 section 4).
extension WorkerState {
  /// Takes out the fragment header of a packet that is no fragment (RFC 6946), as the kernel does before IPVS sees it.
  @inline(never)
  func dropFragmentHeader(_ index: Int) {
    let packet = batch.packet(index)
    let start = batch.bytes(index)
    let header = packet.pointee.network
    guard let (field, offset) = ExtensionHeaders.fragment(UnsafeRawPointer(header), end: packet.pointee.transportOffset)
    else { return }
    let size = IPv6Extensions.fragmentByteCount
    header.storeByte(header.load(fromByteOffset: offset, as: UInt8.self), at: field)
    header.storeBigEndian16(packet.pointee.byteCount &- UInt16(40 + size), at: IPv6.payloadLengthOffset)
    // What lies in front of it moves up: the payload stays where it is.
    (start + size).copyMemory(from: start, byteCount: header + offset - start)
    batch.setFrame(index, start: start + size, byteCount: Int(batch.frames[index].byteCount) - size)
    packet.pointee.network = header + size
    packet.pointee.byteCount -= UInt16(size)
    packet.pointee.transportOffset -= UInt16(size)
  }

  /// The kernel remembers that such a packet was a fragment once: when it leaves longer than it came, which only a tunnel
  /// makes of it, the tunnel's packet is one, too.
  @inline(never)
  mutating func keepFragmentHeader(
    _ packet: UnsafeMutablePointer<Packet>, _ departure: Departure
  ) -> Departure {
    let outer = departure.header
    guard let hop = departure.hop, outer != packet.pointee.network,
      UnsafeRawPointer(outer).loadByte(at: IPv6.versionOffset) >> 4 == 6
    else { return departure }
    let moved = outer - IPv6Extensions.fragmentByteCount
    let next = UnsafeRawPointer(outer).loadByte(at: IPv6.nextHeaderOffset)
    moved.copyMemory(from: outer, byteCount: IPv6.headerByteCount)
    identification &+= 1
    writeFragmentHeader(
      moved, next: next, payload: departure.byteCount - IPv6.headerByteCount, offset: 0, more: false)
    return Departure(
      over: hop, departure.outcome, header: moved,
      byteCount: departure.byteCount + IPv6Extensions.fragmentByteCount, isIPv6: true)
  }
}

enum ExtensionHeaders {
  /// Where a packet's fragment header stands, and the byte that announces it. `Parse` has walked there before.
  /// - Parameter end: the transport header's offset.
  static func fragment(_ header: UnsafeRawPointer, end: UInt16) -> (field: Int, offset: Int)? {
    var field = IPv6.nextHeaderOffset
    var offset = IPv6.headerByteCount
    while offset + IPv6Extensions.minimumByteCount <= Int(end) {
      let number = header.loadByte(at: field)
      if number == IPProtocol.fragment { return (field, offset) }
      field = offset
      offset += IPv6Extensions.byteCount(of: number, header + offset)
    }
    return nil
  }
}

extension Packet {
  /// `segment` as the state machine is told. IPVS takes what stands behind the fixed IPv6 header for the TCP header even
  /// where an extension header stands there, and its listings show the states that come of it.
  var event: UInt8 {
    guard isIPv6, isTCP, form.isOdd, transportOffset > 40, segment != Packet.noSegment, byteCount >= 60 else {
      return segment
    }
    return UnsafeRawPointer(network).loadByte(at: IPv6.headerByteCount + 13) & 0x1f
  }
}
