import Kernel
import Wire

/// What a real server that takes no new connections means for those it has.
public enum Draining: UInt8, Sendable {
  /// Nothing that IPVS does not know: a quiescent server's go on, a removed one's are dropped.
  case none
  /// They go on, of a removed server too.
  case going
  /// Their time is over: each ends with its next packet.
  case over
}

/// Connections of a server whose `drain_timeout` has passed. TCP's end by a reset to both sides (RFC 9293 section 3.10.7),
/// with the numbers that the next segment brings, whoever sends it; entries of other protocols just end.
///
/// The segment itself goes on as a reset, through the rewriting that all of its connection go through, so that what it
/// changes (addresses, ports, numbers that a helper or a PROXY header has moved) is right for the reset as well. Its
/// sender gets one in a frame of its own. Both must be acceptable (RFC 5961 section 3.2: exactly the next number, or the
/// receiver only asks back): the sender's is the number that it says it expects; the receiver's is the
/// segment's own, and, in case the receiver has had that already (a keep-alive, a probe of a closed window, a
/// segment sent again), once more the one behind it. What is asked back comes here again, or is answered by the end that
/// is closed already; that reset then passes. For that the entry stays for a while, in the state CLOSE.
///
/// None of this is on the fast path: such a server is not ready, so that requests to it go the long way.
extension WorkerState {
  /// A packet of a connection whose time is over.
  /// - Returns: nil when the packet is to go its usual way; false when its connection has ended and it counts as new;
  ///   true when all is said about it.
  @inline(never)
  mutating func endDrained<Key>(
    _ index: Int, key: Key, slot: UnsafeMutablePointer<UInt64>, _ connection: Connection, in table: ConnectionTable<Key>
  ) -> Bool? {
    let packet = batch.packet(index)
    guard packet.pointee.isTCP else {
      guard packet.pointee.isRequest else {
        end(reply: key, slot: slot, connection, in: table)
        batch.finish(index, .drained)
        return true
      }
      forget(slot, key: key, in: table)
      return false
    }
    let segment = packet.pointee.segment
    if segment & TCP.rst != 0 { return nil }
    // A client that begins anew is another server's.
    if packet.pointee.isRequest, segment & (TCP.syn | TCP.ack) == TCP.syn {
      forget(slot, key: key, in: table)
      return false
    }
    guard packet.pointee.flags.isDisjoint(with: [.cutShort, .reassembled]) else {
      // The sender will say it again.
      batch.finish(index, .drained)
      return true
    }
    resetSender(index)
    let length = makeReset(packet)
    guard advance(index, key: key, slot: slot, in: table) else { return false }
    guard batch.outcomes[index] == .pending else { return true }
    rewrite(index)
    guard batch.outcomes[index].isForwarded else { return true }
    batch.outcomes[index] = .drainedReset
    repeatReset(index, behind: length)
    return true
  }

  /// Forgets the connection that an entry for replies belongs to.
  private mutating func end<Key>(
    reply key: Key, slot: UnsafeMutablePointer<UInt64>, _ connection: Connection, in table: ConnectionTable<Key>
  ) {
    let request = requestKey(of: key, slot: slot, server: server(connection.server))
    if let primary = table.find(request, hash: request.hash(table.secret)),
      table.load(primary).server == connection.server
    {
      forget(primary, key: Key(primary), in: table)
    }
  }

  // MARK: - Segments

  /// Answers a segment as a closed port would: with the number that its sender expects (RFC 9293 section 3.10.7.1).
  private mutating func resetSender(_ index: Int) {
    let packet = batch.packet(index).pointee
    let isIPv6 = packet.isIPv6
    let sender = packet.sourceAddress
    let hop = routedHop(high: sender.high, low: sender.low, isIPv6: isIPv6)
    guard hop.pointee.state == .resolved else {
      if hop.pointee.state == .unresolved { ask(high: sender.high, low: sender.low, isIPv6: isIPv6) }
      return
    }
    guard reserve(pieces: 1) else { return }
    let networkByteCount = isIPv6 ? 40 : 20
    let header = addExtra(index, headerByteCount: networkByteCount, payload: 20, over: hop, isIPv6: isIPv6)
    let tcp = header + networkByteCount
    let old = UnsafeRawPointer(packet.transportHeader(packet.form))
    let hasNumber = old.loadByte(at: TCP.flagsOffset) & TCP.ack != 0
    let end = old.loadBigEndian32(at: TCP.sequenceOffset) &+ WorkerState.sequenceLength(packet)
    tcp.storeBytes(of: old.loadUnaligned(fromByteOffset: 2, as: UInt16.self), as: UInt16.self)
    tcp.storeBytes(of: old.loadUnaligned(fromByteOffset: 0, as: UInt16.self), toByteOffset: 2, as: UInt16.self)
    tcp.storeBigEndian32(hasNumber ? old.loadBigEndian32(at: TCP.acknowledgementOffset) : 0, at: TCP.sequenceOffset)
    tcp.storeBigEndian32(hasNumber ? 0 : end, at: TCP.acknowledgementOffset)
    tcp.storeBigEndian32(UInt32(0x5000 | UInt16(hasNumber ? TCP.rst : TCP.rst | TCP.ack)) << 16, at: TCP.dataOffset)
    tcp.storeBigEndian32(0, at: TCP.checksumOffset)
    writeHeader(header, answering: packet)
    WorkerState.finishTCP(tcp, network: header, isIPv6: isIPv6, byteCount: 20)
  }

  /// The IP header of the answer: as Linux writes it for a socket that is not there.
  private func writeHeader(_ header: UnsafeMutableRawPointer, answering packet: Packet) {
    let old = UnsafeRawPointer(packet.network)
    if packet.isIPv6 {
      header.storeBigEndian32(0x6000_0000, at: 0)
      header.storeBigEndian32(20 << 16 | UInt32(TransportProtocol.tcp.rawValue) << 8 | 64, at: 4)
      (header + IPv6.sourceOffset).copyMemory(from: old + IPv6.destinationOffset, byteCount: 16)
      (header + IPv6.destinationOffset).copyMemory(from: old + IPv6.sourceOffset, byteCount: 16)
      return
    }
    header.storeBigEndian32(0x4500_0028, at: 0)
    header.storeBigEndian32(0x4000, at: 4)
    header.storeBigEndian32(64 << 24 | UInt32(TransportProtocol.tcp.rawValue) << 16, at: 8)
    (header + IPv4.sourceOffset).copyMemory(from: old + IPv4.destinationOffset, byteCount: 4)
    (header + IPv4.destinationOffset).copyMemory(from: old + IPv4.sourceOffset, byteCount: 4)
    WorkerState.finishIPv4Header(header, byteCount: 20)
  }

  /// Makes the segment a reset with its own number: no payload, no options, everything else as it was.
  /// - Returns: how far the number behind it is.
  private func makeReset(_ packet: UnsafeMutablePointer<Packet>) -> UInt32 {
    let length = WorkerState.sequenceLength(packet.pointee)
    let header = packet.pointee.network
    let tcp = packet.pointee.transportHeader(packet.pointee.form)
    let front = tcp - header
    let hadNumber = UnsafeRawPointer(tcp).loadByte(at: TCP.flagsOffset) & TCP.ack
    tcp.storeBigEndian32(UInt32(0x5000 | UInt16(TCP.rst | hadNumber)) << 16, at: TCP.dataOffset)
    tcp.storeBigEndian32(0, at: TCP.checksumOffset)
    packet.pointee.byteCount = UInt16(truncatingIfNeeded: front + 20)
    packet.pointee.segment = TCP.rst
    if packet.pointee.isIPv6 {
      header.storeBigEndian16(UInt16(truncatingIfNeeded: front + 20 - 40), at: IPv6.payloadLengthOffset)
    } else {
      header.storeBigEndian16(UInt16(truncatingIfNeeded: front + 20), at: IPv4.totalLengthOffset)
      WorkerState.finishIPv4Header(header, byteCount: Int(UnsafeRawPointer(header).loadByte(at: 0) & 0xf) * 4)
    }
    WorkerState.finishTCP(tcp, network: header, isIPv6: packet.pointee.isIPv6, byteCount: 20)
    return length
  }

  /// Sends the reset that leaves once more, with the number behind the segment it was.
  private mutating func repeatReset(_ index: Int, behind length: UInt32) {
    let frame = batch.frames[index]
    let start = batch.bytes(index)
    // Whatever was put in front, a reset ends with its TCP header.
    let offset = Int(frame.byteCount) - 20
    guard batch.egress[index] < Batch.hostEgress, offset > 0, reserve(pieces: 1), let chunk = pool.take() else {
      return
    }
    let address = chunk + UInt64(FramePool.headroomByteCount)
    let copy = pool.base + Int(address)
    copy.copyMemory(from: start, byteCount: Int(frame.byteCount))
    let tcp = copy + offset
    let old = UnsafeRawPointer(tcp).loadBigEndian32(at: TCP.sequenceOffset)
    let new = old &+ max(length, 1)
    tcp.storeBigEndian32(new, at: TCP.sequenceOffset)
    // The sum over the whole stays as it was, and so does that of a tunnel around it (RFC 1624).
    var sum = UInt32(~UnsafeRawPointer(tcp).loadBigEndian16(at: TCP.checksumOffset))
    for word in [~UInt16(truncatingIfNeeded: old >> 16), ~UInt16(truncatingIfNeeded: old)] { sum += UInt32(word) }
    for word in [UInt16(truncatingIfNeeded: new >> 16), UInt16(truncatingIfNeeded: new)] { sum += UInt32(word) }
    while sum > 0xffff { sum = sum & 0xffff + sum >> 16 }
    tcp.storeBigEndian16(~UInt16(truncatingIfNeeded: sum), at: TCP.checksumOffset)
    batch.extraFrames[extraCount] = FrameDescriptor(address: address, byteCount: frame.byteCount)
    batch.extraEgress[extraCount] = batch.egress[index]
    batch.extraParents[extraCount] = UInt8(truncatingIfNeeded: index)
    extraCount += 1
  }

  /// How many numbers a segment takes: its payload, SYN, FIN.
  private static func sequenceLength(_ packet: Packet) -> UInt32 {
    let tcp = UnsafeRawPointer(packet.transportHeader(packet.form))
    let front = tcp - UnsafeRawPointer(packet.network) + TCP.headerByteCount(tcp)
    let flags = tcp.loadByte(at: TCP.flagsOffset)
    let payload = max(Int(packet.byteCount) - front, 0)
    return UInt32(truncatingIfNeeded: payload) + (flags & TCP.syn != 0 ? 1 : 0) + (flags & TCP.fin != 0 ? 1 : 0)
  }

  /// The checksum of a segment, whose field is zero.
  private static func finishTCP(
    _ tcp: UnsafeMutableRawPointer, network: UnsafeMutableRawPointer, isIPv6: Bool, byteCount: Int
  ) {
    var sum = Checksum()
    if isIPv6 {
      sum.addPseudoHeader6(
        addresses: network + IPv6.sourceOffset, protocolNumber: TransportProtocol.tcp.rawValue, byteCount: byteCount)
    } else {
      sum.addPseudoHeader4(
        addresses: network + IPv4.sourceOffset, protocolNumber: TransportProtocol.tcp.rawValue, byteCount: byteCount)
    }
    sum.add(UnsafeRawBufferPointer(start: tcp, count: byteCount))
    tcp.storeBytes(of: sum.value, toByteOffset: TCP.checksumOffset, as: UInt16.self)
  }
}
