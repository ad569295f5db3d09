import CShims
import Wire

/// The connection that an ICMP error is about: looked up as the answer to the quoted packet would be, without changing it.
extension WorkerState {
  mutating func connection(of quote: QuotedPacket) -> QuotedConnection? {
    // Where a tunnel might be quoted, IPVS does not look at fragments.
    if !(quote.isLaterFragment && quote.protocolNumber == IPProtocol.udp),
      let quoted = request(
        far: quote.destination, near: quote.source, quote.protocolNumber, isIPv6: quote.isIPv6)
    {
      return quoted
    }
    return reply(quote)
  }

  /// The connection of a client to what it speaks to.
  mutating func request(
    far: QuotedPacket.End, near: QuotedPacket.End, _ protocolNumber: UInt8, isIPv6: Bool
  ) -> QuotedConnection? {
    let endpoint = endpoint(near, protocolNumber, .destination, isIPv6: isIPv6)
    var found: Connection?
    if endpoint != 0 {
      found =
        isIPv6
        ? live(
          KeyV6(high: far.address.high, low: far.address.low, port: far.port, endpoint: endpoint),
          in: shared.tableV6, protocolNumber)?.connection
        : live(
          KeyV4(high: 0, low: far.address.low, port: far.port, endpoint: endpoint), in: shared.tableV4,
          protocolNumber)?.connection
      if let found {
        return QuotedConnection(
          connection: found, isToServer: true, client: far, virtual: near, serverPort: server(found.server).pointee.port
        )
      }
    }
    guard snapshot.pointee.hasWide else { return nil }
    let key = KeyWide(
      .request, far: far.address, farPort: far.port, near: near.address, nearPort: near.port,
      protocolNumber: protocolNumber, secret: shared.tableWide.secret)
    guard let (slot, connection) = live(key, in: shared.tableWide, protocolNumber), key.isExact(slot),
      connection.server != Connection.bypassServer
    else { return nil }
    let server = server(connection.server)
    let isFullNAT = server.pointee.method == .fullNAT
    var quoted = QuotedConnection(
      connection: connection, isToServer: true, client: far, virtual: near,
      serverPort: isFullNAT ? KeyWide(slot).serverPort : connection.localPort)
    if isFullNAT {
      quoted.carriesOver = server.pointee.isIPv6 != isIPv6
      quoted.shift = StreamShift(ConveyedStream(word: lbd_load_relaxed(slot + 6)), ends(of: quoted, isIPv6: isIPv6))
    }
    return quoted
  }

  private func ends(of quoted: QuotedConnection, isIPv6: Bool) -> ProxyProtocol.Ends {
    ProxyProtocol.Ends(
      client: quoted.client.address, clientPort: quoted.client.port, service: quoted.virtual.address,
      servicePort: quoted.virtual.port, isIPv6: isIPv6)
  }

  /// The connection whose server would have answered the quoted packet (NAT, FULLNAT).
  private mutating func reply(_ quote: QuotedPacket) -> QuotedConnection? {
    let (far, near, number) = (quote.source, quote.destination, quote.protocolNumber)
    let endpoint = endpoint(near, number, .source, isIPv6: quote.isIPv6)
    if endpoint != 0 {
      let found =
        quote.isIPv6
        ? reply(
          KeyV6(high: far.address.high, low: far.address.low, port: far.port, endpoint: endpoint),
          in: shared.tableV6, number)
        : reply(KeyV4(high: 0, low: far.address.low, port: far.port, endpoint: endpoint), in: shared.tableV4, number)
      if let found { return found }
    }
    return snapshot.pointee.hasWide ? wideReply(quote) : nil
  }

  private mutating func reply<Key>(
    _ key: Key, in table: ConnectionTable<Key>, _ protocolNumber: UInt8
  ) -> QuotedConnection? {
    guard let (slot, connection) = live(key, in: table, protocolNumber) else { return nil }
    let server = server(connection.server)
    var client: QuotedPacket.End = (key.farAddress, key.port)
    if server.pointee.method == .fullNAT {
      // The client stands beside the entry; another worker may have taken both away meanwhile.
      let own = Key(slot + Key.wordsPerSlot)
      guard key.matches(slot) else { return nil }
      client = (own.farAddress, own.port)
    }
    return QuotedConnection(
      connection: connection, isToServer: false, client: client,
      virtual: ((server.pointee.virtualHigh, server.pointee.virtualLow), server.pointee.virtualPort),
      serverPort: server.pointee.port)
  }

  private mutating func wideReply(_ quote: QuotedPacket) -> QuotedConnection? {
    let (far, near) = (quote.source, quote.destination)
    let key = KeyWide(
      .reply, far: far.address, farPort: far.port, near: near.address, nearPort: near.port,
      protocolNumber: quote.protocolNumber, secret: shared.tableWide.secret)
    guard let (slot, connection) = live(key, in: shared.tableWide, quote.protocolNumber) else { return nil }
    let server = server(connection.server)
    guard (server.pointee.addressHigh, server.pointee.addressLow) == near.address else { return nil }
    let entry = KeyWide(slot)
    guard key.matches(slot) else { return nil }
    if server.pointee.method == .fullNAT {
      return fullNATReply(quote, connection, entry, isIPv6: service(server.pointee.service).pointee.isIPv6)
    }
    return QuotedConnection(
      connection: connection, isToServer: false, client: far,
      virtual: ((entry.nearHigh, entry.nearLow), UInt16(truncatingIfNeeded: entry.extra >> 32)), serverPort: near.port)
  }

  /// - Parameter entry: for replies: it has the client, and what the client speaks to is the service's.
  private mutating func fullNATReply(
    _ quote: QuotedPacket, _ connection: Connection, _ entry: KeyWide, isIPv6: Bool
  ) -> QuotedConnection {
    let service = service(server(connection.server).pointee.service)
    var quoted = QuotedConnection(
      connection: connection, isToServer: false,
      client: ((entry.nearHigh, entry.nearLow), UInt16(truncatingIfNeeded: entry.extra >> 48)),
      virtual: (
        (service.pointee.addressHigh, service.pointee.addressLow), UInt16(truncatingIfNeeded: entry.extra >> 32)
      ),
      serverPort: quote.destination.port)
    quoted.carriesOver = isIPv6 != quote.isIPv6
    guard ConveyedStream(word: entry.extra).conveyance.proxy != nil else { return quoted }
    // All about the stream stands in the other entry.
    let ends = ends(of: quoted, isIPv6: isIPv6)
    let key = KeyWide(
      .request, far: ends.client, farPort: ends.clientPort, near: ends.service, nearPort: ends.servicePort,
      protocolNumber: quote.protocolNumber, secret: shared.tableWide.secret)
    if let slot = shared.tableWide.find(key, hash: key.hash(shared.tableWide.secret)) {
      quoted.shift = StreamShift(ConveyedStream(word: lbd_load_relaxed(slot + 6)), ends)
    }
    return quoted
  }

  /// An entry that has not timed out.
  mutating func live<Key>(
    _ key: Key, in table: ConnectionTable<Key>, _ protocolNumber: UInt8
  ) -> (slot: UnsafeMutablePointer<UInt64>, connection: Connection)? {
    guard let (slot, connection) = table.look(for: key, at: table.line(key.hash(table.secret))), !connection.isDead,
      !isIdleTooLong(connection, protocolNumber: protocolNumber)
    else { return nil }
    return (slot, connection)
  }

  /// The number of a near end, or 0.
  func endpoint(_ end: QuotedPacket.End, _ protocolNumber: UInt8, _ side: Side, isIPv6: Bool) -> UInt16 {
    let port = UInt64(end.port) << 16
    if isIPv6 {
      return snapshot.pointee.endpoints6.find(
        NearEndV6(
          (end.address.high.bigEndian, end.address.low.bigEndian), port: port, protocolNumber: protocolNumber,
          side: side))
    }
    return snapshot.pointee.endpoints4.find(
      NearEndV4(end: end.address.low << 32 | port, protocolNumber: protocolNumber, side: side))
  }
}
