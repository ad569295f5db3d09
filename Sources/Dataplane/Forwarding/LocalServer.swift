import Wire

/// A real server that is the director itself: its packets go to the host's own stack.
///
/// As in IPVS, whether a server is one is decided by the route to its address. DR and TUN hand the packet over as it came, NAT
/// with the server's address and port in it; neither costs a hop, and no packet is too large. Its answers come back by
/// `OwnTraffic`. FULLNAT cannot have one: the host would answer a local address, and thereby itself.
extension WorkerState {
  /// Leaves a request to the host, as the server shall see it.
  @inline(never)
  mutating func deliver(
    _ index: Int, _ packet: UnsafeMutablePointer<Packet>, _ server: UnsafePointer<ServerRecord>
  ) {
    guard WorkerState.mayBeLocal(server) else { return batch.finish(index, .serverLocal) }
    guard server.pointee.method == .masquerading else { return batch.finish(index, .localServer) }
    let address = (server.pointee.addressHigh, server.pointee.addressLow)
    let isWide = packet.pointee.flags.contains(.wide)
    WorkerState.replace(
      packet, .destination, address, port: isWide ? packet.pointee.connection.localPort : server.pointee.port,
      takesHop: false)
    finishLocal(index, packet, server, .localServer)
  }

  /// The same for an ICMP error about a connection. One that is on its way to another host than this one cannot be turned
  /// round to it any more.
  mutating func deliverError(
    _ index: Int, _ packet: UnsafeMutablePointer<Packet>, _ quote: QuotedPacket, _ quoted: QuotedConnection,
    server: UnsafePointer<ServerRecord>
  ) -> Departure {
    let (high, low) = packet.pointee.destinationAddress
    let isForHost = routedHop(high: high, low: low, isIPv6: packet.pointee.isIPv6).pointee.state == .local
    if server.pointee.isAvailable { count(index, server: quoted.connection.server, isRequest: true) }
    guard WorkerState.mayBeLocal(server), isForHost else {
      batch.finish(index, .serverLocal)
      return .none(packet)
    }
    if server.pointee.method == .masquerading {
      translateError(toServer: packet, quote, quoted, server: server)
      finishLocal(index, packet, server, .errorToLocalServer)
    } else {
      batch.finish(index, .errorToLocalServer)
    }
    return .none(packet)
  }

  /// A datagram that was put together goes in the pieces that it came in.
  private mutating func finishLocal(
    _ index: Int, _ packet: UnsafeMutablePointer<Packet>, _ server: UnsafePointer<ServerRecord>, _ outcome: Outcome
  ) {
    guard packet.pointee.flags.contains(.reassembled) else { return batch.finish(index, outcome) }
    let hop = ServerRecord.hop(server)
    sendWhole(index, Departure(whole: packet.pointee.network, over: hop, outcome), over: hop)
  }

  /// NAT to a loopback address is refused: the host drops what comes from outside for it.
  private static func mayBeLocal(_ server: UnsafePointer<ServerRecord>) -> Bool {
    switch server.pointee.method {
    case .directRouting, .tunnelling: true
    case .fullNAT: false
    case .masquerading:
      server.pointee.isIPv6
        ? server.pointee.addressHigh != 0 || server.pointee.addressLow != 1
        : server.pointee.addressLow >> 24 != 127
    }
  }
}
