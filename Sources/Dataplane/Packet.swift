import Wire

/// What a packet is, as `Parse` found it.
struct PacketFlags: OptionSet {
  let rawValue: UInt8
  static var ipv6: PacketFlags { PacketFlags(rawValue: 1) }
  /// A piece of a datagram, or an IPv6 packet with a fragment header: `Packet.transportOffset` is where its data begins.
  static var fragment: PacketFlags { PacketFlags(rawValue: 2) }
  /// A piece that is not the first.
  static var laterFragment: PacketFlags { PacketFlags(rawValue: 4) }
  /// A datagram that was put together from fragments: it lies in `WorkerState.whole`, not in its frame.
  static var reassembled: PacketFlags { PacketFlags(rawValue: 64) }
  /// Its connection is in the wide table; `Packet.head` has the sender's end, and the receiver's port where keys have the
  /// endpoint.
  static var wide: PacketFlags { PacketFlags(rawValue: 8) }
  /// The ports are there, but not all of the transport header: no event for the state machine, nothing to be rewritten.
  static var cutShort: PacketFlags { PacketFlags(rawValue: 16) }
  /// An ICMP error that may be about a connection; `Packet.transportOffset` is where the ICMP message begins.
  static var icmpError: PacketFlags { PacketFlags(rawValue: 32) }
  /// AH or ESP, which has no ports and goes where its key exchange goes (see `SecurityPayload`): looked up, and counted, as UDP
  /// from port 500 to port 500.
  static var securityPayload: PacketFlags { PacketFlags(rawValue: 128) }
}

/// Both ends of a packet, as a connection's key has the far one: IPv4 address << 32 | port << 16; of IPv6 the port only.
struct PacketEnds {
  var source: UInt64
  var destination: UInt64
}

/// What kind of packet a piece of code is for. Known when the program is built, so that the straight line has no
/// branch for the other family, the other direction, or fragments; the long way asks the packet.
struct PacketForm {
  /// As a byte of the record.
  let rawValue: UInt8

  @inline(__always)
  init(isIPv6: Bool, isReply: Bool) { rawValue = (isIPv6 ? 1 : 0) | (isReply ? 2 : 0) }

  private init(rawValue: UInt8) { self.rawValue = rawValue }

  /// The packet's journey has ended.
  static var finished: PacketForm { PacketForm(rawValue: 0x80) }

  @inline(__always)
  var isIPv6: Bool { rawValue & 1 != 0 }
  /// From a real server to a client (NAT) or to a local address (FULLNAT); else from a client to a VIP.
  @inline(__always)
  var isReply: Bool { rawValue & 2 != 0 }
  /// A fragment, or with options or extension headers (the transport header is not right behind the shortest header), or
  /// neither TCP nor UDP (SCTP, AH, ESP).
  @inline(__always)
  var isOdd: Bool { rawValue & 4 != 0 }
  @inline(__always)
  var isFinished: Bool { rawValue & 0x80 != 0 }

  /// The same, odd.
  var odd: PacketForm { PacketForm(rawValue: rawValue | 4) }
}

/// What the stages know about one packet of a batch: one cache line, filled from stage to stage.
///
/// One record a packet, and not one array a property: the stages take a packet as far as they can before they take the
/// next, and then all of it is in a line that nothing else shares, at constant distances, so that what one stage
/// stores the next one still has in a register (`docs/decisions/0009`).
struct Packet {
  // parse
  var network: UnsafeMutableRawPointer
  // classify
  /// First word of the connection's key.
  var head: UInt64
  /// IPv6: the other two words.
  var high: UInt64
  var low: UInt64
  /// Where in the table the connection stands if it has room there.
  var line: UnsafeMutablePointer<UInt64>

  // schedule
  /// Where in the table the connection stands.
  var slot: UnsafeMutablePointer<UInt64>?
  var connection: Connection

  // parse
  /// Bytes of the IP packet; 0: not known.
  var byteCount: UInt16
  var flags: PacketFlags
  var protocolNumber: UInt8
  /// FIN, SYN, RST, PSH, ACK of a TCP segment (RFC 9293 section 3.1); `firstSCTPSegment` and what an SCTP packet's first
  /// chunk is for the state machine; `noSegment` for anything else.
  var segment: UInt8
  // classify
  var form: PacketForm
  // parse
  /// From the network header to the transport header of an odd packet; of others it is known without.
  var transportOffset: UInt16

  /// `segment` of a packet without a TCP header in it: no event for the state machine.
  @inline(__always)
  static var noSegment: UInt8 { 0x20 }

  /// `segment` of the first line of SCTP's state table.
  @inline(__always)
  static var firstSCTPSegment: UInt8 { 0x30 }

  /// `segment` of an SCTP packet that begins with ABORT.
  @inline(__always)
  static var abortSegment: UInt8 { firstSCTPSegment + 9 }

  @inline(__always)
  var isIPv6: Bool { flags.contains(.ipv6) }
  /// No router may cut it: IPv6, and IPv4 whose sender says so. About an ICMP error nobody could be told.
  var mustNotBeCut: Bool {
    isIPv6
      || !flags.contains(.icmpError)
        && UnsafeRawPointer(network).loadBigEndian16(at: IPv4.fragmentOffset) & 0x4000 != 0
  }
  @inline(__always)
  var isTCP: Bool { protocolNumber == TransportProtocol.tcp.rawValue }
  @inline(__always)
  var isRequest: Bool { !form.isReply }
  /// Bytes of the transport header that is written into.
  var transportByteCount: Int {
    if flags.contains(.securityPayload) { return 0 }
    return isTCP ? 20 : protocolNumber == TransportProtocol.sctp.rawValue ? SCTP.headerByteCount : 8
  }
  /// The transport header. A fragment has none before it is put together.
  @inline(__always)
  func transportHeader(_ form: PacketForm) -> UnsafeMutableRawPointer {
    network + (form.isOdd ? Int(transportOffset) : form.isIPv6 ? 40 : 20)
  }

  /// The far end's: the client's of a request, the client's or the local address's of a reply.
  @inline(__always)
  var farPort: UInt16 { UInt16(truncatingIfNeeded: head >> 16) }
  /// Of a packet of the wide table: the near end's.
  var nearPort: UInt16 { UInt16(truncatingIfNeeded: head) }
  @inline(__always)
  func farAddress(_ form: PacketForm) -> (high: UInt64, low: UInt64) { form.isIPv6 ? (high, low) : (0, head >> 32) }

  /// The sender's address in two words, IPv4 in the low half of `low`, as it stands in the packet.
  var sourceAddress: (high: UInt64, low: UInt64) {
    isIPv6 ? address(at: IPv6.sourceOffset) : addressV4(at: IPv4.sourceOffset)
  }

  /// The receiver's, likewise.
  var destinationAddress: (high: UInt64, low: UInt64) {
    isIPv6 ? address(at: IPv6.destinationOffset) : addressV4(at: IPv4.destinationOffset)
  }

  private func addressV4(at offset: Int) -> (high: UInt64, low: UInt64) {
    (0, UInt64(UnsafeRawPointer(network).loadBigEndian32(at: offset)))
  }

  /// An IPv6 address in the header, as it stands there.
  @inline(__always)
  func addressBytes(at offset: Int) -> (UInt64, UInt64) {
    let header = UnsafeRawPointer(network)
    return (
      header.loadUnaligned(fromByteOffset: offset, as: UInt64.self),
      header.loadUnaligned(fromByteOffset: offset &+ 8, as: UInt64.self)
    )
  }

  /// An IPv6 address in the header.
  @inline(__always)
  func address(at offset: Int) -> (high: UInt64, low: UInt64) {
    let header = UnsafeRawPointer(network)
    return (header.loadBigEndian64(at: offset), header.loadBigEndian64(at: offset &+ 8))
  }

  /// Far end and endpoint: the client's side of a request, the near side of a reply.
  @inline(__always)
  var keyV4: KeyV4 { KeyV4(word: head) }
  @inline(__always)
  var keyV6: KeyV6 { KeyV6(high: high, low: low, head: head) }
}
