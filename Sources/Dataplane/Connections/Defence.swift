import CShims
import Wire

/// IPVS's defence strategies, where workers carry them out. Whether they are in effect (modes, memory) control decides;
/// what stands in the snapshot's settings is the decision.
struct DefenceState {
  /// Packets that would open a connection until one is dropped.
  var untilDrop: Int32 = 0
  /// Nanoseconds of the last look for entries to drop; 0 when none is due.
  var last: UInt64 = 0
  /// Draws lines and lots.
  var lot = Lot(seed: 0)

  /// Each second one line in so many is looked at.
  static var linesPerLook: UInt64 { 32 }
  /// Of the idle entries that are subject to a lottery one in so many goes.
  static var chance: UInt64 { 8 }
  /// Half seconds after which an entry counts as idle.
  static var idleTicks: UInt64 { 60 * Clock.ticksPerSecond }

  /// Pseudo-random numbers (SplitMix64).
  struct Lot {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func draw() -> UInt64 {
      state &+= 0x9e37_79b9_7f4a_7c15
      var word = state
      word = (word ^ word >> 30) &* 0xbf58_476d_1ce4_e5b9
      word = (word ^ word >> 27) &* 0x94d0_49bb_1331_11eb
      return word ^ word >> 31
    }
  }
}

extension WorkerState {
  /// drop_packet: true for every so many packets that would open a connection.
  mutating func isDefended(_ index: Int) -> Bool {
    let settings = snapshot.pointee.settings
    guard settings.dropPacket.isInEffect, settings.dropRate > 0 else { return false }
    defence.untilDrop &-= 1
    if defence.untilDrop > 0 { return false }
    defence.untilDrop = Int32(clamping: settings.dropRate)
    return true
  }

  /// drop_entry: in a second, one line in 32 is drawn, and what is half open there goes; so do templates that no
  /// established connection vouches for, and some of the UDP entries that have long been idle.
  /// - Parameter isBusy: packets are waiting: only a small step.
  @inline(never)
  mutating func dropEntriesDue(isBusy: Bool) {
    let elapsed = clock.nanoseconds &- defence.last
    let isFirst = defence.last == 0 || elapsed > DefenceState.longestPause
    if isFirst { defence.last = clock.nanoseconds }
    if isFirst || elapsed < 1_000_000 { return }
    defence.last = clock.nanoseconds
    let limit = isBusy ? SweepState.busyLines : .max
    dropEntries(in: shared.tableV4, elapsed: elapsed, limit: limit)
    dropEntries(in: shared.tableV6, elapsed: elapsed, limit: limit)
    dropEntries(in: shared.tableWide, elapsed: elapsed, limit: limit)
  }

  private mutating func dropEntries<Key>(in table: ConnectionTable<Key>, elapsed: UInt64, limit: UInt64) {
    guard lbd_load_relaxed(shared.entryCounts + SharedState.entryIndex(Key.self)) != 0 else { return }
    // All workers draw from the whole table, each its part of the lines that are due. What is less than a line is drawn for.
    let part = UInt64(table.lineCount) / UInt64(workerCount)
    let (due, rest) = (part &* elapsed).quotientAndRemainder(
      dividingBy: DefenceState.linesPerLook &* 1_000_000_000)
    let isOneMore = defence.lot.draw() % (DefenceState.linesPerLook &* 1_000_000_000) < rest
    for _ in 0..<min(due + (isOneMore ? 1 : 0), limit) { dropEntries(ofLine: defence.lot.draw(), in: table) }
  }

  private mutating func dropEntries<Key>(ofLine index: UInt64, in table: ConnectionTable<Key>) {
    let first = table.line(index)
    if table.isEmpty(first) { return }
    for position in 0..<ConnectionTable<Key>.slotsPerLine {
      let slot = first + position * Key.wordsPerSlot
      let endpoint = UInt16(truncatingIfNeeded: lbd_load_acquire(slot))
      if endpoint == 0 || endpoint == 0xffff { continue }
      let connection = table.load(slot)
      if connection.isDead { continue }
      if Key.wordsPerSlot == KeyWide.wordsPerSlot, endpoint >= WideKind.template.rawValue {
        if isExpendable(template: connection) { dropTemplate(slot) }
        continue
      }
      let key = Key(slot)
      guard key.role(snapshot) == .service,
        isExpendable(connection, protocolNumber: protocolNumber(of: key, connection))
      else { continue }
      counters.add(.expired)
      forget(slot, key: key, in: table)
      if connection.isControlled { dropTemplate(of: key, connection) }
    }
  }

  /// TCP and SCTP: before it is established. UDP: by lot, when it has been idle.
  private mutating func isExpendable(_ connection: Connection, protocolNumber: UInt8) -> Bool {
    switch TransportProtocol(rawValue: protocolNumber) {
    case .tcp:
      return connection.state == ConnectionState.TCP.synReceived.rawValue
        || connection.state == ConnectionState.TCP.synAck.rawValue
    case .sctp:
      return connection.state == ConnectionState.SCTP.init1.rawValue
        || connection.state == ConnectionState.SCTP.initiated.rawValue
    case .udp, nil:
      return isUnlucky(connection)
    }
  }

  /// Templates without connections (see `dropTemplate`): all that are not assured; of one-packet services by lot.
  private mutating func isExpendable(template connection: Connection) -> Bool {
    if connection.state == 0 { return true }
    let service = service(server(connection.server).pointee.service)
    return service.pointee.isOnePacket && isUnlucky(connection)
  }

  private mutating func isUnlucky(_ connection: Connection) -> Bool {
    connection.idleTicks(clock) >= DefenceState.idleTicks && defence.lot.draw() % DefenceState.chance == 0
  }
}

extension DefenceState {
  /// After a longer pause the count of time begins anew.
  fileprivate static var longestPause: UInt64 { 1_000_000_000 }
}
