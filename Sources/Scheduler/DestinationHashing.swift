// Destination hashing (dh): packets to the same address always meet the same server.
//
// Meant for transparent caches behind a firewall mark, where clients name any address. 256 buckets are dealt out to the
// servers in list order, one each, round after round, whatever they weigh; the destination address selects the bucket.
// When its server is quiescent or overloaded there is none: another cache would not have the content either.

/// Destination hashing.
public enum DestinationHashing {
  /// The table's size as a power of two.
  @inline(__always)
  static var tableBits: UInt32 { 8 }

  /// The bucket of a destination.
  @inline(__always)
  static func bucket(of flow: ScheduledFlow) -> Int { Int(hash32(flow.destinationFold, bits: tableBits)) }

  /// The server of the destination's bucket if it is eligible, or -1.
  static func pick(from servers: RealServerSet, flow: ScheduledFlow) -> Int {
    guard let table = servers.table, servers.tableCount == 1 << tableBits else { return -1 }
    return SourceHashing.eligibleServer(in: table[bucket(of: flow)], of: servers)
  }

  /// The buckets dealt out; all empty without servers.
  static func makeTable(_ servers: [HashedServer]) -> [UInt16] {
    guard !servers.isEmpty else { return [UInt16](repeating: RealServerSet.emptyBucket, count: 1 << Int(tableBits)) }
    return (0..<1 << Int(tableBits)).map { UInt16(truncatingIfNeeded: $0 % servers.count) }
  }
}
