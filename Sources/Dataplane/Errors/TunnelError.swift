import Wire

/// ICMP errors about tunnel packets. They come to the director, which is their source; whom they concern is the client,
/// whose packet is inside.
///
/// As IPVS does, lbd takes the outer header off what is quoted and sends the client an error of its own, of the same type
/// and code, about the packet inside. A router that tells how much the path takes is believed for a while (`PathMTUs`); the
/// client is told if its packet was not to be fragmented. Where IPv6 is inside or outside, IPVS does nothing at all, and
/// such a path stays a black hole: lbd learns there too, and answers the client's next packet that is too large.
extension WorkerState {
  /// - Returns: false when the error is not about a tunnel packet of lbd's; otherwise its journey has ended.
  mutating func relayTunnelError(_ index: Int, _ packet: UnsafeMutablePointer<Packet>) -> Bool {
    guard let tunnel = QuotedTunnel(of: packet.pointee), isToThisHost(packet.pointee),
      let quote = QuotedPacket(tunnel.inner, byteCount: tunnel.byteCount, isIPv6: tunnel.isInnerIPv6),
      let quoted = request(
        far: quote.source, near: quote.destination, quote.protocolNumber, isIPv6: quote.isIPv6)
    else { return false }
    let server = server(quoted.connection.server)
    guard server.pointee.method == .tunnelling, tunnel.isTo(server) else { return false }
    guard isErrorWhole(packet) else {
      batch.finish(index, .badErrorChecksum)
      return true
    }
    let size = sizeSaid(packet.pointee)
    var sizeInUse = Int(ServerRecord.hop(server).pointee.mtu)
    if let size { sizeInUse = learnPathMTU(server, said: size) }
    guard !tunnel.isIPv6, !tunnel.isInnerIPv6 else {
      batch.finish(index, .icmp)
      return true
    }
    let icmp = UnsafeRawPointer(packet.pointee.network) + Int(packet.pointee.transportOffset)
    var rest = icmp.loadBigEndian32(at: 4)
    if size != nil {
      let fragment = UnsafeRawPointer(tunnel.inner).loadBigEndian16(at: IPv4.fragmentOffset)
      guard fragment & IPv4.dontFragment != 0 else {
        batch.finish(index, .tunnelErrorEnded)
        return true
      }
      // Of the headers IPVS takes the outer IP header only.
      let header = IPv4.minimumHeaderByteCount
      rest = UInt32(clamping: sizeInUse > 68 + header ? sizeInUse - header : sizeInUse)
    }
    let message = ErrorMessage.relayed(type: icmp.loadByte(at: 0), code: icmp.loadByte(at: 1), rest: rest)
    tellClient(index, packet, message, about: tunnel, quoted.connection)
    return true
  }

  /// What a router says that the path takes; nil for any other error.
  private func sizeSaid(_ packet: Packet) -> Int? {
    let icmp = UnsafeRawPointer(packet.network) + Int(packet.transportOffset)
    let (type, code) = (icmp.loadByte(at: 0), icmp.loadByte(at: 1))
    if packet.isIPv6 { return type == ICMPv6.packetTooBig ? Int(icmp.loadBigEndian32(at: 4)) : nil }
    guard type == ICMPv4.destinationUnreachable, code == ICMPv4.fragmentationNeeded else { return nil }
    return Int(icmp.loadBigEndian16(at: 6))
  }

  private mutating func isToThisHost(_ packet: Packet) -> Bool {
    let (high, low) = packet.destinationAddress
    return routedHop(high: high, low: low, isIPv6: packet.isIPv6).pointee.state == .local
  }

  /// The packet inside is what is answered now, as if it had just come.
  private mutating func tellClient(
    _ index: Int, _ packet: UnsafeMutablePointer<Packet>, _ message: ErrorMessage, about tunnel: QuotedTunnel,
    _ connection: Connection
  ) {
    let fragment = UnsafeRawPointer(tunnel.inner).loadBigEndian16(at: IPv4.fragmentOffset)
    packet.pointee.network = tunnel.inner
    packet.pointee.byteCount = UInt16(truncatingIfNeeded: tunnel.byteCount)
    packet.pointee.flags = fragment & 0x1fff == 0 ? [] : .laterFragment
    packet.pointee.form = PacketForm(isIPv6: false, isReply: false).odd
    packet.pointee.connection = connection
    // IPVS counts what is quoted, and then the error besides.
    if server(connection.server).pointee.isAvailable {
      let statistics = counters.servers + Int(connection.server)
      statistics.pointee.outPackets &+= 1
      statistics.pointee.outBytes &+= UInt64(truncatingIfNeeded: tunnel.byteCount)
    }
    let isSent = answerForServer(index, packet, message)
    batch.outcomes[index] = isSent ? .errorToClient : .tunnelErrorEnded
  }
}
