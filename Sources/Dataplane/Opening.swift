import CShims
import Scheduler
import Wire

/// A packet that has no connection: may it open one, to which server, and where is it put down?
extension WorkerState {
  /// Schedules a packet that has no connection, if it may open one.
  /// - Parameter number: the service's.
  mutating func open<Key>(_ index: Int, key: Key, service number: UInt16, in table: ConnectionTable<Key>) {
    let service = service(number)
    guard service.pointee.isActive else { return batch.finish(index, .notOurs) }
    let packet = batch.packet(index)
    if packet.pointee.flags.contains(.cutShort) { return batch.finish(index, .malformed) }
    guard maySchedule(packet.pointee) else { return batch.finish(index, .noConnection) }
    if isDefended(index) { return batch.finish(index, .droppedInDefence) }
    if packet.pointee.farPort == 20 { return batch.finish(index, .privilegedSource) }
    let isPersistent = service.pointee.persistenceSeconds != 0
    var key = key
    let picked =
      isPersistent
      ? pickPersistent(index, service: number, service, for: &key) : pick(index, service: service, number: number)
    guard let picked else {
      guard batch.outcomes[index] == .pending else { return }
      if mayBypass(index, service) { return openBypass(index, key: key, service: number, in: table) }
      countAnswer(toReplaced: answer(index, .portUnreachable))
      return batch.outcomes[index] = .noServerAvailable
    }
    open(index, key: key, service: service, number, on: picked, in: table)
  }

  /// Opens a connection to a server that has been chosen, in its present form.
  @inline(__always)
  private mutating func open<Key>(
    _ index: Int, key: Key, service: UnsafePointer<ServiceRecord>, _ serviceNumber: UInt16, on chosen: UInt16,
    in table: ConnectionTable<Key>
  ) {
    let packet = batch.packet(index)
    let number = server(chosen).pointee.form
    let server = server(number)
    let protocolNumber = packet.pointee.protocolNumber
    let hasReplies = server.pointee.method.rewritesTransport
    var key = key
    let serverPort = serverPort(index, service, server)
    if server.pointee.method == .fullNAT {
      key.noteTranslated(serverPort: serverPort)
    } else {
      key.note(service: serviceNumber, serverPort: serverPort)
    }
    var connection = Connection(server: number, noOutput: !hasReplies)
    // What NAT sends to stands in the connection itself where it is not the same for all of a server's.
    if packet.pointee.flags.contains(.wide) { connection.localPort = serverPort }
    connection.isControlled = service.pointee.persistenceSeconds != 0
    if connection.isControlled, server.pointee.method != .fullNAT {
      connection.templateMask = service.pointee.persistenceMasks.pointee.digest
    }
    connection.state = states.next(0, row: hasReplies ? .input : .inputOnly, segment: packet.pointee.event)
    if connection.isControlled, hasReplies, protocolNumber == TransportProtocol.udp.rawValue {
      connection.state = ConnectionState.unanswered
    }
    connection.touch(clock)
    // FULLNAT's answers find their client by their entry, so there is no connection of one packet.
    let isLasting =
      !(service.pointee.isOnePacket && protocolNumber == TransportProtocol.udp.rawValue)
      || server.pointee.method == .fullNAT
    // The ports last: looking at eight of them costs more than all of this for a connection that needs none.
    if packet.pointee.flags.contains(.wide), packet.pointee.isTCP, server.pointee.method == .masquerading,
      snapshot.pointee.hasHelpers, snapshot.pointee.settings.ftpPorts.contains(packet.pointee.nearPort)
    {
      key.helper = shared.helpers.take()
    }
    if isLasting, !insert(index, key: key, connection: &connection, server: server, in: table) {
      shared.helpers.release(key.helper)
      if connection.isControlled { releaseTemplate(of: key, connection, service: serviceNumber) }
      return
    }
    let isActive = ConnectionState.isActive(connection.state, protocolNumber: protocolNumber)
    shared.bind(number, record: server, active: isActive)
    if connection.isControlled, ConnectionState.isEstablished(connection.state, protocolNumber: protocolNumber) {
      assureTemplate(of: key, connection, service: serviceNumber)
    }
    // By its address: with `servers[number].connections` the compiler cannot build this for ThreadSanitizer.
    let statistics = counters.servers + Int(number)
    statistics.pointee.connections &+= 1
    if opensBySYN(index, connection) { statistics.pointee.opened &+= 1 }
    if hasReplies { askForClient(index) }
    packet.pointee.connection = connection
    // An ICMP error is counted when it is sent on.
    if !packet.pointee.flags.contains(.icmpError) { count(index, server: number, isRequest: true) }
    if isLasting { return }
    packet.pointee.slot = nil
    // One-packet scheduling: the connection has ended with this packet.
    shared.unbind(number, record: server, active: isActive)
    if connection.isControlled { releaseTemplate(of: key, connection, service: serviceNumber) }
  }

  /// TCP: SYN without RST (SYN+ACK counts as SYN, as in IPVS). SCTP: INIT. Sloppy: all but RST, all but ABORT. UDP: any
  /// packet. An ICMP error only comes here when it may.
  private mutating func maySchedule(_ packet: Packet) -> Bool {
    if packet.flags.contains(.icmpError) { return true }
    if packet.isTCP {
      if packet.segment & 0x04 != 0 { return false }
      return packet.segment & 0x02 != 0 || snapshot.pointee.settings.isSloppyTCP
    }
    guard packet.protocolNumber == TransportProtocol.sctp.rawValue else { return true }
    let event = packet.segment &- Packet.firstSCTPSegment
    return event == 1 || event != 9 && snapshot.pointee.settings.isSloppySCTP
  }

  /// Where the server gets it: its own port, or the client's destination port where the service is for more than one.
  private mutating func serverPort(
    _ index: Int, _ service: UnsafePointer<ServiceRecord>, _ server: UnsafePointer<ServerRecord>
  ) -> UInt16 {
    let port = batch.packet(index).pointee.nearPort
    guard batch.packet(index).pointee.flags.contains(.wide), server.pointee.port != 0 else {
      return server.pointee.port != 0 ? server.pointee.port : port
    }
    if service.pointee.persistenceSeconds != 0 { return port == service.pointee.port ? server.pointee.port : port }
    return server.pointee.port
  }

  /// The server's answer will have to find its way to the client: its next hop had better be known by then.
  private mutating func askForClient(_ index: Int) {
    let client = batch.packet(index).pointee.sourceAddress
    let hop = routedHop(high: client.high, low: client.low, isIPv6: batch.packet(index).pointee.isIPv6)
    if hop.pointee.state == .unresolved { ask(high: client.high, low: client.low, index) }
  }

  mutating func pick(_ index: Int, service: UnsafePointer<ServiceRecord>, number: UInt16) -> UInt16? {
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
    case .inserted(let slot):
      countEntries(Key.self, 1)
      batch.packet(index).pointee.slot = slot
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
    let value = replyValue(index, of: connection)
    switch table.insert(reply, hash: reply.hash(table.secret), value: value, generation: nextGeneration()) {
    case .inserted:
      countEntries(Key.self, 1)
    case .existing(let slot):
      // The same client port reaches the same server through another service: the newest connection gets the replies.
      var old = table.load(slot)
      while !old.isDead, !table.replace(slot, old: old, with: Connection(word: merged(value, into: old))) {
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
    _ = lbd_fetch_add(shared.entryCounts + SharedState.entryIndex(key), UInt64(bitPattern: Int64(amount)))
  }
}
