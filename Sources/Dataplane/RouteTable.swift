import Wire

/// Longest-prefix match for packets that leave by routing: replies to clients, and the errors lbd originates.
///
/// One hash table keyed by prefix, asked once for every prefix length in use, longest first. A director's table has
/// a handful of lengths, so this is a handful of L1 hits; it does not degrade with the number of routes. A route
/// on a link leads to a second hash, of neighbours; one through a gateway has its next hop ready.
struct RouteTable {
  struct Entry {
    var high: UInt64 = 0
    var low: UInt64 = 0
    /// Prefix length + 1; 0 = empty.
    var tag: UInt16 = 0
    /// True: look the destination itself up among the neighbours of `interface`.
    var isOnLink = false
    var interface: UInt8 = 0
    /// Index of the next hop (of the gateway, or of the "unresolved" one for hosts on the link).
    var nextHop: UInt32 = 0
  }

  let entries: UnsafeMutablePointer<Entry>
  let mask: Int
  /// Prefix lengths in use, longest first.
  let lengths: UnsafeMutablePointer<UInt8>
  let lengthCount: Int
  let isIPv6: Bool
  /// Neighbours: an entry with the full address, its tag 0xff00 | interface.
  let neighbours: UnsafeMutablePointer<Entry>
  let neighbourMask: Int

  static func neighbourTag(_ interface: UInt8) -> UInt16 { 0xff00 | UInt16(interface) }

  /// Index of the next hop towards an address; 0 is "no route".
  func nextHop(high: UInt64, low: UInt64) -> UInt32 {
    for position in 0..<lengthCount {
      let length = lengths[position]
      let masked = RouteTable.mask(high: high, low: low, length: length, isIPv6: isIPv6)
      guard let entry = RouteTable.find(entries, mask, masked.0, masked.1, UInt16(length) + 1) else { continue }
      guard entry.pointee.isOnLink else { return entry.pointee.nextHop }
      let tag = RouteTable.neighbourTag(entry.pointee.interface)
      let neighbour = RouteTable.find(neighbours, neighbourMask, high, low, tag)
      return neighbour?.pointee.nextHop ?? entry.pointee.nextHop
    }
    return 0
  }

  @inline(__always)
  static func mask(high: UInt64, low: UInt64, length: UInt8, isIPv6: Bool) -> (UInt64, UInt64) {
    let length = UInt64(length)
    if !isIPv6 { return (0, length == 0 ? 0 : low & (0xffff_ffff << (32 &- length)) & 0xffff_ffff) }
    if length <= 64 { return (length == 0 ? 0 : high & (UInt64.max << (64 &- length)), 0) }
    return (high, low & (UInt64.max << (128 &- length)))
  }

  private static func position(_ high: UInt64, _ low: UInt64, _ tag: UInt16) -> Int {
    var mixed = (low ^ high &* 0x9e37_79b9_7f4a_7c15) &+ UInt64(tag) &* 0xd6e8_feb8_6659_fd93
    mixed = (mixed ^ mixed >> 32) &* 0x9e37_79b9_7f4a_7c15
    return Int(truncatingIfNeeded: mixed >> 40)
  }

  private static func find(
    _ entries: UnsafeMutablePointer<Entry>, _ mask: Int, _ high: UInt64, _ low: UInt64, _ tag: UInt16
  ) -> UnsafeMutablePointer<Entry>? {
    var index = position(high, low, tag) & mask
    while entries[index].tag != 0 {
      let entry = entries + index
      if entry.pointee.tag == tag && entry.pointee.low == low && entry.pointee.high == high { return entry }
      index = (index &+ 1) & mask
    }
    return nil
  }

  static func insert(_ entry: Entry, into entries: UnsafeMutablePointer<Entry>, mask: Int) {
    var index = position(entry.high, entry.low, entry.tag) & mask
    while entries[index].tag != 0 {
      // The first of two equal prefixes wins: they come in order of metric.
      if entries[index].tag == entry.tag && entries[index].low == entry.low && entries[index].high == entry.high {
        return
      }
      index = (index + 1) & mask
    }
    entries[index] = entry
  }
}
