import CShims
import Wire

/// FTP through NAT: what control connections say about data connections.
///
/// A server announces its own address and port for the client to connect to (`227`, `229`), or is told where to connect
/// itself (`PORT`, `EPRT`). Behind NAT the announcement has to name the VIP, and the data connection has to be known
/// before its first packet. A text that is replaced by a longer or shorter one shifts the server's sequence numbers for
/// the rest of the connection: so do the client's acknowledgements, the other way round.
///
/// Only connections to the helper's ports come here, of those that were opened while it was on: they are in the wide table,
/// and note their record in `HelperTable`. Both directions may be two workers' at the same time, so a record is a few
/// words, each changed as a whole.
extension WorkerState {
  /// A packet of a connection that may have a record, before its addresses are replaced.
  @inline(never)
  mutating func helpFTP(_ index: Int, _ packet: UnsafeMutablePointer<Packet>, server: UnsafePointer<ServerRecord>) {
    guard packet.pointee.isTCP, let slot = packet.pointee.slot else { return }
    let key = KeyWide(slot)
    guard key.helper != 0, !key.isExpected, let segment = ControlSegment(packet) else { return }
    let record = shared.helpers.record(of: key.helper)
    let isEstablished = packet.pointee.connection.state == ConnectionState.TCP.established.rawValue
    if packet.pointee.form.isReply {
      if isEstablished { announce(index, packet, segment, record, key: key, server: server) }
      let shift = SequenceShift(word: lbd_load_acquire(record))
      segment.add(shift.offset(at: segment.sequence), at: TCP.sequenceOffset)
      return
    }
    let shift = SequenceShift(word: lbd_load_acquire(record))
    if shift.word != 0 { segment.unshift(shift) }
    if isEstablished { listen(segment, record, key: key, connection: packet.pointee.connection, server: server) }
  }

  /// What the client asks for.
  private mutating func listen(
    _ segment: ControlSegment, _ record: UnsafeMutablePointer<UInt64>, key: KeyWide, connection: Connection,
    server: UnsafePointer<ServerRecord>
  ) {
    let isIPv6 = segment.packet.pointee.isIPv6
    switch FTP.request(in: segment.data, isIPv6: isIPv6) {
    case .passive: lbd_store_release(record + 1, HelperTable.passive)
    case .extendedPassive: lbd_store_release(record + 1, HelperTable.extendedPassive)
    case .active(let address, let port):
      lbd_store_release(record + 1, 0)
      var data = KeyWide(
        .request, far: address.words, farPort: port, near: (key.nearHigh, key.nearLow), nearPort: key.nearPort &- 1,
        protocolNumber: key.protocolNumber, secret: shared.tableWide.secret)
      data.note(service: key.service, serverPort: key.serverPort &- 1)
      expect(data, of: key.helper, connection)
    case nil: break
    }
  }

  /// What the server answers: the announcement gets the VIP's address, and the connection is expected.
  private mutating func announce(
    _ index: Int, _ packet: UnsafeMutablePointer<Packet>, _ segment: ControlSegment,
    _ record: UnsafeMutablePointer<UInt64>, key: KeyWide, server: UnsafePointer<ServerRecord>
  ) {
    // Its pieces have bounds of their own, which a longer text would not keep.
    if packet.pointee.flags.contains(.reassembled) { return }
    let mode = lbd_load_acquire(record + 1)
    // A segment that is sent again has to be what it was; only addresses of IPv4 make one that was changed.
    let shift = SequenceShift(word: lbd_load_acquire(record))
    let isRepeated = mode == 0 && shift.isPlace(segment.sequence)
    guard shift.hasRoom, mode != 0 || isRepeated else { return }
    let isIPv6 = packet.pointee.isIPv6
    let announcement =
      mode != HelperTable.extendedPassive
      ? FTP.passiveReply(in: segment.data) : FTP.extendedPassiveReply(in: segment.data, isIPv6: isIPv6)
    // Zeros in front of numbers can be as many as there is room for.
    guard let announcement, announcement.range.count < SequenceShift.deltaLimit else { return }
    // Another host's address would be one that no server record stands for.
    let own = (server.pointee.addressHigh, server.pointee.addressLow)
    if let address = announcement.address, address.words != own { return }
    guard
      let delta = segment.replace(
        announcement, isExtended: mode == HelperTable.extendedPassive, near: key.nearLow, room: room(index, packet))
    else { return }
    if !isRepeated { lbd_store_release(record + 1, 0) }
    note(shift: delta, at: segment.sequence, in: record)
    if delta != 0 {
      let number = Int(packet.pointee.connection.server)
      (counters.servers + number).pointee.outBytes &+= UInt64(bitPattern: Int64(delta))
    }
    var data = KeyWide(
      .request, far: key.farAddress, farPort: 0, near: (key.nearHigh, key.nearLow), nearPort: announcement.port,
      protocolNumber: key.protocolNumber, secret: shared.tableWide.secret)
    data.note(service: key.service, serverPort: announcement.port)
    expect(data, of: key.helper, packet.pointee.connection)
  }

  /// Bytes behind the packet in its frame's chunk.
  private func room(_ index: Int, _ packet: UnsafeMutablePointer<Packet>) -> Int {
    let end = packet.pointee.network + Int(packet.pointee.byteCount) - pool.base
    return pool.chunkByteCount - 1 - (end - 1) % pool.chunkByteCount
  }

  private func note(shift delta: Int, at sequence: UInt32, in record: UnsafeMutablePointer<UInt64>) {
    guard delta != 0 else { return }
    while true {
      let old = SequenceShift(word: lbd_load_acquire(record))
      guard let new = old.adding(delta, at: sequence) else { return }
      if lbd_compare_exchange(record, old.word, new.word) { return }
    }
  }

  /// Puts a data connection into the table before it comes: LISTEN. One that a server will open has its entry for the
  /// server's packets already; of one that the client will open the port is not known yet.
  private mutating func expect(_ key: KeyWide, of helper: UInt16, _ control: Connection) {
    let table = shared.tableWide
    var key = key
    key.helper = helper
    key.isExpected = true
    var value = Connection(server: control.server, noOutput: false)
    value.state = ConnectionState.TCP.listen.rawValue
    value.localPort = key.serverPort
    value.isControlled = true
    value.touch(clock)
    if let slot = table.find(key, hash: key.hash(table.secret)), key.isExact(slot) {
      let old = table.load(slot)
      value.word = value.word & ~Connection.overflowMask | old.word & Connection.overflowMask
      if !old.isDead, old.server == value.server { _ = table.replace(slot, old: old, with: value) }
      return
    }
    guard shared.helpers.use(helper) else { return }
    let server = server(control.server)
    guard insertExpected(key, value, hasReply: key.port != 0) else { return shared.helpers.release(helper) }
    shared.bind(control.server, record: server, active: false)
  }

  private mutating func insertExpected(_ key: KeyWide, _ value: Connection, hasReply: Bool) -> Bool {
    let table = shared.tableWide
    guard
      case .inserted(let slot) = table.insert(
        key, hash: key.hash(table.secret), value: value, generation: nextGeneration())
    else { return false }
    countEntries(KeyWide.self, 1)
    guard hasReply, let reply = replyKey(of: key, value, server: server(value.server)) else { return true }
    if case .inserted = table.insert(
      reply, hash: reply.hash(table.secret), value: value, generation: nextGeneration())
    {
      countEntries(KeyWide.self, 1)
      return true
    }
    if table.remove(slot, hasContinuation: false) != nil { countEntries(KeyWide.self, -1) }
    return false
  }

  /// A client's packet for an announced port: its connection takes the place of the one that is expected.
  /// - Returns: true when there was one.
  mutating func meetExpected(_ index: Int, _ ends: WideEnds) -> Bool {
    guard snapshot.pointee.hasHelpers, ends.protocolNumber == TransportProtocol.tcp.rawValue,
      ends.sourcePort != 0
    else { return false }
    let table = shared.tableWide
    let expected = KeyWide(
      .request, far: ends.source, farPort: 0, near: ends.destination, nearPort: ends.destinationPort,
      protocolNumber: ends.protocolNumber, secret: table.secret)
    guard let slot = table.find(expected, hash: expected.hash(table.secret)), expected.isExact(slot) else {
      return false
    }
    let old = table.load(slot)
    if isIdleTooLong(old, protocolNumber: ends.protocolNumber) { return false }
    var key = KeyWide(
      .request, far: ends.source, farPort: ends.sourcePort, near: ends.destination, nearPort: ends.destinationPort,
      protocolNumber: ends.protocolNumber, secret: table.secret)
    key.extra = KeyWide(slot).extra
    // Of several workers one has it.
    guard let last = table.remove(slot, hasContinuation: false) else { return false }
    countEntries(KeyWide.self, -1)
    let value = Connection(word: last.word & ~Connection.overflowMask)
    if insertExpected(key, value, hasReply: true) { return true }
    shared.unbind(last.server, record: server(last.server), active: false)
    shared.helpers.release(key.helper)
    return false
  }

  /// True while data connections hold their control connection, which then does not end however idle it is.
  func isHeld<Key: ConnectionKey>(_ key: Key) -> Bool {
    key.helper != 0 && !key.isExpected && shared.helpers.isShared(key.helper)
  }
}
