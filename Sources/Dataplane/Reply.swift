import Kernel
import Wire

/// ICMP errors that lbd originates, byte for byte as Linux would (RFC 792, RFC 1812 section 4.3.2, RFC 4443).
///
/// The error is built in the frame of the packet that caused it: the quoted packet stays where it is and the new headers
/// are written in front, so nothing is copied. The source is the address the packet was sent to (the VIP); for an error
/// towards a real server, the interface's own address. The frame's outcome stays the drop that caused the answer.
extension WorkerState {
  /// What can be answered.
  enum ErrorMessage {
    case portUnreachable
    case timeExceeded
    /// Of fragments that the others did not follow in time.
    case reassemblyTimeExceeded
    /// With the largest packet that would pass.
    case tooBig(Int)
  }

  @inline(never)
  mutating func answerTimeExceeded(_ index: Int, _ packet: UnsafeMutablePointer<Packet>) -> Departure {
    countAnswer(packet.pointee, byteCount: answer(index, .timeExceeded))
    batch.outcomes[index] = .timeExceeded
    return .none(packet)
  }

  @inline(never)
  mutating func answerTooBig(_ index: Int, _ packet: UnsafeMutablePointer<Packet>, limit: Int) -> Departure {
    countAnswer(packet.pointee, byteCount: answer(index, .tooBig(limit)))
    batch.outcomes[index] = .tooBig
    return .none(packet)
  }

  /// An error about a connection's packet goes out for it: IPVS counts it as one from the server, unless the
  /// connection is masqueraded.
  private mutating func countAnswer(_ packet: Packet, byteCount: Int) {
    guard packet.isRequest else { return uncount(reply: packet) }
    guard byteCount != 0 else { return }
    let number = packet.connection.server
    guard server(number).pointee.method != .masquerading else { return }
    let statistics = counters.servers + Int(number)
    statistics.pointee.outPackets &+= 1
    statistics.pointee.outBytes &+= UInt64(truncatingIfNeeded: byteCount)
  }

  /// A real server's packet that has been counted, but is not sent on: IPVS does not get to see it.
  mutating func uncount(reply packet: Packet) {
    let number = packet.connection.server
    guard server(number).pointee.isAvailable else { return }
    let statistics = counters.servers + Int(number)
    statistics.pointee.outPackets &-= 1
    statistics.pointee.outBytes &-= UInt64(packet.byteCount)
  }

  /// Turns the packet into an ICMP error to its sender, if one may be sent. The caller sets the outcome.
  /// - Returns: bytes of the error's IP packet; 0 when there is none.
  @inline(never)
  @discardableResult
  mutating func answer(_ index: Int, _ message: ErrorMessage) -> Int {
    let packet = batch.packet(index)
    batch.egress[index] = Batch.noEgress
    if packet.pointee.flags.contains(.reassembled) { bringHome(index, packet) }
    guard let error = writeError(packet.pointee, message) else { return 0 }
    let type = NextHop.type(isIPv6: packet.pointee.isIPv6)
    batch.send(index, error.header, byteCount: error.byteCount, over: error.hop, type: type)
    return error.byteCount
  }

  /// Writes an ICMP error in front of the packet that it quotes.
  /// - Returns: the error's IP header, its bytes, and where to it goes; nil when none may be sent.
  mutating func writeError(
    _ packet: Packet, _ message: ErrorMessage
  ) -> (header: UnsafeMutableRawPointer, byteCount: Int, hop: UnsafePointer<NextHop>)? {
    // RFC 1122 section 3.2.2: never about later fragments, never to a group or to nobody.
    guard !packet.flags.contains(.laterFragment), isSingleHost(packet), isOwnAddress(packet),
      errorBudget.take(now: clock.nanoseconds)
    else { return nil }
    let sender = packet.sourceAddress
    let hop = routedHop(high: sender.high, low: sender.low, isIPv6: packet.isIPv6)
    guard hop.pointee.state == .resolved else { return nil }
    let interface = snapshot.pointee.interfaces + Int(hop.pointee.interface)
    if packet.isIPv6 { return (packet.network - 48, writeICMPv6(packet, message, interface: interface), hop) }
    return (packet.network - 28, writeICMPv4(packet, message, interface: interface), hop)
  }

  /// Copies as much of a datagram that was put together as an error quotes into the frame that completed it.
  private mutating func bringHome(_ index: Int, _ packet: UnsafeMutablePointer<Packet>) {
    let chunk = batch.frames[index].address & ~UInt64(pool.chunkByteCount - 1)
    let target = pool.base + Int(chunk) + FramePool.headroomByteCount
    target.copyMemory(from: packet.pointee.network, byteCount: min(Int(packet.pointee.byteCount), IPv6.minimumMTU))
    packet.pointee.network = target
  }

  /// False for what was sent to an address that is not this host's (firewall marks): the error would have to come from
  /// there, and IPVS sends none. Of IPv6 it does, see `docs/differences-from-ipvs.md`.
  private mutating func isOwnAddress(_ packet: Packet) -> Bool {
    guard packet.flags.contains(.wide), packet.isRequest else { return true }
    let (high, low) = packet.destinationAddress
    return routedHop(high: high, low: low, isIPv6: packet.isIPv6).pointee.state == .local
  }

  private mutating func isSingleHost(_ packet: Packet) -> Bool {
    let (high, low) = packet.sourceAddress
    if packet.isIPv6 { return high >> 56 != 0xff && high | low != 0 }
    let source = UInt32(truncatingIfNeeded: low)
    return source != 0 && source >> 28 < 0xe && source >> 24 != 127
  }

  /// At most 576 bytes in all.
  private mutating func writeICMPv4(
    _ packet: Packet, _ message: ErrorMessage, interface: UnsafeMutablePointer<InterfaceRecord>
  ) -> Int {
    let quoted = min(Int(packet.byteCount), 576 - 28)
    let header = packet.network - 28
    let icmp = header + 20
    switch message {
    case .portUnreachable: icmp.storeBigEndian64(0x0303_0000_0000_0000, at: 0)
    case .timeExceeded: icmp.storeBigEndian64(0x0b00_0000_0000_0000, at: 0)
    case .reassemblyTimeExceeded: icmp.storeBigEndian64(0x0b01_0000_0000_0000, at: 0)
    case .tooBig(let limit): icmp.storeBigEndian64(0x0304_0000_0000_0000 | UInt64(limit & 0xffff), at: 0)
    }
    var sum = Checksum()
    sum.add(UnsafeRawBufferPointer(start: icmp, count: 8 + quoted))
    icmp.storeBytes(of: sum.value, toByteOffset: 2, as: UInt16.self)
    identification &+= 1
    let source = packet.isRequest ? UInt32(truncatingIfNeeded: packet.destinationAddress.low) : interface.pointee.ipv4
    header.storeBigEndian32(0x45c0_0000 | UInt32(28 + quoted), at: 0)
    header.storeBigEndian32(identification << 16, at: 4)
    header.storeBigEndian32(64 << 24 | 1 << 16, at: 8)
    header.storeBigEndian32(source, at: 12)
    header.storeBigEndian32(UInt32(truncatingIfNeeded: packet.sourceAddress.low), at: 16)
    WorkerState.finishIPv4Header(header, byteCount: 20)
    return 28 + quoted
  }

  /// At most 1280 bytes in all.
  private mutating func writeICMPv6(
    _ packet: Packet, _ message: ErrorMessage, interface: UnsafeMutablePointer<InterfaceRecord>
  ) -> Int {
    let quoted = min(Int(packet.byteCount), 1280 - 48)
    let header = packet.network - 48
    let icmp = header + 40
    switch message {
    case .portUnreachable: icmp.storeBigEndian64(0x0104_0000_0000_0000, at: 0)
    case .timeExceeded: icmp.storeBigEndian64(0x0300_0000_0000_0000, at: 0)
    case .reassemblyTimeExceeded: icmp.storeBigEndian64(0x0301_0000_0000_0000, at: 0)
    case .tooBig(let limit):
      icmp.storeBigEndian64(0x0200_0000_0000_0000 | UInt64(UInt32(truncatingIfNeeded: limit)), at: 0)
    }
    let own = (high: interface.pointee.ipv6High, low: interface.pointee.ipv6Low)
    let source = packet.isRequest ? packet.destinationAddress : own
    let destination = packet.sourceAddress
    header.storeBigEndian32(0x6000_0000, at: 0)
    header.storeBigEndian32(UInt32(8 + quoted) << 16 | 58 << 8 | 64, at: 4)
    header.storeBigEndian64(source.high, at: 8)
    header.storeBigEndian64(source.low, at: 16)
    header.storeBigEndian64(destination.high, at: 24)
    header.storeBigEndian64(destination.low, at: 32)
    var sum = Checksum()
    sum.addPseudoHeader6(addresses: header + IPv6.sourceOffset, protocolNumber: 58, byteCount: 8 + quoted)
    sum.add(UnsafeRawBufferPointer(start: icmp, count: 8 + quoted))
    icmp.storeBytes(of: sum.value, toByteOffset: 2, as: UInt16.self)
    return 48 + quoted
  }
}
