import Kernel
import Wire

/// What the host itself sends as a real server of ours: it comes by the TUN device, and goes through the stages like a
/// server's answer off the wire, in batches of its own.
///
/// NAT's answers get the VIP's address and port back, as any others do. Those of DR and TUN are right already: they are
/// counted, move their connection on, and leave as they are, as does everything else that turns out not to be of a connection:
/// to give it back to the host would lead nowhere.
extension Forwarder where P: ~Copyable, H: ~Copyable {
  /// Takes a batch from the host. Every other turn, so that neither side starves the other; by one worker, so that packets
  /// of a flow do not overtake each other.
  /// - Returns: false when there is nothing.
  @inline(never)
  mutating func receiveOwnTraffic() -> Bool {
    let wasOwn = state.isOwnTraffic
    state.isOwnTraffic = false
    guard state.worker == 0, portCount > 0, !wasOwn else { return false }
    while state.packetCount < Limits.batchCapacity, let chunk = state.pool.take() {
      let frame = state.pool.base + Int(chunk) + FramePool.headroomByteCount
      let room = state.pool.packetByteCountLimit - 14
      let count = host.receive(into: UnsafeMutableRawBufferPointer(start: frame + 14, count: room))
      guard count >= 20 else {
        state.pool.give(chunk)
        if count == 0 { break }
        continue
      }
      frame.storeBytes(of: addresses[0] >> 16, as: UInt64.self)
      let isIPv6 = UnsafeRawPointer(frame).loadByte(at: 14) >> 4 == 6
      frame.storeBigEndian32(0, at: 8)
      frame.storeBigEndian16(isIPv6 ? EtherType.ipv6 : EtherType.ipv4, at: 12)
      // The way through the stages costs a hop, which the host's own packets do not pay.
      WorkerState.giveHop(frame + 14, isIPv6: isIPv6)
      state.batch.frames[state.packetCount] = FrameDescriptor(
        address: chunk + UInt64(FramePool.headroomByteCount), byteCount: UInt32(14 + count))
      state.batch.ingress[state.packetCount] = 0
      state.packetCount += 1
    }
    state.isOwnTraffic = state.packetCount != 0
    return state.isOwnTraffic
  }
}

extension WorkerState {
  /// Adds one to TTL or hop limit where there is room for it.
  static func giveHop(_ header: UnsafeMutableRawPointer, isIPv6: Bool) {
    let offset = isIPv6 ? IPv6.hopLimitOffset : IPv4.timeToLiveOffset
    let hops = UnsafeRawPointer(header).loadByte(at: offset)
    guard hops != 255 else { return }
    header.storeByte(hops + 1, at: offset)
    guard !isIPv6 else { return }
    var change = ChecksumDelta()
    change.replace16(0, with: UInt16(0x0100).bigEndian)
    let checksum = UnsafeRawPointer(header).loadUnaligned(fromByteOffset: IPv4.checksumOffset, as: UInt16.self)
    header.storeBytes(of: change.apply(to: checksum), toByteOffset: IPv4.checksumOffset, as: UInt16.self)
  }

  /// Sends what the stages would leave to the host.
  @inline(never)
  mutating func sendOwnTraffic() {
    for index in 0..<packetCount where batch.outcomes[index].isPassed && batch.egress[index] == Batch.noEgress {
      let bytes = batch.bytes(index)
      if sendCheck(index, bytes) { continue }
      let isAnswer = noteLocalReply(index, bytes, byteCount: Int(batch.frames[index].byteCount))
      sendOwn(index, isAnswer ? .localReply : .ownTraffic)
    }
  }

  /// The same of a datagram that was put together: it counts as one, and leaves in the pieces that it came in.
  /// - Parameters:
  ///   - fragment: the one that completed it, which is the packet again.
  ///   - byteCount: of the datagram, in the worker's buffer.
  mutating func sendOwnWhole(_ index: Int, _ fragment: Fragment, byteCount: Int) {
    let packet = batch.packet(index)
    let network = packet.pointee.network
    let count = whole.frameHeaderByteCount + byteCount
    let isAnswer = noteLocalReply(index, whole.frame, byteCount: count)
    packet.pointee.network = network
    packet.pointee.byteCount = UInt16(truncatingIfNeeded: fragment.packetByteCount)
    sendOwn(index, isAnswer ? .localReply : .ownTraffic)
  }

  private mutating func sendOwn(_ index: Int, _ outcome: Outcome) {
    let packet = batch.packet(index)
    guard packet.pointee.byteCount >= 20 else { return batch.outcomes[index] = .malformed }
    let form = PacketForm(isIPv6: packet.pointee.isIPv6, isReply: true)
    let (high, low) = packet.pointee.destinationAddress
    let isGroup = form.isIPv6 ? high >> 56 == 0xff : low >> 28 >= 0xe
    let hop = routedHop(high: high, low: low, isIPv6: form.isIPv6)
    guard !isGroup, hop.pointee.state == .resolved else {
      if !isGroup, hop.pointee.state == .unresolved { ask(high: high, low: low, index) }
      return batch.outcomes[index] = isGroup || hop.pointee.state != .unresolved ? .noRoute : .neighbourUnresolved
    }
    WorkerState.takeHop(packet.pointee.network, form)
    batch.depart(
      index,
      Departure(
        over: hop, outcome, header: packet.pointee.network, byteCount: Int(packet.pointee.byteCount),
        isIPv6: form.isIPv6), over: hop)
  }

  /// Parses a packet of the host's again, of which the stages have kept nothing.
  /// - Returns: nil for what is not a whole packet with ports.
  mutating func parseHostPacket(
    _ index: Int, _ bytes: UnsafeMutableRawPointer, byteCount: Int
  ) -> PacketEnds? {
    let packet = batch.packet(index)
    var ends = PacketEnds(source: 0, destination: 0)
    let ownAddress = UnsafeRawPointer(bytes).loadBigEndian64(at: 0) >> 16
    guard batch.outcomes[index] != .icmp, TransportProtocol(rawValue: packet.pointee.protocolNumber) != nil,
      Parse.packet(packet, bytes, byteCount: byteCount, ownAddress: ownAddress, ends: &ends) == .pending,
      packet.pointee.flags.isDisjoint(with: [.fragment, .cutShort])
    else { return nil }
    return ends
  }

  /// An answer of a local server of DR or TUN: it is from what the client speaks to.
  /// - Returns: false when it is not of a connection.
  private mutating func noteLocalReply(_ index: Int, _ bytes: UnsafeMutableRawPointer, byteCount: Int) -> Bool {
    let packet = batch.packet(index)
    guard let ends = parseHostPacket(index, bytes, byteCount: byteCount) else { return false }
    packet.pointee.form = PacketForm(isIPv6: packet.pointee.isIPv6, isReply: true).odd
    let far: QuotedPacket.End = (packet.pointee.destinationAddress, UInt16(truncatingIfNeeded: ends.destination >> 16))
    let near: QuotedPacket.End = (packet.pointee.sourceAddress, UInt16(truncatingIfNeeded: ends.source >> 16))
    let number = packet.pointee.protocolNumber
    let endpoint = endpoint(near, number, .destination, isIPv6: packet.pointee.isIPv6)
    if endpoint != 0 {
      let isFound =
        packet.pointee.isIPv6
        ? noteLocalReply(
          index, KeyV6(high: far.address.high, low: far.address.low, port: far.port, endpoint: endpoint),
          in: shared.tableV6)
        : noteLocalReply(
          index, KeyV4(high: 0, low: far.address.low, port: far.port, endpoint: endpoint), in: shared.tableV4)
      if isFound { return true }
    }
    guard snapshot.pointee.hasWide else { return false }
    var key = KeyWide(
      .request, far: far.address, farPort: far.port, near: near.address, nearPort: near.port, protocolNumber: number,
      secret: shared.tableWide.secret)
    guard let (slot, _) = live(key, in: shared.tableWide, number), key.isExact(slot) else { return false }
    key.takeNotes(of: slot)
    return noteLocalReply(index, key, in: shared.tableWide)
  }

  /// Moves a connection on by what its server has sent.
  private mutating func noteLocalReply<Key: ConnectionKey>(
    _ index: Int, _ key: Key, in table: ConnectionTable<Key>
  ) -> Bool {
    let packet = batch.packet(index)
    let number = packet.pointee.protocolNumber
    while let (slot, old) = live(key, in: table, number) {
      let server = server(old.server)
      guard ServerRecord.hop(server).pointee.state == .local, !server.pointee.method.rewritesTransport else {
        return false
      }
      var new = old
      new.touch(clock)
      new.noOutput = false
      new.state = states.next(old.state, row: .output, segment: packet.pointee.event)
      guard new.word == old.word || table.replace(slot, old: old, with: new) else { continue }
      if new.state != old.state {
        changed(key: key, from: old, to: new, number, in: table, server: server)
      }
      if server.pointee.isAvailable { count(index, server: old.server, isRequest: false) }
      return true
    }
    return false
  }
}
