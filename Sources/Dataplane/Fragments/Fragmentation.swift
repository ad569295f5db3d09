import Kernel
import Wire

/// Cutting a packet that does not fit the next hop's MTU: IPv4 as RFC 791 section 3.2 says, an IPv6 tunnel packet (which
/// lbd is the source of) as RFC 8200 section 4.5.
///
/// The first piece stays in its frame; the others are copied into frames of the pool and leave as extras of the batch. A
/// datagram that was put together from fragments is cut later, in `Refragmentation`.
extension WorkerState {
  /// Cuts the IPv4 packet at `header`.
  @inline(never)
  mutating func splitIPv4(
    _ index: Int, _ packet: UnsafeMutablePointer<Packet>, _ header: UnsafeMutableRawPointer, limit: Int,
    over hop: UnsafePointer<NextHop>, _ outcome: Outcome
  ) -> Departure {
    if packet.pointee.flags.contains(.reassembled) { return Departure(whole: header, over: hop, outcome) }
    let headerByteCount = Int(header.load(as: UInt8.self) & 0xf) * 4
    let payload = Int(header.loadBigEndian16(at: 2)) - headerByteCount
    let piece = (limit - headerByteCount) & ~7
    // Whoever asks for pieces has seen that "don't fragment" does not count here.
    let field = header.loadBigEndian16(at: 6) & ~IPv4.dontFragment
    guard piece >= 8 else {
      batch.finish(index, .tooBig)
      return .none(packet)
    }
    // The last piece need not be a multiple of eight.
    let room = limit - headerByteCount
    let others = (max(payload - piece - room, 0) + piece - 1) / piece + 1
    guard reserve(index, pieces: others) else { return .none(packet) }
    var offset = piece
    while offset < payload {
      let count = payload - offset <= room ? payload - offset : piece
      let copy = addExtra(index, headerByteCount: headerByteCount, payload: count, over: hop, isIPv6: false)
      copy.copyMemory(from: header, byteCount: headerByteCount)
      (copy + headerByteCount).copyMemory(from: header + headerByteCount + offset, byteCount: count)
      // The last piece keeps the packet's own "more fragments".
      let more: UInt16 = offset + count < payload ? 0x2000 : field & 0x2000
      copy.storeBigEndian16(UInt16(truncatingIfNeeded: headerByteCount + count), at: 2)
      copy.storeBigEndian16(more | (field & 0x1fff &+ UInt16(truncatingIfNeeded: offset / 8)), at: 6)
      WorkerState.finishIPv4Header(copy, byteCount: headerByteCount)
      offset += count
    }
    header.storeBigEndian16(UInt16(truncatingIfNeeded: headerByteCount + piece), at: 2)
    header.storeBigEndian16(field | 0x2000, at: 6)
    WorkerState.finishIPv4Header(header, byteCount: headerByteCount)
    return Departure(over: hop, outcome, header: header, byteCount: headerByteCount + piece, isIPv6: false)
  }

  /// Cuts the IPv6 packet at `header` that lbd has just made (fixed header, then payload).
  @inline(never)
  mutating func splitIPv6(
    _ index: Int, _ packet: UnsafeMutablePointer<Packet>, _ header: UnsafeMutableRawPointer, limit: Int,
    over hop: UnsafePointer<NextHop>, _ outcome: Outcome
  ) -> Departure {
    let payload = Int(header.loadBigEndian16(at: 4))
    if packet.pointee.flags.contains(.reassembled) { return Departure(whole: header, over: hop, outcome) }
    let piece = (limit - 48) & ~7
    guard piece >= 8 else {
      batch.finish(index, .tooBig)
      return .none(packet)
    }
    let room = limit - 48
    let others = (max(payload - piece - room, 0) + piece - 1) / piece + 1
    guard reserve(index, pieces: others) else { return .none(packet) }
    let next = header.load(fromByteOffset: 6, as: UInt8.self)
    identification &+= 1
    var offset = piece
    while offset < payload {
      let count = payload - offset <= room ? payload - offset : piece
      let copy = addExtra(index, headerByteCount: 48, payload: count, over: hop, isIPv6: true)
      copy.copyMemory(from: header, byteCount: 40)
      (copy + 48).copyMemory(from: header + 40 + offset, byteCount: count)
      writeFragmentHeader(copy, next: next, payload: count, offset: offset, more: offset + count < payload)
      offset += count
    }
    // The fixed header moves forward, into the headroom, to make room for the fragment header.
    let moved = header - 8
    moved.copyMemory(from: header, byteCount: 40)
    writeFragmentHeader(moved, next: next, payload: piece, offset: 0, more: true)
    return Departure(over: hop, outcome, header: moved, byteCount: 48 + piece, isIPv6: true)
  }

  mutating func writeFragmentHeader(
    _ header: UnsafeMutableRawPointer, next: UInt8, payload: Int, offset: Int, more: Bool
  ) {
    header.storeBigEndian16(UInt16(truncatingIfNeeded: payload + 8), at: 4)
    header.storeBytes(of: 44, toByteOffset: 6, as: UInt8.self)
    header.storeBigEndian16(UInt16(next) << 8, at: 40)
    header.storeBigEndian16(UInt16(truncatingIfNeeded: offset) | (more ? 1 : 0), at: 42)
    header.storeBigEndian32(identification, at: 44)
  }

  /// Makes sure that the pieces have frames and places in the batch; otherwise the packet's journey ends.
  mutating func reserve(_ index: Int, pieces: Int) -> Bool {
    if reserve(pieces: pieces) { return true }
    batch.finish(index, .noFrame)
    return false
  }

  /// True when there are frames and places in the batch for that many more.
  mutating func reserve(pieces: Int) -> Bool {
    extraCount + pieces <= Limits.extraCapacity && pool.freeCount >= pieces
  }

  /// Takes a frame for a piece and writes its Ethernet header.
  /// - Returns: where its IP header goes.
  mutating func addExtra(
    _ index: Int, headerByteCount: Int, payload: Int, over hop: UnsafePointer<NextHop>, isIPv6: Bool
  ) -> UnsafeMutableRawPointer {
    guard let chunk = pool.take() else { preconditionFailure("reserve() has made sure of the frames") }
    let address = chunk + UInt64(FramePool.headroomByteCount)
    let frame = pool.base + Int(address)
    hop.pointee.writeHeader(frame, type: NextHop.type(isIPv6: isIPv6))
    let count = hop.pointee.headerByteCount + headerByteCount + payload
    batch.extraFrames[extraCount] = FrameDescriptor(address: address, byteCount: UInt32(count))
    batch.extraEgress[extraCount] = hop.pointee.interface
    batch.extraParents[extraCount] = UInt8(truncatingIfNeeded: index)
    extraCount += 1
    return frame + hop.pointee.headerByteCount
  }
}
