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
  private let hasWide: Bool

  @inline(__always)
  init(_ state: borrowing WorkerState) {
    tableV4 = state.shared.tableV4
    tableV6 = state.shared.tableV6
    endpoints4 = state.snapshot.pointee.endpoints4
    endpoints6 = state.snapshot.pointee.endpoints6
    hasWide = state.snapshot.pointee.hasWide
  }

  /// Any packet.
  /// - Returns: `pending`, or what has become of the packet.
  func packet(_ packet: UnsafeMutablePointer<Packet>, _ ends: PacketEnds) -> Outcome {
    if packet.pointee.flags.contains(.icmpError) {
      packet.pointee.form = PacketForm(isIPv6: packet.pointee.isIPv6, isReply: false).odd
      return .pending
    }
    guard packet.pointee.isIPv6 ? ipv6(packet, ends) : ipv4(packet, ends) else { return wide(packet, ends) }
    let shortest: UInt16 = packet.pointee.isIPv6 ? 40 : 20
    let isPlainProtocol = packet.pointee.isTCP || packet.pointee.protocolNumber == TransportProtocol.udp.rawValue
    if !packet.pointee.flags.isDisjoint(with: [.cutShort, .securityPayload])
      || packet.pointee.transportOffset != shortest || !isPlainProtocol
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
}
