import Wire

/// FULLNAT: the real server sees a local address of the director, so its answers come back whatever its routes are.
///
/// A new connection needs a local address and port that no other connection to the same server uses. There is no free
/// list: the table itself is the record of what is taken. A candidate is tried by inserting the entry for the replies
/// (local address, local port, server's endpoint); if that key exists the next candidate is tried. Candidates start at
/// a hash of the client and step through the pool, so workers seldom meet, and each (address, port) can serve one
/// connection per server rather than one in all.
extension WorkerState {
  /// Finds a free local address and port and inserts the entry for replies.
  /// - Returns: false when the packet's journey ended.
  mutating func takeLocalPort<Key>(
    _ index: Int, key: Key, connection: inout Connection, server: UnsafePointer<ServerRecord>,
    in table: ConnectionTable<Key>
  ) -> Bool {
    let service = service(server.pointee.service)
    let addresses = min(service.pointee.localAddressCount, Limits.localAddressCapacity)
    guard addresses > 0, let locals = service.pointee.localAddresses else {
      batch.finish(index, .localPortsExhausted)
      return false
    }
    let ports = UInt64(service.pointee.localPortLast) - UInt64(service.pointee.localPortFirst) + 1
    let start = table.secret.mix(key.hash(table.secret))
    for attempt in 0..<UInt64(Limits.localPortAttempts) {
      // An odd stride far from the neighbouring ports: a retry does not walk through a run of taken ones.
      let candidate = start &+ attempt &* 0x9e37_79b1
      connection.localAddress = Int(candidate % UInt64(addresses))
      connection.localPort = service.pointee.localPortFirst &+ UInt16(truncatingIfNeeded: candidate / 64 % ports)
      let local = locals + connection.localAddress
      guard local.pointee.isActive else { continue }
      let reply = Key(
        high: local.pointee.high, low: local.pointee.low, port: connection.localPort, endpoint: server.pointee.endpoint)
      let hash = reply.hash(table.secret)
      switch table.insert(reply, hash: hash, value: connection, generation: nextGeneration(), continuation: key) {
      case .inserted:
        countEntries(Key.self, 1)
        return true
      case .existing(let slot):
        // One whose connection has timed out is only waiting for the hand.
        if isIdleTooLong(table.load(slot), protocolNumber: batch.packet(index).pointee.protocolNumber) {
          _ = expire(slot, key: reply, in: table)
        }
      case .full:
        batch.finish(index, .tableFull)
        return false
      }
    }
    batch.finish(index, .localPortsExhausted)
    return false
  }

  /// Takes back the entry for replies of a connection that could not be opened.
  mutating func removeReply<Key>(
    of key: Key, _ connection: Connection, server: UnsafePointer<ServerRecord>, in table: ConnectionTable<Key>
  ) {
    guard server.pointee.method == .fullNAT, let reply = replyKey(of: key, connection, server: server),
      let slot = table.find(reply, hash: reply.hash(table.secret))
    else { return }
    if table.remove(slot, hasContinuation: true) != nil { countEntries(Key.self, -1) }
  }
}

extension WorkerState {
  /// Client -> VIP becomes local address -> server.
  @inline(__always)
  static func translate(
    request packet: UnsafeMutablePointer<Packet>, _ form: PacketForm, server: UnsafePointer<ServerRecord>
  ) {
    let connection = packet.pointee.connection
    let local = server.pointee.locals + connection.localAddress
    replace(
      packet, form, .source, (local.pointee.high, local.pointee.low), connection.localPort.bigEndian,
      .destination, (server.pointee.addressHigh, server.pointee.addressLow), server.pointee.addressBytes,
      server.pointee.portBytes, header: server.pointee.requestHeaderDelta, transport: server.pointee.requestDelta)
  }

  /// Server -> local address becomes VIP -> client. The client stands beside the entry, in the same line.
  @inline(__always)
  static func translate(
    reply packet: UnsafeMutablePointer<Packet>, _ form: PacketForm, server: UnsafePointer<ServerRecord>
  ) {
    guard let slot = packet.pointee.slot else { return }
    let port = form.isIPv6 ? KeyV6(slot + KeyV6.wordsPerSlot).port : KeyV4(slot + KeyV4.wordsPerSlot).port
    replace(
      packet, form, .destination, client(ofReply: packet, form), port.bigEndian,
      .source, (server.pointee.virtualHigh, server.pointee.virtualLow), server.pointee.virtualBytes,
      server.pointee.virtualPortBytes, header: server.pointee.replyHeaderDelta, transport: server.pointee.replyDelta)
  }

  /// Replaces both ends: one by what the connection says, the other by what is the same for all of a server's packets.
  @inline(__always)
  private static func replace(
    _ packet: UnsafeMutablePointer<Packet>, _ form: PacketForm, _ side: Side, _ address: (high: UInt64, low: UInt64),
    _ portBytes: UInt16, _ fixedSide: Side, _ fixedAddress: (high: UInt64, low: UInt64), _ fixedBytes: UInt32,
    _ fixedPortBytes: UInt16, header headerDelta: UInt16, transport: UInt16
  ) {
    let header = packet.pointee.network
    var change = ChecksumDelta()
    if form.isIPv6 {
      let offset = side == .source ? IPv6.sourceOffset : IPv6.destinationOffset
      let fixedOffset = fixedSide == .source ? IPv6.sourceOffset : IPv6.destinationOffset
      let new = (address.high.bigEndian, address.low.bigEndian)
      let old = (
        header.loadUnaligned(fromByteOffset: offset, as: UInt64.self),
        header.loadUnaligned(fromByteOffset: offset + 8, as: UInt64.self)
      )
      change.replace(old, with: new)
      header.storeBytes(of: new.0, toByteOffset: offset, as: UInt64.self)
      header.storeBytes(of: new.1, toByteOffset: offset + 8, as: UInt64.self)
      header.storeBigEndian64(fixedAddress.high, at: fixedOffset)
      header.storeBigEndian64(fixedAddress.low, at: fixedOffset + 8)
    } else {
      let offset = side == .source ? IPv4.sourceOffset : IPv4.destinationOffset
      let new = UInt32(truncatingIfNeeded: address.low).bigEndian
      change.replace(header.loadUnaligned(fromByteOffset: offset, as: UInt32.self), with: new)
      let both = UInt64(new) << (side == .source ? 0 : 32) | UInt64(fixedBytes) << (side == .source ? 32 : 0)
      header.storeBytes(of: both, toByteOffset: IPv4.sourceOffset, as: UInt64.self)
    }
    let headerChange = change
    if hasTransport(packet, form) {
      let transportHeader = packet.pointee.transportHeader(form)
      let old = transportHeader.loadUnaligned(fromByteOffset: side == .source ? 0 : 2, as: UInt16.self)
      change.replace16(old, with: portBytes)
      let both =
        UInt32(portBytes) << (side == .source ? 0 : 16) | UInt32(fixedPortBytes) << (side == .source ? 16 : 0)
      transportHeader.storeBytes(of: both, as: UInt32.self)
    }
    correct(packet, form, headerChange, header: headerDelta, change, transport: transport)
  }

  /// The client that a reply is for, in two words.
  @inline(__always)
  static func client(
    ofReply packet: UnsafeMutablePointer<Packet>, _ form: PacketForm
  ) -> (high: UInt64, low: UInt64) {
    guard let slot = packet.pointee.slot else { return (0, 0) }
    if form.isIPv6 {
      let client = KeyV6(slot + KeyV6.wordsPerSlot)
      return (client.high, client.low)
    }
    return (0, UInt64(KeyV4(slot + KeyV4.wordsPerSlot).address))
  }
}
