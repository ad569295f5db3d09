import CShims
import Wire

/// One thing that is ours, as the director's programs look it up: an end of a packet, and what a hit means.
///
/// The address itself (protocol 0, port 0) is an entry too: fragments go by it, and it has the range of local ports.
public struct OursEntry: Hashable, Sendable {
  /// Which end of a packet the address is compared with.
  public enum Side: UInt8, Sendable {
    /// The destination: a VIP, or a local address of FULLNAT.
    case destination = 0
    /// The source: a real server that answers.
    case source = 1
  }

  /// The address.
  public var address: IPAddress
  /// Host byte order; 0 for any port and for the address itself.
  public var port: UInt16
  /// The IP protocol; 0 for the address itself.
  public var protocolNumber: UInt8
  /// Which end of a packet is meant.
  public var side: Side
  /// `LB_OURS_*`.
  public var flags: UInt32
  /// First local port, with `LB_OURS_LOCAL_PORTS`.
  public var portFirst: UInt16
  /// Last local port, inclusive.
  public var portLast: UInt16

  /// An entry as it stands in the map.
  public init(
    address: IPAddress, port: UInt16 = 0, protocolNumber: UInt8 = 0, side: Side, flags: UInt32,
    portFirst: UInt16 = 0, portLast: UInt16 = 0
  ) {
    self.address = address
    self.port = port
    self.protocolNumber = protocolNumber
    self.side = side
    self.flags = flags
    self.portFirst = portFirst
    self.portLast = portLast
  }
}

/// The map `lb_ours`: what the director's programs take off the wire.
public struct OursMap: Sendable {
  private let map: BPFMapOf<lb_ours_key, lb_ours_value>

  /// The map of a loaded director object; must not be used after the object is gone.
  public init(_ map: BPFMap) {
    self.map = BPFMapOf(map)
  }

  /// Makes the map equal to `desired` while packets flow: adds and changes first, then removes, so that what stays ours
  /// is ours at every moment. Entries that differ in flags only become one with all flags.
  public func synchronize(to desired: some Sequence<OursEntry>) throws {
    var wanted: [Key: lb_ours_value] = [:]
    for entry in desired {
      let value = lb_ours_value(flags: entry.flags, port_first: entry.portFirst, port_last: entry.portLast)
      wanted[Key(entry)] = wanted[Key(entry)].map { OursMap.merge($0, value) } ?? value
    }
    let present = try contents()
    for (key, value) in wanted {
      if let old = present[key], OursMap.isEqual(old, value) { continue }
      try map.update(key.layout, value)
    }
    for key in present.keys where wanted[key] == nil {
      try map.delete(key.layout)
    }
  }

  /// What is in the map now. An IPv4-mapped IPv6 address comes back as IPv4.
  public func entries() throws -> Set<OursEntry> {
    try Set(
      contents().map { key, value in
        OursEntry(
          address: key.address, port: key.port, protocolNumber: key.protocolNumber, side: key.side, flags: value.flags,
          portFirst: value.port_first, portLast: value.port_last)
      })
  }

  private func contents() throws -> [Key: lb_ours_value] {
    var keys: [lb_ours_key] = []
    try map.forEachKey { keys.append($0) }
    var contents: [Key: lb_ours_value] = [:]
    for key in keys {
      guard let value = try map.lookup(key) else { continue }
      contents[Key(key)] = value
    }
    return contents
  }

  private static func merge(_ left: lb_ours_value, _ right: lb_ours_value) -> lb_ours_value {
    var merged = left
    merged.flags |= right.flags
    guard right.flags & LB_OURS_LOCAL_PORTS != 0 else { return merged }
    let isFirstRange = left.flags & LB_OURS_LOCAL_PORTS == 0
    merged.port_first = isFirstRange ? right.port_first : min(left.port_first, right.port_first)
    merged.port_last = isFirstRange ? right.port_last : max(left.port_last, right.port_last)
    return merged
  }

  private static func isEqual(_ left: lb_ours_value, _ right: lb_ours_value) -> Bool {
    left.flags == right.flags && left.port_first == right.port_first && left.port_last == right.port_last
  }
}

/// An `lb_ours_key` that a dictionary can use. Both spellings of an IPv4 address are one key, as in the map.
private struct Key: Hashable {
  let high: UInt64
  let low: UInt64
  let port: UInt16
  let protocolNumber: UInt8
  let side: OursEntry.Side

  init(_ entry: OursEntry) {
    high = entry.address.high
    low = entry.address.low
    port = entry.port
    protocolNumber = entry.protocolNumber
    side = entry.side
  }

  init(_ key: lb_ours_key) {
    (high, low) = withUnsafeBytes(of: key.address) { bytes in
      (
        UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)),
        UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
      )
    }
    port = UInt16(bigEndian: key.port)
    protocolNumber = key.protocol
    side = key.side == UInt8(LB_SIDE_SOURCE) ? .source : .destination
  }

  var address: IPAddress {
    let isIPv4 = high == 0 && low >> 32 == 0xffff
    return isIPv4 ? IPAddress(v4: UInt32(truncatingIfNeeded: low)) : IPAddress(high: high, low: low)
  }

  var layout: lb_ours_key {
    var key = lb_ours_key()
    withUnsafeMutableBytes(of: &key.address) { bytes in
      bytes.storeBytes(of: high.bigEndian, as: UInt64.self)
      bytes.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
    }
    key.port = port.bigEndian
    key.protocol = protocolNumber
    key.side = side.rawValue
    return key
  }
}
