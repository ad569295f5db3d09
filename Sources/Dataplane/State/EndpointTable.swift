import Wire

/// What a near end is looked up by: address, port, protocol, and which end of the packet it is.
protocol NearEnd: BitwiseCopyable, Equatable {
  /// An empty place in the table; equal to no packet's near end.
  static var none: Self { get }
  /// Mixed bits, the best ones at the top.
  var hash: UInt64 { get }
}

/// Which end of the packet is looked up.
enum Side: UInt64 {
  case destination = 1
  case source = 2
  /// A service for every port of an address; the port looked up by is 0.
  case anyPort = 3
  /// A service by firewall mark; the mark stands for the address, protocol and port are 0.
  case mark = 4
}

/// In one word: address << 32 | port << 16 | protocol << 8 | side.
struct NearEndV4: NearEnd {
  let word: UInt64

  /// - Parameter end: address << 32 | port << 16, as in `PacketEnds`.
  @inline(__always)
  init(end: UInt64, protocolNumber: UInt8, side: Side) {
    word = end | UInt64(protocolNumber) << 8 | side.rawValue
  }

  private init(word: UInt64) { self.word = word }

  static var none: NearEndV4 { NearEndV4(word: 0) }
  @inline(__always)
  var hash: UInt64 { word &* 0x9e37_79b9_7f4a_7c15 }
}

/// The same with a longer address.
struct NearEndV6: NearEnd {
  // As they stand in the packet.
  let high: UInt64
  let low: UInt64
  let rest: UInt64

  /// - Parameters:
  ///   - address: in two words as they stand in the packet.
  ///   - port: port << 16, as in `PacketEnds`.
  @inline(__always)
  init(_ address: (UInt64, UInt64), port: UInt64, protocolNumber: UInt8, side: Side) {
    (high, low) = address
    rest = port | UInt64(protocolNumber) << 8 | side.rawValue
  }

  private init() { (high, low, rest) = (0, 0, 0) }

  static var none: NearEndV6 { NearEndV6() }
  @inline(__always)
  var hash: UInt64 {
    high &* 0x9e37_79b9_7f4a_7c15 &+ low &* 0xd6e8_feb8_6659_fd93 &+ rest &* 0xc2b2_ae3d_27d4_eb4f
  }
  @inline(__always)
  static func == (one: NearEndV6, other: NearEndV6) -> Bool {
    (one.high ^ other.high) | (one.low ^ other.low) | (one.rest ^ other.rest) == 0
  }
}

/// The hot table that turns (address, protocol, port) into an endpoint number: a few kilobytes that stay in L1.
///
/// Open addressing, at most a quarter full and nearly empty where there are few, one table a family; it lies in the
/// snapshot and never changes. Only control puts anything in, so a stranger can make a lookup miss but not make it long.
struct EndpointTable<Near: NearEnd> {
  struct Entry {
    var near = Near.none
    var endpoint: UInt64 = 0
  }

  let entries: UnsafeMutablePointer<Entry>
  let mask: Int
  /// The hash's upper bits are the place.
  let shift: UInt64

  /// - Parameter entries: empty ones, `capacity` of them, a power of two.
  init(entries: UnsafeMutablePointer<Entry>, capacity: Int) {
    precondition(capacity > 1 && capacity & (capacity - 1) == 0)
    self.entries = entries
    mask = capacity - 1
    shift = UInt64(64 - capacity.trailingZeroBitCount)
  }

  @inline(__always)
  private func place(of near: Near) -> Int { Int(truncatingIfNeeded: near.hash &>> shift) }

  /// The endpoint's number, or 0.
  @inline(__always)
  func find(_ near: Near) -> UInt16 {
    let entry = entries + place(of: near)
    if _fastPath(entry.pointee.near == near) { return UInt16(truncatingIfNeeded: entry.pointee.endpoint) }
    return entry.pointee.endpoint == 0 ? 0 : findFurther(near)
  }

  @inline(never)
  private func findFurther(_ near: Near) -> UInt16 {
    var place = place(of: near)
    while entries[place].endpoint != 0 {
      if entries[place].near == near { return UInt16(truncatingIfNeeded: entries[place].endpoint) }
      place = (place &+ 1) & mask
    }
    return 0
  }

  /// Puts an endpoint in; its number is not 0.
  func insert(_ near: Near, endpoint: UInt16) {
    precondition(endpoint != 0)
    var place = place(of: near)
    while entries[place].endpoint != 0 { place = (place + 1) & mask }
    entries[place] = Entry(near: near, endpoint: UInt64(endpoint))
  }
}
