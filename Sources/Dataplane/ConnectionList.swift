import CShims
import Wire

/// A connection as listings show it.
public struct ListedConnection: Sendable {
  /// TCP or UDP.
  public let transport: TransportProtocol
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
  /// Until it times out.
  public let secondsLeft: Int
}

extension Dataplane {
  /// Calls `body` with every connection, in the order of the table, while the workers go on.
  ///
  /// Each entry is read whole or not at all; entries that come or go meanwhile may or may not be seen.
  public func forEachConnection(atNanoseconds now: UInt64, _ body: (ListedConnection) -> Void) {
    var clock = Clock()
    clock.set(nanoseconds: now)
    list(shared.state.tableV4, clock, { IPAddress(v4: $0.address) }, body)
    list(shared.state.tableV6, clock, { IPAddress(high: $0.high, low: $0.low) }, body)
  }

  private func list<Key>(
    _ table: ConnectionTable<Key>, _ clock: Clock, _ address: (Key) -> IPAddress, _ body: (ListedConnection) -> Void
  ) {
    let isEmpty = lbd_load_relaxed(shared.state.entryCounts + (Key.wordsPerSlot == 2 ? 0 : 8)) == 0
    if isEmpty { return }
    for line in 0..<UInt64(table.lineCount) {
      for position in 0..<ConnectionTable<Key>.slotsPerLine {
        let slot = table.line(line) + position * Key.wordsPerSlot
        let endpoint = UInt16(truncatingIfNeeded: lbd_load_acquire(slot))
        if endpoint == 0 || endpoint == 0xffff { continue }
        let key = Key(slot)
        let connection = table.load(slot)
        if connection.isDead || !key.matches(slot) { continue }
        if let listed = describe(key, connection, client: address(key), clock) { body(listed) }
      }
    }
  }

  private func describe<Key: ConnectionKey>(
    _ key: Key, _ connection: Connection, client: IPAddress, _ clock: Clock
  ) -> ListedConnection? {
    let view = snapshot
    guard view.pointee.endpoint(key.endpoint).kind == .service else { return nil }
    let server = view.pointee.server(connection.server).pointee
    let service = view.pointee.service(server.service).pointee
    guard let transport = TransportProtocol(rawValue: service.protocolNumber) else { return nil }
    let isTCP = transport == .tcp
    let timeout = view.pointee.timeouts[isTCP ? Int(connection.state) : SnapshotView.udpTimeout]
    let left = Int(timeout) - Int(connection.idleTicks(clock))
    var local: Endpoint?
    if server.method == .fullNAT, let locals = service.localAddresses,
      connection.localAddress < service.localAddressCount
    {
      let address = locals[connection.localAddress]
      local = Endpoint(
        address: Dataplane.address(high: address.high, low: address.low, isIPv6: server.isIPv6),
        port: connection.localPort)
    }
    return ListedConnection(
      transport: transport, client: Endpoint(address: client, port: key.port),
      service: Endpoint(
        address: Dataplane.address(high: service.addressHigh, low: service.addressLow, isIPv6: service.isIPv6),
        port: service.port),
      server: Endpoint(
        address: Dataplane.address(high: server.addressHigh, low: server.addressLow, isIPv6: server.isIPv6),
        port: server.port),
      local: local,
      stateName: isTCP ? ConnectionState.TCP(rawValue: connection.state)?.name ?? "NONE" : transport.name,
      secondsLeft: max(0, left / Int(Clock.ticksPerSecond)))
  }

  private static func address(high: UInt64, low: UInt64, isIPv6: Bool) -> IPAddress {
    isIPv6 ? IPAddress(high: high, low: low) : IPAddress(v4: UInt32(truncatingIfNeeded: low))
  }
}
