import CShims
import Wire

/// Where the hand stands.
struct SweepState {
  var cursorV4: UInt64 = 0
  var cursorV6: UInt64 = 0
  var cursorWide: UInt64 = 0
  /// Nanoseconds of the last turn of the hand.
  var last: UInt64 = 0

  /// A worker's hand goes once around its share of the table in this time.
  static var periodNanoseconds: UInt64 { 2_000_000_000 }
  /// Larger tables take longer: lines per second at most, which bounds what the hand costs.
  static var linesPerSecond: UInt64 { 4_000_000 }
  /// Lines in one turn while packets wait.
  static var busyLines: UInt64 { 256 }
}

/// Expiry by a clock hand: no timer per connection, only a stamp of its last packet. The hand walks over the table, each
/// worker over its share, a slice per turn, and removes what has been idle longer than its state allows. A lookup
/// that meets such an entry before the hand does removes it too, so a timeout is never late for a packet; the hand
/// keeps the counts and the room right.
///
/// A connection with an entry for replies is idle when both entries are. Only the requests' entry decides; that of
/// the replies goes with it, or when it is found alone.
extension WorkerState {
  /// True when the entry's own stamp is older than its state's timeout.
  @inline(__always)
  mutating func isIdleTooLong(_ connection: Connection, protocolNumber: UInt8) -> Bool {
    let idle = connection.idleTicks(clock)
    let timeout = snapshot.pointee.timeout(
      connection, protocolNumber: protocolNumber, idle: idle, now: clock.nanoseconds)
    guard idle > timeout else { return false }
    return idle > Limits.localPortRestSeconds * Clock.ticksPerSecond || !restsLocalPort(connection, protocolNumber)
  }

  /// True for a FULLNAT connection whose server may still be in TIME_WAIT: its local port is not another client's before
  /// that has passed, however short the timeouts are set. After a reset there is no such state.
  private mutating func restsLocalPort(_ connection: Connection, _ protocolNumber: UInt8) -> Bool {
    guard protocolNumber == TransportProtocol.tcp.rawValue else { return false }
    switch ConnectionState.TCP(rawValue: connection.state) {
    case .finWait, .timeWait, .closeWait, .lastAck: return server(connection.server).pointee.method == .fullNAT
    default: return false
    }
  }

  /// Moves the hand on by what is due.
  /// - Parameter isBusy: packets are waiting: only a small step.
  mutating func sweepDue(isBusy: Bool) {
    let elapsed = clock.nanoseconds &- sweep.last
    if elapsed < 1_000_000 && isBusy { return }
    sweep.last = clock.nanoseconds
    let now = min(elapsed, SweepState.periodNanoseconds)
    if lbd_load_relaxed(shared.entryCounts) != 0 {
      sweep.cursorV4 = sweepSlice(shared.tableV4, from: sweep.cursorV4, elapsed: now, isBusy: isBusy)
    }
    if lbd_load_relaxed(shared.entryCounts + 8) != 0 {
      sweep.cursorV6 = sweepSlice(shared.tableV6, from: sweep.cursorV6, elapsed: now, isBusy: isBusy)
    }
    if lbd_load_relaxed(shared.entryCounts + SharedState.entryIndex(KeyWide.self)) != 0 {
      sweep.cursorWide = sweepSlice(shared.tableWide, from: sweep.cursorWide, elapsed: now, isBusy: isBusy)
    }
  }

  /// True when the wide table is not empty.
  var hasWideEntries: Bool {
    lbd_load_relaxed(shared.entryCounts + SharedState.entryIndex(KeyWide.self)) != 0
  }

  /// Looks at the whole table once: for replay, whose clock jumps.
  mutating func sweepAll() {
    if lbd_load_relaxed(shared.entryCounts) != 0 {
      for line in 0..<UInt64(shared.tableV4.lineCount) { sweepLine(line, in: shared.tableV4) }
    }
    if lbd_load_relaxed(shared.entryCounts + 8) != 0 {
      for line in 0..<UInt64(shared.tableV6.lineCount) { sweepLine(line, in: shared.tableV6) }
    }
    guard hasWideEntries else { return }
    for line in 0..<UInt64(shared.tableWide.lineCount) {
      if !isTemplate(line) { sweepLine(line, in: shared.tableWide) }
    }
    // Those that the clock has taken far are let go of first.
    for line in 0..<UInt64(shared.tableWide.lineCount) {
      if isTemplate(line) { sweepLine(line, in: shared.tableWide) }
    }
  }

  private func isTemplate(_ line: UInt64) -> Bool {
    let kind = UInt16(truncatingIfNeeded: lbd_load_acquire(shared.tableWide.line(line)))
    return WideKind(rawValue: kind)?.isTemplate ?? false
  }

  private mutating func sweepSlice<Key>(
    _ table: ConnectionTable<Key>, from cursor: UInt64, elapsed: UInt64, isBusy: Bool
  ) -> UInt64 {
    // Shares differ by a line where the workers do not divide the table.
    let lines = UInt64(table.lineCount)
    let first = lines * UInt64(worker) / UInt64(workerCount)
    let share = lines * UInt64(worker + 1) / UInt64(workerCount) - first
    guard share > 0 else { return cursor }
    let perSecond = min(share * 1_000_000_000 / SweepState.periodNanoseconds, SweepState.linesPerSecond)
    var due = min(perSecond * elapsed / 1_000_000_000 + 1, share)
    if isBusy { due = min(due, SweepState.busyLines) }
    var position = cursor % share
    for _ in 0..<due {
      sweepLine(first + position, in: table)
      position = position + 1 == share ? 0 : position + 1
    }
    return position
  }

  private mutating func sweepLine<Key>(_ index: UInt64, in table: ConnectionTable<Key>) {
    let first = table.line(index)
    if table.isEmpty(first) { return }
    for position in 0..<ConnectionTable<Key>.slotsPerLine {
      let slot = first + position * Key.wordsPerSlot
      let head = lbd_load_acquire(slot)
      let endpoint = UInt16(truncatingIfNeeded: head)
      if endpoint == 0 || endpoint == 0xffff { continue }
      let connection = table.load(slot)
      if connection.isDead { continue }
      if Key.wordsPerSlot == KeyWide.wordsPerSlot, endpoint >= WideKind.template.rawValue {
        sweepTemplate(slot)
        continue
      }
      let key = Key(slot)
      if endsAtOnce(connection, of: key), key.role(snapshot) == .service {
        forget(slot, key: key, in: table)
      } else if isIdleTooLong(connection, protocolNumber: protocolNumber(of: key, connection)) {
        _ = expire(slot, key: key, in: table)
      } else if !connection.isCoarse, connection.idleTicks(clock) > Clock.tickMask / 4 {
        var coarse = connection
        coarse.coarsen(clock)
        _ = table.replace(slot, old: connection, with: coarse)
      }
    }
    table.clearMark(line: index)
  }

  /// True for a connection that ends without a packet, and before its time.
  @inline(__always)
  private mutating func endsAtOnce<Key>(_ connection: Connection, of key: Key) -> Bool where Key: ConnectionKey {
    let server = server(connection.server)
    guard connection.server != Connection.bypassServer else { return false }
    return server.pointee.isForgotten
      || server.pointee.draining == .over && protocolNumber(of: key, connection) != TransportProtocol.tcp.rawValue
  }

  /// Removes a connection whose entry at `slot` has been idle too long, unless its other entry has not.
  /// - Returns: true when the entry is gone.
  mutating func expire<Key>(_ slot: UnsafeMutablePointer<UInt64>, key: Key, in table: ConnectionTable<Key>) -> Bool {
    while true {
      let connection = table.load(slot)
      if connection.isDead || !key.matches(slot) { return true }
      let server = server(connection.server)
      let protocolNumber = protocolNumber(of: key, connection)
      // Another worker may have seen a packet since the caller looked.
      guard isIdleTooLong(connection, protocolNumber: protocolNumber), !isHeld(key) else { return false }
      switch key.role(snapshot) {
      case .server: return expire(reply: slot, key: key, connection, server: server, in: table)
      case .none: return removeStray(slot, in: table)
      case .service: break
      }
      let reply = replyKey(of: key, connection, server: server)
      if let reply, let other = table.find(reply, hash: reply.hash(table.secret)) {
        let mirror = table.load(other)
        let isLater = mirror.idleTicks(clock) < connection.idleTicks(clock)
        if isLater, mirror.server == connection.server, !isIdleTooLong(mirror, protocolNumber: protocolNumber) {
          // A one-sided conversation: carry the replies' stamp over.
          let stamped = connection.word & ~Connection.tickField | mirror.word & Connection.tickField
          _ = table.replace(slot, old: connection, with: Connection(word: stamped))
          return false
        }
      }
      guard table.remove(slot, ifStill: connection, hasContinuation: false) else { continue }
      counters.add(.expired)
      removed(key, connection, reply: reply, in: table)
      return true
    }
  }

  /// Forgets a connection at once, whatever its age.
  mutating func forget<Key>(_ slot: UnsafeMutablePointer<UInt64>, key: Key, in table: ConnectionTable<Key>) {
    guard let connection = table.remove(slot, hasContinuation: false) else { return }
    removed(key, connection, reply: replyKey(of: key, connection, server: server(connection.server)), in: table)
  }

  /// Forgets a connection whose client begins anew from the same port. IPVS does so by its timer, a tick later: so it counts
  /// while the server of the next one is chosen, until `settleReplaced`.
  mutating func replace<Key>(_ slot: UnsafeMutablePointer<UInt64>, key: Key, in table: ConnectionTable<Key>) {
    guard let connection = table.remove(slot, hasContinuation: false) else { return }
    replaced = connection
    detach(key, connection, reply: replyKey(of: key, connection, server: server(connection.server)), in: table)
  }

  /// The packet that has begun anew has had its way.
  @inline(never)
  mutating func settleReplaced(protocolNumber: UInt8) {
    guard let connection = replaced else { return }
    replaced = nil
    shared.unbind(
      connection.server, record: server(connection.server),
      active: ConnectionState.isActive(connection.state, protocolNumber: protocolNumber))
  }

  /// After a connection's entry for requests has gone: its other entry, its server's counts, its template.
  private mutating func removed<Key>(
    _ key: Key, _ connection: Connection, reply: Key?, in table: ConnectionTable<Key>
  ) {
    shared.unbind(
      connection.server, record: server(connection.server),
      active: ConnectionState.isActive(connection.state, protocolNumber: protocolNumber(of: key, connection)))
    detach(key, connection, reply: reply, in: table)
  }

  /// The same but for the server's counts.
  @inline(__always)
  private mutating func detach<Key>(
    _ key: Key, _ connection: Connection, reply: Key?, in table: ConnectionTable<Key>
  ) {
    let server = server(connection.server)
    countEntries(Key.self, -1)
    if let reply { removeMirror(reply, of: connection, server: server, in: table) }
    if key.helper != 0 { shared.helpers.release(key.helper) }
    if connection.isControlled, !key.isExpected {
      releaseTemplate(of: key, connection, service: server.pointee.service)
    }
  }

  /// What a connection's packets are: its service's protocol, or what its key says.
  @inline(__always)
  mutating func protocolNumber<Key: ConnectionKey>(of key: Key, _ connection: Connection) -> UInt8 {
    let own = key.ownProtocolNumber
    return own != 0 ? own : service(server(connection.server).pointee.service).pointee.protocolNumber
  }

  /// Removes an entry whose endpoint is nobody's any more; no count is kept for it.
  private mutating func removeStray<Key>(_ slot: UnsafeMutablePointer<UInt64>, in table: ConnectionTable<Key>) -> Bool {
    // Only the second slot of a pair has this mark, and pairs begin at even positions.
    let isEven = (slot - table.lines) / Key.wordsPerSlot % 2 == 0
    let isPair = isEven && lbd_load_relaxed(slot + Key.wordsPerSlot) & 0xffff == UInt64(LB_ENDPOINT_CONTINUATION)
    if table.remove(slot, hasContinuation: isPair) != nil { countEntries(Key.self, -1) }
    return true
  }

  private mutating func removeMirror<Key>(
    _ reply: Key, of connection: Connection, server: UnsafePointer<ServerRecord>, in table: ConnectionTable<Key>
  ) {
    guard let slot = table.find(reply, hash: reply.hash(table.secret)), table.load(slot).server == connection.server
    else { return }
    let isPair = Key.hasPairs && server.pointee.method == .fullNAT
    if table.remove(slot, hasContinuation: isPair) != nil { countEntries(Key.self, -1) }
  }

  /// The entry of replies goes with its connection, when that is idle too; alone it goes at once.
  private mutating func expire<Key>(
    reply slot: UnsafeMutablePointer<UInt64>, key: Key, _ connection: Connection, server: UnsafePointer<ServerRecord>,
    in table: ConnectionTable<Key>
  ) -> Bool {
    let request = requestKey(of: key, slot: slot, server: server)
    if let primary = table.find(request, hash: request.hash(table.secret)) {
      let other = table.load(primary)
      if !other.isDead, other.server == connection.server, other.localPort == connection.localPort {
        let protocolNumber = protocolNumber(of: key, connection)
        // Both are idle: a late reply must not bring the connection back, nor must it keep its local port.
        return isIdleTooLong(other, protocolNumber: protocolNumber) && expire(primary, key: Key(primary), in: table)
      }
    }
    let isPair = Key.hasPairs && server.pointee.method == .fullNAT
    if table.remove(slot, hasContinuation: isPair) != nil { countEntries(Key.self, -1) }
    return true
  }
}
