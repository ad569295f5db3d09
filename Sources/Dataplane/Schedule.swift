import CShims
import Scheduler
import Wire

/// Which real server? Existing connections move on in their state machine; new ones are scheduled and inserted.
///
/// Packets are taken strictly in order, hits and misses alike: a scheduler that counts connections (lc, wlc) must see
/// the FIN that came before the SYN, exactly as IPVS does. A connection opened by one packet of the batch is found by the
/// next ones, whose lookup was too early.
///
/// A masqueraded or FULLNAT connection has two entries. That of the requests is the connection; its state is the
/// truth. That of the replies mirrors the state, so that a reply that changes nothing (an ACK in ESTABLISHED) touches
/// one line only. Whoever changes the state writes both.
extension WorkerState {
  /// A packet that is not a plain one of a steady connection.
  /// - Returns: false when its journey has ended.
  mutating func schedule(_ index: Int) -> Bool {
    let packet = batch.packet(index)
    batch.outcomes[index] = .pending
    if packet.pointee.isIPv6 {
      schedule(index, key: packet.pointee.keyV6, in: shared.tableV6)
    } else {
      schedule(index, key: packet.pointee.keyV4, in: shared.tableV4)
    }
    if _slowPath(replaced != nil) { settleReplaced(protocolNumber: packet.pointee.protocolNumber) }
    return batch.outcomes[index] == .pending
  }

  private mutating func schedule<Key>(_ index: Int, key: Key, in table: ConnectionTable<Key>) {
    let packet = batch.packet(index)
    if packet.pointee.flags.contains(.wide) { return scheduleWide(index) }
    if let slot = table.find(key, hash: key.hash(table.secret)), advance(index, key: key, slot: slot, in: table) {
      return
    }
    if snapshot.pointee.hasWide, advanceWide(index) { return }
    if packet.pointee.flags.contains(.securityPayload) { return batch.finish(index, .noConnection) }
    guard packet.pointee.isRequest else {
      if snapshot.pointee.hasWide, openFromServer(index, server: snapshot.pointee.endpoint(key.endpoint).index) {
        return
      }
      return endReply(index, endpoint: key.endpoint)
    }
    if snapshot.pointee.hasWide, let number = markService(index) { return openWide(index, service: number) }
    let number = snapshot.pointee.endpoint(key.endpoint).index
    if _slowPath(!service(number).pointee.isActive) { return openElsewhere(index) }
    if service(number).pointee.opensWide { return openWide(index, service: number) }
    open(index, key: key, service: number, in: table)
  }

  // MARK: - Existing connections

  /// Moves a connection on by one packet.
  /// - Returns: false when the slot no longer holds it, or it has ended and the packet counts as new.
  mutating func advance<Key>(
    _ index: Int, key: Key, slot: UnsafeMutablePointer<UInt64>, in table: ConnectionTable<Key>
  ) -> Bool {
    let packet = batch.packet(index)
    let isRequest = packet.pointee.isRequest
    packet.pointee.slot = slot
    var old = table.load(slot)
    while true {
      if old.isDead || !key.matches(slot) { return false }
      if isIdleTooLong(old, protocolNumber: packet.pointee.protocolNumber), expire(slot, key: key, in: table) {
        return false
      }
      let server = server(old.server)
      if server.pointee.draining == .over, let said = endDrained(index, key: key, slot: slot, old, in: table) {
        return said
      }
      if !isRequest && isRefused(reply: packet, server) {
        packet.pointee.connection = old
        if server.pointee.isAvailable { count(index, server: old.server, isRequest: false) }
        return true
      }
      if isRequest && startsAnew(index, old, server) {
        replace(slot, key: key, in: table)
        return false
      }
      if isRequest && isOrphaned(old) {
        if snapshot.pointee.settings.expiresConnectionsWithoutServer {
          forget(slot, key: key, in: table)
          return false
        }
        batch.finish(index, .serverRemoved)
        return true
      }
      if _slowPath(!isRequest && old.noOutput) {
        guard let heard = hear(index, slot: slot, old, in: table) else {
          old = table.load(slot)
          continue
        }
        old = heard
      }
      var new = old
      new.touch(clock)
      let row: ConnectionState.Row = isRequest ? (old.noOutput ? .inputOnly : .input) : .output
      let state =
        packet.pointee.flags.contains(.securityPayload)
        ? old.state : states.next(old.state, row: row, segment: packet.pointee.event)
      if state != old.state {
        if !isRequest {
          turn(index, reply: key, slot: slot, in: table, server: server)
          old = table.load(slot)
          break
        }
        new.state = state
      }
      if new.word == old.word { break }
      guard table.replace(slot, old: old, with: new) else {
        old = table.load(slot)
        continue
      }
      if new.state != old.state {
        changed(key: key, from: old, to: new, packet.pointee.protocolNumber, in: table, server: server)
      }
      old = new
      break
    }
    packet.pointee.connection = old
    if isRequest || server(old.server).pointee.isAvailable { count(index, server: old.server, isRequest: isRequest) }
    return true
  }

  /// True for a reply that does not come as far as IPVS: its hops are used up, or it is too big and must not be cut, so the
  /// host's router refuses it; or it cannot be rewritten. Nothing of its connection changes.
  @inline(never)
  mutating func isRefused(
    reply packet: UnsafeMutablePointer<Packet>, _ server: UnsafePointer<ServerRecord>
  ) -> Bool {
    let form = packet.pointee.form
    if packet.pointee.flags.contains(.cutShort) || WorkerState.hopsLeft(packet.pointee.network, form) <= 1 {
      return true
    }
    // Of a datagram that was put together that is found out behind IPVS.
    if packet.pointee.flags.contains(.reassembled), !form.isIPv6 { return false }
    guard packet.pointee.mustNotBeCut else { return false }
    let client = Client(ofReply: packet, form, isFullNAT: server.pointee.method == .fullNAT)
    let hop = directHop(client, form) ?? routedHop(high: client.high, low: client.low, isIPv6: form.isIPv6)
    return hop.pointee.state == .resolved && packet.pointee.byteCount > hop.pointee.mtu
      && mustNotBeCut(packet, limit: Int(hop.pointee.mtu))
  }

  /// True when a connection's server has been removed, and does not drain.
  @inline(__always)
  mutating func isOrphaned(_ connection: Connection) -> Bool {
    let server = server(connection.server)
    return !server.pointee.isAvailable && server.pointee.draining == .none
      && connection.server != Connection.bypassServer
  }

  /// A client's next connection from the port of its last one: true when it is to be scheduled like any other.
  private mutating func startsAnew(
    _ index: Int, _ connection: Connection, _ server: UnsafePointer<ServerRecord>
  ) -> Bool {
    let packet = batch.packet(index)
    let segment = packet.pointee.segment
    let isTCP = packet.pointee.isTCP
    let isFirst = isTCP ? segment & 0x22 == 0x02 : segment == Packet.firstSCTPSegment &+ 1
    guard isFirst else { return false }
    if snapshot.pointee.settings.expiresConnectionsWithoutServer, server.pointee.isQuiescent { return true }
    let mode = snapshot.pointee.settings.connectionReuse.rawValue
    guard mode != 0, !connection.isControlled else { return false }
    guard isTCP else { return connection.state == ConnectionState.SCTP.closed.rawValue }
    switch ConnectionState.TCP(rawValue: connection.state) {
    case .timeWait, .close: return true
    case .finWait: return mode & 2 != 0 && connection.noOutput
    default: return false
    }
  }

  /// After a packet has changed the state: counts, and the mirror.
  mutating func changed<Key>(
    key: Key, from old: Connection, to new: Connection, _ protocolNumber: UInt8, in table: ConnectionTable<Key>,
    server: UnsafePointer<ServerRecord>
  ) {
    recount(from: old, to: new, protocolNumber, key: key)
    guard let reply = replyKey(of: key, new, server: server) else { return }
    mirror(new.state, at: reply, server: new.server, in: table)
  }

  /// A reply changes the state: the truth lies in the other entry.
  private mutating func turn<Key>(
    _ index: Int, reply key: Key, slot: UnsafeMutablePointer<UInt64>, in table: ConnectionTable<Key>,
    server: UnsafePointer<ServerRecord>
  ) {
    let request = requestKey(of: key, slot: slot, server: server)
    guard let primary = table.find(request, hash: request.hash(table.secret)) else { return }
    var old = table.load(primary)
    while !old.isDead {
      var new = old
      new.touch(clock)
      new.state = states.next(old.state, row: .output, segment: batch.packet(index).pointee.event)
      if table.replace(primary, old: old, with: new) {
        recount(from: old, to: new, batch.packet(index).pointee.protocolNumber, key: Key(primary))
        mirror(new.state, at: key, server: new.server, in: table)
        return
      }
      old = table.load(primary)
    }
  }

  private mutating func mirror<Key>(_ state: UInt8, at key: Key, server: UInt16, in table: ConnectionTable<Key>) {
    guard let slot = table.find(key, hash: key.hash(table.secret)) else { return }
    var old = table.load(slot)
    while !old.isDead, old.server == server {
      var new = old
      new.state = state
      new.touch(clock)
      if table.replace(slot, old: old, with: new) { return }
      old = table.load(slot)
    }
  }

  private mutating func recount<Key: ConnectionKey>(
    from old: Connection, to new: Connection, _ protocolNumber: UInt8, key: Key
  ) {
    let isActive = ConnectionState.isActive(new.state, protocolNumber: protocolNumber)
    if ConnectionState.isActive(old.state, protocolNumber: protocolNumber) != isActive {
      shared.move(new.server, record: server(new.server), toActive: isActive)
    }
    if protocolNumber == TransportProtocol.tcp.rawValue, !server(new.server).pointee.method.rewritesTransport {
      countUnheard(new.server, from: old.state, to: new.state)
    }
    // UDP: a reply has come.
    let isAssured =
      protocolNumber == TransportProtocol.udp.rawValue
      ? new.state == 0 : ConnectionState.isEstablished(new.state, protocolNumber: protocolNumber)
    if new.isControlled, isAssured {
      assureTemplate(of: key, new, service: server(new.server).pointee.service)
    }
  }

  /// The key of a connection's replies; nil for DR and TUN, whose replies do not pass here.
  @inline(__always)
  mutating func replyKey<Key: ConnectionKey>(
    of key: Key, _ connection: Connection, server: UnsafePointer<ServerRecord>
  ) -> Key? {
    key.replies(
      connection, server: server, service: service(server.pointee.service), secret: shared.tableWide.secret)
  }

  /// The key of a reply entry's connection.
  @inline(__always)
  mutating func requestKey<Key: ConnectionKey>(
    of key: Key, slot: UnsafeMutablePointer<UInt64>, server: UnsafePointer<ServerRecord>
  ) -> Key {
    key.requests(
      at: slot, server: server, service: service(server.pointee.service), secret: shared.tableWide.secret)
  }

  @inline(__always)
  mutating func count(_ index: Int, server: UInt16, isRequest: Bool) {
    let statistics = UnsafeMutableRawPointer(counters.servers + Int(server)) + (isRequest ? 0 : 8)
    ServerCounters.count(at: statistics, byteCount: UInt64(batch.packet(index).pointee.byteCount))
  }
}
