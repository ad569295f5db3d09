import CShims
import Wire

/// Which connection is it? Only looks: nothing is created, no state changes.
///
/// The near end of a packet becomes an endpoint number (a service's VIP:port by destination, or a real server's
/// address:port by source), the key is hashed, and the line of the connection table is prefetched. Nobody waits for it:
/// by the time `schedule` looks at the line, the misses of the packets around this one have overlapped with its own.
/// That is what a batch is for.
struct Classify {
  // In registers: whatever is stored meanwhile, these do not change.
  private let tableV4: ConnectionTable<KeyV4>
  private let tableV6: ConnectionTable<KeyV6>
  private let endpoints4: EndpointTable<NearEndV4>
  private let endpoints6: EndpointTable<NearEndV6>
  private let now: UInt64
  private let hasWide: Bool

  @inline(__always)
  init(_ state: borrowing WorkerState) {
    tableV4 = state.shared.tableV4
    tableV6 = state.shared.tableV6
    endpoints4 = state.snapshot.pointee.endpoints4
    endpoints6 = state.snapshot.pointee.endpoints6
    now = state.clock.nanoseconds
    hasWide = state.snapshot.pointee.hasWide
  }

  /// Any packet.
  /// - Returns: `pending`, or what has become of the packet.
  func packet(
    _ packet: UnsafeMutablePointer<Packet>, _ ends: PacketEnds, fragments: borrowing FragmentTable
  ) -> Outcome {
    var ends = ends
    if packet.pointee.flags.contains(.icmpError) {
      packet.pointee.form = PacketForm(isIPv6: packet.pointee.isIPv6, isReply: false).odd
      return .pending
    }
    if packet.pointee.flags.contains(.fragment) {
      let outcome = Classify.follow(packet, &ends, fragments: fragments, now: now)
      guard outcome == .pending else { return outcome }
    }
    guard packet.pointee.isIPv6 ? ipv6(packet, ends) : ipv4(packet, ends) else { return wide(packet, ends) }
    let shortest: UInt16 = packet.pointee.isIPv6 ? 40 : 20
    let isPlainProtocol = packet.pointee.isTCP || packet.pointee.protocolNumber == TransportProtocol.udp.rawValue
    if !packet.pointee.flags.isDisjoint(with: [.fragment, .cutShort]) || packet.pointee.transportOffset != shortest
      || !isPlainProtocol
    {
      packet.pointee.form = packet.pointee.form.odd
    }
    return .pending
  }

  /// - Returns: false when it is not ours.
  @inline(__always)
  func ipv4(_ packet: UnsafeMutablePointer<Packet>, _ ends: PacketEnds) -> Bool {
    let number = packet.pointee.protocolNumber
    var endpoint = endpoints4.find(NearEndV4(end: ends.destination, protocolNumber: number, side: .destination))
    if endpoint != 0 {
      aim(packet, PacketForm(isIPv6: false, isReply: false), KeyV4(word: ends.source | UInt64(endpoint)))
      return true
    }
    endpoint = endpoints4.find(NearEndV4(end: ends.source, protocolNumber: number, side: .source))
    guard _fastPath(endpoint != 0) else { return false }
    aim(packet, PacketForm(isIPv6: false, isReply: true), KeyV4(word: ends.destination | UInt64(endpoint)))
    return true
  }

  /// - Returns: false when it is not ours.
  @inline(__always)
  func ipv6(_ packet: UnsafeMutablePointer<Packet>, _ ends: PacketEnds) -> Bool {
    let number = packet.pointee.protocolNumber
    let receiver = packet.pointee.addressBytes(at: IPv6.destinationOffset)
    var endpoint = endpoints6.find(
      NearEndV6(receiver, port: ends.destination, protocolNumber: number, side: .destination))
    if endpoint != 0 {
      let (high, low) = packet.pointee.address(at: IPv6.sourceOffset)
      let key = KeyV6(high: high, low: low, head: ends.source | UInt64(endpoint))
      aim(packet, PacketForm(isIPv6: true, isReply: false), key)
      return true
    }
    let sender = packet.pointee.addressBytes(at: IPv6.sourceOffset)
    endpoint = endpoints6.find(NearEndV6(sender, port: ends.source, protocolNumber: number, side: .source))
    guard _fastPath(endpoint != 0) else { return false }
    let key = KeyV6(
      high: receiver.0.bigEndian, low: receiver.1.bigEndian, head: ends.destination | UInt64(endpoint))
    aim(packet, PacketForm(isIPv6: true, isReply: true), key)
    return true
  }

  /// A packet whose near end has no number: it may all the same belong to a service that is not one address and port.
  func wide(_ packet: UnsafeMutablePointer<Packet>, _ ends: PacketEnds) -> Outcome {
    guard hasWide else { return .notOurs }
    packet.pointee.flags.insert(.wide)
    packet.pointee.form = PacketForm(isIPv6: packet.pointee.isIPv6, isReply: false).odd
    packet.pointee.head = ends.source | ends.destination >> 16 & 0xffff
    return .pending
  }

  /// Notes the key and where it stands if it has room there, and asks for that line.
  @inline(__always)
  private func aim(_ packet: UnsafeMutablePointer<Packet>, _ form: PacketForm, _ key: KeyV4) {
    packet.pointee.form = form
    packet.pointee.head = key.word
    let line = tableV4.line(key.hash(tableV4.secret))
    packet.pointee.line = line
    ConnectionTable<KeyV4>.prefetch(line)
  }

  @inline(__always)
  private func aim(_ packet: UnsafeMutablePointer<Packet>, _ form: PacketForm, _ key: KeyV6) {
    packet.pointee.form = form
    (packet.pointee.head, packet.pointee.high, packet.pointee.low) = (key.portAndEndpoint, key.high, key.low)
    let line = tableV6.line(key.hash(tableV6.secret))
    packet.pointee.line = line
    ConnectionTable<KeyV6>.prefetch(line)
  }

  /// Gives a later fragment the ports of its datagram, or remembers those of a first one.
  @inline(never)
  private static func follow(
    _ packet: UnsafeMutablePointer<Packet>, _ ends: inout PacketEnds, fragments: borrowing FragmentTable, now: UInt64
  ) -> Outcome {
    var key = FragmentTable.Entry()
    (key.sourceHigh, key.sourceLow) = packet.pointee.sourceAddress
    (key.destinationHigh, key.destinationLow) = packet.pointee.destinationAddress
    key.protocolNumber = packet.pointee.protocolNumber
    let header = UnsafeRawPointer(packet.pointee.network)
    // The fragment header is the one right in front of what parse took for the transport header, or further up
    // when destination options follow it; in both cases parse has walked over it.
    key.identification =
      packet.pointee.isIPv6 ? identificationV6(header) : UInt32(header.loadBigEndian16(at: IPv4.identificationOffset))
    if packet.pointee.flags.contains(.laterFragment) {
      guard let ports = fragments.ports(of: key, now: now) else { return .fragmentWithoutFirst }
      ends.source |= UInt64(ports & 0xffff_0000)
      ends.destination |= UInt64(ports & 0xffff) << 16
      return .pending
    }
    let remembered = fragments.remember(
      key, sourcePort: UInt16(truncatingIfNeeded: ends.source >> 16),
      destinationPort: UInt16(truncatingIfNeeded: ends.destination >> 16), now: now)
    return remembered ? .pending : .fragmentTableFull
  }

  /// Walks the extension headers, whose lengths parse has checked, to the fragment header.
  private static func identificationV6(_ header: UnsafeRawPointer) -> UInt32 {
    var next = header.loadByte(at: IPv6.nextHeaderOffset)
    var position = 40
    for _ in 0..<Limits.extensionHeaders {
      if next == 44 { return header.loadBigEndian32(at: position + 4) }
      next = header.loadByte(at: position)
      position += (Int(header.loadByte(at: position + 1)) + 1) * 8
    }
    return 0
  }
}
