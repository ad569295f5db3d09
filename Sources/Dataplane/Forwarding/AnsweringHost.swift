import Wire

/// A host's stack for `lbd replay` on which nobody listens: it resets TCP (RFC 9293 section 3.10.7.1) and says "port
/// unreachable" to UDP (RFC 1122 section 4.1.3.1), "protocol unreachable" to what is neither, so that a connection with a real server on the director itself goes the
/// way that it goes with IPVS. What else a host may say depends on what runs there, and is not played.
struct AnsweringHost: HostStack, ~Copyable {
  /// What the host has sent and nobody has taken yet.
  private(set) var answers: [[UInt8]] = []
  /// False for a host that takes nothing.
  var isOpen = true
  /// False as long as there is no local server: then nobody would take them.
  var isAnswering = false
  /// By identification and addresses, what has come of an IPv4 datagram.
  private var fragments: [[UInt8]: [Int: [UInt8]]] = [:]

  var pollDescriptor: Int32 { -1 }

  /// Sends a packet of its own accord.
  mutating func send(_ packet: [UInt8]) { answers.append(packet) }

  mutating func accept(_ packet: UnsafeRawBufferPointer, networkOffset: Int) -> Bool {
    guard isOpen, isAnswering, networkOffset < packet.count else { return isOpen }
    let bytes = Array(packet[networkOffset...])
    guard let whole = bytes[0] >> 4 == 4 ? assembled(bytes) : bytes, let answer = AnsweringHost.answer(to: whole)
    else { return true }
    answers.append(answer)
    return true
  }

  mutating func receive(into buffer: UnsafeMutableRawBufferPointer) -> Int {
    guard !answers.isEmpty else { return 0 }
    let answer = answers.removeFirst()
    guard answer.count <= buffer.count else { return 0 }
    buffer.copyBytes(from: answer)
    return answer.count
  }

  /// The datagram that a packet completes.
  private mutating func assembled(_ packet: [UInt8]) -> [UInt8]? {
    let header = Int(packet[0] & 0xf) * 4
    guard packet.count >= max(header, 20) else { return nil }
    let field = Int(packet[6]) << 8 | Int(packet[7])
    guard field & 0x3fff != 0 else { return packet }
    let key = Array(packet[4..<6] + packet[12..<20])
    // Nothing is to be had from a capture of fragments that are never whole.
    if fragments.count > 1000 { fragments = [:] }
    fragments[key, default: [:]][field & 0x3fff] = packet
    var next = 0
    var whole: [UInt8] = []
    while let piece = fragments[key]?[next / 8 | 0x2000] ?? fragments[key]?[next / 8] {
      let start = Int(piece[0] & 0xf) * 4
      whole += next == 0 ? piece : Array(piece[start...])
      next += piece.count - start
      guard piece.count > start else { return nil }
      if piece[6] & 0x20 == 0 {
        fragments[key] = nil
        (whole[6], whole[7]) = (whole[6] & 0x40, 0)
        (whole[2], whole[3]) = (UInt8(truncatingIfNeeded: whole.count >> 8), UInt8(truncatingIfNeeded: whole.count))
        return whole
      }
    }
    return nil
  }

  private static func answer(to packet: [UInt8]) -> [UInt8]? {
    let isIPv6 = packet[0] >> 4 == 6
    let header = isIPv6 ? 40 : Int(packet[0] & 0xf) * 4
    guard packet.count >= header + 8, isIPv6 || header >= 20 else { return nil }
    let own = address(packet, at: isIPv6 ? IPv6.destinationOffset : IPv4.destinationOffset, isIPv6)
    let peer = address(packet, at: isIPv6 ? IPv6.sourceOffset : IPv4.sourceOffset, isIPv6)
    switch packet[isIPv6 ? IPv6.nextHeaderOffset : IPv4.protocolOffset] {
    case IPProtocol.tcp:
      return reset(Array(packet[header...]), from: own, to: peer)
    case IPProtocol.udp where isIPv6:
      return FrameBuilder().ipv6(from: own, to: peer)
        .icmp(type: ICMPv6.destinationUnreachable, code: ICMPv6.portUnreachable)
        .payload(Array(packet.prefix(IPv6.minimumMTU - 48))).packet
    case IPProtocol.udp:
      return FrameBuilder().ipv4(from: own, to: peer, service: 0xc0)
        .icmp(type: ICMPv4.destinationUnreachable, code: ICMPv4.portUnreachable)
        .payload(Array(packet.prefix(576 - 28))).packet
    case IPProtocol.icmpv4, IPProtocol.icmpv6:
      return nil
    default:
      guard !isIPv6 else { return nil }
      return FrameBuilder().ipv4(from: own, to: peer, service: 0xc0)
        .icmp(type: ICMPv4.destinationUnreachable, code: ICMPv4.protocolUnreachable)
        .payload(Array(packet.prefix(576 - 28))).packet
    }
  }

  private static func reset(_ segment: [UInt8], from own: IPAddress, to peer: IPAddress) -> [UInt8]? {
    guard segment.count >= 20, segment[TCP.flagsOffset] & TCP.rst == 0 else { return nil }
    func number(_ offset: Int, _ count: Int) -> UInt32 {
      segment[offset..<offset + count].reduce(0) { $0 << 8 | UInt32($1) }
    }
    let flags = segment[TCP.flagsOffset]
    let data = max(segment.count - Int(segment[TCP.dataOffset] >> 4) * 4, 0)
    let length = UInt32(data) + (flags & TCP.syn != 0 ? 1 : 0) + (flags & TCP.fin != 0 ? 1 : 0)
    let isAcknowledgement = flags & TCP.ack != 0
    let builder =
      own.family == .ipv6
      ? FrameBuilder().ipv6(from: own, to: peer)
      : FrameBuilder().ipv4(from: own, to: peer, identification: 0, fragment: IPv4.dontFragment)
    return builder.tcp(
      from: UInt16(number(TCP.destinationPortOffset, 2)), to: UInt16(number(TCP.sourcePortOffset, 2)),
      flags: isAcknowledgement ? TCP.rst : TCP.rst | TCP.ack,
      sequence: isAcknowledgement ? number(TCP.acknowledgementOffset, 4) : 0,
      acknowledgement: isAcknowledgement ? 0 : number(TCP.sequenceOffset, 4) &+ length, window: 0
    ).packet
  }

  private static func address(_ packet: [UInt8], at offset: Int, _ isIPv6: Bool) -> IPAddress {
    func word(_ offset: Int, _ count: Int) -> UInt64 {
      packet[offset..<offset + count].reduce(0) { $0 << 8 | UInt64($1) }
    }
    return isIPv6
      ? IPAddress(high: word(offset, 8), low: word(offset + 8, 8))
      : IPAddress(v4: UInt32(truncatingIfNeeded: word(offset, 4)))
  }
}
