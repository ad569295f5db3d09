import CShims
import Wire

/// Persistence by call: the templates of services whose engine is `sip` are for a Call-ID each.
///
/// A client has as many templates as calls, and what a connection was opened with cannot be told from the connection
/// later. So these connections are in the wide table, whatever their service, and note their template's line. A template
/// that connections count in does not go, so the line holds; only one that has been given another server (`orphan`) may
/// have been counted out by its new connections before the old ones end.
extension WorkerState {
  /// The key of the call that a packet belongs to; the call itself stands in `call`.
  /// - Parameter client: one of those it is for.
  /// - Returns: nil when it is not SIP over UDP, or has no Call-ID that counts.
  mutating func callKey(
    _ index: Int, _ service: UnsafePointer<ServiceRecord>, client: (high: UInt64, low: UInt64)
  ) -> KeyWide? {
    let packet = batch.packet(index)
    guard packet.pointee.protocolNumber == TransportProtocol.udp.rawValue,
      !packet.pointee.flags.contains(.laterFragment), service.pointee.persistenceMaskCount > 0
    else { return nil }
    let start = packet.pointee.transportHeader(packet.pointee.form) + UDP.headerByteCount
    let count = packet.pointee.network + Int(packet.pointee.byteCount) - start
    guard count > 0 else { return nil }
    let message = UnsafeRawBufferPointer(start: start, count: count)
    guard let range = SIP.callIdentifier(in: message) else { return nil }
    let isMark = service.pointee.mark != 0
    call.set(
      near: isMark ? (0, UInt64(service.pointee.mark)) : (service.pointee.addressHigh, service.pointee.addressLow),
      bytes: UnsafeRawBufferPointer(rebasing: message[range]))
    let mask = service.pointee.persistenceMasks[0]
    let port = service.pointee.port == 21 ? 0 : service.pointee.port
    return KeyWide(
      call: call.hash(shared.tableWide.secret), far: (client.high & mask.high, client.low & mask.low),
      nearPort: port, protocolNumber: isMark ? 0 : packet.pointee.protocolNumber)
  }

  /// True when a template that was found by its key is the one that is meant.
  func isExact(_ key: KeyWide, _ slot: UnsafeMutablePointer<UInt64>) -> Bool {
    guard key.kind.isCall else { return key.isExact(slot) }
    let head = lbd_load_acquire(slot)
    let number = lbd_load_relaxed(slot + 4)
    guard shared.calls.holds(call, in: number) else { return false }
    // The block has been its all the while if the template has not changed hands.
    return lbd_load_acquire(slot + 4) == number && lbd_load_acquire(slot) == head
  }

  /// Notes where a call's template stands.
  func note<Key: ConnectionKey>(_ slot: UnsafeMutablePointer<UInt64>, _ key: KeyWide, for connection: inout Key) {
    guard key.kind.isCall else { return }
    connection.templateLine = UInt32((slot - shared.tableWide.lines) / KeyWide.wordsPerSlot + 1)
  }

  /// The template that a connection has noted, if it still leads to the connection's server.
  mutating func callTemplate<Key: ConnectionKey>(of key: Key, _ connection: Connection) -> UnsafeMutablePointer<UInt64>?
  {
    guard key.templateLine != 0 else { return nil }
    let slot = shared.tableWide.line(UInt64(key.templateLine - 1))
    guard KeyWide(slot).kind == .call else { return nil }
    let template = shared.tableWide.load(slot)
    return !template.isDead && template.server == server(connection.server).pointee.owner ? slot : nil
  }

  /// A template's key with a block of its own for the call at hand; as it is for one that needs none.
  /// - Returns: nil when no block is free.
  func withBlock(_ key: KeyWide) -> KeyWide? {
    guard key.kind.isCall else { return key }
    guard let number = shared.calls.take(call) else { return nil }
    var key = key
    (key.nearHigh, key.nearLow) = (number, 0)
    return key
  }

  /// After a template has gone.
  func giveBlock(of key: KeyWide) {
    if key.kind.isCall { shared.calls.give(key.nearHigh) }
  }
}

/// What a real server sends first.
extension WorkerState {
  /// Opens a connection for a packet that a server has sent from its own port, without having been asked: as if the
  /// client had called, so that the packet gets the VIP's address, and the client's answer finds the server.
  /// - Parameter number: the server's.
  /// - Returns: false when it is not such a packet.
  @inline(never)
  mutating func openFromServer(_ index: Int, server number: UInt16) -> Bool {
    let server = server(number)
    let service = service(server.pointee.service)
    guard service.pointee.goesByCall, service.pointee.isActive, service.pointee.mark == 0, service.pointee.port != 0,
      server.pointee.isAvailable, server.pointee.draining == .none, server.pointee.method == .masquerading,
      server.pointee.form == number, server.pointee.port != 0
    else { return false }
    let client = batch.packet(index).pointee.destinationAddress
    guard let template = callKey(index, service, client: client) else { return false }
    var key = KeyWide(
      .request, far: client, farPort: batch.packet(index).pointee.farPort,
      near: (service.pointee.addressHigh, service.pointee.addressLow), nearPort: service.pointee.port,
      protocolNumber: TransportProtocol.udp.rawValue, secret: shared.tableWide.secret)
    key.note(service: server.pointee.service, serverPort: server.pointee.port)
    guard
      pickPersistent(
        index, service: server.pointee.service, service, key: template, for: &key, fixed: server.pointee.owner) != nil
    else { return true }
    var connection = Connection(server: number, noOutput: false)
    connection.localPort = server.pointee.port
    connection.isControlled = true
    connection.touch(clock)
    assureTemplate(of: key, connection, service: server.pointee.service)
    let statistics = counters.servers + Int(number)
    statistics.pointee.connections &+= 1
    if service.pointee.isOnePacket {
      releaseTemplate(of: key, connection, service: server.pointee.service)
      batch.packet(index).pointee.connection = connection
      count(index, server: number, isRequest: false)
      return true
    }
    guard insert(fromServer: key, connection) else {
      releaseTemplate(of: key, connection, service: server.pointee.service)
      batch.finish(index, .tableFull)
      return true
    }
    shared.bind(number, record: server, active: false)
    if !advanceWide(index) { batch.finish(index, .tableFull) }
    return true
  }

  /// Puts both entries into the table. A connection of the same client port with another server gives way: IPVS keeps it,
  /// and finds the new one.
  private mutating func insert(fromServer key: KeyWide, _ connection: Connection) -> Bool {
    let table = shared.tableWide
    if let slot = table.find(key, hash: key.hash(table.secret)), key.isExact(slot) {
      forget(slot, key: KeyWide(slot), in: table)
    }
    guard let reply = replyKey(of: key, connection, server: server(connection.server)) else { return false }
    for entry in [key, reply] {
      guard
        case .inserted = table.insert(
          entry, hash: entry.hash(table.secret), value: connection, generation: nextGeneration())
      else {
        if let slot = table.find(key, hash: key.hash(table.secret)), key.isExact(slot),
          table.remove(slot, hasContinuation: false) != nil
        {
          countEntries(KeyWide.self, -1)
        }
        return false
      }
      countEntries(KeyWide.self, 1)
    }
    return true
  }
}
