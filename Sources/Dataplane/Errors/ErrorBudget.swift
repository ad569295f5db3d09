import Wire

/// How many ICMP errors may be originated: the kernel's settings, `net.ipv4.icmp_*` and `net.ipv6.icmp.*`, and its defaults.
public struct ICMPLimits: Sendable, Equatable {
  /// `net.ipv4.icmp_ratelimit`: milliseconds between errors to one host; 0 for no such limit.
  public var ratelimit: UInt32 = 1000
  /// `net.ipv4.icmp_ratemask`: the types that are limited, a bit each.
  public var ratemask: UInt32 = 0x1818
  /// `net.ipv4.icmp_msgs_per_sec`: errors of limited types in a second, to all hosts, of both families.
  public var messagesPerSecond: UInt32 = 1000
  /// `net.ipv4.icmp_msgs_burst`: how many of them at once.
  public var messagesBurst: UInt32 = 50
  /// `net.ipv6.icmp.ratelimit`: as of IPv4.
  public var ratelimitV6: UInt32 = 1000
  /// `net.ipv6.icmp.ratemask`: types 0 to 63.
  public var ratemaskV6Low: UInt64 = ~(1 << 2)
  /// Types 64 to 127.
  public var ratemaskV6High: UInt64 = .max

  /// The kernel's defaults.
  public init() {}

  /// More than anybody needs.
  public static var unlimited: ICMPLimits {
    var limits = ICMPLimits()
    (limits.ratelimit, limits.ratemask, limits.ratelimitV6) = (0, 0, 0)
    (limits.messagesPerSecond, limits.messagesBurst) = (1_000_000, 100_000)
    return limits
  }

  /// Whether an error counts. Path MTU discovery is never held up.
  func isLimited(type: UInt8, code: UInt8, isIPv6: Bool) -> Bool {
    if isIPv6 { return (type < 64 ? ratemaskV6Low : ratemaskV6High) & 1 << UInt64(type & 63) != 0 }
    if type == ICMPv4.destinationUnreachable && code == ICMPv4.fragmentationNeeded { return false }
    return type < 32 && ratemask & 1 << UInt32(type) != 0
  }
}

/// What a worker may still send (RFC 1812 section 4.3.2.8, RFC 4443 section 2.4): a bucket for all hosts, of which each worker
/// has its share, and one for each host that was sent something lately.
///
/// Hosts share a fixed number of places: whoever needs one takes it from the host that was heard of longest ago. A flood from
/// many addresses makes places worthless, but not the bucket for all.
struct ErrorBudget {
  private struct Place {
    var high: UInt64
    var low: UInt64
    /// Nanoseconds saved up.
    var credit: UInt64
    /// When that was.
    var last: UInt64
  }

  private static var setCount: Int { 256 }
  private static var placesPerSet: Int { 4 }
  /// Errors to one host at once, when it has been left alone long enough.
  private static var burst: UInt64 { 6 }

  private let places: UnsafeMutablePointer<Place>
  private let secret: HashSecret
  private let workerCount: UInt64
  /// Messages, in units of 1 / 10^9.
  private var credit: UInt64 = .max
  private var last: UInt64 = 0

  init(secret: HashSecret, workerCount: Int) {
    self.secret = secret
    self.workerCount = UInt64(max(workerCount, 1))
    let count = ErrorBudget.setCount * ErrorBudget.placesPerSet
    places = .allocate(capacity: count)
    places.initialize(repeating: Place(high: 0, low: 0, credit: 0, last: 0), count: count)
  }

  /// The owner's last word.
  func deallocate() { places.deallocate() }

  /// Becomes what another one is, of the same secret and share.
  mutating func assume(_ other: borrowing ErrorBudget) {
    (credit, last) = (other.credit, other.last)
    places.update(from: other.places, count: ErrorBudget.setCount * ErrorBudget.placesPerSet)
  }

  /// Takes one error to `address`, if there is one.
  mutating func take(
    type: UInt8, code: UInt8, isIPv6: Bool, to address: (high: UInt64, low: UInt64), limits: ICMPLimits,
    now: UInt64
  ) -> Bool {
    guard limits.isLimited(type: type, code: code, isIPv6: isIPv6) else { return true }
    let unit: UInt64 = 1_000_000_000
    let most = max(UInt64(limits.messagesBurst) / workerCount, 1) &* unit
    let rate = max(UInt64(limits.messagesPerSecond) / workerCount, limits.messagesPerSecond == 0 ? 0 : 1)
    // A second is all that counts.
    let elapsed = min(now &- last, unit)
    last = now
    credit = min(credit == .max ? most : credit &+ elapsed &* rate, most)
    guard credit >= unit, takePlace(address, isIPv6: isIPv6, limits, now) else { return false }
    credit -= unit
    return true
  }

  private func takePlace(
    _ address: (high: UInt64, low: UInt64), isIPv6: Bool, _ limits: ICMPLimits, _ now: UInt64
  ) -> Bool {
    let pause = UInt64(isIPv6 ? limits.ratelimitV6 : limits.ratelimit) &* 1_000_000
    if pause == 0 { return true }
    // An IPv4 address as a mapped one, which nobody's packets come from.
    let low = isIPv6 ? address.low : address.low | 0xffff << 32
    let hash = secret.line(0, high: address.high, low: low)
    let first = places + Int(hash % UInt64(ErrorBudget.setCount)) * ErrorBudget.placesPerSet
    var place = first
    for candidate in first..<first + ErrorBudget.placesPerSet {
      if candidate.pointee.high == address.high, candidate.pointee.low == low {
        place = candidate
        break
      }
      if candidate.pointee.last < place.pointee.last { place = candidate }
    }
    let isKnown = place.pointee.high == address.high && place.pointee.low == low
    let most = pause &* ErrorBudget.burst
    let saved = isKnown ? min(place.pointee.credit &+ (now &- place.pointee.last), most) : most
    let isTaken = saved >= pause
    place.pointee = Place(high: address.high, low: low, credit: isTaken ? saved - pause : saved, last: now)
    return isTaken
  }
}
