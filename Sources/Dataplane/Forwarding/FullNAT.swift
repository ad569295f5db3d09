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
      guard local.pointee.isActive, local.pointee.isIPv6 == server.pointee.isIPv6 else { continue }
      guard let reply = replyKey(of: key, connection, server: server) else { continue }
      let hash = reply.hash(table.secret)
      let continuation = Key.hasPairs ? key : nil
      switch table.insert(
        reply, hash: hash, value: replyValue(index, of: connection), generation: nextGeneration(),
        continuation: continuation)
      {
      case .inserted(let slot):
        countEntries(Key.self, 1)
        if snapshot.pointee.hasWide, isTakenElsewhere(Key.self, connection, local, server) {
          if table.remove(slot, hasContinuation: Key.hasPairs) != nil { countEntries(Key.self, -1) }
          continue
        }
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

  /// True when a connection in a table of the other kind has this local address and port towards the same server. Looked
  /// at once the own entry is published: of two workers that take one port at the same time, at least one sees the other.
  private mutating func isTakenElsewhere<Key: ConnectionKey>(
    _ key: Key.Type, _ connection: Connection, _ local: UnsafePointer<LocalAddress>,
    _ server: UnsafePointer<ServerRecord>
  ) -> Bool {
    let (high, low) = (local.pointee.high, local.pointee.low)
    let endpoint = server.pointee.endpoint
    if Key.hasPairs {
      let other = KeyWide(
        .reply, far: (high, low), farPort: connection.localPort,
        near: (server.pointee.addressHigh, server.pointee.addressLow), nearPort: server.pointee.port,
        protocolNumber: service(server.pointee.service).pointee.protocolNumber, secret: shared.tableWide.secret)
      return shared.tableWide.find(other, hash: other.hash(shared.tableWide.secret)) != nil
    }
    if local.pointee.isIPv6 {
      let other = KeyV6(high: high, low: low, port: connection.localPort, endpoint: endpoint)
      return shared.tableV6.find(other, hash: other.hash(shared.tableV6.secret)) != nil
    }
    let other = KeyV4(high: high, low: low, port: connection.localPort, endpoint: endpoint)
    return shared.tableV4.find(other, hash: other.hash(shared.tableV4.secret)) != nil
  }

  /// Takes back the entry for replies of a connection that could not be opened.
  mutating func removeReply<Key>(
    of key: Key, _ connection: Connection, server: UnsafePointer<ServerRecord>, in table: ConnectionTable<Key>
  ) {
    guard server.pointee.method == .fullNAT, let reply = replyKey(of: key, connection, server: server),
      let slot = table.find(reply, hash: reply.hash(table.secret))
    else { return }
    if table.remove(slot, hasContinuation: Key.hasPairs) != nil { countEntries(Key.self, -1) }
  }
}

extension WorkerState {
  /// Client -> VIP becomes local address -> server.
  @_transparent
  static func translate(
    request packet: UnsafeMutablePointer<Packet>, _ form: PacketForm, server: UnsafePointer<ServerRecord>
  ) {
    if form.isOdd { return translateOdd(request: packet, server) }
    form.isIPv6 ? translateV6(request: packet, server) : translateV4(request: packet, server)
  }

  /// Server -> local address becomes VIP -> client.
  @_transparent
  static func translate(
    reply packet: UnsafeMutablePointer<Packet>, _ form: PacketForm, server: UnsafePointer<ServerRecord>,
    client: Client
  ) {
    if form.isOdd { return translateOdd(reply: packet, server, client) }
    form.isIPv6 ? translateV6(reply: packet, server, client) : translateV4(reply: packet, server, client)
  }

  // One function for each form, none of them part of its caller: that would need more registers than there are, for
  // every method.

  @inline(never)
  private static func translateV4(request packet: UnsafeMutablePointer<Packet>, _ server: UnsafePointer<ServerRecord>) {
    translate(request: packet, as: PacketForm(isIPv6: false, isReply: false), server)
  }

  @inline(never)
  private static func translateV6(request packet: UnsafeMutablePointer<Packet>, _ server: UnsafePointer<ServerRecord>) {
    translate(request: packet, as: PacketForm(isIPv6: true, isReply: false), server)
  }

  @inline(never)
  private static func translateOdd(
    request packet: UnsafeMutablePointer<Packet>, _ server: UnsafePointer<ServerRecord>
  ) {
    translate(request: packet, as: packet.pointee.form, server)
  }

  @inline(never)
  private static func translateV4(
    reply packet: UnsafeMutablePointer<Packet>, _ server: UnsafePointer<ServerRecord>, _ client: Client
  ) {
    translate(reply: packet, as: PacketForm(isIPv6: false, isReply: true), server, client)
  }

  @inline(never)
  private static func translateV6(
    reply packet: UnsafeMutablePointer<Packet>, _ server: UnsafePointer<ServerRecord>, _ client: Client
  ) {
    translate(reply: packet, as: PacketForm(isIPv6: true, isReply: true), server, client)
  }

  @inline(never)
  private static func translateOdd(
    reply packet: UnsafeMutablePointer<Packet>, _ server: UnsafePointer<ServerRecord>, _ client: Client
  ) {
    translate(reply: packet, as: packet.pointee.form, server, client)
  }

  @_transparent
  private static func translate(
    request packet: UnsafeMutablePointer<Packet>, as form: PacketForm, _ server: UnsafePointer<ServerRecord>
  ) {
    let connection = packet.pointee.connection
    let local = server.pointee.locals + connection.localAddress
    replace(
      packet, form, .source, (local.pointee.high, local.pointee.low), connection.localPort.bigEndian,
      (server.pointee.addressHigh, server.pointee.addressLow), server.pointee.addressBytes, server.pointee.portBytes,
      header: server.pointee.requestHeaderDelta, transport: server.pointee.requestDelta)
  }

  @_transparent
  private static func translate(
    reply packet: UnsafeMutablePointer<Packet>, as form: PacketForm, _ server: UnsafePointer<ServerRecord>,
    _ client: Client
  ) {
    replace(
      packet, form, .destination, (client.high, client.low), client.port.bigEndian,
      (server.pointee.virtualHigh, server.pointee.virtualLow), server.pointee.virtualBytes,
      server.pointee.virtualPortBytes, header: server.pointee.replyHeaderDelta, transport: server.pointee.replyDelta)
  }

  /// Replaces both ends: that of `side` by what the connection says, the other by what is the same for all of a server's
  /// packets. Takes one hop off, and corrects the checksums.
  @_transparent
  private static func replace(
    _ packet: UnsafeMutablePointer<Packet>, _ form: PacketForm, _ side: Side, _ address: (high: UInt64, low: UInt64),
    _ portBytes: UInt16, _ fixedAddress: (high: UInt64, low: UInt64), _ fixedBytes: UInt32, _ fixedPortBytes: UInt16,
    header headerDelta: UInt16, transport delta: UInt16
  ) {
    let header = packet.pointee.network
    var change = ChecksumDelta()
    if form.isIPv6 {
      replaceV6(header, side, address, fixedAddress, &change)
      takeHopV6(header)
    } else {
      replaceV4(header, side, UInt32(truncatingIfNeeded: address.low).bigEndian, fixedBytes, headerDelta, &change)
    }
    let transport = packet.pointee.transportHeader(form)
    change.replace16(
      transport.loadUnaligned(fromByteOffset: side == .source ? 0 : 2, as: UInt16.self), with: portBytes)
    let both = side == .source ? (portBytes, fixedPortBytes) : (fixedPortBytes, portBytes)
    transport.storeBytes(of: UInt32(both.0) | UInt32(both.1) << 16, as: UInt32.self)
    guard _fastPath(packet.pointee.isTCP) else {
      if packet.pointee.protocolNumber == TransportProtocol.sctp.rawValue { return completeSCTP(packet) }
      return correctUDP(packet, form, change, delta)
    }
    let old = transport.loadUnaligned(fromByteOffset: TCP.checksumOffset, as: UInt16.self)
    transport.storeBytes(of: change.correct(old, with: delta), toByteOffset: TCP.checksumOffset, as: UInt16.self)
  }

  @_transparent
  private static func replaceV4(
    _ header: UnsafeMutableRawPointer, _ side: Side, _ new: UInt32, _ fixedBytes: UInt32, _ headerDelta: UInt16,
    _ change: inout ChecksumDelta
  ) {
    let offset = side == .source ? IPv4.sourceOffset : IPv4.destinationOffset
    change.replace(header.loadUnaligned(fromByteOffset: offset, as: UInt32.self), with: new)
    // TTL, protocol, checksum: one word, one load and store.
    let word = header.loadUnaligned(fromByteOffset: IPv4.timeToLiveOffset, as: UInt32.self)
    let checksum = change.correct(UInt16(truncatingIfNeeded: word >> 16), with: headerDelta)
    header.storeBytes(
      of: (word & 0xffff) &- 1 | UInt32(checksum) << 16, toByteOffset: IPv4.timeToLiveOffset, as: UInt32.self)
    let both = side == .source ? (new, fixedBytes) : (fixedBytes, new)
    header.storeBytes(
      of: UInt64(both.0) | UInt64(both.1) << 32, toByteOffset: IPv4.sourceOffset, as: UInt64.self)
  }

  @_transparent
  private static func replaceV6(
    _ header: UnsafeMutableRawPointer, _ side: Side, _ address: (high: UInt64, low: UInt64),
    _ fixedAddress: (high: UInt64, low: UInt64), _ change: inout ChecksumDelta
  ) {
    let offset = side == .source ? IPv6.sourceOffset : IPv6.destinationOffset
    let fixedOffset = side == .source ? IPv6.destinationOffset : IPv6.sourceOffset
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
  }
}

/// Who a reply is for.
struct Client {
  let high: UInt64
  let low: UInt64
  let port: UInt16

  /// NAT: whom it is addressed to. FULLNAT: who stands beside the connection's entry, in the same line.
  @inline(__always)
  init(ofReply packet: UnsafeMutablePointer<Packet>, _ form: PacketForm, isFullNAT: Bool) {
    guard isFullNAT, let slot = packet.pointee.slot else {
      (high, low) = packet.pointee.farAddress(form)
      port = packet.pointee.farPort
      return
    }
    if form.isIPv6 {
      let key = KeyV6(slot + KeyV6.wordsPerSlot)
      (high, low, port) = (key.high, key.low, key.port)
    } else {
      let key = KeyV4(slot + KeyV4.wordsPerSlot)
      (high, low, port) = (0, UInt64(key.address), key.port)
    }
  }
}
