// Source hashing (sh): the same client always meets the same server.
//
// 256 buckets are dealt out to the servers in list order, each taking as many in a row as it weighs, round after round.
// A quiescent server keeps one bucket per round: its clients get no server (or, with `fallback`, another one) instead
// of all other clients being dealt anew. The client's address, with `port` also its port, selects the bucket.
//
// With `fallback`, when the bucket's server is not eligible, the search goes on from bucket 2b (b the first one) round
// the whole table; the starting point depends on the bucket so that the clients of one failed server are not all sent
// to its neighbour.

/// Source hashing.
public enum SourceHashing {
  /// The table's size as a power of two.
  @inlinable @inline(__always)
  static var tableBits: UInt32 { 8 }

  /// The bucket of a client.
  @inlinable @inline(__always)
  static func bucket(of flow: ScheduledFlow, flags: SchedulerFlags) -> Int {
    let port = flags.contains(.port) ? UInt32(flow.clientPort) : 0
    return Int(hash32(port &+ flow.clientFold, bits: tableBits))
  }

  /// The server of the client's bucket if it is eligible, or -1.
  @inlinable
  static func pick(from servers: RealServerSet, flow: ScheduledFlow, flags: SchedulerFlags) -> Int {
    guard let table = servers.table, servers.tableCount == 1 << tableBits else { return -1 }
    let first = bucket(of: flow, flags: flags)
    let server = eligibleServer(in: table[first], of: servers)
    if server >= 0 || !flags.contains(.fallback) { return server }
    for offset in 0..<servers.tableCount {
      let server = eligibleServer(in: table[(offset &+ 2 &* first) & (servers.tableCount &- 1)], of: servers)
      if server >= 0 { return server }
    }
    return -1
  }

  @inlinable @inline(__always)
  static func eligibleServer(in entry: UInt16, of servers: RealServerSet) -> Int {
    let position = Int(entry)
    return position < servers.count && servers.isEligible(at: position) ? position : -1
  }

  /// The buckets dealt out by weight; all empty without servers.
  static func makeTable(_ servers: [HashedServer]) -> [UInt16] {
    var table = [UInt16](repeating: RealServerSet.emptyBucket, count: 1 << Int(tableBits))
    var position = 0
    var left = 0
    for bucket in table.indices where !servers.isEmpty {
      if left == 0 { left = max(1, Int(servers[position].weight)) }
      table[bucket] = UInt16(truncatingIfNeeded: position)
      left -= 1
      if left == 0 { position = (position + 1) % servers.count }
    }
    return table
  }
}
