import Wire

/// ICMP errors about FULLNAT connections between the IP families (RFC 7915 sections 4.2, 4.3, 5.2, 5.3).
///
/// All of an error becomes one of the other family: its header, what it says, and the packet that it quotes, so that its
/// receiver sees a packet that it could have sent. Quoted are at most as many bytes as fit an error of that family; extensions
/// behind the quoted packet (RFC 4884) are left out.
extension WorkerState {
  /// What an error and the packet it quotes are to say of their ends.
  struct ErrorEnds {
    var source: (high: UInt64, low: UInt64)
    var destination: (high: UInt64, low: UInt64)
    var quotedSource: QuotedPacket.End
    var quotedDestination: QuotedPacket.End
    var isIPv6: Bool
  }

  /// Makes an error one of the other family; the record then describes that.
  /// - Parameter hop: where it goes.
  /// - Returns: false when it says nothing there.
  mutating func carryOver(
    _ packet: UnsafeMutablePointer<Packet>, _ quote: QuotedPacket, _ quoted: QuotedConnection, _ ends: ErrorEnds,
    over hop: UnsafePointer<NextHop>
  ) -> Bool {
    let icmp = UnsafeRawPointer(packet.pointee.network) + Int(packet.pointee.transportOffset)
    guard !quote.isLaterFragment, let meaning = meaning(of: icmp, quote, ends, to: hop) else { return false }
    let isIPv6 = ends.isIPv6
    let headerByteCount = isIPv6 ? IPv6.headerByteCount : IPv4.minimumHeaderByteCount
    let front = 2 * headerByteCount + ICMPv4.headerByteCount
    let most = (isIPv6 ? IPv6.minimumMTU : ErrorLimits.ipv4) - front
    let count = min(quotedByteCount(icmp, quote) - quote.transportOffset, most)
    guard count >= 4 else { return false }
    // Both old headers are read before anything is written over them.
    var inner = FamilyTranslation.Header(
      from: quote.header, segmentByteCount: quote.claimedSegmentByteCount, protocolNumber: quote.protocolNumber,
      source: ends.quotedSource.address, destination: ends.quotedDestination.address)
    inner.wasFragmented = false
    var outer = FamilyTranslation.Header(
      from: packet.pointee.network, segmentByteCount: front - headerByteCount + count,
      protocolNumber: isIPv6 ? IPProtocol.icmpv6 : IPProtocol.icmpv4, source: ends.source,
      destination: ends.destination)
    outer.hops &-= 1
    let before = WorkerState.addressSum(quote.header, isIPv6: quote.isIPv6)
    let transport = quote.header + quote.transportOffset
    let start = transport - front
    if !isIPv6 { identification &+= 1 }
    outer.write(to: start, isIPv6: isIPv6, identification: UInt16(truncatingIfNeeded: identification))
    let message = start + headerByteCount
    message.storeBigEndian64(UInt64(meaning.type) << 56 | UInt64(meaning.code) << 48 | UInt64(meaning.rest), at: 0)
    let header = message + ICMPv4.headerByteCount
    inner.write(to: header, isIPv6: isIPv6, identification: 0)
    let edit = QuotedTransport(header: transport, byteCount: count, protocolNumber: quote.protocolNumber)
    edit.replace(
      sourcePort: ends.quotedSource.port, destinationPort: ends.quotedDestination.port, quoted,
      addresses: (before, WorkerState.addressSum(header, isIPv6: isIPv6)))
    packet.pointee.network = start
    packet.pointee.byteCount = UInt16(truncatingIfNeeded: front + count)
    packet.pointee.transportOffset = UInt16(truncatingIfNeeded: headerByteCount)
    isIPv6 ? packet.pointee.flags.formUnion(.ipv6) : packet.pointee.flags.subtract(.ipv6)
    packet.pointee.form = PacketForm(isIPv6: isIPv6, isReply: packet.pointee.form.isReply).odd
    WorkerState.finishMessage(packet)
    return true
  }

  /// How large errors are.
  private enum ErrorLimits {
    /// RFC 1812 section 4.3.2.3.
    static var ipv4: Int { 576 }
  }

  private mutating func meaning(
    of icmp: UnsafeRawPointer, _ quote: QuotedPacket, _ ends: ErrorEnds, to hop: UnsafePointer<NextHop>
  ) -> ErrorMeaning? {
    let said = ErrorMeaning(
      type: icmp.loadByte(at: ICMPv4.typeOffset), code: icmp.loadByte(at: ICMPv4.codeOffset),
      rest: icmp.loadBigEndian32(at: 4))
    // Where the quoted packet went.
    let (high, low) = quote.destination.address
    let other = routedHop(high: high, low: low, isIPv6: quote.isIPv6)
    let sizes = ErrorMeaning.Sizes(
      ipv4: Int((ends.isIPv6 ? other : hop).pointee.mtu), ipv6: Int((ends.isIPv6 ? hop : other).pointee.mtu))
    guard ends.isIPv6 else { return said.asIPv4(sizes) }
    return said.asIPv6(quotedByteCount: quote.claimedByteCount, sizes)
  }

  /// Bytes of the quoted packet before extensions: the length is in words of 4 bytes, or of 8 (RFC 4884 section 4).
  private func quotedByteCount(_ icmp: UnsafeRawPointer, _ quote: QuotedPacket) -> Int {
    let type = icmp.loadByte(at: ICMPv4.typeOffset)
    let hasLength =
      quote.isIPv6
      ? type == ICMPv6.destinationUnreachable || type == ICMPv6.timeExceeded
      : type == ICMPv4.destinationUnreachable || type == ICMPv4.timeExceeded || type == ICMPv4.parameterProblem
    guard hasLength else { return quote.byteCount }
    let length = quote.isIPv6 ? Int(icmp.loadByte(at: 4)) * 8 : Int(icmp.loadByte(at: 5)) * 4
    return length == 0 ? quote.byteCount : min(quote.byteCount, length)
  }

  /// The sum over both addresses of a header.
  static func addressSum(_ header: UnsafeRawPointer, isIPv6: Bool) -> UInt16 {
    var sum = Checksum()
    let offset = isIPv6 ? IPv6.sourceOffset : IPv4.sourceOffset
    sum.add(UnsafeRawBufferPointer(start: header + offset, count: isIPv6 ? 32 : 8))
    return sum.folded
  }
}

extension QuotedPacket {
  /// The length that its header claims; it may be anything.
  var claimedByteCount: Int {
    let header = UnsafeRawPointer(header)
    return isIPv6
      ? Int(header.loadBigEndian16(at: IPv6.payloadLengthOffset)) + IPv6.headerByteCount
      : Int(header.loadBigEndian16(at: IPv4.totalLengthOffset))
  }

  /// The same from the transport header on.
  var claimedSegmentByteCount: Int { max(claimedByteCount - transportOffset, 0) }
}
