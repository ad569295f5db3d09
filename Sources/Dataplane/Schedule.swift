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
    return batch.outcomes[index] == .pending
  }

  private mutating func schedule<Key>(_ index: Int, key: Key, in table: ConnectionTable<Key>) {
    let packet = batch.packet(index)
    if let slot = table.find(key, hash: key.hash(table.secret)), advance(index, key: key, slot: slot, in: table) {
      return
    }
    if packet.pointee.isRequest {
      open(index, key: key, in: table)
    } else {
      batch.finish(index, .noReplyConnection)
    }
  }

  // MARK: - Existing connections

  /// Moves a connection on by one packet.
  /// - Returns: false when the slot no longer holds it.
  private mutating func advance<Key>(
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
      if isRequest && !server.pointee.isAvailable {
        batch.finish(index, .serverRemoved)
        return true
      }
      var new = old
      new.touch(clock)
      let row: ConnectionState.Row = isRequest ? (old.noOutput ? .inputOnly : .input) : .output
      let state = states.next(old.state, row: row, segment: batch.packet(index).pointee.segment)
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
      if new.state != old.state { changed(key: key, from: old, to: new, in: table, server: server) }
      old = new
      break
    }
    packet.pointee.connection = old
    count(index, server: old.server, isRequest: isRequest)
    return true
  }

  /// After a request has changed the state: counts, and the mirror.
  private mutating func changed<Key>(
    key: Key, from old: Connection, to new: Connection, in table: ConnectionTable<Key>,
    server: UnsafePointer<ServerRecord>
  ) {
    recount(from: old.state, to: new.state, server: new.server)
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
      new.state = states.next(old.state, row: .output, segment: batch.packet(index).pointee.segment)
      if table.replace(primary, old: old, with: new) {
        recount(from: old.state, to: new.state, server: new.server)
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

  @inline(__always)
  private mutating func recount(from old: UInt8, to new: UInt8, server: UInt16) {
    let tcp = TransportProtocol.tcp.rawValue
    let isActive = ConnectionState.isActive(new, protocolNumber: tcp)
    if ConnectionState.isActive(old, protocolNumber: tcp) != isActive { shared.move(server, toActive: isActive) }
  }

  /// The key of a connection's replies; nil for DR and TUN, whose replies do not pass here.
  @inline(__always)
  mutating func replyKey<Key: ConnectionKey>(
    of key: Key, _ connection: Connection, server: UnsafePointer<ServerRecord>
  ) -> Key? {
    switch server.pointee.method {
    case .directRouting, .tunnelling:
      return nil
    case .masquerading:
      return key.at(endpoint: server.pointee.endpoint)
    case .fullNAT:
      let service = service(server.pointee.service)
      guard connection.localAddress < service.pointee.localAddressCount, let locals = service.pointee.localAddresses
      else { return nil }
      let local = locals + connection.localAddress
      return Key(
        high: local.pointee.high, low: local.pointee.low, port: connection.localPort, endpoint: server.pointee.endpoint)
    }
  }

  /// The key of a reply entry's connection.
  @inline(__always)
  mutating func requestKey<Key: ConnectionKey>(
    of key: Key, slot: UnsafeMutablePointer<UInt64>, server: UnsafePointer<ServerRecord>
  ) -> Key {
    let endpoint = service(server.pointee.service).pointee.endpoint
    if server.pointee.method == .fullNAT { return Key(slot + Key.wordsPerSlot).at(endpoint: endpoint) }
    return key.at(endpoint: endpoint)
  }

  @inline(__always)
  private mutating func count(_ index: Int, server: UInt16, isRequest: Bool) {
    let statistics = UnsafeMutableRawPointer(counters.servers + Int(server)) + (isRequest ? 0 : 8)
    ServerCounters.count(at: statistics, byteCount: UInt64(batch.packet(index).pointee.byteCount))
  }

  // MARK: - New connections

  /// Schedules a packet that has no connection, if it may open one.
  private mutating func open<Key>(_ index: Int, key: Key, in table: ConnectionTable<Key>) {
    let serviceNumber = snapshot.pointee.endpoint(key.endpoint).index
    let service = service(serviceNumber)
    guard service.pointee.isActive else { return batch.finish(index, .notOurs) }
    let packet = batch.packet(index)
    let isTCP = packet.pointee.isTCP
    // SYN without RST; SYN+ACK counts as SYN, as in IPVS. A later fragment cannot open anything.
    if isTCP && packet.pointee.segment & 0x06 != 0x02 || packet.pointee.flags.contains(.laterFragment) {
      return batch.finish(index, .noConnection)
    }
    if packet.pointee.farPort == 20 { return batch.finish(index, .privilegedSource) }
    guard let number = pick(index, service: service, number: serviceNumber) else {
      answer(index, .portUnreachable)
      return batch.outcomes[index] = .noServerAvailable
    }
    let server = server(number)
    let hasReplies = server.pointee.method == .masquerading || server.pointee.method == .fullNAT
    var connection = Connection(server: number, noOutput: !hasReplies)
    if isTCP {
      connection.state = states.next(
        0, row: hasReplies ? .input : .inputOnly, segment: batch.packet(index).pointee.segment)
    }
    connection.touch(clock)
    guard insert(index, key: key, connection: &connection, server: server, in: table) else { return }
    let isActive = ConnectionState.isActive(connection.state, protocolNumber: packet.pointee.protocolNumber)
    shared.bind(number, record: server, active: isActive)
    // By its address: with `servers[number].connections` the compiler cannot build this for ThreadSanitizer.
    let statistics = counters.servers + Int(number)
    statistics.pointee.connections &+= 1
    if hasReplies { askForClient(index) }
    packet.pointee.connection = connection
    count(index, server: number, isRequest: true)
  }

  /// The server's answer will have to find its way to the client: its next hop had better be known by then.
  private mutating func askForClient(_ index: Int) {
    let client = batch.packet(index).pointee.sourceAddress
    let hop = routedHop(high: client.high, low: client.low, isIPv6: batch.packet(index).pointee.isIPv6)
    if hop.pointee.state == .unresolved { ask(high: client.high, low: client.low, index) }
  }

  private mutating func pick(_ index: Int, service: UnsafePointer<ServiceRecord>, number: UInt16) -> UInt16? {
    let scheduler = service.pointee.scheduler
    if _slowPath(scheduler.isOutOfLine) { return pickOutOfLine(index, service: service, number: number) }
    let packet = batch.packet(index)
    let client = packet.pointee.sourceAddress
    let flow = ScheduledFlow(
      clientFold: fold(high: client.high, low: client.low, isIPv6: packet.pointee.isIPv6),
      clientPort: packet.pointee.farPort)
    let word = shared.schedulerStates + Int(number)
    while true {
      let old = SchedulerState(word: lbd_load_relaxed(word))
      var new = old
      let position = scheduler.pickInLine(
        from: service.pointee.servers, state: &new, flow: flow, flags: service.pointee.schedulerFlags)
      if new.word == old.word || lbd_compare_exchange(word, old.word, new.word) {
        return position < 0 ? nil : service.pointee.servers.identifiers[position]
      }
    }
  }

  @inline(__always)
  func fold(high: UInt64, low: UInt64, isIPv6: Bool) -> UInt32 {
    guard isIPv6 else { return UInt32(truncatingIfNeeded: low) }
    let word = high ^ low
    return UInt32(truncatingIfNeeded: word >> 32 ^ word)
  }

  /// Puts a new connection into the table, with the entry for its replies.
  /// - Returns: false when the packet's journey ended, or another worker was faster (then it goes on as a hit).
  private mutating func insert<Key>(
    _ index: Int, key: Key, connection: inout Connection, server: UnsafePointer<ServerRecord>,
    in table: ConnectionTable<Key>
  ) -> Bool {
    if server.pointee.method == .fullNAT,
      !takeLocalPort(index, key: key, connection: &connection, server: server, in: table)
    {
      return false
    }
    switch table.insert(key, hash: key.hash(table.secret), value: connection, generation: nextGeneration()) {
    case .inserted:
      countEntries(Key.self, 1)
    case .existing(let slot):
      removeReply(of: key, connection, server: server, in: table)
      if !advance(index, key: key, slot: slot, in: table) { batch.finish(index, .tableFull) }
      return false
    case .full:
      removeReply(of: key, connection, server: server, in: table)
      batch.finish(index, .tableFull)
      return false
    }
    guard server.pointee.method == .masquerading, let reply = replyKey(of: key, connection, server: server) else {
      return true
    }
    switch table.insert(reply, hash: reply.hash(table.secret), value: connection, generation: nextGeneration()) {
    case .inserted:
      countEntries(Key.self, 1)
    case .existing(let slot):
      // The same client port reaches the same server through another service: the newest connection gets the replies.
      var old = table.load(slot)
      while !old.isDead, !table.replace(slot, old: old, with: Connection(word: merged(connection, into: old))) {
        old = table.load(slot)
      }
    case .full:
      if let slot = table.find(key, hash: key.hash(table.secret)), table.remove(slot, hasContinuation: false) != nil {
        countEntries(Key.self, -1)
      }
      batch.finish(index, .tableFull)
      return false
    }
    return true
  }

  /// A connection's word, with the line's mark of the word it replaces.
  private mutating func merged(_ connection: Connection, into old: Connection) -> UInt64 {
    connection.word & ~Connection.overflowMask | old.word & Connection.overflowMask
  }

  mutating func countEntries<Key: ConnectionKey>(_ key: Key.Type, _ amount: Int) {
    _ = lbd_fetch_add(shared.entryCounts + (Key.wordsPerSlot == 2 ? 0 : 8), UInt64(bitPattern: Int64(amount)))
  }
}
