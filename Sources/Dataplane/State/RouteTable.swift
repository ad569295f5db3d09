import Wire

/// An address of either family as a number that can be compared.
protocol RoutableAddress: Comparable, BitwiseCopyable {
  static var bitCount: Int { get }
  init(high: UInt64, low: UInt64)
  /// The most significant byte.
  var firstByte: Int { get }
  /// The last address of the prefix of this length that starts here.
  func last(prefixLength: Int) -> Self
  /// The address behind this one, or nil behind the last of all.
  var next: Self? { get }
}

extension UInt32: RoutableAddress {
  static var bitCount: Int { 32 }
  @inline(__always)
  init(high: UInt64, low: UInt64) { self = UInt32(truncatingIfNeeded: low) }
  @inline(__always)
  var firstByte: Int { Int(self >> 24) }
  func last(prefixLength: Int) -> UInt32 { prefixLength == 32 ? self : self | UInt32.max >> UInt32(prefixLength) }
  var next: UInt32? { self == .max ? nil : self + 1 }
}

/// An IPv6 address in two words.
struct WideAddress: RoutableAddress {
  let high: UInt64
  let low: UInt64

  @inline(__always)
  init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  static var bitCount: Int { 128 }
  @inline(__always)
  var firstByte: Int { Int(high >> 56) }
  @inline(__always)
  static func < (one: WideAddress, other: WideAddress) -> Bool {
    one.high != other.high ? one.high < other.high : one.low < other.low
  }
  func last(prefixLength: Int) -> WideAddress {
    if prefixLength == 128 { return self }
    if prefixLength >= 64 { return WideAddress(high: high, low: low | UInt64.max >> UInt64(prefixLength - 64)) }
    return WideAddress(high: high | UInt64.max >> UInt64(prefixLength), low: .max)
  }
  var next: WideAddress? {
    if low != .max { return WideAddress(high: high, low: low + 1) }
    return high == .max ? nil : WideAddress(high: high + 1, low: 0)
  }
}

/// Longest-prefix match for packets that leave by routing: replies to clients, and the errors lbd originates.
///
/// Prefixes nest, so together they cut the addresses into ranges that do not: the table is the sorted list of where
/// each begins, and an index by the first byte, which leaves one range for most bytes of a director's table: then a
/// lookup is two loads. Where a byte has several the range is found by halving, so a full table of the Internet costs a dozen
/// steps. A range on a link leads to a hash of that link's neighbours; one through a gateway has its next hop ready.
struct RouteTable<Address: RoutableAddress> {
  /// Where the packets of a range go.
  struct Target {
    /// Index of the next hop (of the gateway, or of the "unresolved" one for hosts on the link); 0 is "no route".
    var nextHop: UInt32 = 0
    var interface: UInt8 = 0
    /// True: look the destination itself up among the neighbours of `interface`.
    var isOnLink = false
  }

  /// A host on a link.
  struct Neighbour {
    var address: Address
    /// 0xffff: empty.
    var interface: UInt16
    var nextHop: UInt32

    static var none: Neighbour { Neighbour(address: Address(high: 0, low: 0), interface: 0xffff, nextHop: 0) }
  }

  /// First address of each range, in order; the first one is 0.
  let starts: UnsafeMutablePointer<Address>
  let targets: UnsafeMutablePointer<Target>
  /// By first byte, the range that the byte begins in; one more, so that the next byte's is there too.
  let firsts: UnsafeMutablePointer<UInt32>
  let neighbours: UnsafeMutablePointer<Neighbour>
  let neighbourMask: Int

  /// Index of the next hop towards an address; 0 is "no route". By pointer, so that only what is needed is loaded.
  @inline(__always)
  static func nextHop(_ table: UnsafePointer<RouteTable>, high: UInt64, low: UInt64) -> UInt32 {
    let address = Address(high: high, low: low)
    let byte = address.firstByte
    let firsts = table.pointee.firsts
    var range = firsts[byte]
    if range != firsts[byte &+ 1] { range = table.pointee.search(address, from: range, through: firsts[byte &+ 1]) }
    let target = table.pointee.targets + Int(range)
    if target.pointee.isOnLink { return table.pointee.nextHop(onLink: address, target) }
    return target.pointee.nextHop
  }

  /// The last range that begins at the address or before it.
  @inline(never)
  private func search(_ address: Address, from first: UInt32, through last: UInt32) -> UInt32 {
    var (lower, upper) = (first, last)
    while lower < upper {
      let middle = (lower &+ upper &+ 1) >> 1
      if address < starts[Int(middle)] { upper = middle &- 1 } else { lower = middle }
    }
    return lower
  }

  @inline(never)
  private func nextHop(onLink address: Address, _ target: UnsafePointer<Target>) -> UInt32 {
    let interface = UInt16(target.pointee.interface)
    var place = RouteTable.place(of: address, interface) & neighbourMask
    while neighbours[place].interface != 0xffff {
      if neighbours[place].interface == interface && neighbours[place].address == address {
        return neighbours[place].nextHop
      }
      place = (place &+ 1) & neighbourMask
    }
    return target.pointee.nextHop
  }

  static func place(of address: Address, _ interface: UInt16) -> Int {
    withUnsafeBytes(of: address) { bytes in
      var mixed = UInt64(interface)
      for offset in stride(from: 0, to: bytes.count, by: 4) {
        mixed = (mixed ^ UInt64(bytes.load(fromByteOffset: offset, as: UInt32.self))) &* 0x9e37_79b9_7f4a_7c15
        mixed ^= mixed >> 32
      }
      return Int(truncatingIfNeeded: mixed & 0xffff_ffff)
    }
  }
}

// MARK: - Making one

extension RouteTable {
  /// A prefix and where it leads.
  struct Route {
    var start: Address
    var length: Int
    var target: Target
  }

  /// Cuts nested prefixes into ranges.
  /// - Parameter routes: of two equal prefixes the first counts.
  static func ranges(of routes: [Route]) -> [(start: Address, target: Target)] {
    let zero = Address(high: 0, low: 0)
    var found = [(start: zero, target: Target())]
    func begin(_ start: Address, _ target: Target) {
      if found[found.count - 1].start == start { found.removeLast() }
      found.append((start, target))
    }
    // Outer prefixes before the ones inside them; a stable order keeps the first of two equal ones in front.
    let sorted = routes.enumerated().sorted { one, other in
      if one.element.start != other.element.start { return one.element.start < other.element.start }
      if one.element.length != other.element.length { return one.element.length < other.element.length }
      return one.offset < other.offset
    }.map(\.element)
    // The prefixes that the walk is inside of, the innermost last.
    var open: [(last: Address, target: Target)] = []
    func close(before start: Address?) {
      while let inner = open.last, start.map({ inner.last < $0 }) ?? true {
        open.removeLast()
        guard let next = inner.last.next else { continue }
        begin(next, open.last?.target ?? Target())
      }
    }
    var previous: Route?
    for route in sorted {
      if let previous, previous.start == route.start, previous.length == route.length { continue }
      previous = route
      close(before: route.start)
      begin(route.start, route.target)
      open.append((route.start.last(prefixLength: route.length), route.target))
    }
    close(before: nil)
    return found
  }

  /// By first byte, the next hop of all addresses that begin with it: where there is one range only, no host of a link to
  /// be looked up, and frames can be sent.
  func directHops(among hops: UnsafeMutablePointer<NextHop>) -> [UnsafePointer<NextHop>?] {
    (0...255).map { byte in
      let target = targets[Int(firsts[byte])]
      let hop = hops + Int(target.nextHop)
      let isDirect = firsts[byte] == firsts[byte + 1] && !target.isOnLink && hop.pointee.state == .resolved
      return isDirect ? UnsafePointer(hop) : nil
    }
  }

  /// The index by first byte, of 257 elements.
  static func index(of starts: [Address]) -> [UInt32] {
    var firsts: [UInt32] = []
    var range = 0
    for byte in 0...255 {
      let start = Address(high: UInt64(byte) << 56, low: Address.bitCount == 32 ? UInt64(byte) << 24 : 0)
      while range + 1 < starts.count, starts[range + 1] <= start { range += 1 }
      firsts.append(UInt32(range))
    }
    return firsts + [UInt32(starts.count - 1)]
  }
}
