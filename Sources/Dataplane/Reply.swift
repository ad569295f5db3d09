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
    /// With the largest packet that would pass.
    case tooBig(Int)
  }

  mutating func answerTimeExceeded(_ index: Int) {
    answer(index, .timeExceeded)
    countAnswer(index)
    batch.outcomes[index] = .timeExceeded
  }

  mutating func answerTooBig(_ index: Int, limit: Int) {
    answer(index, .tooBig(limit))
    countAnswer(index)
    batch.outcomes[index] = .tooBig
  }

  /// An error about a connection's packet goes out for it: IPVS counts it as one from the server, unless the
  /// connection is masqueraded.
  private mutating func countAnswer(_ index: Int) {
    guard batch.egress[index] != Batch.noEgress, batch.directions[index] == .request else { return }
    let number = batch.connections[index].server
    guard server(number).pointee.method != .masquerading else { return }
    let statistics = counters.servers + Int(number)
    statistics.pointee.outPackets &+= 1
    let bytes = Int(batch.frames[index].byteCount) - Int(batch.networkOffsets[index])
    statistics.pointee.outBytes &+= UInt64(truncatingIfNeeded: bytes)
  }

  /// Turns the packet into an ICMP error to its sender, if one may be sent. The caller sets the outcome.
  @inline(never)
  mutating func answer(_ index: Int, _ message: ErrorMessage) {
    batch.egress[index] = Batch.noEgress
    // RFC 1122 section 3.2.2: never about later fragments, never to a group or to nobody.
    guard !batch.flags[index].contains(.laterFragment), isSingleHost(index), errorBudget.take(now: clock.nanoseconds)
    else { return }
    let isIPv6 = batch.flags[index].contains(.ipv6)
    let sender = batch.sourceAddress(index)
    let hop = routedHop(high: sender.high, low: sender.low, isIPv6: isIPv6)
    guard hop.pointee.state == .resolved else { return }
    let interface = snapshot.pointee.interfaces + Int(hop.pointee.interface)
    let isRequest = batch.directions[index] == .request
    if isIPv6 {
      writeICMPv6(index, message, interface: interface, isRequest: isRequest)
      send(index, networkOffset: Int(batch.networkOffsets[index]) - 48, over: hop, isIPv6: true)
    } else {
      writeICMPv4(index, message, interface: interface, isRequest: isRequest)
      send(index, networkOffset: Int(batch.networkOffsets[index]) - 28, over: hop, isIPv6: false)
    }
  }

  private mutating func isSingleHost(_ index: Int) -> Bool {
    let (high, low) = batch.sourceAddress(index)
    if batch.flags[index].contains(.ipv6) { return high >> 56 != 0xff && high | low != 0 }
    let source = UInt32(truncatingIfNeeded: low)
    return source != 0 && source >> 28 < 0xe && source >> 24 != 127
  }

  /// At most 576 bytes in all.
  private mutating func writeICMPv4(
    _ index: Int, _ message: ErrorMessage, interface: UnsafeMutablePointer<InterfaceRecord>, isRequest: Bool
  ) {
    let quoted = min(Int(batch.networkByteCounts[index]), 576 - 28)
    let networkOffset = Int(batch.networkOffsets[index])
    let header = batch.packets[index] + (networkOffset - 28)
    let icmp = header + 20
    switch message {
    case .portUnreachable: icmp.storeBigEndian64(0x0303_0000_0000_0000, at: 0)
    case .timeExceeded: icmp.storeBigEndian64(0x0b00_0000_0000_0000, at: 0)
    case .tooBig(let limit): icmp.storeBigEndian64(0x0304_0000_0000_0000 | UInt64(limit & 0xffff), at: 0)
    }
    var sum = Checksum()
    sum.add(UnsafeRawBufferPointer(start: icmp, count: 8 + quoted))
    icmp.storeBytes(of: sum.value, toByteOffset: 2, as: UInt16.self)
    identification &+= 1
    let source = isRequest ? UInt32(truncatingIfNeeded: batch.destinationAddress(index).low) : interface.pointee.ipv4
    header.storeBigEndian32(0x45c0_0000 | UInt32(28 + quoted), at: 0)
    header.storeBigEndian32(identification << 16, at: 4)
    header.storeBigEndian32(64 << 24 | 1 << 16, at: 8)
    header.storeBigEndian32(source, at: 12)
    header.storeBigEndian32(UInt32(truncatingIfNeeded: batch.sourceAddress(index).low), at: 16)
    WorkerState.finishIPv4Header(header, byteCount: 20)
    batch.frames[index].byteCount = UInt32(networkOffset + quoted)
  }

  /// At most 1280 bytes in all.
  private mutating func writeICMPv6(
    _ index: Int, _ message: ErrorMessage, interface: UnsafeMutablePointer<InterfaceRecord>, isRequest: Bool
  ) {
    let quoted = min(Int(batch.networkByteCounts[index]), 1280 - 48)
    let networkOffset = Int(batch.networkOffsets[index])
    let header = batch.packets[index] + (networkOffset - 48)
    let icmp = header + 40
    switch message {
    case .portUnreachable: icmp.storeBigEndian64(0x0104_0000_0000_0000, at: 0)
    case .timeExceeded: icmp.storeBigEndian64(0x0300_0000_0000_0000, at: 0)
    case .tooBig(let limit):
      icmp.storeBigEndian64(0x0200_0000_0000_0000 | UInt64(UInt32(truncatingIfNeeded: limit)), at: 0)
    }
    let own = (high: interface.pointee.ipv6High, low: interface.pointee.ipv6Low)
    let source = isRequest ? batch.destinationAddress(index) : own
    let destination = batch.sourceAddress(index)
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
    batch.frames[index].byteCount = UInt32(networkOffset + quoted)
  }
}
