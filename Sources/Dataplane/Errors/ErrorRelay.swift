import CShims
import Wire

/// ICMP errors about connections: to whom the packet goes that they quote (RFC 792, RFC 4443, RFC 5508 section 4).
///
/// An error quotes a packet that the director has sent. The answer to that packet would be one of the connection's own, from
/// the client or from the server, so that is what is looked up: whoever would get the answer gets the error. The host keeps
/// everything else, echo in the first place. As in IPVS an error changes no state and no timer, but counts as a packet.
///
/// Types 3, 4 and 11 of IPv4 are relayed, as IPVS does; of IPv6 all errors. Of FULLNAT, whose servers and clients have nobody
/// else to hear it from, type 12 as well.
extension WorkerState {
  /// What an error is about.
  struct QuotedConnection {
    let connection: Connection
    /// The client's side reports: the quoted packet is one to the client, and the error goes to the server.
    let isToServer: Bool
    /// Where the client is, of FULLNAT's errors to it; else nobody.
    var client: QuotedPacket.End
    /// What the client speaks to, and where its packets arrive at the server.
    var virtual: QuotedPacket.End
    var serverPort: UInt16
    /// The receiver's family, where it is not the error's own: FULLNAT between the families.
    var carriesOver = false
    /// Of a stream that has a PROXY header in front.
    var shift: StreamShift?
  }

  /// True when `Parse` shall leave it to this file.
  @inline(__always)
  static func isRelayed(type: UInt8, isIPv6: Bool) -> Bool {
    if isIPv6 { return ICMPv6.isError(type) }
    return type == ICMPv4.destinationUnreachable || type == ICMPv4.sourceQuench || type == ICMPv4.timeExceeded
      || type == ICMPv4.parameterProblem
  }

  /// Takes an ICMP error through the rest of its journey.
  mutating func relayError(_ index: Int) {
    let packet = batch.packet(index)
    if isParameterProblem(packet.pointee) { return relayParameterProblem(index, packet) }
    if relayTunnelError(index, packet) { return }
    guard let quote = QuotedPacket(of: packet.pointee) else { return batch.finish(index, .icmp) }
    if let quoted = connection(of: quote) {
      let isFullNAT = server(quoted.connection.server).pointee.method == .fullNAT
      if quote.isSecurityPayload, isFullNAT { return batch.finish(index, .icmp) }
      return relay(index, packet, quote, quoted)
    }
    if passesBy(index, packet, quote) { return batch.finish(index, .icmp) }
    guard snapshot.pointee.settings.schedulesICMP, !quote.isSecurityPayload,
      !(quote.isLaterFragment && quote.protocolNumber == IPProtocol.udp)
    else { return batch.finish(index, .icmp) }
    guard let quoted = openByError(index, packet, quote) else { return }
    relay(index, packet, quote, quoted)
  }

  private func isParameterProblem(_ packet: Packet) -> Bool {
    let icmp = UnsafeRawPointer(packet.network) + Int(packet.transportOffset)
    return !packet.isIPv6 && icmp.loadByte(at: ICMPv4.typeOffset) == ICMPv4.parameterProblem
  }

  private mutating func relayParameterProblem(_ index: Int, _ packet: UnsafeMutablePointer<Packet>) {
    guard let quote = QuotedPacket(of: packet.pointee), let quoted = connection(of: quote),
      server(quoted.connection.server).pointee.method == .fullNAT
    else { return batch.finish(index, .icmp) }
    relay(index, packet, quote, quoted)
  }

  private mutating func relay(
    _ index: Int, _ packet: UnsafeMutablePointer<Packet>, _ quote: QuotedPacket, _ quoted: QuotedConnection
  ) {
    guard isBelieved(packet, quoted) else { return batch.finish(index, .badErrorChecksum) }
    let departure =
      quoted.isToServer
      ? relayToServer(index, packet, quote, quoted) : relayToClient(index, packet, quote, quoted)
    guard departure.hop != nil else {
      if batch.outcomes[index] == .tooBig { batch.finish(index, .errorTooBig) }
      return
    }
    leave(index, packet, departure)
    guard batch.egress[index] < Batch.hostEgress else { return }
    batch.outcomes[index] = quoted.isToServer ? .errorToServer : .errorToClient
  }

  /// IPVS believes what ICMPv6 says towards servers without looking at the checksum, and makes it right. What a NAT server
  /// says by ICMPv6 it never believes, for its sum lacks the pseudo-header.
  private mutating func isBelieved(_ packet: UnsafeMutablePointer<Packet>, _ quoted: QuotedConnection) -> Bool {
    guard packet.pointee.isIPv6 else { return isErrorWhole(packet) }
    // What is made anew on the other side is not repeated unseen.
    if quoted.isToServer, !quoted.carriesOver { return true }
    let isFaulty =
      snapshot.pointee.settings.repeatsFaults
      && server(quoted.connection.server).pointee.method == .masquerading
    return isErrorWhole(packet) && !isFaulty
  }

  private mutating func relayToServer(
    _ index: Int, _ packet: UnsafeMutablePointer<Packet>, _ quote: QuotedPacket, _ quoted: QuotedConnection
  ) -> Departure {
    let server = server(quoted.connection.server)
    let hop = ServerRecord.hop(server)
    if hop.pointee.state == .local { return deliverError(index, packet, quote, quoted, server: server) }
    guard hop.pointee.state == .resolved else { return refuse(index, packet, hop) }
    // One that is on its way to another host has been forwarded by this one before IPVS takes it, which costs a hop.
    let (high, low) = packet.pointee.destinationAddress
    let isPassing = routedHop(high: high, low: low, isIPv6: packet.pointee.isIPv6).pointee.state != .local
    let hops = WorkerState.hopsLeft(packet.pointee.network, packet.pointee.form)
    if isPassing, hops <= 1 { return endError(index, packet, .errorHopsUsedUp) }
    if server.pointee.isAvailable { count(index, server: quoted.connection.server, isRequest: true) }
    guard hops > (isPassing ? 2 : 1) else { return endError(index, packet, .errorHopsUsedUp) }
    if isPassing { WorkerState.takeHop(packet.pointee.network, packet.pointee.form) }
    if !quoted.carriesOver { WorkerState.takeHop(packet.pointee.network, packet.pointee.form) }
    switch server.pointee.method {
    case .tunnelling:
      // One in fragments gets its headers piece by piece.
      packet.pointee.connection = quoted.connection
      return encapsulate(
        index, packet, packet.pointee.form, packet.pointee.network, packet.pointee.byteCount, server: server, hop: hop)
    case .directRouting:
      break
    case .masquerading, .fullNAT:
      if quoted.carriesOver { return carryOver(toServer: index, packet, quote, quoted, server: server) }
      translateError(toServer: packet, quote, quoted, server: server)
    }
    return fit(index, packet, over: hop, .errorToServer)
  }

  /// As the host would forward it: hop limit and route are looked at before anything is changed.
  private mutating func relayToClient(
    _ index: Int, _ packet: UnsafeMutablePointer<Packet>, _ quote: QuotedPacket, _ quoted: QuotedConnection
  ) -> Departure {
    let server = server(quoted.connection.server)
    let (high, low) =
      server.pointee.method == .fullNAT ? quoted.client.address : packet.pointee.destinationAddress
    let isIPv6 = packet.pointee.isIPv6 != quoted.carriesOver
    let hop = routedHop(high: high, low: low, isIPv6: isIPv6)
    if hop.pointee.state == .local {
      // To this host instead of the client: of no use to anybody.
      if server.pointee.isAvailable { count(index, server: quoted.connection.server, isRequest: false) }
      return endError(index, packet, .icmp)
    }
    guard WorkerState.hopsLeft(packet.pointee.network, packet.pointee.form) > 1 else {
      return endError(index, packet, .errorHopsUsedUp)
    }
    guard hop.pointee.state == .resolved else {
      if hop.pointee.state == .unresolved { ask(high: high, low: low, isIPv6: isIPv6) }
      return refuse(index, packet, hop)
    }
    if quoted.carriesOver { return carryOver(toClient: index, packet, quote, quoted, over: hop) }
    let field = UnsafeRawPointer(packet.pointee.network).loadBigEndian16(at: IPv4.fragmentOffset)
    let isFixed = packet.pointee.isIPv6 || field & IPv4.dontFragment != 0
    if isFixed, packet.pointee.byteCount > hop.pointee.mtu { return endError(index, packet, .errorTooBig) }
    WorkerState.takeHop(packet.pointee.network, packet.pointee.form)
    translateError(toClient: packet, quote, quoted, server: server)
    if server.pointee.isAvailable { count(index, server: quoted.connection.server, isRequest: false) }
    return fit(index, packet, over: hop, .errorToClient)
  }

  /// To a server of the other family.
  private mutating func carryOver(
    toServer index: Int, _ packet: UnsafeMutablePointer<Packet>, _ quote: QuotedPacket, _ quoted: QuotedConnection,
    server: UnsafePointer<ServerRecord>
  ) -> Departure {
    let address = (high: server.pointee.addressHigh, low: server.pointee.addressLow)
    let local = server.pointee.locals + quoted.connection.localAddress
    let own = (high: local.pointee.high, low: local.pointee.low)
    let ends = ErrorEnds(
      source: own, destination: address, quotedSource: (address, quoted.serverPort),
      quotedDestination: (own, quoted.connection.localPort), isIPv6: server.pointee.isIPv6)
    let hop = ServerRecord.hop(server)
    guard carryOver(packet, quote, quoted, ends, over: hop) else { return endError(index, packet, .notTranslatable) }
    return fit(index, packet, over: hop, .errorToServer)
  }

  /// To a client of the other family.
  private mutating func carryOver(
    toClient index: Int, _ packet: UnsafeMutablePointer<Packet>, _ quote: QuotedPacket, _ quoted: QuotedConnection,
    over hop: UnsafePointer<NextHop>
  ) -> Departure {
    let ends = ErrorEnds(
      source: quoted.virtual.address, destination: quoted.client.address, quotedSource: quoted.client,
      quotedDestination: quoted.virtual, isIPv6: !quote.isIPv6)
    guard carryOver(packet, quote, quoted, ends, over: hop) else { return endError(index, packet, .notTranslatable) }
    let number = quoted.connection.server
    if server(number).pointee.isAvailable { count(index, server: number, isRequest: false) }
    return fit(index, packet, over: hop, .errorToClient)
  }

  /// Sends it, in pieces if it must be. IPVS cuts an error to a server even where its sender forbids that: nobody could be
  /// told.
  private mutating func fit(
    _ index: Int, _ packet: UnsafeMutablePointer<Packet>, over hop: UnsafePointer<NextHop>, _ outcome: Outcome
  ) -> Departure {
    guard packet.pointee.byteCount > hop.pointee.mtu else {
      return Departure(packet, packet.pointee.form, over: hop, outcome)
    }
    if packet.pointee.isIPv6 { return endError(index, packet, .errorTooBig) }
    return splitIPv4(
      index, packet, packet.pointee.network, limit: Int(hop.pointee.mtu), over: hop, outcome)
  }

  private func endError(_ index: Int, _ packet: UnsafeMutablePointer<Packet>, _ outcome: Outcome) -> Departure {
    batch.finish(index, outcome)
    return .none(packet)
  }

  /// The checksum of the ICMP message; ICMPv6's covers the addresses too.
  func isErrorWhole(_ packet: UnsafeMutablePointer<Packet>) -> Bool {
    let offset = Int(packet.pointee.transportOffset)
    let byteCount = Int(packet.pointee.byteCount) - offset
    var sum = Checksum()
    if packet.pointee.isIPv6 {
      sum.addPseudoHeader6(
        addresses: packet.pointee.network + IPv6.sourceOffset, protocolNumber: IPProtocol.icmpv6, byteCount: byteCount)
    }
    sum.add(UnsafeRawBufferPointer(start: packet.pointee.network + offset, count: byteCount))
    return sum.folded == 0xffff
  }

  /// DR and TUN: an error that the server sends to the client is the client's already, and only counted.
  /// - Returns: true when it is one.
  private mutating func passesBy(
    _ index: Int, _ packet: UnsafeMutablePointer<Packet>, _ quote: QuotedPacket
  ) -> Bool {
    guard let quoted = request(far: quote.source, near: quote.destination, quote.protocolNumber, isIPv6: quote.isIPv6)
    else { return false }
    let server = server(quoted.connection.server)
    let method = server.pointee.method
    guard method == .directRouting || method == .tunnelling else { return false }
    if WorkerState.hopsLeft(packet.pointee.network, packet.pointee.form) > 1, server.pointee.isAvailable {
      count(index, server: quoted.connection.server, isRequest: false)
    }
    return true
  }
}
