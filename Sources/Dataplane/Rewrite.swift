import Kernel
import Wire

/// Headers, checksums, next hop: what the packet looks like when it leaves.
///
/// In IPVS's order: next hop, hop limit (time exceeded is answered here), size (too big is answered here), then the
/// forwarding method's own rewriting, then a new Ethernet header right in front of the IP header. Each method has a file.
extension WorkerState {
  mutating func rewrite() {
    let servers = snapshot.pointee.servers
    let limit = snapshot.pointee.serverLimit
    for index in 0..<batch.count where batch.outcomes[index] == .pending {
      let server = servers + Int(min(UInt32(batch.connections[index].server), limit))
      if batch.directions[index] == .request {
        rewrite(request: index, server: UnsafePointer(server))
      } else {
        rewrite(reply: index, server: UnsafePointer(server))
      }
    }
  }

  @inline(__always)
  private mutating func rewrite(request index: Int, server: UnsafePointer<ServerRecord>) {
    let hop = ServerRecord.hop(server)
    guard isUsable(hop, index) else { return }
    guard hopsLeft(index) > 1 else { return answerTimeExceeded(index) }
    if server.pointee.method == .tunnelling {
      takeHop(index)
      return encapsulate(index, server: server, hop: hop)
    }
    let isTooBig = !fits(index, in: Int(hop.pointee.mtu))
    if isTooBig && batch.flags[index].contains(.dontFragment) {
      takeHop(index)
      return answerTooBig(index, limit: Int(hop.pointee.mtu))
    }
    switch server.pointee.method {
    case .directRouting, .tunnelling:
      takeHop(index)
      batch.outcomes[index] = .directRouting
    case .masquerading:
      masquerade(request: index, server: server)
      batch.outcomes[index] = .masqueradeRequest
    case .fullNAT:
      translate(request: index, server: server)
      batch.outcomes[index] = .fullNATRequest
    }
    leave(index, isTooBig: isTooBig, over: hop)
  }

  /// A reply is forwarded as the host would: hop limit, route and size are looked at before anything is changed, so
  /// that an error quotes what the server has sent and goes to the server.
  @inline(__always)
  private mutating func rewrite(reply index: Int, server: UnsafePointer<ServerRecord>) {
    guard hopsLeft(index) > 1 else { return answerTimeExceeded(index) }
    let isFullNAT = server.pointee.method == .fullNAT
    let client = isFullNAT ? client(ofReply: index) : batch.destinationAddress(index)
    let hop = routedHop(high: client.high, low: client.low, isIPv6: batch.flags[index].contains(.ipv6))
    guard isUsable(hop, index) else {
      if hop.pointee.state == .unresolved { ask(high: client.high, low: client.low, index) }
      return
    }
    let isTooBig = !fits(index, in: Int(hop.pointee.mtu))
    if isTooBig && batch.flags[index].contains(.dontFragment) {
      return answerTooBig(index, limit: Int(hop.pointee.mtu))
    }
    if isFullNAT {
      translate(reply: index, server: server)
      batch.outcomes[index] = .fullNATReply
    } else {
      masquerade(reply: index, server: server)
      batch.outcomes[index] = .masqueradeReply
    }
    leave(index, isTooBig: isTooBig, over: hop)
  }

  /// The next hop towards an address by the kernel's routes.
  @inline(__always)
  mutating func routedHop(high: UInt64, low: UInt64, isIPv6: Bool) -> UnsafePointer<NextHop> {
    let number =
      isIPv6
      ? snapshot.pointee.routes6.nextHop(high: high, low: low)
      : snapshot.pointee.routes4.nextHop(high: high, low: low)
    return nextHop(number)
  }

  /// Tells control that a host cannot be reached for want of its MAC address.
  mutating func ask(high: UInt64, low: UInt64, _ index: Int) {
    guard noticeBudget.take(now: clock.nanoseconds) else { return }
    notices.post(high: high, low: batch.flags[index].contains(.ipv6) ? low : low | 0xffff << 32)
  }

  /// True when frames can be sent over `hop`; otherwise the packet's journey ends here.
  @inline(__always)
  mutating func isUsable(_ hop: UnsafePointer<NextHop>, _ index: Int) -> Bool {
    if hop.pointee.state == .resolved { return true }
    switch hop.pointee.state {
    case .resolved: break
    case .unresolved: batch.finish(index, .neighbourUnresolved)
    case .unreachable: batch.finish(index, .noRoute)
    case .local: batch.finish(index, .serverLocal)
    }
    return false
  }

  /// TTL or hop limit.
  @inline(__always)
  private mutating func hopsLeft(_ index: Int) -> UInt8 {
    batch.network(index).load(fromByteOffset: batch.flags[index].contains(.ipv6) ? 7 : 8, as: UInt8.self)
  }

  /// Takes one off TTL or hop limit, with the IPv4 checksum (RFC 1141); there must be one.
  @inline(__always)
  private mutating func takeHop(_ index: Int) {
    let header = batch.network(index)
    if batch.flags[index].contains(.ipv6) { return WorkerState.takeHopV6(header) }
    header.storeByte(header.load(fromByteOffset: IPv4.timeToLiveOffset, as: UInt8.self) &- 1, at: IPv4.timeToLiveOffset)
    // One less in the high byte of a word is 0x0100 more in the checksum, in memory 0x0001, with end-around carry.
    let sum = UInt32(header.loadUnaligned(fromByteOffset: IPv4.checksumOffset, as: UInt16.self)) &+ 1
    let carried = UInt16(truncatingIfNeeded: sum >= 0xffff ? sum &+ 1 : sum)
    header.storeBytes(of: carried, toByteOffset: IPv4.checksumOffset, as: UInt16.self)
  }

  @inline(__always)
  static func takeHopV6(_ header: UnsafeMutableRawPointer) {
    header.storeByte(header.load(fromByteOffset: IPv6.hopLimitOffset, as: UInt8.self) &- 1, at: IPv6.hopLimitOffset)
  }

  @inline(__always)
  private mutating func fits(_ index: Int, in limit: Int) -> Bool { Int(batch.networkByteCounts[index]) <= limit }

  /// Sends the packet, in pieces where the next hop's MTU wants it.
  @inline(__always)
  private mutating func leave(_ index: Int, isTooBig: Bool, over hop: UnsafePointer<NextHop>) {
    let networkOffset = Int(batch.networkOffsets[index])
    if isTooBig {
      splitIPv4(index, networkOffset: networkOffset, limit: Int(hop.pointee.mtu), over: hop)
    } else {
      send(index, networkOffset: networkOffset, over: hop)
    }
  }

  /// Writes the Ethernet header in front of the packet at `networkOffset` (which may lie before the frame's old start)
  /// and says where the frame leaves.
  /// - Parameter isIPv6: of the header at `networkOffset`; nil: as the packet came.
  @inline(__always)
  mutating func send(_ index: Int, networkOffset: Int, over hop: UnsafePointer<NextHop>, isIPv6: Bool? = nil) {
    let headerByteCount = hop.pointee.headerByteCount
    let start = networkOffset &- headerByteCount
    let frame = batch.packets[index] + start
    let type = isIPv6 ?? batch.flags[index].contains(.ipv6) ? EtherType.ipv6 : EtherType.ipv4
    hop.pointee.writeHeader(frame, type: type.bigEndian)
    if start != 0 {
      batch.packets[index] = frame
      batch.frames[index].address = UInt64(bitPattern: Int64(bitPattern: batch.frames[index].address) &+ Int64(start))
      batch.frames[index].byteCount = UInt32(
        truncatingIfNeeded: Int(truncatingIfNeeded: batch.frames[index].byteCount) &- start)
      batch.networkOffsets[index] = UInt16(truncatingIfNeeded: headerByteCount)
    }
    batch.egress[index] = hop.pointee.interface
  }
}
