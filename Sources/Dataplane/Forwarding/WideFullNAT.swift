import CShims
import Wire

/// FULLNAT for connections of the wide table: services for every port, servers of the other IP family, and services whose
/// servers are told who the client is.
///
/// None of these fits the small tables' keys, whose two ends are of one family and have no room for a stream's first
/// sequence number; so they cost the others nothing. An entry for replies has the client where NAT's has the VIP.
extension WorkerState {
  /// What a packet is to become.
  private struct Target {
    var source: (high: UInt64, low: UInt64)
    var sourcePort: UInt16
    var destination: (high: UInt64, low: UInt64)
    var destinationPort: UInt16
    var isIPv6: Bool
    /// The client and whom it speaks to.
    var ends: ProxyProtocol.Ends
  }

  /// As `rewrite`, in the same order.
  @inline(never)
  mutating func rewriteWideFullNAT(
    _ index: Int, _ packet: UnsafeMutablePointer<Packet>, server: UnsafePointer<ServerRecord>
  ) -> Departure {
    let form = packet.pointee.form
    guard let slot = packet.pointee.slot else {
      batch.finish(index, .noConnection)
      return .none(packet)
    }
    // From here on it is like others: an error about it comes from the VIP.
    packet.pointee.flags.remove(.wide)
    let target = target(packet, KeyWide(slot), server)
    var hop = ServerRecord.hop(server)
    if !form.isReply, hop.pointee.state != .resolved { return refuse(index, packet, hop) }
    guard WorkerState.hopsLeft(packet.pointee.network, form) > 1 else { return answerTimeExceeded(index, packet) }
    if form.isReply {
      hop = routedHop(high: target.destination.high, low: target.destination.low, isIPv6: target.isIPv6)
      if hop.pointee.state == .unresolved { ask(target.destination, isIPv6: target.isIPv6) }
      guard hop.pointee.state == .resolved else { return refuse(index, packet, hop) }
    }
    guard isTranslatable(packet, isIPv6: target.isIPv6) else {
      batch.finish(index, .notTranslatable)
      return .none(packet)
    }
    let limit = Int(hop.pointee.mtu)
    let byteCount = translatedByteCount(packet, isIPv6: target.isIPv6)
    guard byteCount <= 65_535 else {
      // Only a datagram that was put together is as long as that.
      batch.finish(index, .tooBig)
      return .none(packet)
    }
    if byteCount > limit, let passing = largestPassing(packet, isIPv6: target.isIPv6, limit: limit) {
      return answerTooBig(index, packet, limit: passing)
    }
    let isAhead = translate(packet, target, slot, room: roomForHeader(over: hop) - byteCount)
    if isAhead { sendHeaderAhead(index, packet, target, slot, over: hop) }
    return depart(index, packet, target, limit: limit, over: hop, form.isReply ? .fullNATReply : .fullNATRequest)
  }

  private mutating func target(
    _ packet: UnsafeMutablePointer<Packet>, _ entry: KeyWide, _ server: UnsafePointer<ServerRecord>
  ) -> Target {
    let service = service(server.pointee.service)
    let local = server.pointee.locals + packet.pointee.connection.localAddress
    let isReply = packet.pointee.form.isReply
    let virtual = (high: service.pointee.addressHigh, low: service.pointee.addressLow)
    let ends =
      isReply
      ? ProxyProtocol.Ends(
        client: (entry.nearHigh, entry.nearLow), clientPort: UInt16(truncatingIfNeeded: entry.extra >> 48),
        service: virtual, servicePort: UInt16(truncatingIfNeeded: entry.extra >> 32), isIPv6: service.pointee.isIPv6)
      : ProxyProtocol.Ends(
        client: entry.farAddress, clientPort: entry.port, service: virtual, servicePort: entry.nearPort,
        isIPv6: service.pointee.isIPv6)
    if isReply {
      return Target(
        source: virtual, sourcePort: ends.servicePort, destination: ends.client, destinationPort: ends.clientPort,
        isIPv6: ends.isIPv6, ends: ends)
    }
    return Target(
      source: (local.pointee.high, local.pointee.low), sourcePort: packet.pointee.connection.localPort,
      destination: (server.pointee.addressHigh, server.pointee.addressLow), destinationPort: entry.serverPort,
      isIPv6: server.pointee.isIPv6, ends: ends)
  }

  /// How long a packet may become that a PROXY header is put into: as it goes out, and as a frame's memory holds it.
  private func roomForHeader(over hop: UnsafePointer<NextHop>) -> Int {
    min(Int(hop.pointee.mtu), pool.packetByteCountLimit - Limits.frameHeaderByteCount)
  }

  private mutating func ask(_ address: (high: UInt64, low: UInt64), isIPv6: Bool) {
    guard noticeBudget.take(now: clock.nanoseconds) else { return }
    notices.post(high: address.high, low: isIPv6 ? address.low : address.low | 0xffff << 32)
  }

  private func isTranslatable(_ packet: UnsafeMutablePointer<Packet>, isIPv6: Bool) -> Bool {
    if packet.pointee.isIPv6 == isIPv6 { return true }
    return !packet.pointee.flags.contains(.fragment)
      && !FamilyTranslation.isRefused(
        packet.pointee.network, transportOffset: Int(packet.pointee.transportOffset),
        isIPv6: packet.pointee.isIPv6)
  }

  private func translatedByteCount(_ packet: UnsafeMutablePointer<Packet>, isIPv6: Bool) -> Int {
    let byteCount = Int(packet.pointee.byteCount)
    if packet.pointee.isIPv6 == isIPv6 { return byteCount }
    return byteCount - Int(packet.pointee.transportOffset) + (isIPv6 ? 40 : 20)
  }

  /// For a packet that is too big and may not be cut: the size to tell its sender. nil: it is cut.
  private func largestPassing(_ packet: UnsafeMutablePointer<Packet>, isIPv6: Bool, limit: Int) -> Int? {
    if packet.pointee.isIPv6 == isIPv6 { return mustNotBeCut(packet, limit: limit) ? limit : nil }
    let extra = translatedByteCount(packet, isIPv6: isIPv6) - Int(packet.pointee.byteCount)
    if isIPv6 { return packet.pointee.mustNotBeCut ? limit - extra : nil }
    // What its sender has cut may be cut by IPv4 routers, and so here (section 5.1.1).
    if packet.pointee.flags.contains(.reassembled) { return nil }
    // An IPv6 sender makes no packets below its minimum MTU; those are cut here.
    return Int(packet.pointee.byteCount) > IPv6.minimumMTU ? max(IPv6.minimumMTU, limit - extra) : nil
  }

  /// Changes everything there is to change; the record then describes the new packet.
  /// - Returns: true when a PROXY header has to go ahead.
  private mutating func translate(
    _ packet: UnsafeMutablePointer<Packet>, _ target: Target, _ slot: UnsafeMutablePointer<UInt64>, room: Int
  ) -> Bool {
    var addresses = ChecksumDelta()
    addresses.replace(
      inMemory(packet.pointee.sourceAddress), with: inMemory(target.source))
    addresses.replace(
      inMemory(packet.pointee.destinationAddress), with: inMemory(target.destination))
    var isAhead = false
    let hasHeader = !packet.pointee.flags.contains(.laterFragment)
    if packet.pointee.isTCP, hasHeader,
      var segment = SegmentEdit(
        network: packet.pointee.network, transportOffset: Int(packet.pointee.transportOffset),
        byteCount: Int(packet.pointee.byteCount))
    {
      if !packet.pointee.flags.contains(.fragment) {
        isAhead = convey(&segment, packet.pointee.form, target.ends, slot, room: room)
      }
      writePorts(segment.header, target)
      segment.finish(addresses)
      packet.pointee.network = segment.network
      packet.pointee.byteCount = UInt16(truncatingIfNeeded: segment.transportOffset + segment.segmentByteCount)
      writeHeader(packet, target)
    } else if hasHeader, !packet.pointee.isTCP {
      let header = packet.pointee.network + Int(packet.pointee.transportOffset)
      addresses.replace(
        header.loadUnaligned(as: UInt32.self),
        with: UInt32(target.sourcePort.bigEndian) | UInt32(target.destinationPort.bigEndian) << 16)
      writePorts(header, target)
      writeHeader(packet, target)
      if packet.pointee.protocolNumber == TransportProtocol.sctp.rawValue {
        WorkerState.completeSCTP(packet)
      } else {
        // 0xffff changes nothing.
        WorkerState.correctUDP(packet, packet.pointee.form, addresses, 0xffff)
      }
    } else {
      writeHeader(packet, target)
    }
    return isAhead
  }

  private mutating func convey(
    _ segment: inout SegmentEdit, _ form: PacketForm, _ ends: ProxyProtocol.Ends, _ slot: UnsafeMutablePointer<UInt64>,
    room: Int
  ) -> Bool {
    let conveyance = ConveyedStream(word: lbd_load_relaxed(slot + 6)).conveyance
    guard conveyance != .none else { return false }
    if !form.isReply { return convey(request: &segment, ends, at: slot, room: room) }
    // All about the stream stands in the other entry.
    guard conveyance != .option || segment.flags & TCP.syn != 0 else { return false }
    let key = KeyWide(
      .request, far: ends.client, farPort: ends.clientPort, near: ends.service, nearPort: ends.servicePort,
      protocolNumber: TransportProtocol.tcp.rawValue, secret: shared.tableWide.secret)
    guard let stream = shared.tableWide.find(key, hash: key.hash(shared.tableWide.secret)) else { return false }
    convey(reply: &segment, ends, at: stream)
    return false
  }

  private func inMemory(_ address: (high: UInt64, low: UInt64)) -> (UInt64, UInt64) {
    (address.high.bigEndian, address.low.bigEndian)
  }

  private func writePorts(_ header: UnsafeMutableRawPointer, _ target: Target) {
    header.storeBigEndian16(target.sourcePort, at: 0)
    header.storeBigEndian16(target.destinationPort, at: 2)
  }

  /// The IP header, of whichever family, in front of the transport header.
  private mutating func writeHeader(_ packet: UnsafeMutablePointer<Packet>, _ target: Target) {
    let old = packet.pointee.network
    guard packet.pointee.isIPv6 != target.isIPv6 else { return rewriteHeader(packet, target) }
    let transport = old + Int(packet.pointee.transportOffset)
    let segment = Int(packet.pointee.byteCount) - Int(packet.pointee.transportOffset)
    // All that is needed of the old header is read before the new one, which overlaps it, is written.
    var header = FamilyTranslation.Header(
      from: old, segmentByteCount: segment, protocolNumber: packet.pointee.protocolNumber, source: target.source,
      destination: target.destination)
    header.hops &-= 1
    header.wasFragmented = packet.pointee.flags.contains(.reassembled)
    let count = target.isIPv6 ? IPv6.headerByteCount : IPv4.minimumHeaderByteCount
    let new = transport - count
    if !target.isIPv6 { identification &+= 1 }
    header.write(to: new, isIPv6: target.isIPv6, identification: UInt16(truncatingIfNeeded: identification))
    target.isIPv6 ? packet.pointee.flags.formUnion(.ipv6) : packet.pointee.flags.subtract(.ipv6)
    packet.pointee.network = new
    packet.pointee.byteCount = UInt16(truncatingIfNeeded: count + segment)
    packet.pointee.transportOffset = UInt16(truncatingIfNeeded: count)
  }

  private func rewriteHeader(_ packet: UnsafeMutablePointer<Packet>, _ target: Target) {
    let header = packet.pointee.network
    if target.isIPv6 {
      header.storeBigEndian16(packet.pointee.byteCount - 40, at: IPv6.payloadLengthOffset)
      header.storeBigEndian64(target.source.high, at: IPv6.sourceOffset)
      header.storeBigEndian64(target.source.low, at: IPv6.sourceOffset + 8)
      header.storeBigEndian64(target.destination.high, at: IPv6.destinationOffset)
      header.storeBigEndian64(target.destination.low, at: IPv6.destinationOffset + 8)
      return WorkerState.takeHopV6(header)
    }
    header.storeBigEndian16(packet.pointee.byteCount, at: IPv4.totalLengthOffset)
    header.storeBigEndian32(UInt32(truncatingIfNeeded: target.source.low), at: IPv4.sourceOffset)
    header.storeBigEndian32(UInt32(truncatingIfNeeded: target.destination.low), at: IPv4.destinationOffset)
    header.storeByte(
      UnsafeRawPointer(header).loadByte(at: IPv4.timeToLiveOffset) &- 1, at: IPv4.timeToLiveOffset)
    WorkerState.finishIPv4Header(header, byteCount: IPv4.headerByteCount(header))
  }

  private mutating func depart(
    _ index: Int, _ packet: UnsafeMutablePointer<Packet>, _ target: Target, limit: Int,
    over hop: UnsafePointer<NextHop>, _ outcome: Outcome
  ) -> Departure {
    let header = packet.pointee.network
    let byteCount = Int(packet.pointee.byteCount)
    if byteCount > limit {
      // RFC 7915 section 4: what may be cut, and comes from IPv4, fits every IPv6 path.
      return target.isIPv6
        ? splitIPv6(index, packet, header, limit: min(limit, IPv6.minimumMTU), over: hop, outcome)
        : splitIPv4(index, packet, header, limit: limit, over: hop, outcome)
    }
    return Departure(over: hop, outcome, header: header, byteCount: byteCount, isIPv6: target.isIPv6)
  }

  /// Sends a PROXY header in a segment of its own, made of the client's: its headers and options, no data of it.
  private mutating func sendHeaderAhead(
    _ index: Int, _ packet: UnsafeMutablePointer<Packet>, _ target: Target, _ slot: UnsafeMutablePointer<UInt64>,
    over hop: UnsafePointer<NextHop>
  ) {
    let stream = ConveyedStream(word: lbd_load_relaxed(slot + 6))
    let offset = Int(packet.pointee.transportOffset)
    let tcp = TCP.headerByteCount(packet.pointee.network + offset)
    guard let version = stream.conveyance.proxy, reserve(pieces: 1),
      offset + tcp + ProxyProtocol.byteCount(version, target.ends) <= roomForHeader(over: hop)
    else { return counters.add(.unconveyed) }
    let count = ProxyProtocol.byteCount(version, target.ends)
    let copy = addExtra(index, headerByteCount: offset + tcp, payload: count, over: hop, isIPv6: target.isIPv6)
    copy.copyMemory(from: packet.pointee.network, byteCount: offset + tcp)
    let header = copy + offset
    _ = ProxyProtocol.write(version, target.ends, to: header + tcp)
    header.storeBigEndian32(stream.first, at: TCP.sequenceOffset)
    header.storeByte(TCP.ack | TCP.psh, at: TCP.flagsOffset)
    header.storeBigEndian32(0, at: TCP.checksumOffset)
    var sum = Checksum()
    let number = TransportProtocol.tcp.rawValue
    if target.isIPv6 {
      copy.storeBigEndian16(UInt16(offset - 40 + tcp + count), at: IPv6.payloadLengthOffset)
      sum.addPseudoHeader6(addresses: copy + IPv6.sourceOffset, protocolNumber: number, byteCount: tcp + count)
    } else {
      copy.storeBigEndian16(UInt16(offset + tcp + count), at: IPv4.totalLengthOffset)
      WorkerState.finishIPv4Header(copy, byteCount: offset)
      sum.addPseudoHeader4(addresses: copy + IPv4.sourceOffset, protocolNumber: number, byteCount: tcp + count)
    }
    sum.add(UnsafeRawBufferPointer(start: header, count: tcp + count))
    header.storeBytes(of: sum.value, toByteOffset: TCP.checksumOffset, as: UInt16.self)
  }
}
