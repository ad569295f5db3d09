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
    /// What somebody else said, of IPv4.
    case relayed(type: UInt8, code: UInt8, rest: UInt32)

    /// Type and code, and what stands in the header's second half.
    func header(isIPv6: Bool) -> (type: UInt8, code: UInt8, rest: UInt32) {
      switch self {
      case .portUnreachable:
        return isIPv6
          ? (ICMPv6.destinationUnreachable, ICMPv6.portUnreachable, 0)
          : (ICMPv4.destinationUnreachable, ICMPv4.portUnreachable, 0)
      case .timeExceeded:
        return (isIPv6 ? ICMPv6.timeExceeded : ICMPv4.timeExceeded, 0, 0)
      case .reassemblyTimeExceeded:
        return (isIPv6 ? ICMPv6.timeExceeded : ICMPv4.timeExceeded, 1, 0)
      case .tooBig(let limit):
        let size = UInt32(truncatingIfNeeded: limit)
        return isIPv6
          ? (ICMPv6.packetTooBig, 0, size)
          : (ICMPv4.destinationUnreachable, ICMPv4.fragmentationNeeded, size & 0xffff)
      case .relayed(let type, let code, let rest):
        return (type, code, rest)
      }
    }

    fileprivate func write(_ icmp: UnsafeMutableRawPointer, isIPv6: Bool) {
      let (type, code, rest) = header(isIPv6: isIPv6)
      icmp.storeBigEndian64(UInt64(type) << 56 | UInt64(code) << 48 | UInt64(rest), at: 0)
    }
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

  /// A packet from a real server's address and port that belongs to no connection: the host forwards it as it is, or
  /// (`nat_icmp_send`) the server learns that nobody listens. IPVS asks so of NAT only.
  @inline(never)
  mutating func endReply(_ index: Int, endpoint: UInt16) {
    let packet = batch.packet(index)
    let number = snapshot.pointee.endpoint(endpoint).index
    let server = server(number)
    let abort =
      packet.pointee.isTCP ? packet.pointee.segment & 0x04 != 0 : packet.pointee.segment == Packet.abortSegment
    guard snapshot.pointee.settings.sendsICMPToUnknown, server.pointee.method == .masquerading,
      server.pointee.form == number, server.pointee.isAvailable, !abort, !isRefused(reply: packet, server)
    else { return batch.finish(index, .noReplyConnection) }
    WorkerState.takeHop(packet.pointee.network, packet.pointee.form)
    answer(index, .portUnreachable)
    batch.outcomes[index] = .unknownReply
  }

  /// Answers for the server that the packet was on its way to.
  /// - Returns: false when there is no answer.
  mutating func answerForServer(
    _ index: Int, _ packet: UnsafeMutablePointer<Packet>, _ message: ErrorMessage
  ) -> Bool {
    let byteCount = answer(index, message)
    countAnswer(packet.pointee, byteCount: byteCount)
    return byteCount != 0
  }

  /// An error about a connection's packet goes out for it: IPVS counts it as one from the server, unless the
  /// connection is masqueraded, or has ended with its one packet.
  private mutating func countAnswer(_ packet: Packet, byteCount: Int) {
    guard packet.isRequest else { return uncount(reply: packet) }
    guard byteCount != 0 else { return }
    let number = packet.connection.server
    let server = server(number)
    let isOnePacket = packet.slot == nil && service(server.pointee.service).pointee.isOnePacket
    guard server.pointee.method != .masquerading, !isOnePacket else { return }
    countAnswer(byteCount: byteCount, of: number)
  }

  /// The same about a packet that begins anew, of the connection before.
  @inline(never)
  mutating func countAnswer(toReplaced byteCount: Int) {
    guard byteCount != 0, let number = replaced?.server else { return }
    let server = server(number)
    guard server.pointee.method != .masquerading, server.pointee.isAvailable else { return }
    countAnswer(byteCount: byteCount, of: number)
  }

  private func countAnswer(byteCount: Int, of server: UInt16) {
    let statistics = counters.servers + Int(server)
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
    // RFC 1122 section 3.2.2: never about errors or later fragments, never to a group or to nobody.
    guard packet.flags.isDisjoint(with: [.laterFragment, .icmpError]), isSingleHost(packet),
      packet.isIPv6 || isOwnAddress(packet)
    else { return nil }
    let sender = packet.sourceAddress
    let (type, code, _) = message.header(isIPv6: packet.isIPv6)
    guard
      errorBudget.take(
        type: type, code: code, isIPv6: packet.isIPv6, to: sender, limits: snapshot.pointee.settings.errorLimits,
        now: clock.nanoseconds)
    else { return nil }
    let hop = routedHop(high: sender.high, low: sender.low, isIPv6: packet.isIPv6)
    guard hop.pointee.state == .resolved else {
      if hop.pointee.state == .unresolved { ask(high: sender.high, low: sender.low, isIPv6: packet.isIPv6) }
      return nil
    }
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
  /// there. Of IPv4 IPVS sends none; of IPv6 it sends one from an address of its own.
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
    message.write(icmp, isIPv6: false)
    var sum = Checksum()
    sum.add(UnsafeRawBufferPointer(start: icmp, count: 8 + quoted))
    icmp.storeBytes(of: sum.value, toByteOffset: 2, as: UInt16.self)
    identification &+= 1
    let source = packet.isRequest ? UInt32(truncatingIfNeeded: packet.destinationAddress.low) : interface.pointee.ipv4
    // Internet control, with the type of service of what is quoted (RFC 1812 section 4.3.2.5).
    let service = UInt32(UnsafeRawPointer(packet.network).loadByte(at: IPv4.serviceOffset)) & 0x1e | 0xc0
    header.storeBigEndian32(0x4500_0000 | service << 16 | UInt32(28 + quoted), at: 0)
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
    message.write(icmp, isIPv6: true)
    let own = (high: interface.pointee.ipv6High, low: interface.pointee.ipv6Low)
    let source = packet.isRequest && isOwnAddress(packet) ? packet.destinationAddress : own
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
