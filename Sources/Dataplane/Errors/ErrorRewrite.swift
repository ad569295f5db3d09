import Wire

/// What stands in a relayed ICMP error: the ends of the error itself and of the packet it quotes, as its receiver knows them.
///
/// IPVS's bytes for NAT: new addresses, the quoted port, and the checksums of both IP headers and of the ICMP message computed
/// anew; a quoted transport checksum stays what it was. FULLNAT has no model in the kernel; there a quoted transport
/// checksum follows where it is quoted, so that what the receiver sees is a packet that it could have sent.
extension WorkerState {
  /// As the server knows it: the quoted packet comes from the server.
  mutating func translateError(
    toServer packet: UnsafeMutablePointer<Packet>, _ quote: QuotedPacket, _ quoted: QuotedConnection,
    server: UnsafePointer<ServerRecord>
  ) {
    let address = (high: server.pointee.addressHigh, low: server.pointee.addressLow)
    WorkerState.write(address, at: .destination, of: packet.pointee.network, isIPv6: quote.isIPv6)
    if server.pointee.method == .fullNAT {
      let local = server.pointee.locals + quoted.connection.localAddress
      let own = (high: local.pointee.high, low: local.pointee.low)
      // Whoever sent it, the server can only answer a local address.
      WorkerState.write(own, at: .source, of: packet.pointee.network, isIPv6: quote.isIPv6)
      WorkerState.replaceQuoted(
        quote, quoted, source: (address, quoted.serverPort), destination: (own, quoted.connection.localPort))
    } else {
      WorkerState.replaceQuoted(quote, .source, (address, quoted.serverPort))
    }
    WorkerState.finishError(packet, quote)
  }

  /// As the client knows it: the quoted packet goes to what the client speaks to, and so that is where the error comes from.
  mutating func translateError(
    toClient packet: UnsafeMutablePointer<Packet>, _ quote: QuotedPacket, _ quoted: QuotedConnection,
    server: UnsafePointer<ServerRecord>
  ) {
    WorkerState.write(quoted.virtual.address, at: .source, of: packet.pointee.network, isIPv6: quote.isIPv6)
    if server.pointee.method == .fullNAT {
      WorkerState.write(quoted.client.address, at: .destination, of: packet.pointee.network, isIPv6: quote.isIPv6)
      WorkerState.replaceQuoted(quote, quoted, source: quoted.client, destination: quoted.virtual)
    } else {
      WorkerState.replaceQuoted(quote, .destination, quoted.virtual)
    }
    WorkerState.finishError(packet, quote)
  }

  /// Both ends, and what of the transport header depends on them.
  private static func replaceQuoted(
    _ quote: QuotedPacket, _ quoted: QuotedConnection, source: QuotedPacket.End, destination: QuotedPacket.End
  ) {
    let before = addressSum(quote.header, isIPv6: quote.isIPv6)
    write(source.address, at: .source, of: quote.header, isIPv6: quote.isIPv6)
    write(destination.address, at: .destination, of: quote.header, isIPv6: quote.isIPv6)
    let transport = QuotedTransport(
      header: quote.header + quote.transportOffset, byteCount: quote.byteCount - quote.transportOffset,
      protocolNumber: quote.protocolNumber)
    transport.replace(
      sourcePort: source.port, destinationPort: destination.port, quoted,
      addresses: (before, addressSum(quote.header, isIPv6: quote.isIPv6)))
  }

  private static func replaceQuoted(_ quote: QuotedPacket, _ side: Side, _ end: QuotedPacket.End) {
    write(end.address, at: side, of: quote.header, isIPv6: quote.isIPv6)
    if quote.isSecurityPayload { return }
    quote.header.storeBigEndian16(end.port, at: quote.transportOffset + (side == .source ? 0 : 2))
  }

  static func write(
    _ address: (high: UInt64, low: UInt64), at side: Side, of header: UnsafeMutableRawPointer, isIPv6: Bool
  ) {
    if isIPv6 {
      let offset = side == .source ? IPv6.sourceOffset : IPv6.destinationOffset
      header.storeBigEndian64(address.high, at: offset)
      header.storeBigEndian64(address.low, at: offset + 8)
    } else {
      let offset = side == .source ? IPv4.sourceOffset : IPv4.destinationOffset
      header.storeBigEndian32(UInt32(truncatingIfNeeded: address.low), at: offset)
    }
  }

  /// The checksums, from the inside out.
  private static func finishError(_ packet: UnsafeMutablePointer<Packet>, _ quote: QuotedPacket) {
    let header = packet.pointee.network
    if !quote.isIPv6 {
      finishIPv4Header(quote.header, byteCount: IPv4.headerByteCount(quote.header))
      finishIPv4Header(header, byteCount: IPv4.headerByteCount(header))
    }
    finishMessage(packet)
  }

  /// The checksum of the message itself.
  static func finishMessage(_ packet: UnsafeMutablePointer<Packet>) {
    let header = packet.pointee.network
    let offset = Int(packet.pointee.transportOffset)
    let message = header + offset
    let byteCount = Int(packet.pointee.byteCount) - offset
    message.storeBigEndian16(0, at: ICMPv4.checksumOffset)
    var sum = Checksum()
    if packet.pointee.isIPv6 {
      sum.addPseudoHeader6(
        addresses: header + IPv6.sourceOffset, protocolNumber: IPProtocol.icmpv6, byteCount: byteCount)
    }
    sum.add(UnsafeRawBufferPointer(start: message, count: byteCount))
    message.storeBytes(of: sum.value, toByteOffset: ICMPv4.checksumOffset, as: UInt16.self)
  }
}
