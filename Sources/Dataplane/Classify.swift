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
    // In registers: whatever the loops store, these do not change.
    let tableV4 = shared.tableV4
    let tableV6 = shared.tableV6
    let endpoints4 = snapshot.pointee.endpoints4
    let endpoints6 = snapshot.pointee.endpoints6
    for index in 0..<batch.count where batch.outcomes[index] == .pending {
      if batch.flags[index].contains(.fragment) {
        guard follow(fragment: index, of: batch, fragments: fragments, now: now) else { continue }
      }
      let hash: UInt64
      if batch.flags[index].contains(.ipv6) {
        guard findEndpointV6(index, of: batch, in: endpoints6) else {
          batch.finish(index, .notOurs)
          continue
        }
        hash = keyV6(index, of: batch).hash(tableV6.secret)
        tableV6.prefetch(hash: hash)
      } else {
        guard findEndpointV4(index, of: batch, in: endpoints4) else {
          batch.finish(index, .notOurs)
          continue
        }
        hash = keyV4(index, of: batch).hash(tableV4.secret)
        tableV4.prefetch(hash: hash)
      }
      batch.hashes[index] = hash
    }
    for index in 0..<batch.count where batch.outcomes[index] == .pending {
      if batch.flags[index].contains(.ipv6) {
        let slot = tableV6.find(keyV6(index, of: batch), hash: batch.hashes[index])
        batch.slots[index] = slot
        // With the generation of this life of the slot: `schedule` sees by one word whether it is still the same.
        if let slot { batch.heads[index] = lbd_load_relaxed(slot) & ~0xffff_ffff | batch.heads[index] }
      } else {
        batch.slots[index] = tableV4.find(keyV4(index, of: batch), hash: batch.hashes[index])
      }
    }
  }

  /// The far end and the endpoint of an IPv4 packet: the client's side of a request, the near side of a reply.
  @inline(__always)
  static func keyV4(_ index: Int, of batch: borrowing Batch) -> KeyV4 { KeyV4(word: batch.heads[index]) }

  /// The same of an IPv6 packet.
  @inline(__always)
  static func keyV6(_ index: Int, of batch: borrowing Batch) -> KeyV6 {
    let header = UnsafeRawPointer(batch.network(index))
    let far = batch.directions[index] == .request ? IPv6.sourceOffset : IPv6.destinationOffset
    return KeyV6(
      high: header.loadBigEndian64(at: far), low: header.loadBigEndian64(at: far &+ 8), head: batch.heads[index])
  }

  @inline(__always)
  private static func findEndpointV4(
    _ index: Int, of batch: borrowing Batch, in table: EndpointTable<NearEndV4>
  ) -> Bool {
    let source = batch.sources[index]
    let destination = batch.destinations[index]
    let protocolNumber = batch.protocols[index]
    var endpoint = table.find(NearEndV4(end: destination, protocolNumber: protocolNumber, side: .destination))
    if endpoint != 0 {
      batch.directions[index] = .request
      batch.heads[index] = source | UInt64(endpoint)
      return true
    }
    endpoint = table.find(NearEndV4(end: source, protocolNumber: protocolNumber, side: .source))
    batch.directions[index] = .reply
    batch.heads[index] = destination | UInt64(endpoint)
    return endpoint != 0
  }

  @inline(__always)
  private static func findEndpointV6(
    _ index: Int, of batch: borrowing Batch, in table: EndpointTable<NearEndV6>
  ) -> Bool {
    let source = batch.sources[index]
    let destination = batch.destinations[index]
    let protocolNumber = batch.protocols[index]
    let near = batch.destinationAddress(index)
    var endpoint = table.find(
      NearEndV6(
        high: near.high, low: near.low, port: destination, protocolNumber: protocolNumber, side: .destination))
    if endpoint != 0 {
      batch.directions[index] = .request
      batch.heads[index] = source | UInt64(endpoint)
      return true
    }
    let far = batch.sourceAddress(index)
    endpoint = table.find(
      NearEndV6(high: far.high, low: far.low, port: source, protocolNumber: protocolNumber, side: .source))
    batch.directions[index] = .reply
    batch.heads[index] = destination | UInt64(endpoint)
    return endpoint != 0
  }

  /// Gives a later fragment the ports of its datagram, or remembers those of a first one.
  /// - Returns: false when the packet's journey ends here.
  @inline(never)
  private static func follow(
    fragment index: Int, of batch: borrowing Batch, fragments: borrowing FragmentTable, now: UInt64
  ) -> Bool {
    var key = FragmentTable.Entry()
    (key.sourceHigh, key.sourceLow) = batch.sourceAddress(index)
    (key.destinationHigh, key.destinationLow) = batch.destinationAddress(index)
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
      batch.sources[index] |= UInt64(ports & 0xffff_0000)
      batch.destinations[index] |= UInt64(ports & 0xffff) << 16
      return true
    }
    let remembered = fragments.remember(
      key, sourcePort: batch.sourcePort(index), destinationPort: batch.destinationPort(index), now: now)
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
