import Kernel
import Wire

/// Headers, checksums, next hop: what the packet looks like when it leaves.
///
/// In IPVS's order: next hop, hop limit (time exceeded is answered here), size (too big is answered here), then the
/// forwarding method's own rewriting, then a new Ethernet header right in front of the IP header. Each method has a file.
extension WorkerState {
  mutating func rewrite() {
    for index in 0..<batch.count where batch.outcomes[index] == .pending {
      let connection = batch.connections[index]
      let server = server(connection.server)
      if batch.directions[index] == .request {
        rewrite(request: index, connection, server: server)
      } else {
        rewrite(reply: index, connection, server: server)
      }
    }
  }

  @inline(__always)
  private mutating func rewrite(request index: Int, _ connection: Connection, server: UnsafePointer<ServerRecord>) {
    let hop = nextHop(server.pointee.nextHop)
    guard isUsable(hop, index) else { return }
    guard hasHopsLeft(index) else { return answerTimeExceeded(index) }
    switch server.pointee.method {
    case .directRouting:
      guard fits(index, in: Int(hop.pointee.mtu)) else { return tooBig(index, limit: Int(hop.pointee.mtu), hop: hop) }
      batch.outcomes[index] = .directRouting
    case .masquerading:
      guard fits(index, in: Int(hop.pointee.mtu)) else { return answerTooBig(index, limit: Int(hop.pointee.mtu)) }
      masquerade(request: index, server: server)
      batch.outcomes[index] = .masqueradeRequest
    case .fullNAT:
      guard fits(index, in: Int(hop.pointee.mtu)) else { return answerTooBig(index, limit: Int(hop.pointee.mtu)) }
      translate(request: index, connection, server: server)
      batch.outcomes[index] = .fullNATRequest
    case .tunnelling:
      encapsulate(index, server: server, hop: hop)
      return
    }
    send(index, networkOffset: Int(batch.networkOffsets[index]), over: hop)
  }

  @inline(__always)
  private mutating func rewrite(reply index: Int, _ connection: Connection, server: UnsafePointer<ServerRecord>) {
    guard hasHopsLeft(index) else { return answerTimeExceeded(index) }
    if server.pointee.method == .fullNAT {
      translate(reply: index, server: server)
      batch.outcomes[index] = .fullNATReply
    } else {
      masquerade(reply: index, server: server)
      batch.outcomes[index] = .masqueradeReply
    }
    let hop = routedHop(index)
    guard isUsable(hop, index) else {
      if hop.pointee.state == .unresolved { ask(high: batch.destinationHigh[index], low: batch.destinationLow[index], index) }
      return
    }
    guard fits(index, in: Int(hop.pointee.mtu)) else { return tooBig(index, limit: Int(hop.pointee.mtu), hop: hop) }
    send(index, networkOffset: Int(batch.networkOffsets[index]), over: hop)
  }

  /// The next hop towards the packet's destination by the kernel's routes.
  @inline(__always)
  func routedHop(_ index: Int) -> UnsafePointer<NextHop> {
    let isIPv6 = batch.flags[index].contains(.ipv6)
    let routes = isIPv6 ? snapshot.pointee.routes6 : snapshot.pointee.routes4
    return nextHop(routes.nextHop(high: batch.destinationHigh[index], low: batch.destinationLow[index]))
  }

  /// Tells control that the packet's far end cannot be reached for want of a MAC address.
  mutating func ask(high: UInt64, low: UInt64, _ index: Int) {
    guard noticeBudget.take(now: clock.nanoseconds) else { return }
    notices.post(high: high, low: batch.flags[index].contains(.ipv6) ? low : low | 0xffff << 32)
  }

  /// True when frames can be sent over `hop`; otherwise the packet's journey ends here.
  @inline(__always)
  func isUsable(_ hop: UnsafePointer<NextHop>, _ index: Int) -> Bool {
    switch hop.pointee.state {
    case .resolved: return true
    case .unresolved: batch.finish(index, .neighbourUnresolved)
    case .unreachable: batch.finish(index, .noRoute)
    case .local: batch.finish(index, .serverLocal)
    }
    return false
  }

  /// Takes one off TTL or hop limit, with the IPv4 checksum (RFC 1141); false when there is none left.
  @inline(__always)
  private func hasHopsLeft(_ index: Int) -> Bool {
    let header = batch.network(index)
    if batch.flags[index].contains(.ipv6) {
      let limit = header.load(fromByteOffset: 7, as: UInt8.self)
      guard limit > 1 else { return false }
      header.storeBytes(of: limit &- 1, toByteOffset: 7, as: UInt8.self)
      return true
    }
    let limit = header.load(fromByteOffset: 8, as: UInt8.self)
    guard limit > 1 else { return false }
    header.storeBytes(of: limit &- 1, toByteOffset: 8, as: UInt8.self)
    // One less in the high byte of a word is 0x0100 more in the checksum, with end-around carry.
    let sum = UInt32(header.loadBigEndian16(at: 10)) &+ 0x0100
    header.storeBigEndian16(UInt16(truncatingIfNeeded: sum >= 0xffff ? sum &+ 1 : sum), at: 10)
    return true
  }

  @inline(__always)
  private func fits(_ index: Int, in limit: Int) -> Bool { Int(batch.networkByteCounts[index]) <= limit }

  /// Larger than the next hop's MTU: fragmented where the packet allows it, answered where it does not.
  private mutating func tooBig(_ index: Int, limit: Int, hop: UnsafePointer<NextHop>) {
    if batch.flags[index].contains(.dontFragment) { return answerTooBig(index, limit: limit) }
    splitIPv4(index, networkOffset: Int(batch.networkOffsets[index]), limit: limit, over: hop)
  }

  /// Writes the Ethernet header in front of the packet at `networkOffset` (which may lie before the frame's old start)
  /// and says where the frame leaves.
  /// - Parameter type: EtherType; nil for the packet's own family.
  @inline(__always)
  func send(_ index: Int, networkOffset: Int, over hop: UnsafePointer<NextHop>, type: UInt16? = nil) {
    let headerByteCount = hop.pointee.headerByteCount
    let start = networkOffset - headerByteCount
    let frame = batch.packets[index] + start
    let own = batch.flags[index].contains(.ipv6) ? EtherType.ipv6 : EtherType.ipv4
    WorkerState.writeEthernet(frame, hop: hop, type: type ?? own)
    batch.packets[index] = frame
    batch.frames[index].address = UInt64(Int64(batch.frames[index].address) &+ Int64(start))
    batch.frames[index].byteCount = UInt32(Int(batch.frames[index].byteCount) &- start)
    batch.networkOffsets[index] = UInt16(truncatingIfNeeded: headerByteCount)
    batch.egress[index] = hop.pointee.interface
  }

  /// Destination, source, tag if the next hop has one, type.
  @inline(__always)
  static func writeEthernet(_ frame: UnsafeMutableRawPointer, hop: UnsafePointer<NextHop>, type: UInt16) {
    let destination = hop.pointee.destination
    let source = hop.pointee.source
    frame.storeBigEndian64(destination << 16 | source >> 32, at: 0)
    frame.storeBigEndian32(UInt32(truncatingIfNeeded: source), at: 8)
    if hop.pointee.vlan == 0 {
      frame.storeBigEndian16(type, at: 12)
    } else {
      frame.storeBigEndian32(UInt32(EtherType.vlan) << 16 | UInt32(hop.pointee.vlan), at: 12)
      frame.storeBigEndian16(type, at: 16)
    }
  }
}
