import Wire

/// As much of a frame as its flow's name takes. Not the pipeline's parser: it judges nothing, and gives up on
/// whatever is not plain TCP or UDP.
struct FrameGlance: Hashable {
  let source: Endpoint
  let destination: Endpoint
  let transport: TransportProtocol
  /// A SYN without ACK.
  let isSYN: Bool

  init?(_ frame: UnsafeRawBufferPointer) {
    func word(_ offset: Int) -> UInt16? {
      offset + 2 <= frame.count ? UInt16(frame[offset]) << 8 | UInt16(frame[offset + 1]) : nil
    }
    var offset = 12
    while let type = word(offset), type == EtherType.vlan || type == 0x88a8 { offset += 4 }
    let isV6 = word(offset) == EtherType.ipv6
    guard isV6 || word(offset) == EtherType.ipv4 else { return nil }
    let header = offset + 2
    let addresses = header + (isV6 ? IPv6.sourceOffset : IPv4.sourceOffset)
    let byteCount = isV6 ? 16 : 4
    guard addresses + 2 * byteCount <= frame.count else { return nil }
    let transportHeader = header + (isV6 ? 40 : Int(frame[header] & 0xf) * 4)
    let number = frame[header + (isV6 ? IPv6.nextHeaderOffset : IPv4.protocolOffset)]
    // The second piece of a datagram has no ports.
    let isLaterPiece = !isV6 && (word(header + 6) ?? 0) & 0x1fff != 0
    guard !isLaterPiece, let transport = TransportProtocol(rawValue: number), transport != .sctp,
      let sourcePort = word(transportHeader), let destinationPort = word(transportHeader + 2),
      let from = IPAddress(bytes: frame[addresses..<addresses + byteCount]),
      let to = IPAddress(bytes: frame[addresses + byteCount..<addresses + 2 * byteCount])
    else { return nil }
    source = Endpoint(address: from, port: sourcePort)
    destination = Endpoint(address: to, port: destinationPort)
    self.transport = transport
    let flags = transportHeader + TCP.flagsOffset
    isSYN = transport == .tcp && flags < frame.count && frame[flags] & (TCP.syn | TCP.ack) == TCP.syn
  }
}
