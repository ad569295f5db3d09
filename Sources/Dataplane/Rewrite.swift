import Kernel
import Wire

/// Headers, checksums, next hop: what the packet looks like when it leaves.
///
/// In IPVS's order: next hop, hop limit (time exceeded is answered here), size (too big is answered here), then the
/// forwarding method's own rewriting, then a new Ethernet header right in front of the IP header. Each method has a file.
extension WorkerState {
  /// A packet whose connection `Schedule` has found or opened.
  @inline(never)
  mutating func rewrite(_ index: Int) {
    let packet = batch.packet(index)
    if packet.pointee.connection.server == Connection.bypassServer {
      return leave(index, packet, rewriteBypass(index, packet))
    }
    let server = server(packet.pointee.connection.server)
    if packet.pointee.flags.contains(.cutShort), server.pointee.method.rewritesTransport {
      if !packet.pointee.isRequest { uncount(reply: packet.pointee) }
      return batch.finish(index, .malformed)
    }
    if packet.pointee.isRequest, ServerRecord.hop(server).pointee.state == .local {
      return deliver(index, packet, server)
    }
    if packet.pointee.flags.contains(.reassembled), isUncut(reply: packet.pointee, server) {
      return answerUncut(reply: index, packet, server)
    }
    let isSecurityPayload = packet.pointee.flags.contains(.securityPayload)
    if isSecurityPayload, server.pointee.method == .fullNAT { return batch.finish(index, .notTranslatable) }
    let isWideNAT =
      (packet.pointee.flags.contains(.wide) || isSecurityPayload) && server.pointee.method == .masquerading
    let isWideFullNAT = packet.pointee.flags.contains(.wide) && server.pointee.method == .fullNAT
    let departure =
      isWideNAT
      ? rewriteWide(index, packet, server: server)
      : isWideFullNAT
        ? rewriteWideFullNAT(index, packet, server: server)
        : rewrite(index, packet, packet.pointee.form, server: server, isReady: false)
    leave(index, packet, departure)
  }

  /// Sends a packet, or the datagram that was put together, as it was rewritten.
  mutating func leave(_ index: Int, _ packet: UnsafeMutablePointer<Packet>, _ departure: Departure) {
    guard let hop = departure.hop else { return }
    if packet.pointee.flags.contains(.reassembled) { return sendWhole(index, departure, over: hop) }
    batch.depart(index, departure, over: hop)
  }

  /// - Parameter isReady: the server's next hop is known to be resolved; otherwise that is looked at.
  @_transparent
  mutating func rewrite(
    _ index: Int, _ packet: UnsafeMutablePointer<Packet>, _ form: PacketForm, server: UnsafePointer<ServerRecord>,
    isReady: Bool
  ) -> Departure {
    form.isReply
      ? rewrite(reply: index, packet, form, server: server)
      : rewrite(request: index, packet, form, server: server, isReady: isReady)
  }

  @_transparent
  mutating func rewrite(
    request index: Int, _ packet: UnsafeMutablePointer<Packet>, _ form: PacketForm,
    server: UnsafePointer<ServerRecord>, isReady: Bool
  ) -> Departure {
    let hop = ServerRecord.hop(server)
    guard _fastPath(isReady || hop.pointee.state == .resolved) else { return refuse(index, packet, hop) }
    let header = packet.pointee.network
    guard _fastPath(WorkerState.hopsLeft(header, form) > 1) else { return answerTimeExceeded(index, packet) }
    let byteCount = packet.pointee.byteCount
    if server.pointee.method == .tunnelling {
      WorkerState.takeHop(header, form)
      return encapsulate(index, packet, form, header, byteCount, server: server, hop: hop)
    }
    guard _fastPath(byteCount <= hop.pointee.mtu) else { return rewriteBig(request: index, packet, server: server) }
    switch server.pointee.method {
    case .directRouting, .tunnelling:
      WorkerState.takeHop(header, form)
      return Departure(over: hop, .directRouting, header: header, byteCount: Int(byteCount), isIPv6: form.isIPv6)
    case .masquerading:
      WorkerState.masquerade(request: packet, form, server: server)
      return Departure(packet, form, over: hop, .masqueradeRequest)
    case .fullNAT:
      WorkerState.translate(request: packet, form, server: server)
      return Departure(packet, form, over: hop, .fullNATRequest)
    }
  }

  /// A reply is forwarded as the host would: hop limit, route and size are looked at before anything is changed, so
  /// that an error quotes what the server has sent and goes to the server.
  @_transparent
  mutating func rewrite(
    reply index: Int, _ packet: UnsafeMutablePointer<Packet>, _ form: PacketForm,
    server: UnsafePointer<ServerRecord>
  ) -> Departure {
    guard _fastPath(WorkerState.hopsLeft(packet.pointee.network, form) > 1) else {
      return answerTimeExceeded(index, packet)
    }
    let isFullNAT = server.pointee.method == .fullNAT
    let client = Client(ofReply: packet, form, isFullNAT: isFullNAT)
    guard let hop = directHop(client, form) ?? searchHop(client, index, packet) else { return .none(packet) }
    guard _fastPath(packet.pointee.byteCount <= hop.pointee.mtu) else {
      return rewriteBig(reply: index, packet, server: server, hop: hop)
    }
    if isFullNAT {
      WorkerState.translate(reply: packet, form, server: server, client: client)
      return Departure(packet, form, over: hop, .fullNATReply)
    }
    WorkerState.masquerade(reply: packet, form, server: server)
    return Departure(packet, form, over: hop, .masqueradeReply)
  }

  // MARK: - Larger than the next hop takes

  /// Answers, or cuts the packet in pieces.
  @inline(never)
  private mutating func rewriteBig(
    request index: Int, _ packet: UnsafeMutablePointer<Packet>, server: UnsafePointer<ServerRecord>
  ) -> Departure {
    let hop = ServerRecord.hop(server)
    let form = packet.pointee.form
    let limit = Int(hop.pointee.mtu)
    if mustNotBeCut(packet, limit: limit) {
      WorkerState.takeHop(packet.pointee.network, form)
      return answerTooBig(index, packet, limit: limit)
    }
    let outcome: Outcome
    switch server.pointee.method {
    case .directRouting, .tunnelling:
      WorkerState.takeHop(packet.pointee.network, form)
      outcome = .directRouting
    case .masquerading:
      WorkerState.masquerade(request: packet, form, server: server)
      outcome = .masqueradeRequest
    case .fullNAT:
      WorkerState.translate(request: packet, form, server: server)
      outcome = .fullNATRequest
    }
    return splitIPv4(index, packet, packet.pointee.network, limit: limit, over: hop, outcome)
  }

  /// The same for a reply.
  @inline(never)
  private mutating func rewriteBig(
    reply index: Int, _ packet: UnsafeMutablePointer<Packet>, server: UnsafePointer<ServerRecord>,
    hop: UnsafePointer<NextHop>
  ) -> Departure {
    let form = packet.pointee.form
    let limit = Int(hop.pointee.mtu)
    if mustNotBeCut(packet, limit: limit) { return answerTooBig(index, packet, limit: limit) }
    let outcome: Outcome
    if server.pointee.method == .fullNAT {
      let client = Client(ofReply: packet, form, isFullNAT: true)
      WorkerState.translate(reply: packet, form, server: server, client: client)
      outcome = .fullNATReply
    } else {
      WorkerState.masquerade(reply: packet, form, server: server)
      outcome = .masqueradeReply
    }
    return splitIPv4(index, packet, packet.pointee.network, limit: limit, over: hop, outcome)
  }

  // MARK: - Next hops

  /// The next hop towards a client where its address's first byte leaves no choice, and frames can be sent there.
  @inline(__always)
  func directHop(_ client: Client, _ form: PacketForm) -> UnsafePointer<NextHop>? {
    form.isIPv6
      ? snapshot.pointee.directHops6[Int(client.high >> 56)] : snapshot.pointee.directHops4[Int(client.low >> 24)]
  }

  /// The same for any client; nil when nothing can be sent there, and all is said about the packet.
  @inline(never)
  mutating func searchHop(
    _ client: Client, _ index: Int, _ packet: UnsafeMutablePointer<Packet>
  ) -> UnsafePointer<NextHop>? {
    let hop = routedHop(high: client.high, low: client.low, isIPv6: packet.pointee.isIPv6)
    if hop.pointee.state == .resolved { return hop }
    if hop.pointee.state == .unresolved { ask(high: client.high, low: client.low, index) }
    _ = refuse(index, packet, hop)
    return nil
  }

  /// The next hop towards an address by the kernel's routes.
  @inline(__always)
  mutating func routedHop(high: UInt64, low: UInt64, isIPv6: Bool) -> UnsafePointer<NextHop> {
    let number =
      isIPv6
      ? RouteTable.nextHop(snapshot.pointee.routes6, high: high, low: low)
      : RouteTable.nextHop(snapshot.pointee.routes4, high: high, low: low)
    return nextHop(number)
  }

  /// Tells control that a host cannot be reached for want of its MAC address.
  @inline(never)
  mutating func ask(high: UInt64, low: UInt64, _ index: Int) {
    ask(high: high, low: low, isIPv6: batch.packet(index).pointee.isIPv6)
  }

  mutating func ask(high: UInt64, low: UInt64, isIPv6: Bool) {
    guard noticeBudget.take(now: clock.nanoseconds) else { return }
    notices.post(high: high, low: isIPv6 ? low : low | 0xffff << 32)
  }

  /// Nothing can be sent over `hop`: the packet's journey ends here.
  @inline(never)
  mutating func refuse(
    _ index: Int, _ packet: UnsafeMutablePointer<Packet>, _ hop: UnsafePointer<NextHop>
  ) -> Departure {
    switch hop.pointee.state {
    case .resolved: break
    case .unresolved: batch.finish(index, .neighbourUnresolved)
    case .unreachable: batch.finish(index, .noRoute)
    case .local: batch.finish(index, .serverLocal)
    }
    return .none(packet)
  }

  /// TTL or hop limit.
  @inline(__always)
  static func hopsLeft(_ header: UnsafeMutableRawPointer, _ form: PacketForm) -> UInt8 {
    header.load(fromByteOffset: form.isIPv6 ? 7 : 8, as: UInt8.self)
  }

  /// Takes one off TTL or hop limit, with the IPv4 checksum (RFC 1141); there must be one.
  @inline(__always)
  static func takeHop(_ header: UnsafeMutableRawPointer, _ form: PacketForm) {
    if form.isIPv6 { return takeHopV6(header) }
    // TTL, protocol, checksum are one word, TTL lowest. One less in the high byte of TTL's 16 bits is 0x0100 more in the
    // checksum, in memory 0x0001, with end-around carry.
    let word = header.loadUnaligned(fromByteOffset: IPv4.timeToLiveOffset, as: UInt32.self)
    let carry: UInt32 = word >= 0xfffe_0000 ? 0x1_0000 : 0
    header.storeBytes(of: word &+ 0xffff &+ carry, toByteOffset: IPv4.timeToLiveOffset, as: UInt32.self)
  }

  @inline(__always)
  static func takeHopV6(_ header: UnsafeMutableRawPointer) {
    header.storeByte(header.load(fromByteOffset: IPv6.hopLimitOffset, as: UInt8.self) &- 1, at: IPv6.hopLimitOffset)
  }
}
