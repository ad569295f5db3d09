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
  mutating func translate(
    request packet: UnsafeMutablePointer<Packet>, _ form: PacketForm, server: UnsafePointer<ServerRecord>
  ) {
    let connection = packet.pointee.connection
    let service = service(server.pointee.service)
    guard let locals = service.pointee.localAddresses, connection.localAddress < service.pointee.localAddressCount
    else { return }
    let local = locals + connection.localAddress
    var change = WorkerState.addressChange(
      form, from: packet.pointee.farAddress(form), to: (local.pointee.high, local.pointee.low))
    let header = change.with(server.pointee.requestHeaderDelta)
    change.replace16(packet.pointee.farPort.bigEndian, with: connection.localPort.bigEndian)
    WorkerState.replaceEnd(
      packet, form, .source, high: local.pointee.high, low: local.pointee.low, port: connection.localPort)
    WorkerState.replaceEnd(
      packet, form, .destination, high: server.pointee.addressHigh, low: server.pointee.addressLow,
      port: server.pointee.port)
    WorkerState.correct(packet, form, header: header, transport: change.with(server.pointee.requestDelta))
  }

  /// Server -> local address becomes VIP -> client. The client stands beside the entry, in the same line.
  @inline(__always)
  mutating func translate(
    reply packet: UnsafeMutablePointer<Packet>, _ form: PacketForm, server: UnsafePointer<ServerRecord>
  ) {
    guard let slot = packet.pointee.slot else { return }
    let client: (high: UInt64, low: UInt64)
    let port: UInt16
    if form.isIPv6 {
      let key = KeyV6(slot + KeyV6.wordsPerSlot)
      (client, port) = ((key.high, key.low), key.port)
    } else {
      let key = KeyV4(slot + KeyV4.wordsPerSlot)
      (client, port) = ((0, UInt64(key.address)), key.port)
    }
    var change = WorkerState.addressChange(form, from: packet.pointee.farAddress(form), to: client)
    let header = change.with(server.pointee.replyHeaderDelta)
    change.replace16(packet.pointee.farPort.bigEndian, with: port.bigEndian)
    WorkerState.replaceEnd(packet, form, .destination, high: client.high, low: client.low, port: port)
    WorkerState.replaceEnd(
      packet, form, .source, high: server.pointee.virtualHigh, low: server.pointee.virtualLow,
      port: server.pointee.virtualPort
    )
    WorkerState.correct(packet, form, header: header, transport: change.with(server.pointee.replyDelta))
  }

  /// What another address changes in the checksums.
  @inline(__always)
  private static func addressChange(
    _ form: PacketForm, from old: (high: UInt64, low: UInt64), to new: (high: UInt64, low: UInt64)
  ) -> ChecksumDelta {
    var change = ChecksumDelta()
    if form.isIPv6 {
      change.replace((old.high.bigEndian, old.low.bigEndian), with: (new.high.bigEndian, new.low.bigEndian))
    } else {
      change.replace(
        UInt32(truncatingIfNeeded: old.low).bigEndian, with: UInt32(truncatingIfNeeded: new.low).bigEndian)
    }
    return change
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
