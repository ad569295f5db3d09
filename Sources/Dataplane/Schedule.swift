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
  mutating func schedule() {
    openedInBatch = false
    let tables = (shared.tableV4, shared.tableV6)
    let steady = SteadyTest(self)
    for index in 0..<batch.count where batch.outcomes[index] == .pending {
      if let slot = batch.slots[index], goesOn(index, slot: slot, steady) { continue }
      if batch.flags[index].contains(.ipv6) {
        schedule(index, key: Classify.keyV6(index, of: batch), in: tables.1)
      } else {
        schedule(index, key: Classify.keyV4(index, of: batch), in: tables.0)
      }
    }
  }

  /// Whatever is not a plain packet of a steady connection.
  @inline(never)
  private mutating func schedule<Key>(_ index: Int, key: Key, in table: ConnectionTable<Key>) {
    if let slot = batch.slots[index], advance(index, key: key, slot: slot, in: table) { return }
    if openedInBatch, let slot = table.find(key, hash: batch.hashes[index]) {
      // FULLNAT reads the client from the slot when it rewrites a reply.
      batch.slots[index] = slot
      if advance(index, key: key, slot: slot, in: table) { return }
    }
    if batch.directions[index] == .request {
      open(index, key: key, in: table)
    } else {
      batch.finish(index, .noReplyConnection)
    }
  }

  // MARK: - Existing connections

  /// What `goesOn` compares a connection with, the same for a whole batch: in registers, not behind pointers.
  private struct SteadyTest {
    let transitions: UnsafeMutablePointer<UInt8>
    let servers: UnsafePointer<ServerRecord>
    let serverLimit: UInt32
    let counters: UnsafeMutableRawPointer
    /// The stamp of this moment, in place.
    let stamp: UInt64
    let tick: UInt64
    let timeouts: UnsafeMutablePointer<UInt32>

    @inline(__always)
    init(_ state: borrowing WorkerState) {
      transitions = state.states.transitions
      servers = UnsafePointer(state.snapshot.pointee.servers)
      serverLimit = state.snapshot.pointee.serverLimit
      counters = UnsafeMutableRawPointer(state.counters.servers)
      tick = state.clock.tick
      stamp = tick << UInt64(LB_VALUE_TICK_SHIFT)
      timeouts = state.snapshot.pointee.timeouts
    }
  }

  /// A packet that changes nothing about its connection but the time it was last seen: nearly all are such.
  /// - Returns: false when it is not so plain, with nothing done.
  @inline(__always)
  private mutating func goesOn(_ index: Int, slot: UnsafeMutablePointer<UInt64>, _ steady: SteadyTest) -> Bool {
    let isIPv6 = batch.flags[index].contains(.ipv6)
    let value = slot + (isIPv6 ? KeyV6.wordsPerSlot - 1 : KeyV4.wordsPerSlot - 1)
    var word = lbd_load_acquire(value)
    // The value was read first: if the key is still the packet's, the value is its connection's.
    guard lbd_load_acquire(slot) == batch.heads[index] else { return false }
    let reply = Int(batch.directions[index].rawValue)
    let noOutput = Int(truncatingIfNeeded: word >> UInt64(LB_VALUE_NO_OUTPUT_SHIFT)) & 1 & ~reply
    let state = Int(truncatingIfNeeded: word >> UInt64(LB_VALUE_STATE_SHIFT)) & 0xf
    let next = ConnectionState.index(
      state: state, row: reply &* 2 &+ noOutput, segment: Int(batch.segments[index]))
    guard Int(steady.transitions[next]) == state else { return false }
    let number = UInt16(truncatingIfNeeded: word)
    let server = steady.servers + Int(min(UInt32(number), steady.serverLimit))
    guard server.pointee.isAvailable || reply != 0 else { return false }
    if word & Connection.tickField != steady.stamp {
      // Coarse stamps and what has been idle too long are for the long way.
      let isTCP = batch.protocols[index] == TransportProtocol.tcp.rawValue
      let seen = word >> UInt64(LB_VALUE_TICK_SHIFT)
      let idle = (steady.tick &- seen) & Clock.tickMask
      let isCoarse = word >> UInt64(LB_VALUE_COARSE_SHIFT) & 1 != 0
      guard !isCoarse, idle <= UInt64(steady.timeouts[isTCP ? state : SnapshotView.udpTimeout]) else { return false }
      let stamped = word & ~Connection.tickField | steady.stamp
      guard lbd_compare_exchange(value, word, stamped) else { return false }
      word = stamped
    }
    batch.connections[index] = Connection(word: word)
    let statistics = steady.counters + (Int(number) &* MemoryLayout<ServerCounters>.stride &+ reply &* 8)
    ServerCounters.count(at: statistics, byteCount: UInt64(batch.networkByteCounts[index]))
    return true
  }

  /// Moves a connection on by one packet.
  /// - Returns: false when the slot no longer holds it.
  private mutating func advance<Key>(
    _ index: Int, key: Key, slot: UnsafeMutablePointer<UInt64>, in table: ConnectionTable<Key>
  ) -> Bool {
    let isRequest = batch.directions[index] == .request
    var old = table.load(slot)
    while true {
      if old.isDead || !key.matches(slot) { return false }
      if isIdleTooLong(old, protocolNumber: batch.protocols[index]), expire(slot, key: key, in: table) { return false }
      let server = server(old.server)
      if isRequest && !server.pointee.isAvailable {
        batch.finish(index, .serverRemoved)
        return true
      }
      var new = old
      new.touch(clock)
      let row: ConnectionState.Row = isRequest ? (old.noOutput ? .inputOnly : .input) : .output
      let state = states.next(old.state, row: row, segment: batch.segments[index])
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
    batch.connections[index] = old
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
      new.state = states.next(old.state, row: .output, segment: batch.segments[index])
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
    ServerCounters.count(at: statistics, byteCount: UInt64(batch.networkByteCounts[index]))
  }

  // MARK: - New connections

  /// Schedules a packet that has no connection, if it may open one.
  private mutating func open<Key>(_ index: Int, key: Key, in table: ConnectionTable<Key>) {
    let serviceNumber = snapshot.pointee.endpoint(key.endpoint).index
    let service = service(serviceNumber)
    guard service.pointee.isActive else { return batch.finish(index, .notOurs) }
    let isTCP = batch.protocols[index] == TransportProtocol.tcp.rawValue
    // SYN without RST; SYN+ACK counts as SYN, as in IPVS. A later fragment cannot open anything.
    if isTCP && batch.segments[index] & 0x06 != 0x02 || batch.flags[index].contains(.laterFragment) {
      return batch.finish(index, .noConnection)
    }
    if batch.sourcePort(index) == 20 { return batch.finish(index, .privilegedSource) }
    guard let number = pick(index, service: service, number: serviceNumber) else {
      answer(index, .portUnreachable)
      return batch.outcomes[index] = .noServerAvailable
    }
    let server = server(number)
    let hasReplies = server.pointee.method == .masquerading || server.pointee.method == .fullNAT
    var connection = Connection(server: number, noOutput: !hasReplies)
    if isTCP {
      connection.state = states.next(0, row: hasReplies ? .input : .inputOnly, segment: batch.segments[index])
    }
    connection.touch(clock)
    guard insert(index, key: key, connection: &connection, server: server, in: table) else { return }
    let isActive = ConnectionState.isActive(connection.state, protocolNumber: batch.protocols[index])
    shared.bind(number, record: server, active: isActive)
    counters.servers[Int(number)].connections &+= 1
    openedInBatch = true
    if hasReplies { askForClient(index) }
    batch.connections[index] = connection
    count(index, server: number, isRequest: true)
  }

  /// The server's answer will have to find its way to the client: its next hop had better be known by then.
  private mutating func askForClient(_ index: Int) {
    let client = batch.sourceAddress(index)
    let hop = routedHop(high: client.high, low: client.low, isIPv6: batch.flags[index].contains(.ipv6))
    if hop.pointee.state == .unresolved { ask(high: client.high, low: client.low, index) }
  }

  private mutating func pick(_ index: Int, service: UnsafePointer<ServiceRecord>, number: UInt16) -> UInt16? {
    let isIPv6 = batch.flags[index].contains(.ipv6)
    let client = batch.sourceAddress(index)
    let destination = batch.destinationAddress(index)
    let flow = ScheduledFlow(
      clientFold: fold(high: client.high, low: client.low, isIPv6: isIPv6),
      destinationFold: fold(high: destination.high, low: destination.low, isIPv6: isIPv6),
      clientPort: batch.sourcePort(index))
    let word = shared.schedulerStates + Int(number)
    while true {
      let old = SchedulerState(word: lbd_load_relaxed(word))
      var new = old
      let position = service.pointee.scheduler.pick(
        from: service.pointee.servers, state: &new, flow: flow, flags: service.pointee.schedulerFlags)
      if new.word == old.word || lbd_compare_exchange(word, old.word, new.word) {
        return position < 0 ? nil : service.pointee.servers.identifiers[position]
      }
    }
  }

  @inline(__always)
  private mutating func fold(high: UInt64, low: UInt64, isIPv6: Bool) -> UInt32 {
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
    switch table.insert(key, hash: batch.hashes[index], value: connection, generation: nextGeneration()) {
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
      if let slot = table.find(key, hash: batch.hashes[index]), table.remove(slot, hasContinuation: false) != nil {
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
