import Wire

/// NAT: requests get the real server's address and port, replies the VIP's, and every checksum follows incrementally.
///
/// IPVS's bytes: RFC 1624 equation 3 for TCP and UDP; a UDP checksum of zero ("none") is not kept but computed over the
/// whole datagram, and one that comes out as zero is sent as 0xffff. Later fragments have no transport header: only
/// their addresses change, the delta is in the first fragment's checksum. In a fragmented datagram a zero UDP
/// checksum stays zero, since no single fragment has all the bytes.
///
/// What changes is the same for every packet to a server, so `ServerRecord` has the corrections ready.
extension WorkerState {
  @inline(__always)
  static func masquerade(
    request packet: UnsafeMutablePointer<Packet>, _ form: PacketForm, server: UnsafePointer<ServerRecord>
  ) {
    replaceEnd(
      packet, form, .destination, high: server.pointee.addressHigh, low: server.pointee.addressLow,
      port: server.pointee.port)
    correct(packet, form, header: server.pointee.requestHeaderDelta, transport: server.pointee.requestDelta)
  }

  @inline(__always)
  static func masquerade(
    reply packet: UnsafeMutablePointer<Packet>, _ form: PacketForm, server: UnsafePointer<ServerRecord>
  ) {
    replaceEnd(
      packet, form, .source, high: server.pointee.virtualHigh, low: server.pointee.virtualLow,
      port: server.pointee.virtualPort
    )
    correct(packet, form, header: server.pointee.replyHeaderDelta, transport: server.pointee.replyDelta)
  }

  /// Writes an address and, unless this is a later fragment, a port.
  @inline(__always)
  static func replaceEnd(
    _ packet: UnsafeMutablePointer<Packet>, _ form: PacketForm, _ side: Side, high: UInt64, low: UInt64, port: UInt16
  ) {
    let header = packet.pointee.network
    if form.isIPv6 {
      let offset = side == .source ? IPv6.sourceOffset : IPv6.destinationOffset
      header.storeBigEndian64(high, at: offset)
      header.storeBigEndian64(low, at: offset &+ 8)
    } else {
      header.storeBigEndian32(
        UInt32(truncatingIfNeeded: low), at: side == .source ? IPv4.sourceOffset : IPv4.destinationOffset)
    }
    if form.isFragment && packet.pointee.flags.contains(.laterFragment) { return }
    packet.pointee.transport.storeBigEndian16(port, at: side == .source ? 0 : 2)
  }

  /// Takes one hop off and corrects the checksums, once all ends have been written.
  /// - Parameters:
  ///   - header: what has changed in the IPv4 header, the hop included; not 0.
  ///   - transport: what has changed in the pseudo-header and the ports; not 0.
  @inline(__always)
  static func correct(
    _ packet: UnsafeMutablePointer<Packet>, _ form: PacketForm, header delta: UInt16, transport: UInt16
  ) {
    let header = packet.pointee.network
    if form.isIPv6 {
      takeHopV6(header)
    } else {
      let hops = header.load(fromByteOffset: IPv4.timeToLiveOffset, as: UInt8.self)
      header.storeByte(hops &- 1, at: IPv4.timeToLiveOffset)
      correct(at: header + IPv4.checksumOffset, by: delta)
    }
    if form.isFragment && packet.pointee.flags.contains(.laterFragment) { return }
    if packet.pointee.isTCP {
      correct(at: packet.pointee.transport + TCP.checksumOffset, by: transport)
    } else {
      correctUDP(packet, form, by: transport)
    }
  }

  @inline(__always)
  private static func correct(at checksum: UnsafeMutableRawPointer, by delta: UInt16) {
    let old = checksum.loadUnaligned(as: UInt16.self)
    checksum.storeBytes(of: ChecksumDelta.correct(old, by: delta), as: UInt16.self)
  }

  @inline(__always)
  private static func correctUDP(_ packet: UnsafeMutablePointer<Packet>, _ form: PacketForm, by delta: UInt16) {
    let checksum = packet.pointee.transport + UDP.checksumOffset
    let old = checksum.loadUnaligned(as: UInt16.self)
    if old != 0 {
      let new = ChecksumDelta.correct(old, by: delta)
      checksum.storeBytes(of: new == 0 ? 0xffff : new, as: UInt16.self)
    } else if !form.isFragment {
      completeUDP(packet)
    }
  }

  /// Computes a UDP checksum over the whole datagram (RFC 768, RFC 8200 section 8.1).
  @inline(never)
  private static func completeUDP(_ packet: UnsafeMutablePointer<Packet>) {
    let header = packet.pointee.transport
    let byteCount = packet.pointee.network + Int(packet.pointee.byteCount) - header
    var sum = Checksum()
    sum.add(UnsafeRawBufferPointer(start: header, count: byteCount))
    let number = TransportProtocol.udp.rawValue
    if packet.pointee.isIPv6 {
      sum.addPseudoHeader6(
        addresses: packet.pointee.network + IPv6.sourceOffset, protocolNumber: number, byteCount: byteCount)
    } else {
      sum.addPseudoHeader4(
        addresses: packet.pointee.network + IPv4.sourceOffset, protocolNumber: number, byteCount: byteCount)
    }
    header.storeBytes(of: sum.udpValue, toByteOffset: UDP.checksumOffset, as: UInt16.self)
  }
}
