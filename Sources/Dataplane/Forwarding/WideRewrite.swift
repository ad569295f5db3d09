import CShims
import Wire

/// NAT for connections of the wide table: what is written into a packet is not the same for all of a server's packets, so
/// nothing is ready, and everything is computed from what is replaced. AH and ESP of any connection go this way too.
extension WorkerState {
  /// As `rewrite`, in the same order.
  @inline(never)
  mutating func rewriteWide(
    _ index: Int, _ packet: UnsafeMutablePointer<Packet>, server: UnsafePointer<ServerRecord>
  ) -> Departure {
    let form = packet.pointee.form
    var hop = ServerRecord.hop(server)
    if !form.isReply, hop.pointee.state != .resolved { return refuse(index, packet, hop) }
    guard WorkerState.hopsLeft(packet.pointee.network, form) > 1 else { return answerTimeExceeded(index, packet) }
    if form.isReply {
      let client = Client(ofReply: packet, form, isFullNAT: false)
      guard let route = directHop(client, form) ?? searchHop(client, index, packet) else { return .none(packet) }
      hop = route
    }
    if snapshot.pointee.hasHelpers { helpFTP(index, packet, server: server) }
    let limit = Int(hop.pointee.mtu)
    let outcome: Outcome = form.isReply ? .masqueradeReply : .masqueradeRequest
    guard Int(packet.pointee.byteCount) <= limit else {
      if mustNotBeCut(packet, limit: limit) {
        if !form.isReply { WorkerState.takeHop(packet.pointee.network, form) }
        return answerTooBig(index, packet, limit: limit)
      }
      replaceNearEnd(packet, server: server)
      return splitIPv4(index, packet, packet.pointee.network, limit: limit, over: hop, outcome)
    }
    replaceNearEnd(packet, server: server)
    return Departure(packet, form, over: hop, outcome)
  }

  /// Requests get the server's address and port, replies those that the client speaks to; one hop is taken off.
  func replaceNearEnd(_ packet: UnsafeMutablePointer<Packet>, server: UnsafePointer<ServerRecord>) {
    if !packet.pointee.form.isReply {
      let address = (server.pointee.addressHigh, server.pointee.addressLow)
      return WorkerState.replace(packet, .destination, address, port: packet.pointee.connection.localPort)
    }
    guard packet.pointee.flags.contains(.wide) else {
      let address = (server.pointee.virtualHigh, server.pointee.virtualLow)
      return WorkerState.replace(packet, .source, address, port: server.pointee.virtualPort)
    }
    guard let slot = packet.pointee.slot else { return }
    let entry = KeyWide(slot)
    WorkerState.replace(
      packet, .source, (entry.nearHigh, entry.nearLow), port: UInt16(truncatingIfNeeded: entry.extra >> 32))
  }

  /// Replaces one end of a packet, whichever it is, takes one hop off, and corrects all checksums.
  static func replace(
    _ packet: UnsafeMutablePointer<Packet>, _ side: Side, _ address: (high: UInt64, low: UInt64), port: UInt16,
    takesHop: Bool = true
  ) {
    let header = packet.pointee.network
    var change = ChecksumDelta()
    if packet.pointee.isIPv6 {
      let offset = side == .source ? IPv6.sourceOffset : IPv6.destinationOffset
      let new = (address.high.bigEndian, address.low.bigEndian)
      change.replace(packet.pointee.addressBytes(at: offset), with: new)
      header.storeBytes(of: new.0, toByteOffset: offset, as: UInt64.self)
      header.storeBytes(of: new.1, toByteOffset: offset + 8, as: UInt64.self)
      if takesHop { takeHopV6(header) }
    } else {
      let offset = side == .source ? IPv4.sourceOffset : IPv4.destinationOffset
      let new = UInt32(truncatingIfNeeded: address.low).bigEndian
      change.replace(header.loadUnaligned(fromByteOffset: offset, as: UInt32.self), with: new)
      header.storeBytes(of: new, toByteOffset: offset, as: UInt32.self)
      var headerChange = change
      if takesHop {
        headerChange.replace16(UInt16(0x0100).bigEndian, with: 0)
        let hops = header.load(fromByteOffset: IPv4.timeToLiveOffset, as: UInt8.self)
        header.storeByte(hops &- 1, at: IPv4.timeToLiveOffset)
      }
      let checksum = header.loadUnaligned(fromByteOffset: IPv4.checksumOffset, as: UInt16.self)
      header.storeBytes(of: headerChange.apply(to: checksum), toByteOffset: IPv4.checksumOffset, as: UInt16.self)
    }
    if !packet.pointee.flags.contains(.securityPayload) { replacePort(packet, side, port, change) }
  }

  private static func replacePort(
    _ packet: UnsafeMutablePointer<Packet>, _ side: Side, _ port: UInt16, _ addressChange: ChecksumDelta
  ) {
    let transport = packet.pointee.transportHeader(packet.pointee.form)
    let offset = side == .source ? 0 : 2
    let old = transport.loadUnaligned(fromByteOffset: offset, as: UInt16.self)
    var change = addressChange
    change.replace16(old, with: port.bigEndian)
    transport.storeBytes(of: port.bigEndian, toByteOffset: offset, as: UInt16.self)
    if packet.pointee.isTCP {
      let checksum = transport.loadUnaligned(fromByteOffset: TCP.checksumOffset, as: UInt16.self)
      transport.storeBytes(of: change.apply(to: checksum), toByteOffset: TCP.checksumOffset, as: UInt16.self)
    } else if packet.pointee.protocolNumber == TransportProtocol.sctp.rawValue {
      if old != port.bigEndian { completeSCTP(packet) }
    } else {
      // 0xffff changes nothing.
      correctUDP(packet, packet.pointee.form, change, 0xffff)
    }
  }
}
