import Wire

/// NAT: requests get the real server's address and port, replies the VIP's, and every checksum follows incrementally.
///
/// IPVS's bytes: RFC 1624 equation 3 for TCP and UDP; a UDP checksum of zero ("none") is not kept but computed over the
/// whole datagram, and one that comes out as zero is sent as 0xffff. Fragments are put together before.
///
/// What changes is the same for every packet to a server, so `ServerRecord` has the corrections ready.
extension WorkerState {
  @_transparent
  static func masquerade(
    request packet: UnsafeMutablePointer<Packet>, _ form: PacketForm, server: UnsafePointer<ServerRecord>
  ) {
    let header = packet.pointee.network
    if form.isIPv6 {
      header.storeBigEndian64(server.pointee.addressHigh, at: IPv6.destinationOffset)
      header.storeBigEndian64(server.pointee.addressLow, at: IPv6.destinationOffset + 8)
    } else {
      header.storeBytes(of: server.pointee.addressBytes, toByteOffset: IPv4.destinationOffset, as: UInt32.self)
    }
    correctHeader(header, form, by: server.pointee.requestHeaderStep)
    let transport = packet.pointee.transportHeader(form)
    transport.storeBytes(of: server.pointee.portBytes, toByteOffset: 2, as: UInt16.self)
    correctTransport(packet, form, transport, by: server.pointee.requestStep, server)
  }

  @_transparent
  static func masquerade(
    reply packet: UnsafeMutablePointer<Packet>, _ form: PacketForm, server: UnsafePointer<ServerRecord>
  ) {
    let header = packet.pointee.network
    if form.isIPv6 {
      header.storeBigEndian64(server.pointee.virtualHigh, at: IPv6.sourceOffset)
      header.storeBigEndian64(server.pointee.virtualLow, at: IPv6.sourceOffset + 8)
    } else {
      header.storeBytes(of: server.pointee.virtualBytes, toByteOffset: IPv4.sourceOffset, as: UInt32.self)
    }
    correctHeader(header, form, by: server.pointee.replyHeaderStep)
    let transport = packet.pointee.transportHeader(form)
    transport.storeBytes(of: server.pointee.virtualPortBytes, as: UInt16.self)
    correctTransport(packet, form, transport, by: server.pointee.replyStep, server)
  }

  /// Takes one hop off, and corrects the IPv4 header's checksum.
  @_transparent
  private static func correctHeader(_ header: UnsafeMutableRawPointer, _ form: PacketForm, by step: UInt64) {
    if form.isIPv6 {
      takeHopV6(header)
    } else {
      let word = header.loadUnaligned(fromByteOffset: IPv4.timeToLiveOffset, as: UInt32.self)
      header.storeBytes(
        of: ChecksumDelta.correct(header: word, by: step), toByteOffset: IPv4.timeToLiveOffset, as: UInt32.self)
    }
  }

  /// Corrects the transport's checksum, once all ends have been written.
  @_transparent
  private static func correctTransport(
    _ packet: UnsafeMutablePointer<Packet>, _ form: PacketForm, _ transport: UnsafeMutableRawPointer, by step: UInt16,
    _ server: UnsafePointer<ServerRecord>
  ) {
    guard _fastPath(packet.pointee.isTCP) else { return correctOther(packet, form, step, server) }
    let old = transport.loadUnaligned(fromByteOffset: TCP.checksumOffset, as: UInt16.self)
    transport.storeBytes(of: ChecksumDelta.correct(old, by: step), toByteOffset: TCP.checksumOffset, as: UInt16.self)
  }

  /// UDP's, and SCTP's, which covers the ports but no addresses. Not part of its callers, which have no registers to spare.
  @inline(never)
  private static func correctOther(
    _ packet: UnsafeMutablePointer<Packet>, _ form: PacketForm, _ step: UInt16, _ server: UnsafePointer<ServerRecord>
  ) {
    guard packet.pointee.protocolNumber == TransportProtocol.sctp.rawValue else {
      return correctUDP(packet, form, ChecksumDelta(), ~step)
    }
    if server.pointee.portBytes != server.pointee.virtualPortBytes { completeSCTP(packet) }
  }

  /// Computes SCTP's check over the whole packet.
  @inline(never)
  static func completeSCTP(_ packet: UnsafeMutablePointer<Packet>) {
    let header = packet.pointee.transportHeader(packet.pointee.form)
    let byteCount = packet.pointee.network + Int(packet.pointee.byteCount) - header
    let sum = CRC32C.sctp(UnsafeRawBufferPointer(start: header, count: byteCount))
    header.storeBytes(of: sum.littleEndian, toByteOffset: SCTP.checksumOffset, as: UInt32.self)
  }

  /// - Parameters:
  ///   - change: what has changed in the pseudo-header and the ports.
  ///   - delta: what has changed besides, folded; not 0.
  @inline(__always)
  static func correctUDP(
    _ packet: UnsafeMutablePointer<Packet>, _ form: PacketForm, _ change: ChecksumDelta, _ delta: UInt16
  ) {
    let checksum = packet.pointee.transportHeader(form) + UDP.checksumOffset
    let old = checksum.loadUnaligned(as: UInt16.self)
    if old != 0 {
      let new = change.correct(old, with: delta)
      checksum.storeBytes(of: new == 0 ? 0xffff : new, as: UInt16.self)
    } else {
      completeUDP(packet)
    }
  }

  /// Computes a UDP checksum over the whole datagram (RFC 768, RFC 8200 section 8.1).
  @inline(never)
  private static func completeUDP(_ packet: UnsafeMutablePointer<Packet>) {
    let header = packet.pointee.transportHeader(packet.pointee.form)
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
