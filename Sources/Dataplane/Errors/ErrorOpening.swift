import Wire

/// schedule_icmp: an ICMP error may open the connection that it is about.
///
/// Directors that share a VIP without sharing connections (anycast) need it: a client's "too big" that reaches the wrong one
/// still finds the server, if the scheduler goes by the client.
extension WorkerState {
  /// Opens a connection for the client that the quoted packet was sent to.
  /// - Returns: nil when the error's journey has ended.
  mutating func openByError(
    _ index: Int, _ packet: UnsafeMutablePointer<Packet>, _ quote: QuotedPacket
  ) -> QuotedConnection? {
    let (client, near) = (quote.destination, quote.source)
    // The mark is the error's own.
    let mark = snapshot.pointee.hasWide ? markService(index) : nil
    let endpoint = endpoint(near, quote.protocolNumber, .destination, isIPv6: quote.isIPv6)
    let before = packet.pointee
    let (source, destination) = (before.sourceAddress, before.destinationAddress)
    // While it is scheduled the record and the addresses are those of a client's packet.
    write(client, near, into: packet)
    packet.pointee.protocolNumber = quote.protocolNumber
    packet.pointee.segment = Packet.noSegment
    let own = service(snapshot.pointee.endpoint(endpoint).index)
    if mark == nil, endpoint != 0, own.pointee.isActive, own.pointee.opensWide {
      openWide(index, service: snapshot.pointee.endpoint(endpoint).index)
    } else if mark == nil, endpoint != 0, own.pointee.isActive {
      packet.pointee.flags.remove(.wide)
      openByError(index, packet, client, endpoint)
    } else if let number = mark ?? anyPortService(packet.pointee, port: near.port) {
      openWide(index, service: number)
    } else {
      batch.finish(index, .icmp)
    }
    let isWide = packet.pointee.flags.contains(.wide)
    let connection = packet.pointee.connection
    (packet.pointee.flags, packet.pointee.protocolNumber) = (before.flags, before.protocolNumber)
    write((source, 0), (destination, 0), into: packet)
    guard batch.outcomes[index] == .pending else { return nil }
    packet.pointee.form = before.form
    let server = server(connection.server)
    var port = isWide ? connection.localPort : server.pointee.port
    if isWide, server.pointee.method == .fullNAT, let slot = packet.pointee.slot { port = KeyWide(slot).serverPort }
    var quoted = QuotedConnection(
      connection: connection, isToServer: true, client: client, virtual: near, serverPort: port)
    quoted.carriesOver = isWide && server.pointee.method == .fullNAT && server.pointee.isIPv6 != quote.isIPv6
    return quoted
  }

  private mutating func openByError(
    _ index: Int, _ packet: UnsafeMutablePointer<Packet>, _ client: QuotedPacket.End, _ endpoint: UInt16
  ) {
    let service = snapshot.pointee.endpoint(endpoint).index
    let (high, low) = client.address
    if packet.pointee.isIPv6 {
      let key = KeyV6(high: high, low: low, port: client.port, endpoint: endpoint)
      packet.pointee.head = key.portAndEndpoint
      open(index, key: key, service: service, in: shared.tableV6)
    } else {
      let key = KeyV4(high: high, low: low, port: client.port, endpoint: endpoint)
      packet.pointee.head = key.word
      open(index, key: key, service: service, in: shared.tableV4)
    }
  }

  /// Sets both addresses in the header, and both ends in the record as wide packets have them.
  private func write(
    _ source: QuotedPacket.End, _ destination: QuotedPacket.End, into packet: UnsafeMutablePointer<Packet>
  ) {
    let isIPv6 = packet.pointee.isIPv6
    WorkerState.write(source.address, at: .source, of: packet.pointee.network, isIPv6: isIPv6)
    WorkerState.write(destination.address, at: .destination, of: packet.pointee.network, isIPv6: isIPv6)
    let address = isIPv6 ? 0 : source.address.low << 32
    packet.pointee.head = address | UInt64(source.port) << 16 | UInt64(destination.port)
    (packet.pointee.high, packet.pointee.low) = source.address
  }
}
