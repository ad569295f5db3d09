import Wire

/// The transport header of a quoted packet, as far as it is there.
///
/// FULLNAT replaces both ports, and the sequence numbers of a stream that has a PROXY header in front; the checksum follows
/// where it is quoted.
struct QuotedTransport {
  let header: UnsafeMutableRawPointer
  /// At least the four of the ports.
  let byteCount: Int
  let protocolNumber: UInt8

  /// - Parameter addresses: the sums over both addresses, as they were and as they are now.
  func replace(
    sourcePort: UInt16, destinationPort: UInt16, _ quoted: WorkerState.QuotedConnection,
    addresses: (before: UInt16, after: UInt16)
  ) {
    let before = changingSum
    header.storeBigEndian16(sourcePort, at: 0)
    header.storeBigEndian16(destinationPort, at: 2)
    if let shift = quoted.shift, protocolNumber == IPProtocol.tcp {
      quoted.isToServer ? shiftAcknowledgement(shift) : shiftSequence(shift)
    }
    var change = ChecksumDelta()
    change.replace16(addresses.before, with: addresses.after)
    change.replace16(before, with: changingSum)
    let isUDP = protocolNumber == IPProtocol.udp
    let offset = isUDP ? UDP.checksumOffset : TCP.checksumOffset
    // SCTP's covers the whole packet, which is not quoted.
    guard isUDP || protocolNumber == IPProtocol.tcp, offset + 2 <= byteCount else { return }
    let old = UnsafeRawPointer(header).loadUnaligned(fromByteOffset: offset, as: UInt16.self)
    if isUDP, old == 0 { return }
    let new = isUDP ? change.applyUDP(to: old) : change.apply(to: old)
    header.storeBytes(of: new, toByteOffset: offset, as: UInt16.self)
  }

  /// Over what may change: ports, and TCP's numbers.
  private var changingSum: UInt16 {
    let count = protocolNumber == IPProtocol.tcp ? min(byteCount & ~3, TCP.acknowledgementOffset + 4) : 4
    var sum = Checksum()
    sum.add(UnsafeRawBufferPointer(start: header, count: count))
    return sum.folded
  }

  /// A segment of the client's, as it went to the server: the client is told where it stands in its own stream, or would
  /// not know it (RFC 5927 section 4).
  private func shiftSequence(_ shift: StreamShift) {
    guard byteCount >= TCP.sequenceOffset + 4 else { return }
    let number = UnsafeRawPointer(header).loadBigEndian32(at: TCP.sequenceOffset)
    header.storeBigEndian32(shift.clients(number), at: TCP.sequenceOffset)
  }

  /// A segment of the server's, as it went to the client: what it acknowledges counts the header again.
  private func shiftAcknowledgement(_ shift: StreamShift) {
    guard byteCount >= TCP.acknowledgementOffset + 4 else { return }
    let number = UnsafeRawPointer(header).loadBigEndian32(at: TCP.acknowledgementOffset)
    header.storeBigEndian32(shift.servers(number), at: TCP.acknowledgementOffset)
  }
}

/// By how much a server's numbering of the client's stream is ahead of the client's own.
struct StreamShift: Equatable {
  /// Where the stream begins, behind the SYN.
  let first: UInt32
  let count: UInt32
  /// The server has acknowledged the header.
  let isConfirmed: Bool

  /// - Returns: nil when there is no shift, or not yet.
  init?(_ stream: ConveyedStream, _ ends: ProxyProtocol.Ends) {
    guard let version = stream.conveyance.proxy, stream.isKnown else { return nil }
    first = stream.first
    count = UInt32(ProxyProtocol.byteCount(version, ends))
    isConfirmed = stream.isConfirmed
  }

  /// A number of the server's, as the client counts; all of the header is its beginning.
  func clients(_ number: UInt32) -> UInt32 {
    let distance = Int32(bitPattern: number &- first)
    if distance >= Int32(count) { return number &- count }
    // The SYN's, or one from long ago, when all of the stream is long past it.
    return distance > 0 ? first : distance < 0 && isConfirmed && distance != -1 ? number &- count : number
  }

  /// A number of the client's, as the server counts.
  func servers(_ number: UInt32) -> UInt32 {
    let distance = Int32(bitPattern: number &- first)
    return isConfirmed || distance > 0 ? number &+ count : number
  }
}
