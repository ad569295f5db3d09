import CShims
import Wire

/// A connection as listings show it.
public struct ListedConnection: Sendable {
  /// `TCP`, `UDP`, `SCTP`; `IP` for a template of all protocols.
  public let protocolName: String
  /// The far end.
  public let client: Endpoint
  /// The VIP and its port.
  public let service: Endpoint
  /// The real server.
  public let server: Endpoint
  /// FULLNAT: what the server sees instead of the client.
  public let local: Endpoint?
  /// `ESTABLISHED`, `UDP`, …
  public let stateName: String
  /// A template by call: the engine that made it.
  public var engine: String?
  /// What the engine goes by; of SIP the Call-ID, as far as it is not ASCII in the letters of Latin-1.
  public var engineData = ""
  /// Until it times out.
  public let secondsLeft: Int
}

/// How far a listing of connections has come.
public struct ConnectionCursor: Sendable {
  /// How much of a table is looked at in one piece: a fraction of a millisecond.
  static let lineCount: UInt64 = 4096
  let table: Int
  let line: UInt64

  /// At the beginning.
  public init() { self.init(table: 0) }

  init(table: Int) { self.init(table, 0) }

  init(_ table: Int, _ line: UInt64) {
    self.table = table
    self.line = line
  }
}

extension Dataplane {
  /// Calls `body` with every connection, in the order of the table, while the workers go on.
  ///
  /// Each entry is read whole or not at all; entries that come or go meanwhile may or may not be seen.
  public func forEachConnection(atNanoseconds now: UInt64, _ body: (ListedConnection) -> Void) {
    var cursor = ConnectionCursor()
    while forEachConnection(from: &cursor, atNanoseconds: now, body) {}
  }

  /// The same piece by piece, for whoever has something else to do in between.
  /// - Parameter cursor: how far it has come.
  /// - Returns: false when that was the last piece.
  public func forEachConnection(
    from cursor: inout ConnectionCursor, atNanoseconds now: UInt64, _ body: (ListedConnection) -> Void
  ) -> Bool {
    var clock = Clock()
    clock.set(nanoseconds: now)
    let lines = cursor.line..<cursor.line + ConnectionCursor.lineCount
    let isAtEnd: Bool
    switch cursor.table {
    case 0: isAtEnd = list(shared.state.tableV4, lines, clock, { IPAddress(v4: $0.address) }, body)
    case 1: isAtEnd = list(shared.state.tableV6, lines, clock, { IPAddress(high: $0.high, low: $0.low) }, body)
    default: isAtEnd = listWide(lines, clock, body)
    }
    cursor = isAtEnd ? ConnectionCursor(table: cursor.table + 1) : ConnectionCursor(cursor.table, lines.upperBound)
    return cursor.table < 3
  }

  /// Templates, and connections of services that are not one address and port.
  private func listWide(_ lines: Range<UInt64>, _ clock: Clock, _ body: (ListedConnection) -> Void) -> Bool {
    let table = shared.state.tableWide
    if lbd_load_relaxed(shared.state.entryCounts + SharedState.entryIndex(KeyWide.self)) == 0 { return true }
    let call = CallRecord()
    defer { call.deallocate() }
    let end = UInt64(table.lineCount)
    for line in min(lines.lowerBound, end)..<min(lines.upperBound, end) {
      let slot = table.line(line)
      guard let kind = WideKind(rawValue: UInt16(truncatingIfNeeded: lbd_load_acquire(slot))), kind != .reply else {
        continue
      }
      let key = KeyWide(slot)
      let connection = table.load(slot)
      if connection.isDead || !key.matches(slot) { continue }
      guard key.kind.isCall else {
        body(describe(key, connection, clock))
        continue
      }
      shared.state.calls.read(key.nearHigh, into: call)
      guard key.matches(slot), KeyWide(slot).nearHigh == key.nearHigh else { continue }
      body(describe(key, of: call, connection, clock))
    }
    return lines.upperBound >= end
  }

  /// A call's template: what its key does not say, the call does.
  private func describe(
    _ key: KeyWide, of call: CallRecord, _ connection: Connection, _ clock: Clock
  ) -> ListedConnection {
    var plain = KeyWide(
      key.kind == .call ? .template : .orphan, far: key.farAddress, farPort: 0, near: call.near,
      nearPort: key.nearPort, protocolNumber: key.protocolNumber, secret: shared.state.tableWide.secret)
    plain.extra = key.extra
    var listed = describe(plain, connection, clock)
    listed.engine = "sip"
    listed.engineData = String(String.UnicodeScalarView(call.bytes.map { Unicode.Scalar($0) }))
    return listed
  }

  private func describe(_ key: KeyWide, _ connection: Connection, _ clock: Clock) -> ListedConnection {
    let server = snapshot.pointee.server(connection.server).pointee
    let isBypass = connection.server == Connection.bypassServer
    let service = snapshot.pointee.service(isBypass ? key.service : server.service).pointee
    let isTemplate = key.kind == .template || key.kind == .orphan
    let transport = TransportProtocol(rawValue: key.protocolNumber)
    let left =
      isTemplate
      ? max(0, Int(key.extra >> 32) - Int(connection.idleTicks(clock)) / Int(Clock.ticksPerSecond))
      : secondsLeft(key, connection, in: shared.state.tableWide, key.protocolNumber, clock)
    // A mark stands in the first 32 bits of where the address would.
    let isMark = isTemplate && key.protocolNumber == 0
    let near =
      isMark && service.isIPv6 ? (high: key.nearLow << 32, low: 0) : (high: key.nearHigh, low: key.nearLow)
    let serverPort = key.kind == .orphan || key.nearPort == 0 ? key.nearPort : isTemplate ? server.port : key.serverPort
    return ListedConnection(
      protocolName: transport?.name ?? "IP",
      client: Endpoint(
        address: Dataplane.address(high: key.high, low: key.low, isIPv6: service.isIPv6),
        port: isTemplate ? 0 : key.port),
      service: Endpoint(
        address: Dataplane.address(high: near.high, low: near.low, isIPv6: service.isIPv6), port: key.nearPort),
      server: Endpoint(
        address: Dataplane.address(
          high: server.addressHigh, low: server.addressLow, isIPv6: isBypass ? service.isIPv6 : server.isIPv6),
        port: serverPort),
      local: isTemplate || isBypass ? nil : local(of: connection, server, service),
      stateName: isTemplate
        ? connection.state == 0 ? "NONE" : "ASSURED"
        : transport.map { ConnectionState.name(of: connection.state, $0) } ?? "NONE",
      secondsLeft: left)
  }

  /// What is left of its life, in seconds. Answers keep a connection too, but their stamp stands in the entry for answers.
  private func secondsLeft<Key: ConnectionKey>(
    _ key: Key, _ connection: Connection, in table: ConnectionTable<Key>, _ protocolNumber: UInt8, _ clock: Clock
  ) -> Int {
    let server = snapshot.pointee.server(connection.server)
    let service = snapshot.pointee.service(server.pointee.service)
    var idle = connection.idleTicks(clock)
    if let reply = key.replies(connection, server: server, service: service, secret: shared.state.tableWide.secret),
      let slot = table.find(reply, hash: reply.hash(table.secret))
    {
      let mirror = table.load(slot)
      if !mirror.isDead, mirror.server == connection.server { idle = min(idle, mirror.idleTicks(clock)) }
    }
    let timeout = snapshot.pointee.timeout(
      connection, protocolNumber: protocolNumber, idle: idle, now: clock.nanoseconds)
    return max(0, Int(timeout) - Int(idle)) / Int(Clock.ticksPerSecond)
  }

  /// - Returns: true when the table ends here.
  private func list<Key>(
    _ table: ConnectionTable<Key>, _ lines: Range<UInt64>, _ clock: Clock, _ address: (Key) -> IPAddress,
    _ body: (ListedConnection) -> Void
  ) -> Bool {
    let isEmpty = lbd_load_relaxed(shared.state.entryCounts + SharedState.entryIndex(Key.self)) == 0
    if isEmpty { return true }
    let end = UInt64(table.lineCount)
    for line in min(lines.lowerBound, end)..<min(lines.upperBound, end) {
      for position in 0..<ConnectionTable<Key>.slotsPerLine {
        let slot = table.line(line) + position * Key.wordsPerSlot
        let endpoint = UInt16(truncatingIfNeeded: lbd_load_acquire(slot))
        if endpoint == 0 || endpoint == 0xffff { continue }
        let key = Key(slot)
        let connection = table.load(slot)
        if connection.isDead || !key.matches(slot) { continue }
        if let listed = describe(key, connection, in: table, client: address(key), clock) { body(listed) }
      }
    }
    return lines.upperBound >= end
  }

  private func describe<Key: ConnectionKey>(
    _ key: Key, _ connection: Connection, in table: ConnectionTable<Key>, client: IPAddress, _ clock: Clock
  ) -> ListedConnection? {
    let view = snapshot
    guard view.pointee.endpoint(key.endpoint).kind == .service else { return nil }
    let server = view.pointee.server(connection.server).pointee
    let service = view.pointee.service(server.service).pointee
    guard let transport = TransportProtocol(rawValue: service.protocolNumber) else { return nil }
    return ListedConnection(
      protocolName: transport.name, client: Endpoint(address: client, port: key.port),
      service: Endpoint(
        address: Dataplane.address(high: service.addressHigh, low: service.addressLow, isIPv6: service.isIPv6),
        port: service.port),
      server: Endpoint(
        address: Dataplane.address(high: server.addressHigh, low: server.addressLow, isIPv6: server.isIPv6),
        port: server.port),
      local: local(of: connection, server, service),
      stateName: ConnectionState.name(of: connection.state, transport),
      secondsLeft: secondsLeft(key, connection, in: table, service.protocolNumber, clock))
  }

  /// What the server sees in place of the client.
  private func local(of connection: Connection, _ server: ServerRecord, _ service: ServiceRecord) -> Endpoint? {
    guard server.method == .fullNAT, let locals = service.localAddresses,
      connection.localAddress < service.localAddressCount
    else { return nil }
    let address = locals[connection.localAddress]
    return Endpoint(
      address: Dataplane.address(high: address.high, low: address.low, isIPv6: server.isIPv6),
      port: connection.localPort)
  }

  private static func address(high: UInt64, low: UInt64, isIPv6: Bool) -> IPAddress {
    isIPv6 ? IPAddress(high: high, low: low) : IPAddress(v4: UInt32(truncatingIfNeeded: low))
  }
}
