import CShims

/// The straight line that nearly all packets take: their connection is known, and goes on as it is.
///
/// One load decides: the state machine's table says whether this segment leaves this state as it is. What does change,
/// the time of the last packet, changes once in half a second. Everything else (opening, closing, expiry, servers that
/// have been taken away) is `Schedule.swift`, with the same result for a packet that could have gone this way.
///
/// The values are the same for a whole batch: here they are in registers, not behind pointers that every store might
/// change.
struct Steady {
  private let tableV4: ConnectionTable<KeyV4>
  private let tableV6: ConnectionTable<KeyV6>
  private let states: UnsafeMutablePointer<UInt64>
  private let servers: UnsafePointer<ServerRecord>
  private let serverLimit: UInt32
  private let counters: UnsafeMutableRawPointer
  private let tick: UInt64
  private let timeouts: UnsafeMutablePointer<UInt32>

  @inline(__always)
  init(_ state: borrowing WorkerState) {
    tableV4 = state.shared.tableV4
    tableV6 = state.shared.tableV6
    states = state.states.steady
    servers = UnsafePointer(state.snapshot.pointee.servers)
    serverLimit = state.snapshot.pointee.serverLimit
    counters = UnsafeMutableRawPointer(state.counters.servers)
    tick = state.clock.tick
    timeouts = state.snapshot.pointee.leastTimeouts
  }

  /// Finds the connection, stamps and counts it, if the packet changes nothing else.
  /// - Returns: its real server, or nil, with nothing done.
  @_transparent
  func server(of packet: UnsafeMutablePointer<Packet>, _ form: PacketForm) -> UnsafePointer<ServerRecord>? {
    let line = packet.pointee.line
    if form.isIPv6 {
      guard let (slot, connection) = tableV6.look(for: packet.pointee.keyV6, at: line) else { return nil }
      if form.isReply { packet.pointee.slot = slot }
      return goOn(packet, form, connection, at: ConnectionTable<KeyV6>.value(slot))
    }
    guard let (slot, connection) = tableV4.look(for: packet.pointee.keyV4, at: line) else { return nil }
    if form.isReply { packet.pointee.slot = slot }
    return goOn(packet, form, connection, at: ConnectionTable<KeyV4>.value(slot))
  }

  @_transparent
  private func goOn(
    _ packet: UnsafeMutablePointer<Packet>, _ form: PacketForm, _ connection: Connection,
    at value: UnsafeMutablePointer<UInt64>
  ) -> UnsafePointer<ServerRecord>? {
    var word = connection.word
    // State and "no output" are five bits in a row; replies have the same states in either case.
    let situation = word >> UInt64(LB_VALUE_STATE_SHIFT) & (form.isReply ? 0xf : 0x1f)
    let steady = states[Int(packet.pointee.segment)] >> (form.isReply ? 32 : 0)
    guard _fastPath(steady &>> situation & 1 != 0) else { return nil }
    let number = UInt16(truncatingIfNeeded: word)
    guard _fastPath(UInt32(number) < serverLimit) else { return nil }
    let server = servers + Int(number)
    guard _fastPath(form.isReply || server.pointee.isReady) else { return nil }
    // The stamp is the word's upper end, with the bit for coarse ones below it.
    if _slowPath(word >> UInt64(LB_VALUE_COARSE_SHIFT) != tick << 1) {
      guard let stamped = stamp(packet, connection, at: value) else { return nil }
      word = stamped
    }
    packet.pointee.connection = Connection(word: word)
    let statistics = counters + (Int(number) &* MemoryLayout<ServerCounters>.stride &+ (form.isReply ? 8 : 0))
    ServerCounters.count(at: statistics, byteCount: UInt64(packet.pointee.byteCount))
    return server
  }

  /// The word with the time of this packet, once it stands in the table.
  @inline(__always)
  private func stamp(
    _ packet: UnsafeMutablePointer<Packet>, _ connection: Connection, at value: UnsafeMutablePointer<UInt64>
  ) -> UInt64? {
    let word = connection.word
    // Coarse stamps and what has been idle too long are for the long way.
    let idle = (tick &- word >> UInt64(LB_VALUE_TICK_SHIFT)) & Clock.tickMask
    let timeout = timeouts[packet.pointee.isTCP ? Int(connection.state) : SnapshotView.udpTimeout]
    guard !connection.isCoarse, idle <= UInt64(timeout) else { return nil }
    let stamped = word & ~Connection.tickField | tick << UInt64(LB_VALUE_TICK_SHIFT)
    return lbd_compare_exchange(value, word, stamped) ? stamped : nil
  }
}
