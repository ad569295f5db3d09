// A server as the caches of lblc and lblcr remember it: by its address and port, not by its number.
//
// A number may be given to another server once nobody is connected any more, and a server that comes back may get
// another number. What a destination was last sent to holds across both: address and port, stirred into the upper 48
// bits of a word. (Of 1,000 servers two are alike once in 500 million lists.) The lower 16 are 0, for others to use.

/// What tells a server from any other of its service, for longer than it is in the list.
public enum ServerIdentity {
  /// By address (two words, IPv4 in the lower half of the second) and port; never 0.
  public static func of(high: UInt64, low: UInt64, port: UInt16, isIPv6: Bool) -> UInt64 {
    // IPv4 as IPv6 writes it (RFC 4291 section 2.5.5.2): one server has one address.
    let low = isIPv6 ? low : low & 0xffff_ffff | 0xffff_0000_0000
    let stirred = TwoChoices.stirred(TwoChoices.stirred(TwoChoices.stirred(high) ^ low) &+ UInt64(port))
    return max(1 << 16, stirred & mask)
  }

  /// The bits of an identity.
  @inline(__always)
  static var mask: UInt64 { ~0xffff }

  /// The bucket where a table begins to be looked through.
  @inline(__always)
  static func bucket(_ identity: UInt64, capacity: Int) -> Int {
    Int(truncatingIfNeeded: identity >> 16) & (capacity &- 1)
  }

  /// A table that leads from identities to positions: open addressing, at most half full.
  static func makeTable(_ servers: [HashedServer]) -> [UInt16] {
    var capacity = 2
    while capacity < servers.count * 2 { capacity *= 2 }
    var table = [UInt16](repeating: RealServerSet.emptyBucket, count: capacity)
    for (position, server) in servers.enumerated() {
      var bucket = ServerIdentity.bucket(server.identity, capacity: capacity)
      while table[bucket] != RealServerSet.emptyBucket { bucket = (bucket + 1) & (capacity - 1) }
      table[bucket] = UInt16(truncatingIfNeeded: position)
    }
    return table
  }
}

extension RealServerSet {
  /// Where a set's member stands, trying first where it was found last: that is in the bits that its identity leaves free.
  @inline(__always)
  func position(ofMember word: UInt64) -> Int {
    let hint = Int(truncatingIfNeeded: word & ~ServerIdentity.mask)
    if hint < count, identities?[hint] == word & ServerIdentity.mask { return hint }
    return position(ofIdentity: word & ServerIdentity.mask)
  }

  /// Where the server of that identity stands; -1 when it is not in the list.
  @inline(__always)
  func position(ofIdentity identity: UInt64) -> Int {
    guard let table, let identities, tableCount.nonzeroBitCount == 1 else { return -1 }
    var bucket = ServerIdentity.bucket(identity, capacity: tableCount)
    for _ in 0..<tableCount {
      let position = Int(table[bucket])
      if position >= count { return -1 }
      if identities[position] == identity { return position }
      bucket = (bucket &+ 1) & (tableCount &- 1)
    }
    return -1
  }
}
