import CShims
import Wire

/// Which connection is it? Only looks: nothing is created, no state changes.
///
/// First loop: the near end of each packet becomes an endpoint number (a service's VIP:port by destination, or a real
/// server's address:port by source), the key is hashed, and the line of the connection table is prefetched. Second
/// loop: the lines have arrived, and the slot is found or not. By the time the second loop reaches a packet, the other
/// packets' misses have overlapped with its own: that is what a batch is for.
enum Classify {
  @inline(__always)
  static func batch(
    _ batch: borrowing Batch, snapshot: UnsafePointer<SnapshotView>, shared: SharedState,
    fragments: borrowing FragmentTable, now: UInt64
  ) {
    let tableV4 = shared.tableV4
    let tableV6 = shared.tableV6
    for index in 0..<batch.count where batch.outcomes[index] == .pending {
      if batch.flags[index].contains(.fragment) {
        guard follow(fragment: index, of: batch, fragments: fragments, now: now) else { continue }
      }
      findEndpoint(index, of: batch, snapshot: snapshot)
      if batch.endpoints[index] == 0 {
        batch.finish(index, .notOurs)
        continue
      }
      if batch.flags[index].contains(.ipv6) {
        let hash = keyV6(index, of: batch).hash(tableV6.secret)
        batch.hashes[index] = hash
        tableV6.prefetch(hash: hash)
      } else {
        let hash = keyV4(index, of: batch).hash(tableV4.secret)
        batch.hashes[index] = hash
        tableV4.prefetch(hash: hash)
      }
    }
    for index in 0..<batch.count where batch.outcomes[index] == .pending {
      if batch.flags[index].contains(.ipv6) {
        batch.slots[index] = tableV6.find(keyV6(index, of: batch), hash: batch.hashes[index])
      } else {
        batch.slots[index] = tableV4.find(keyV4(index, of: batch), hash: batch.hashes[index])
      }
    }
  }

  /// The far end and the endpoint of an IPv4 packet: the client's side of a request, the near side of a reply.
  @inline(__always)
  static func keyV4(_ index: Int, of batch: borrowing Batch) -> KeyV4 {
    let isRequest = batch.directions[index] == .request
    return KeyV4(
      address: UInt32(truncatingIfNeeded: isRequest ? batch.sourceLow[index] : batch.destinationLow[index]),
      port: isRequest ? batch.sourcePorts[index] : batch.destinationPorts[index], endpoint: batch.endpoints[index])
  }

  /// The same of an IPv6 packet.
  @inline(__always)
  static func keyV6(_ index: Int, of batch: borrowing Batch) -> KeyV6 {
    let isRequest = batch.directions[index] == .request
    return KeyV6(
      high: isRequest ? batch.sourceHigh[index] : batch.destinationHigh[index],
      low: isRequest ? batch.sourceLow[index] : batch.destinationLow[index],
      port: isRequest ? batch.sourcePorts[index] : batch.destinationPorts[index], endpoint: batch.endpoints[index])
  }

  @inline(__always)
  private static func findEndpoint(_ index: Int, of batch: borrowing Batch, snapshot: UnsafePointer<SnapshotView>) {
    let isIPv6 = batch.flags[index].contains(.ipv6)
    let table = isIPv6 ? snapshot.pointee.endpoints6 : snapshot.pointee.endpoints4
    let protocolNumber = batch.protocols[index]
    let destination = EndpointTable.tag(
      port: batch.destinationPorts[index], protocolNumber: protocolNumber, side: .destination)
    var endpoint = table.find(
      high: batch.destinationHigh[index], low: batch.destinationLow[index], tag: destination)
    batch.directions[index] = .request
    if endpoint == 0 {
      let source = EndpointTable.tag(port: batch.sourcePorts[index], protocolNumber: protocolNumber, side: .source)
      endpoint = table.find(high: batch.sourceHigh[index], low: batch.sourceLow[index], tag: source)
      batch.directions[index] = .reply
    }
    batch.endpoints[index] = endpoint
  }

  /// Gives a later fragment the ports of its datagram, or remembers those of a first one.
  /// - Returns: false when the packet's journey ends here.
  private static func follow(
    fragment index: Int, of batch: borrowing Batch, fragments: borrowing FragmentTable, now: UInt64
  ) -> Bool {
    var key = FragmentTable.Entry()
    key.sourceHigh = batch.sourceHigh[index]
    key.sourceLow = batch.sourceLow[index]
    key.destinationHigh = batch.destinationHigh[index]
    key.destinationLow = batch.destinationLow[index]
    key.protocolNumber = batch.protocols[index]
    if batch.flags[index].contains(.ipv6) {
      // The fragment header is the one right in front of what parse took for the transport header, or further up
      // when destination options follow it; in both cases parse has walked over it.
      key.identification = identificationV6(index, of: batch)
    } else {
      key.identification = UInt32(UnsafeRawPointer(batch.network(index)).loadBigEndian16(at: 4))
    }
    if batch.flags[index].contains(.laterFragment) {
      guard let ports = fragments.ports(of: key, now: now) else {
        batch.finish(index, .fragmentWithoutFirst)
        return false
      }
      batch.sourcePorts[index] = UInt16(truncatingIfNeeded: ports >> 16)
      batch.destinationPorts[index] = UInt16(truncatingIfNeeded: ports)
      return true
    }
    let remembered = fragments.remember(
      key, sourcePort: batch.sourcePorts[index], destinationPort: batch.destinationPorts[index], now: now)
    if !remembered { batch.finish(index, .fragmentTableFull) }
    return remembered
  }

  /// Walks the extension headers, whose lengths parse has checked, to the fragment header.
  private static func identificationV6(_ index: Int, of batch: borrowing Batch) -> UInt32 {
    let header = UnsafeRawPointer(batch.network(index))
    var next = header.load(fromByteOffset: 6, as: UInt8.self)
    var position = 40
    for _ in 0..<Limits.extensionHeaders {
      if next == 44 { return header.loadBigEndian32(at: position + 4) }
      next = header.load(fromByteOffset: position, as: UInt8.self)
      position += (Int(header.load(fromByteOffset: position + 1, as: UInt8.self)) + 1) * 8
    }
    return 0
  }
}
