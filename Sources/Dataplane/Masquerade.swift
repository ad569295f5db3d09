import Wire

/// NAT: requests get the real server's address and port, replies the VIP's, and every checksum follows incrementally.
///
/// IPVS's bytes: RFC 1624 equation 3 for TCP and UDP; a UDP checksum of zero ("none") is not kept but computed over the
/// whole datagram, and one that comes out as zero is sent as 0xffff. Later fragments have no transport header: only
/// their addresses change, the delta is in the first fragment's checksum. In a fragmented datagram a zero UDP
/// checksum stays zero, since no single fragment has all the bytes.
extension WorkerState {
  @inline(__always)
  mutating func masquerade(request index: Int, server: UnsafePointer<ServerRecord>) {
    var delta: UInt64 = 0
    replaceAddress(
      index, at: .destination, high: server.pointee.addressHigh, low: server.pointee.addressLow, delta: &delta)
    replacePort(index, at: .destination, with: server.pointee.port, delta: &delta)
    fixTransport(index, delta: delta)
  }

  @inline(__always)
  mutating func masquerade(reply index: Int, server: UnsafePointer<ServerRecord>) {
    let service = service(server.pointee.service)
    var delta: UInt64 = 0
    replaceAddress(
      index, at: .source, high: service.pointee.addressHigh, low: service.pointee.addressLow, delta: &delta)
    replacePort(index, at: .source, with: service.pointee.port, delta: &delta)
    fixTransport(index, delta: delta)
  }

  /// Replaces one address in the header and the batch, fixes the IPv4 header checksum, and adds to the transport's
  /// delta.
  @inline(__always)
  func replaceAddress(
    _ index: Int, at side: EndpointTable.Side, high: UInt64, low: UInt64, delta: inout UInt64
  ) {
    let header = batch.network(index)
    let isSource = side == .source
    let change: UInt64
    if batch.flags[index].contains(.ipv6) {
      let oldHigh = isSource ? batch.sourceHigh[index] : batch.destinationHigh[index]
      let oldLow = isSource ? batch.sourceLow[index] : batch.destinationLow[index]
      change = replaced(oldHigh, high) &+ replaced(oldLow, low)
      put64(header, isSource ? 8 : 24, high)
      put64(header, isSource ? 16 : 32, low)
    } else {
      let old = UInt32(truncatingIfNeeded: isSource ? batch.sourceLow[index] : batch.destinationLow[index])
      let new = UInt32(truncatingIfNeeded: low)
      change = UInt64(~old) &+ UInt64(new)
      put32(header, isSource ? 12 : 16, new)
      put16(header, 10, updated(be16(header, 10), change))
    }
    delta &+= change
    if isSource {
      batch.sourceHigh[index] = high
      batch.sourceLow[index] = low
    } else {
      batch.destinationHigh[index] = high
      batch.destinationLow[index] = low
    }
  }

  /// Replaces one port, unless this is a later fragment.
  @inline(__always)
  func replacePort(_ index: Int, at side: EndpointTable.Side, with port: UInt16, delta: inout UInt64) {
    if batch.flags[index].contains(.laterFragment) { return }
    let header = batch.transport(index)
    let offset = side == .source ? 0 : 2
    delta &+= UInt64(~be16(header, offset)) &+ UInt64(port)
    put16(header, offset, port)
  }

  /// Applies the delta to the TCP or UDP checksum.
  @inline(__always)
  func fixTransport(_ index: Int, delta: UInt64) {
    if batch.flags[index].contains(.laterFragment) { return }
    let header = batch.transport(index)
    if batch.protocols[index] == TransportProtocol.tcp.rawValue {
      put16(header, 16, updated(be16(header, 16), delta))
      return
    }
    let old = be16(header, 6)
    if old == 0 {
      if !batch.flags[index].contains(.fragment) { completeUDP(index) }
      return
    }
    let new = updated(old, delta)
    put16(header, 6, new == 0 ? 0xffff : new)
  }

  /// Computes a UDP checksum over the whole datagram (RFC 768, RFC 8200 section 8.1).
  private func completeUDP(_ index: Int) {
    let header = batch.transport(index)
    let end = Int(batch.networkOffsets[index]) + Int(batch.networkByteCounts[index])
    let byteCount = end - Int(batch.transportOffsets[index])
    var sum = Checksum.sum(UnsafeRawBufferPointer(start: header, count: byteCount))
    sum &+= pseudoHeader(index, protocolNumber: TransportProtocol.udp.rawValue, byteCount: byteCount)
    let checksum = ~folded(sum)
    put16(header, 6, checksum == 0 ? 0xffff : checksum)
  }

  /// Sum of the pseudo-header as 16-bit big-endian words.
  func pseudoHeader(_ index: Int, protocolNumber: UInt8, byteCount: Int) -> UInt64 {
    UInt64(protocolNumber) &+ UInt64(byteCount) &+ halves(batch.sourceHigh[index]) &+ halves(batch.sourceLow[index])
      &+ halves(batch.destinationHigh[index]) &+ halves(batch.destinationLow[index])
  }
}

/// ~m + m' of RFC 1624 for a 64-bit field, in 32-bit halves so that the sums of many fit 64 bits.
@inline(__always)
func replaced(_ old: UInt64, _ new: UInt64) -> UInt64 {
  halves(~old) &+ halves(new)
}

/// The two 32-bit halves added up: the same sum modulo 0xffff.
@inline(__always)
func halves(_ word: UInt64) -> UInt64 { (word >> 32) &+ (word & 0xffff_ffff) }

/// A sum folded to 16 bits with end-around carry.
@inline(__always)
func folded(_ sum: UInt64) -> UInt16 {
  var sum = (sum & 0xffff_ffff) &+ (sum >> 32)
  sum = (sum & 0xffff_ffff) &+ (sum >> 32)
  sum = (sum & 0xffff) &+ (sum >> 16)
  sum = (sum & 0xffff) &+ (sum >> 16)
  return UInt16(truncatingIfNeeded: sum)
}

/// HC' = ~(~HC + ~m + m') (RFC 1624, equation 3), which is what Linux computes too, down to the choice of zero.
@inline(__always)
func updated(_ checksum: UInt16, _ delta: UInt64) -> UInt16 {
  ~folded(UInt64(~checksum) &+ delta)
}
