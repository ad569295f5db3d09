import CShims
import Wire

/// Connections of services that are not one address and port: those by firewall mark, those for every port (port 0), and
/// FTP's data connections, which go with the service on port 21.
///
/// No number stands for their near end, so they are looked up by both ends in full, in the wide table. A packet comes here
/// when no service and no server has its near end, or when the one that has knows no connection of it.
extension WorkerState {
  /// A packet whose near end has no number.
  mutating func scheduleWide(_ index: Int) {
    let packet = batch.packet(index)
    guard packet.pointee.isIPv6 ? snapshot.pointee.hasWideV6 : snapshot.pointee.hasWideV4 else {
      return batch.finish(index, .notOurs)
    }
    if advanceWide(index) { return }
    if packet.pointee.flags.contains(.securityPayload) { return batch.finish(index, .noConnection) }
    guard !isOwnTraffic,
      let number = markService(index) ?? anyPortService(packet.pointee, port: packet.pointee.nearPort)
    else {
      return batch.finish(index, .notOurs)
    }
    openWide(index, service: number)
  }

  /// A packet to the address and port of a service that has been deleted, but has connections left: the service for every
  /// port may take it.
  @inline(never)
  mutating func openElsewhere(_ index: Int) {
    guard snapshot.pointee.hasWide,
      let number = anyPortService(batch.packet(index).pointee, port: wideEnds(index).destinationPort)
    else { return batch.finish(index, .notOurs) }
    openWide(index, service: number)
  }

  /// Opens a connection in the wide table.
  mutating func openWide(_ index: Int, service number: UInt16) {
    let ends = wideEnds(index)
    turnWide(index, ends, isReply: false)
    batch.packet(index).pointee.slot = nil
    let service = service(number)
    // IPVS lets such a service be made, but it has no server port to send to.
    if service.pointee.port == 0, service.pointee.mark == 0, service.pointee.persistenceSeconds == 0 {
      answer(index, .portUnreachable)
      return batch.outcomes[index] = .noServerAvailable
    }
    var key = requestKey(ends)
    if service.pointee.conveyance != .none {
      // A stream whose beginning has passed by cannot be given another one.
      let isFirst = batch.packet(index).pointee.segment & 0x02 != 0
      if service.pointee.conveyance != .option, !isFirst { return batch.finish(index, .noConnection) }
      key.extra = ConveyedStream.bits(service.pointee.conveyance)
    }
    open(index, key: key, service: number, in: shared.tableWide)
  }

  /// Moves a connection of the wide table on.
  /// - Returns: false when there is none.
  mutating func advanceWide(_ index: Int) -> Bool {
    let ends = wideEnds(index)
    let table = shared.tableWide
    var key = requestKey(ends)
    if let slot = table.find(key, hash: key.hash(table.secret)), key.isExact(slot) {
      key.takeNotes(of: slot)
      let before = (
        batch.packet(index).pointee.flags, batch.packet(index).pointee.form, batch.packet(index).pointee.head
      )
      turnWide(index, ends, isReply: false)
      if advance(index, key: key, slot: slot, in: table) { return true }
      let packet = batch.packet(index)
      (packet.pointee.flags, packet.pointee.form, packet.pointee.head) = before
    }
    let reply = replyKey(ends)
    guard let slot = table.find(reply, hash: reply.hash(table.secret)) else {
      return meetExpected(index, ends) && advanceWide(index)
    }
    let server = server(table.load(slot).server)
    guard (server.pointee.addressHigh, server.pointee.addressLow) == ends.source else { return false }
    turnWide(index, ends, isReply: true)
    return advance(index, key: reply, slot: slot, in: table)
  }

  /// Both ends of a packet.
  struct WideEnds {
    var source: (high: UInt64, low: UInt64)
    var destination: (high: UInt64, low: UInt64)
    var sourcePort: UInt16
    var destinationPort: UInt16
    var protocolNumber: UInt8
  }

  mutating func wideEnds(_ index: Int) -> WideEnds {
    let packet = batch.packet(index).pointee
    var ends = WideEnds(
      source: packet.sourceAddress, destination: packet.destinationAddress, sourcePort: packet.farPort,
      destinationPort: 0, protocolNumber: packet.protocolNumber)
    if packet.flags.contains(.wide) {
      // As `Classify` left it, or as it was turned; then the ports are where they were.
      ends.destinationPort = packet.nearPort
      if packet.isRequest { return ends }
    } else {
      let endpoint = snapshot.pointee.endpoint(UInt16(truncatingIfNeeded: packet.head))
      ends.destinationPort =
        packet.isRequest ? service(endpoint.index).pointee.port : server(endpoint.index).pointee.port
      if packet.isRequest { return ends }
    }
    (ends.sourcePort, ends.destinationPort) = (ends.destinationPort, ends.sourcePort)
    return ends
  }

  func requestKey(_ ends: WideEnds) -> KeyWide {
    KeyWide(
      .request, far: ends.source, farPort: ends.sourcePort, near: ends.destination, nearPort: ends.destinationPort,
      protocolNumber: ends.protocolNumber, secret: shared.tableWide.secret)
  }

  func replyKey(_ ends: WideEnds) -> KeyWide {
    KeyWide(
      .reply, far: ends.destination, farPort: ends.destinationPort, near: ends.source, nearPort: ends.sourcePort,
      protocolNumber: ends.protocolNumber, secret: shared.tableWide.secret)
  }

  /// The packet is a request, or a reply, of the wide table; its record says so from now on.
  private func turnWide(_ index: Int, _ ends: WideEnds, isReply: Bool) {
    let packet = batch.packet(index)
    let isOdd = packet.pointee.form.isOdd
    packet.pointee.flags.insert(.wide)
    packet.pointee.form = PacketForm(isIPv6: packet.pointee.isIPv6, isReply: isReply).odd
    let far = isReply ? ends.destination : ends.source
    let ports = isReply ? (ends.destinationPort, ends.sourcePort) : (ends.sourcePort, ends.destinationPort)
    let address = packet.pointee.isIPv6 ? 0 : far.low << 32
    packet.pointee.head = address | UInt64(ports.0) << 16 | UInt64(ports.1)
    (packet.pointee.high, packet.pointee.low) = far
    if !isOdd { packet.pointee.transportOffset = packet.pointee.isIPv6 ? 40 : 20 }
  }

  // MARK: - Services

  /// The service by the packet's firewall mark.
  mutating func markService(_ index: Int) -> UInt16? {
    guard snapshot.pointee.markRules.count != 0 else { return nil }
    return markService(of: markSubject(index))
  }

  /// True when a fragment, as it comes, carries the mark of a service: then it is for the host, wherever it is sent to.
  /// Marks are given before datagrams are whole, and only their first fragments have ports.
  mutating func hasMarkService(fragment index: Int) -> Bool {
    guard snapshot.pointee.markRules.count != 0 else { return false }
    let packet = batch.packet(index).pointee
    let ports = UnsafeRawPointer(packet.network) + Int(packet.transportOffset)
    let isFirst = !packet.flags.contains(.laterFragment) && packet.byteCount >= packet.transportOffset &+ 4
    let ends = WideEnds(
      source: packet.sourceAddress, destination: packet.destinationAddress,
      sourcePort: isFirst ? ports.loadBigEndian16(at: 0) : 0,
      destinationPort: isFirst ? ports.loadBigEndian16(at: 2) : 0, protocolNumber: packet.protocolNumber)
    return markService(of: markSubject(index, ends, hasPorts: isFirst)) != nil
  }

  private mutating func markService(of subject: MarkRules.Subject) -> UInt16? {
    let mark = snapshot.pointee.markRules.mark(of: subject)
    guard mark != 0 else { return nil }
    let endpoint =
      subject.isIPv6
      ? snapshot.pointee.endpoints6.find(NearEndV6((0, UInt64(mark)), port: 0, protocolNumber: 0, side: .mark))
      : snapshot.pointee.endpoints4.find(NearEndV4(end: UInt64(mark) << 32, protocolNumber: 0, side: .mark))
    return endpoint == 0 ? nil : snapshot.pointee.endpoint(endpoint).index
  }

  /// The service on port 21 of the packet's address where it may be FTP's data connection, or that for every port.
  /// - Parameter port: the one that the packet is for.
  mutating func anyPortService(_ packet: Packet, port: UInt16) -> UInt16? {
    if snapshot.pointee.hasFTP, packet.isTCP, port == 20 || port >= 1024,
      let number = service(of: packet, port: 21, side: .destination)
    {
      // Others keep a client's connections apart: it is the host's then, even where there is a service for every port.
      return service(number).pointee.persistenceSeconds != 0 ? number : nil
    }
    return service(of: packet, port: 0, side: .anyPort)
  }

  private mutating func service(of packet: Packet, port: UInt16, side: Side) -> UInt16? {
    let address = packet.destinationAddress
    let number = packet.protocolNumber
    let shifted = UInt64(port) << 16
    let endpoint =
      packet.isIPv6
      ? snapshot.pointee.endpoints6.find(
        NearEndV6((address.high.bigEndian, address.low.bigEndian), port: shifted, protocolNumber: number, side: side))
      : snapshot.pointee.endpoints4.find(
        NearEndV4(end: address.low << 32 | shifted, protocolNumber: number, side: side))
    guard endpoint != 0 else { return nil }
    let service = snapshot.pointee.endpoint(endpoint).index
    return self.service(service).pointee.isActive ? service : nil
  }
}

extension WorkerState {
  /// The packet as mark rules look at it.
  mutating func markSubject(_ index: Int) -> MarkRules.Subject {
    markSubject(index, wideEnds(index), hasPorts: !batch.packet(index).pointee.flags.contains(.icmpError))
  }

  private mutating func markSubject(_ index: Int, _ ends: WideEnds, hasPorts: Bool) -> MarkRules.Subject {
    let packet = batch.packet(index)
    let interface = interfaces.map { UInt16($0[Int(batch.ingress[index])]) } ?? 0
    let isWhole = packet.pointee.flags.contains(.reassembled)
    let frame = UnsafeRawPointer(isWhole ? whole.frame : batch.bytes(index))
    let isTagged = UnsafeRawPointer(packet.pointee.network) - frame >= 18
    let vlan = isTagged ? frame.loadBigEndian16(at: 14) & 0xfff : 0
    return MarkRules.Subject(
      isIPv6: packet.pointee.isIPv6, protocolNumber: ends.protocolNumber,
      hasPorts: hasPorts, sourcePort: ends.sourcePort,
      destinationPort: ends.destinationPort,
      interface: MarkRules.interface(port: interface, vlan: vlan), sourceHigh: ends.source.high,
      sourceLow: ends.source.low, destinationHigh: ends.destination.high, destinationLow: ends.destination.low)
  }
}
