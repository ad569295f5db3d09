// Maglev hashing (mh): the same client always meets the same server, and of a change of the list few clients notice.
//
// A prime number of slots is shared out among the servers. Each server walks over all slots in an order of its own,
// which follows from its address and port alone; in turns, they take the next slot of their walk that is still free, as
// many a turn as the server weighs. So when a server leaves, its slots go to the others and hardly any other slot
// changes hands. A client's address (with `port` also its port) selects the slot.
//
// What counts is a server's last weight other than 0: quiescing a server leaves the slots as they are, its clients get
// no server or, with `fallback`, another one: the hash is taken again with the slot mixed in, until it leads to a
// server that may be picked.
//
// The hashes are part of the outcome (a director that takes over must agree on it), hence fixed: the keys are public,
// and a client who knows them can choose its server. `sh` is no different.

/// Maglev hashing.
public enum MaglevHashing {
  /// How many slots there are: a prime, so that a walk of any stride meets all of them.
  @inlinable @inline(__always)
  static var slotCount: Int { 4093 }

  /// Weights are scaled down to as many bits, so that no server takes too many slots at a time.
  private static var weightBits: Int { 6 }

  /// The key for clients, and for where a server's walk begins; twice, for both halves.
  @inlinable @inline(__always)
  static var placeKey: UInt64 { 2_654_435_761 }

  /// The key for the stride of a server's walk; twice, for both halves.
  private static var strideKey: UInt64 { 2_654_446_892 }

  // MARK: - Picking

  /// What stands for a client.
  @inlinable @inline(__always)
  static func number(of flow: ScheduledFlow, flags: SchedulerFlags) -> UInt32 {
    flow.clientFold &+ (flags.contains(.port) ? UInt32(flow.clientPort) : 0)
  }

  /// The slot of a number.
  @inlinable @inline(__always)
  static func slot(of number: UInt32) -> Int { Int(hash(number, key: placeKey) % UInt32(slotCount)) }

  /// The server of the client's slot if it is eligible, or -1.
  @inlinable
  static func pick(from servers: RealServerSet, flow: ScheduledFlow, flags: SchedulerFlags) -> Int {
    guard let table = servers.table, servers.tableCount == slotCount else { return -1 }
    let number = number(of: flow, flags: flags)
    let first = slot(of: number)
    let server = eligibleServer(in: table[first], of: servers)
    if server >= 0 || !flags.contains(.fallback) { return server }
    return fallback(from: first, number: number, servers: servers, table: table)
  }

  /// The server of the first slot that leads to an eligible one, in the client's own order of slots; or -1.
  @inlinable @inline(never)
  static func fallback(
    from first: Int, number: UInt32, servers: RealServerSet, table: UnsafePointer<UInt16>
  ) -> Int {
    // Thousands of hashes would say the same; under a flood of new clients they would be felt.
    guard (0..<servers.count).contains(where: { servers.isEligible(at: $0) }) else { return -1 }
    for offset in 0..<slotCount {
      let turn = UInt32((offset &+ first) % slotCount)
      let entry = table[slot(of: turn &+ number)]
      if entry == RealServerSet.emptyBucket { return -1 }
      let server = eligibleServer(in: entry, of: servers)
      if server >= 0 { return server }
    }
    return -1
  }

  @inlinable @inline(__always)
  static func eligibleServer(in entry: UInt16, of servers: RealServerSet) -> Int {
    let position = Int(entry)
    return position < servers.count && servers.isEligible(at: position) ? position : -1
  }

  // MARK: - The table

  /// A server while slots are handed out.
  private struct Walk {
    var position: Int
    var stride: Int
    var slotsPerTurn: Int
    var server: UInt16
  }

  /// The slots handed out; all empty when no server has ever had a weight.
  ///
  /// Of more servers than slots, those at the end of the list go without.
  static func makeTable(_ servers: [HashedServer]) -> [UInt16] {
    var table = [UInt16](repeating: RealServerSet.emptyBucket, count: slotCount)
    var walks = walks(of: servers)
    var left = walks.isEmpty ? 0 : slotCount
    while left > 0 {
      for index in walks.indices {
        let count = min(walks[index].slotsPerTurn, left)
        for _ in 0..<count { take(&walks[index], in: &table) }
        left -= count
        if left == 0 { break }
      }
    }
    return table
  }

  /// The walks of the servers that take part, in list order.
  private static func walks(of servers: [HashedServer]) -> [Walk] {
    let divisor = servers.reduce(UInt32(0)) { greatestCommonDivisor($0, UInt32(max(0, $1.lastWeight))) }
    guard divisor > 0 else { return [] }
    let heaviest = (servers.map { UInt32(max(0, $0.lastWeight)) }.max() ?? 0) / divisor
    let shift = max(0, UInt32.bitWidth - heaviest.leadingZeroBitCount - weightBits)
    return servers.indices.filter { servers[$0].lastWeight > 0 }.map { index in
      let server = servers[index]
      return Walk(
        position: slot(of: server.place),
        stride: Int(hash(server.place, key: strideKey) % UInt32(slotCount - 1)) + 1,
        slotsPerTurn: max(1, Int((UInt32(server.lastWeight) / divisor) >> UInt32(shift))),
        server: UInt16(truncatingIfNeeded: index))
    }
  }

  /// Takes the next slot of a walk that is free; there must be one.
  private static func take(_ walk: inout Walk, in table: inout [UInt16]) {
    while table[walk.position] != RealServerSet.emptyBucket {
      walk.position += walk.stride
      if walk.position >= slotCount { walk.position -= slotCount }
    }
    table[walk.position] = walk.server
  }

  private static func greatestCommonDivisor(_ one: UInt32, _ other: UInt32) -> UInt32 {
    var (one, other) = (one, other)
    while other != 0 { (one, other) = (other, one % other) }
    return one
  }

  // MARK: - The hash

  /// SipHash-1-3 of a number's four bytes, lowest first, under a key of two equal halves; the lower 32 bits.
  @inlinable
  static func hash(_ number: UInt32, key: UInt64) -> UInt32 {
    var state = SipState(key: key)
    // The only block: what is left of the message, and its length on top.
    let block = 4 << 56 | UInt64(number)
    state.d ^= block
    state.round()
    state.a ^= block
    state.c ^= 0xff
    for _ in 0..<3 { state.round() }
    return UInt32(truncatingIfNeeded: state.a ^ state.b ^ state.c ^ state.d)
  }
}

/// The four words that SipHash stirs.
@usableFromInline
struct SipState {
  @usableFromInline var a: UInt64
  @usableFromInline var b: UInt64
  @usableFromInline var c: UInt64
  @usableFromInline var d: UInt64

  /// The constants are the text "somepseudorandomlygeneratedbytes".
  @inlinable @inline(__always)
  init(key: UInt64) {
    a = key ^ 0x736f_6d65_7073_6575
    b = key ^ 0x646f_7261_6e64_6f6d
    c = key ^ 0x6c79_6765_6e65_7261
    d = key ^ 0x7465_6462_7974_6573
  }

  @inlinable @inline(__always)
  mutating func round() {
    a &+= b
    c &+= d
    b = rotated(b, by: 13) ^ a
    d = rotated(d, by: 16) ^ c
    a = rotated(a, by: 32)
    c &+= b
    a &+= d
    b = rotated(b, by: 17) ^ c
    d = rotated(d, by: 21) ^ a
    c = rotated(c, by: 32)
  }

  @inlinable @inline(__always)
  func rotated(_ word: UInt64, by count: UInt64) -> UInt64 { word &<< count | word &>> (64 &- count) }
}
