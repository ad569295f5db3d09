import Kernel
import Wire

/// A datagram that was put together leaves in pieces again, of the sizes in which IPVS's host would send them.
///
/// Linux keeps the bounds of the fragments that came, as long as each piece fits and all but the last are a multiple of 8;
/// what has been put in front counts for the first piece. Otherwise it cuts evenly. In neither case is a piece larger
/// than the largest fragment was, so that nothing on the way has to cut what the sender had made small enough; an
/// IPv6 piece may have 1280 bytes all the same. Inside a tunnel of the other family that is not known.
///
/// IPVS cuts a tunnel's outer packet. Where the link was given room for tunnels (more than Ethernet's 1500 bytes), or the
/// configuration says so (`tunnel_fragments inside`), each piece gets tunnel headers of its own instead: a real server that
/// unpacks without putting together, as `lbd realserver` does in XDP, takes it.
extension WorkerState {
  /// How a datagram is to be cut.
  private struct Cut {
    var isIPv6: Bool
    /// Bytes of headers that every piece has.
    var headerByteCount: Int
    /// Of IPv6: where the number stands that becomes the fragment header's.
    var nextHeaderOffset = 0
    /// Bytes of data behind the headers, and how many a piece has at most.
    var data: Int
    var limit = 0
    /// Bytes of data of the first piece when the bounds are kept; 0 when it is cut evenly.
    var first = 0
    /// Bytes in front of the headers that are a packet of their own around every piece.
    var outer = 0
    var isOuterIPv6 = false
    /// Of IPv6 pieces.
    var identification: UInt32 = 0

    var leavesAsIPv6: Bool { outer == 0 ? isIPv6 : isOuterIPv6 }
    var fragmentHeader: Int { isIPv6 ? IPv6Extensions.fragmentByteCount : 0 }
  }

  /// Sends the datagram in the worker's buffer, as `Rewrite` has left it.
  @inline(never)
  mutating func sendWhole(_ index: Int, _ departure: Departure, over hop: UnsafePointer<NextHop>) {
    let packet = batch.packet(index)
    let outer = outerByteCount(packet, departure, over: hop)
    let header = departure.header + outer
    var cut = headers(of: header, byteCount: departure.byteCount - outer)
    cut.outer = outer
    cut.isOuterIPv6 = departure.type == NextHop.type(isIPv6: true)
    let isSameFamily = cut.isIPv6 == whole.isIPv6
    let mtu = outer == 0 ? Int(hop.pointee.mtu) : pathMTU(server(packet.pointee.connection.server), hop: hop)
    let room = min(mtu, pool.packetByteCountLimit - Limits.frameHeaderByteCount) - outer
    let isCarriedOver = !isSameFamily && departure.outcome != .tunnel
    var limit = room
    if isSameFamily { limit = min(room, cut.isIPv6 ? max(whole.largest, IPv6.minimumMTU) : whole.largest) }
    // RFC 7915 section 4: what may be cut, and comes from IPv4, fits every IPv6 path.
    if isCarriedOver, cut.isIPv6 { limit = min(room, IPv6.minimumMTU) }
    let mayGoWhole = cut.isIPv6 || !isSameFamily
    batch.outcomes[index] = departure.outcome
    if mayGoWhole, departure.byteCount - outer <= (isSameFamily ? min(room, whole.largest) : limit) {
      let target = home(index)
      target.copyMemory(from: departure.header, byteCount: departure.byteCount)
      return batch.send(index, target, byteCount: departure.byteCount, over: hop, type: departure.type)
    }
    cut.limit = limit - cut.headerByteCount - cut.fragmentHeader
    guard cut.limit >= 8 else { return batch.finish(index, .tooBig) }
    if departure.outcome == .fullNATRequest || departure.outcome == .fullNATReply, !cut.isIPv6 {
      // Many senders have become one: their identifications would collide.
      identification &+= 1
      header.storeBigEndian16(UInt16(truncatingIfNeeded: identification), at: IPv4.identificationOffset)
    }
    if !isCarriedOver { keepBounds(&cut, packet.pointee, header, isTranslated: departure.outcome.isTranslated) }
    send(index, header, cut, over: hop, type: departure.type)
  }

  /// Bytes of the tunnel headers that every piece gets for itself; 0 when there are none, or they are cut with what is in
  /// them.
  private func outerByteCount(
    _ packet: UnsafeMutablePointer<Packet>, _ departure: Departure, over hop: UnsafePointer<NextHop>
  ) -> Int {
    guard departure.outcome == .tunnel else { return 0 }
    let outer = packet.pointee.network - departure.header
    if mayBeCutInside(packet) { return outer }
    let mtu = Int(hop.pointee.mtu)
    return mtu > Limits.usualMTU && whole.largest + outer <= mtu ? outer : 0
  }

  /// Which headers stay in front of every piece: of IPv6 those up to the routing header, and options before it, as Linux
  /// sees it (RFC 8200 section 4.5).
  private func headers(of header: UnsafeMutableRawPointer, byteCount: Int) -> Cut {
    let bytes = UnsafeRawPointer(header)
    guard bytes.loadByte(at: 0) >> 4 == 6 else {
      let count = Int(bytes.loadByte(at: 0) & 0xf) * 4
      return Cut(isIPv6: false, headerByteCount: count, data: byteCount - count)
    }
    var cut = Cut(isIPv6: true, headerByteCount: 40, nextHeaderOffset: IPv6.nextHeaderOffset, data: 0)
    var hasRouting = false
    for _ in 0..<Limits.extensionHeaders {
      let next = bytes.loadByte(at: cut.nextHeaderOffset)
      let isKept =
        next == IPProtocol.hopByHop || next == IPProtocol.routing
        || next == IPProtocol.destinationOptions && !hasRouting
      guard isKept else { break }
      hasRouting = hasRouting || next == IPProtocol.routing
      cut.nextHeaderOffset = cut.headerByteCount
      cut.headerByteCount += (Int(bytes.loadByte(at: cut.headerByteCount + 1)) + 1) * 8
    }
    cut.data = byteCount - cut.headerByteCount
    return cut
  }

  /// Notes the first piece's size when the bounds of the fragments can be kept.
  private mutating func keepBounds(
    _ cut: inout Cut, _ packet: Packet, _ header: UnsafeMutableRawPointer, isTranslated: Bool
  ) {
    if !packet.isIPv6, packet.isRequest { whole.absorb() }
    let inner = packet.network - header
    let first = inner + whole.dataOffset + Int(whole.counts[0]) - cut.headerByteCount
    guard first > 0, first <= cut.limit, first & 7 == 0 || whole.fragmentCount == 1 else { return }
    // A transport header that is spread over fragments is pulled into the first by whoever writes into it.
    if isTranslated, Int(packet.transportOffset) + packet.transportByteCount > whole.dataOffset + Int(whole.counts[0]) {
      return
    }
    for index in 1..<max(whole.fragmentCount, 1) {
      let count = Int(whole.counts[index])
      guard count <= cut.limit, count & 7 == 0 || index == whole.fragmentCount - 1 else { return }
    }
    cut.first = first
  }

  /// Writes the pieces: the first into the frame that completed the datagram, the others into frames of their own.
  private mutating func send(
    _ index: Int, _ header: UnsafeMutableRawPointer, _ cut: Cut, over hop: UnsafePointer<NextHop>, type: UInt64
  ) {
    var cut = cut
    let even = cut.limit & ~7
    let pieces = cut.first != 0 ? whole.fragmentCount : (cut.data <= cut.limit ? 1 : (cut.data + even - 1) / even)
    guard reserve(index, pieces: pieces - 1) else { return }
    if cut.isIPv6 { identification &+= 1 }
    cut.identification = identification
    let front = cut.outer + cut.headerByteCount + cut.fragmentHeader
    var offset = 0
    for piece in 0..<pieces {
      var count = min(cut.data - offset, pieces == 1 ? cut.data : even)
      if cut.first != 0 { count = piece == 0 ? cut.first : Int(whole.counts[piece]) }
      let target =
        piece == 0
        ? home(index) - cut.outer
        : addExtra(index, headerByteCount: front, payload: count, over: hop, isIPv6: cut.leavesAsIPv6)
      (target + cut.outer).copyMemory(from: header, byteCount: cut.headerByteCount)
      (target + front).copyMemory(from: header + cut.headerByteCount + offset, byteCount: count)
      finish(target + cut.outer, cut, offset: offset, count: count)
      if cut.outer != 0 {
        let server = server(batch.packet(index).pointee.connection.server)
        _ = writeTunnelHeaders(
          index, inFrontOf: target + cut.outer, byteCount: front + count - cut.outer, server: server)
      }
      if piece == 0 {
        batch.send(index, target, byteCount: front + count, over: hop, type: type)
        if !cut.isIPv6 { WorkerState.blankOptions(header, byteCount: cut.headerByteCount) }
      }
      offset += count
    }
  }

  /// Where in its own frame a packet goes.
  private func home(_ index: Int) -> UnsafeMutableRawPointer {
    let chunk = batch.frames[index].address & ~UInt64(pool.chunkByteCount - 1)
    return pool.base + Int(chunk) + FramePool.headroomByteCount
  }

  private func finish(_ target: UnsafeMutableRawPointer, _ cut: Cut, offset: Int, count: Int) {
    let isLast = offset + count == cut.data
    if cut.isIPv6 {
      let next = UnsafeRawPointer(target).loadByte(at: cut.nextHeaderOffset)
      target.storeByte(IPProtocol.fragment, at: cut.nextHeaderOffset)
      let length = cut.headerByteCount + cut.fragmentHeader + count - 40
      target.storeBigEndian16(UInt16(truncatingIfNeeded: length), at: IPv6.payloadLengthOffset)
      let fragment = target + cut.headerByteCount
      fragment.storeBigEndian16(UInt16(next) << 8, at: 0)
      fragment.storeBigEndian16(UInt16(truncatingIfNeeded: offset) | (isLast ? 0 : 1), at: 2)
      fragment.storeBigEndian32(cut.identification, at: 4)
    } else {
      let uncut = UnsafeRawPointer(target).loadBigEndian16(at: IPv4.fragmentOffset) & 0x4000
      let field = uncut | (isLast ? 0 : 0x2000) | UInt16(truncatingIfNeeded: offset / 8)
      target.storeBigEndian16(field, at: IPv4.fragmentOffset)
      let length = cut.headerByteCount + count
      target.storeBigEndian16(UInt16(truncatingIfNeeded: length), at: IPv4.totalLengthOffset)
      WorkerState.finishIPv4Header(target, byteCount: cut.headerByteCount)
    }
  }

  /// Only some options are for every piece (RFC 791 section 3.1, "copied"); the others become padding behind the first.
  static func blankOptions(_ header: UnsafeMutableRawPointer, byteCount: Int) {
    let bytes = UnsafeRawPointer(header)
    var position = 20
    while position < byteCount {
      let option = bytes.loadByte(at: position)
      if option == 0 { return }
      if option == 1 {
        position += 1
        continue
      }
      guard position + 1 < byteCount else { return }
      let count = Int(bytes.loadByte(at: position + 1))
      guard count >= 2, position + count <= byteCount else { return }
      if option & 0x80 == 0 {
        (header + position).initializeMemory(as: UInt8.self, repeating: 1, count: count)
      }
      position += count
    }
  }

  /// A real server's datagram whose fragments all say "don't fragment": Linux puts it together, and then may not cut it.
  func isUncut(reply packet: Packet, _ server: UnsafePointer<ServerRecord>) -> Bool {
    !packet.isRequest && !packet.isIPv6 && packet.mustNotBeCut && server.pointee.method == .masquerading
  }

  /// It is found out behind IPVS, which has translated the datagram: the error is one about the service's address, comes to
  /// IPVS like one from a client, is counted, and goes to the server with the quoted ends translated back (and no more).
  mutating func answerUncut(
    reply index: Int, _ packet: UnsafeMutablePointer<Packet>, _ server: UnsafePointer<ServerRecord>
  ) {
    let client = Client(ofReply: packet, packet.pointee.form, isFullNAT: false)
    guard let hop = directHop(client, packet.pointee.form) ?? searchHop(client, index, packet) else { return }
    quoteTranslated(packet, server)
    let byteCount = answer(index, .tooBig(Int(hop.pointee.mtu)))
    batch.outcomes[index] = .tooBig
    guard byteCount != 0 else { return }
    let header = packet.pointee.network - 28
    var source = UInt32(truncatingIfNeeded: server.pointee.virtualLow)
    if packet.pointee.flags.contains(.wide), let slot = packet.pointee.slot {
      source = UInt32(truncatingIfNeeded: KeyWide(slot).nearLow)
    }
    header.storeBigEndian32(source, at: IPv4.sourceOffset)
    header.storeByte(63, at: IPv4.timeToLiveOffset)
    WorkerState.finishIPv4Header(header, byteCount: 20)
    let counted = UInt64(truncatingIfNeeded: byteCount)
    ServerCounters.count(at: counters.servers + Int(packet.pointee.connection.server), byteCount: counted)
  }

  /// Leaves in the packet what translating there and back does: one hop less, and the checksum of the translated transport.
  private func quoteTranslated(_ packet: UnsafeMutablePointer<Packet>, _ server: UnsafePointer<ServerRecord>) {
    let header = packet.pointee.network
    let transport = packet.pointee.transportHeader(packet.pointee.form)
    let address = header.loadUnaligned(fromByteOffset: IPv4.sourceOffset, as: UInt32.self)
    let port = transport.loadUnaligned(as: UInt16.self)
    if !packet.pointee.flags.isDisjoint(with: [.wide, .securityPayload]) {
      replaceNearEnd(packet, server: server)
    } else {
      WorkerState.masquerade(reply: packet, packet.pointee.form, server: server)
    }
    header.storeBytes(of: address, toByteOffset: IPv4.sourceOffset, as: UInt32.self)
    transport.storeBytes(of: port, as: UInt16.self)
    WorkerState.finishIPv4Header(header, byteCount: Int(packet.pointee.transportOffset))
  }

  /// No router may cut it: of IPv6 datagrams that were put together, the largest fragment says what passes.
  func mustNotBeCut(_ packet: UnsafeMutablePointer<Packet>, limit: Int) -> Bool {
    if packet.pointee.flags.contains(.reassembled), packet.pointee.isIPv6 { return whole.largest > limit }
    return packet.pointee.mustNotBeCut
  }
}
