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
    var delta = ChecksumDelta()
    replaceAddress(
      index, at: .destination, high: server.pointee.addressHigh, low: server.pointee.addressLow, delta: &delta)
    replacePort(index, at: .destination, with: server.pointee.port, delta: &delta)
    fixTransport(index, delta: delta)
  }

  @inline(__always)
  mutating func masquerade(reply index: Int, server: UnsafePointer<ServerRecord>) {
    let service = service(server.pointee.service)
    var delta = ChecksumDelta()
    replaceAddress(
      index, at: .source, high: service.pointee.addressHigh, low: service.pointee.addressLow, delta: &delta)
    replacePort(index, at: .source, with: service.pointee.port, delta: &delta)
    fixTransport(index, delta: delta)
  }

  /// Replaces one address in the header and the batch, fixes the IPv4 header checksum, and adds to the transport's
  /// delta.
  @inline(__always)
  mutating func replaceAddress(
    _ index: Int, at side: EndpointTable.Side, high: UInt64, low: UInt64, delta: inout ChecksumDelta
  ) {
    let header = batch.network(index)
    let isSource = side == .source
    if batch.flags[index].contains(.ipv6) {
      let old = isSource ? (batch.sourceHigh[index], batch.sourceLow[index]) : destination(index)
      delta.replace((old.0.bigEndian, old.1.bigEndian), with: (high.bigEndian, low.bigEndian))
      header.storeBigEndian64(high, at: isSource ? IPv6.sourceOffset : IPv6.destinationOffset)
      header.storeBigEndian64(low, at: (isSource ? IPv6.sourceOffset : IPv6.destinationOffset) + 8)
    } else {
      let old = UInt32(truncatingIfNeeded: isSource ? batch.sourceLow[index] : batch.destinationLow[index])
      let new = UInt32(truncatingIfNeeded: low)
      var change = ChecksumDelta()
      change.replace(old.bigEndian, with: new.bigEndian)
      delta.replace(old.bigEndian, with: new.bigEndian)
      header.storeBigEndian32(new, at: isSource ? IPv4.sourceOffset : IPv4.destinationOffset)
      let checksum = header.loadUnaligned(fromByteOffset: IPv4.checksumOffset, as: UInt16.self)
      header.storeBytes(of: change.apply(to: checksum), toByteOffset: IPv4.checksumOffset, as: UInt16.self)
    }
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
  mutating func replacePort(_ index: Int, at side: EndpointTable.Side, with port: UInt16, delta: inout ChecksumDelta) {
    if batch.flags[index].contains(.laterFragment) { return }
    let header = batch.transport(index)
    let offset = side == .source ? 0 : 2
    delta.replace16(header.loadUnaligned(fromByteOffset: offset, as: UInt16.self), with: port.bigEndian)
    header.storeBigEndian16(port, at: offset)
  }

  /// Applies the delta to the TCP or UDP checksum.
  @inline(__always)
  mutating func fixTransport(_ index: Int, delta: ChecksumDelta) {
    if batch.flags[index].contains(.laterFragment) { return }
    let header = batch.transport(index)
    if batch.protocols[index] == TransportProtocol.tcp.rawValue {
      let old = header.loadUnaligned(fromByteOffset: TCP.checksumOffset, as: UInt16.self)
      header.storeBytes(of: delta.apply(to: old), toByteOffset: TCP.checksumOffset, as: UInt16.self)
      return
    }
    let old = header.loadUnaligned(fromByteOffset: UDP.checksumOffset, as: UInt16.self)
    if old != 0 {
      header.storeBytes(of: delta.applyUDP(to: old), toByteOffset: UDP.checksumOffset, as: UInt16.self)
    } else if !batch.flags[index].contains(.fragment) {
      completeUDP(index)
    }
  }

  /// Computes a UDP checksum over the whole datagram (RFC 768, RFC 8200 section 8.1).
  private mutating func completeUDP(_ index: Int) {
    let header = batch.transport(index)
    let end = Int(batch.networkOffsets[index]) + Int(batch.networkByteCounts[index])
    let byteCount = end - Int(batch.transportOffsets[index])
    var sum = Checksum()
    sum.add(UnsafeRawBufferPointer(start: header, count: byteCount))
    let number = TransportProtocol.udp.rawValue
    if batch.flags[index].contains(.ipv6) {
      sum.addPseudoHeader6(
        addresses: batch.network(index) + IPv6.sourceOffset, protocolNumber: number, byteCount: byteCount)
    } else {
      sum.addPseudoHeader4(
        addresses: batch.network(index) + IPv4.sourceOffset, protocolNumber: number, byteCount: byteCount)
    }
    header.storeBytes(of: sum.udpValue, toByteOffset: UDP.checksumOffset, as: UInt16.self)
  }

  @inline(__always)
  private mutating func destination(_ index: Int) -> (UInt64, UInt64) {
    (batch.destinationHigh[index], batch.destinationLow[index])
  }
}
