import CShims
import Wire

/// cache_bypass: packets of a firewall mark whose service has no server left go on to where they were sent.
///
/// It is meant for transparent caches: when all are down, clients reach the origin instead. The connection is
/// kept, so that a flow goes on this way when servers come back in the middle of it. It belongs to no server: its number
/// is one that no server has, and the counts kept under it are nobody's.
extension WorkerState {
  /// True when a packet that no server can take may go on to its destination: one host that is not this one.
  mutating func mayBypass(_ index: Int, _ service: UnsafePointer<ServiceRecord>) -> Bool {
    guard snapshot.pointee.settings.bypassesCache, service.pointee.mark != 0 else { return false }
    let packet = batch.packet(index)
    if packet.pointee.flags.contains(.icmpError) { return false }
    let (high, low) = packet.pointee.destinationAddress
    if packet.pointee.isIPv6 {
      if high >> 56 == 0xff || high | low == 0 { return false }
    } else if low == 0 || low >> 28 >= 0xe {
      return false
    }
    // Of IPv6 IPVS does not ask whose the address is: there is a connection, over which nothing can be sent.
    return packet.pointee.isIPv6 || routedHop(high: high, low: low, isIPv6: false).pointee.state != .local
  }

  /// Opens a connection without a server.
  mutating func openBypass<Key: ConnectionKey>(
    _ index: Int, key: Key, service number: UInt16, in table: ConnectionTable<Key>
  ) {
    let packet = batch.packet(index)
    var key = key
    key.note(service: number, serverPort: 0)
    var connection = Connection(server: Connection.bypassServer, noOutput: false)
    connection.state = states.next(0, row: .input, segment: packet.pointee.event)
    connection.touch(clock)
    switch table.insert(key, hash: key.hash(table.secret), value: connection, generation: nextGeneration()) {
    case .inserted:
      countEntries(Key.self, 1)
      shared.bind(
        connection.server, record: server(connection.server),
        active: ConnectionState.isActive(connection.state, protocolNumber: packet.pointee.protocolNumber))
      packet.pointee.connection = connection
    case .existing(let slot):
      if !advance(index, key: key, slot: slot, in: table) { batch.finish(index, .tableFull) }
    case .full:
      batch.finish(index, .tableFull)
    }
  }

  /// Sends a packet of such a connection on, as a router would.
  @inline(never)
  mutating func rewriteBypass(_ index: Int, _ packet: UnsafeMutablePointer<Packet>) -> Departure {
    let form = packet.pointee.form
    let (high, low) = packet.pointee.destinationAddress
    let hop = routedHop(high: high, low: low, isIPv6: form.isIPv6)
    guard hop.pointee.state == .resolved else {
      if hop.pointee.state == .unresolved { ask(high: high, low: low, index) }
      return refuse(index, packet, hop)
    }
    let header = packet.pointee.network
    guard WorkerState.hopsLeft(header, form) > 1 else { return answerTimeExceeded(index, packet) }
    let limit = Int(hop.pointee.mtu)
    let isBig = Int(packet.pointee.byteCount) > limit
    WorkerState.takeHop(header, form)
    if isBig, mustNotBeCut(packet, limit: limit) { return answerTooBig(index, packet, limit: limit) }
    if isBig { return splitIPv4(index, packet, header, limit: limit, over: hop, .bypassed) }
    return Departure(
      over: hop, .bypassed, header: header, byteCount: Int(packet.pointee.byteCount), isIPv6: form.isIPv6)
  }
}
