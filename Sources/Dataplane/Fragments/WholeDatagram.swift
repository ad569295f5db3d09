import Wire

/// A worker's buffer for the datagram that it is just forwarding, and what is known about its fragments.
///
/// It looks like a frame: an Ethernet header, the IP packet behind it, and room in front for what tunnels put there.
struct WholeDatagram {
  let memory: UnsafeMutableRawPointer
  /// Bytes of data of each fragment, in order.
  let counts: UnsafeMutablePointer<UInt16>
  var fragmentCount = 0
  /// The family that it came in.
  var isIPv6 = false
  /// Bytes of the largest fragment, as an IP packet.
  var largest = 0
  /// From the IP header to the data of the first fragment.
  var dataOffset = 0
  /// Bytes of the Ethernet header.
  var frameHeaderByteCount = 14

  private static var headroom: Int { 512 }

  init() {
    memory = .allocate(byteCount: WholeDatagram.headroom + Limits.frameHeaderByteCount + 65_536 + 64, alignment: 64)
    counts = .allocate(capacity: Limits.fragmentsPerDatagram)
  }

  /// The owner's last word.
  func deallocate() {
    memory.deallocate()
    counts.deallocate()
  }

  var frame: UnsafeMutableRawPointer { memory + WholeDatagram.headroom }
  var network: UnsafeMutableRawPointer { frame + frameHeaderByteCount }

  /// Puts the fragments of a complete datagram together.
  /// - Parameter frameHeader: of the frame that completed it.
  /// - Returns: bytes of the IP packet, or nil when there can be no such packet.
  mutating func assemble(
    _ datagram: Datagram, in shard: UnsafeMutablePointer<FragmentShard>, frameHeader: UnsafeRawPointer, count: Int
  ) -> Int? {
    guard let congestion = datagram.wholeCongestion else { return nil }
    let headers = Int(shard.pointee.links[Int(datagram.first)].headerByteCount)
    isIPv6 = datagram.key.isIPv6
    dataOffset = isIPv6 ? headers - IPv6Extensions.fragmentByteCount : headers
    let total = dataOffset + Int(datagram.end)
    guard total <= 65_535 else { return nil }
    begin(frameHeader, count: count)
    shard.pointee.copy(datagram.first, from: 0, count: headers, to: network)
    fragmentCount = 0
    var target = network + dataOffset
    var fragment = datagram.first
    let next = UnsafeRawPointer(network).loadByte(at: dataOffset)
    while fragment != 0 {
      let link = shard.pointee.links[Int(fragment)]
      let count = Int(link.byteCount)
      shard.pointee.copy(fragment, from: Int(link.headerByteCount), count: count, to: target)
      counts[fragmentCount] = link.byteCount
      fragmentCount += 1
      target += count
      fragment = link.following
    }
    largest = Int(datagram.largest)
    if isIPv6 {
      finishIPv6(total, next: next, congestion: congestion)
    } else {
      finishIPv4(total, isUncut: datagram.largestUncut == datagram.largest, congestion: congestion)
    }
    return total
  }

  /// A datagram in one fragment (RFC 6946): loses its fragment header.
  mutating func take(
    _ packet: UnsafeRawPointer, byteCount: Int, headerByteCount: Int, frameHeader: UnsafeRawPointer, count: Int
  ) -> Int {
    begin(frameHeader, count: count)
    isIPv6 = true
    dataOffset = headerByteCount - IPv6Extensions.fragmentByteCount
    let data = byteCount - headerByteCount
    network.copyMemory(from: packet, byteCount: dataOffset)
    (network + dataOffset).copyMemory(from: packet + headerByteCount, byteCount: data)
    counts[0] = UInt16(truncatingIfNeeded: data)
    fragmentCount = 1
    largest = byteCount
    finishIPv6(dataOffset + data, next: packet.loadByte(at: dataOffset), congestion: 0)
    return dataOffset + data
  }

  /// An IPv4 packet that came whole, and is cut as if it had not.
  mutating func take(_ packet: UnsafeMutablePointer<Packet>, frameHeader: UnsafeRawPointer) {
    let byteCount = Int(packet.pointee.byteCount)
    begin(frameHeader, count: UnsafeRawPointer(packet.pointee.network) - frameHeader)
    isIPv6 = false
    dataOffset = IPv4.headerByteCount(packet.pointee.network)
    network.copyMemory(from: packet.pointee.network, byteCount: byteCount)
    counts[0] = UInt16(truncatingIfNeeded: byteCount - dataOffset)
    fragmentCount = 1
    largest = byteCount
    packet.pointee.network = network
    packet.pointee.flags.insert(.reassembled)
  }

  private mutating func begin(_ frameHeader: UnsafeRawPointer, count: Int) {
    frameHeaderByteCount = count
    frame.copyMemory(from: frameHeader, byteCount: count)
  }

  private func finishIPv4(_ total: Int, isUncut: Bool, congestion: UInt8) {
    let service = UnsafeRawPointer(network).loadByte(at: IPv4.serviceOffset)
    network.storeByte(service | congestion, at: IPv4.serviceOffset)
    network.storeBigEndian16(UInt16(truncatingIfNeeded: total), at: IPv4.totalLengthOffset)
    network.storeBigEndian16(isUncut ? 0x4000 : 0, at: IPv4.fragmentOffset)
    WorkerState.finishIPv4Header(network, byteCount: dataOffset)
  }

  /// - Parameter next: what the fragment header says that follows.
  private func finishIPv6(_ total: Int, next: UInt8, congestion: UInt8) {
    let first = UnsafeRawPointer(network).loadBigEndian32(at: 0)
    network.storeBigEndian32(first | UInt32(congestion) << 20, at: 0)
    network.storeBigEndian16(UInt16(truncatingIfNeeded: total - 40), at: IPv6.payloadLengthOffset)
    var position = IPv6.nextHeaderOffset
    var header = 40
    while header < dataOffset {
      position = header
      header += (Int(UnsafeRawPointer(network).loadByte(at: header + 1)) + 1) * 8
    }
    network.storeByte(next, at: position)
  }

  /// Linux copies what follows into the first fragment's buffer as long as there is room behind it, so that the first piece
  /// has other bounds than the first fragment had. Only of IPv4 datagrams to the host itself.
  mutating func absorb() {
    var kept = 1
    while kept < fragmentCount, dataOffset + Int(counts[0]) + Int(counts[kept]) <= Limits.fragmentTail {
      counts[0] += counts[kept]
      kept += 1
    }
    guard kept > 1 else { return }
    for index in kept..<fragmentCount { counts[index - kept + 1] = counts[index] }
    fragmentCount -= kept - 1
  }
}
