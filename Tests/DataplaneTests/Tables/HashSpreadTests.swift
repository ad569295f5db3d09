import Testing

@testable import Dataplane

/// Keys spread over the lines, whatever they have in common, and whatever somebody chose them for.
@Suite struct HashSpreadTests {
  private static let binBits: UInt64 = 8
  private static let count = 4096
  private static let seeds: [UInt64] = Array(1...12) + [0, .max, 0x0123_4567_89ab_cdef, 1 << 63]

  /// How unevenly keys fill the lines, and how many have a hash of their own.
  private struct Spread: CustomStringConvertible {
    /// Pearson's sum over the lines: as many as there are lines, less one, is what chance gives.
    let unevenness: Double
    let fullest: Int
    let distinct: Int

    /// - Parameter shift: the first of the bits of the hash that choose the line.
    init<Key: ConnectionKey>(_ keys: [Key], secret: HashSecret, shift: UInt64) {
      var bins = [Int](repeating: 0, count: 1 << Int(binBits))
      var hashes = Set<UInt64>(minimumCapacity: keys.count)
      for key in keys {
        let hash = key.hash(secret)
        hashes.insert(hash)
        bins[Int(truncatingIfNeeded: hash >> shift) & (bins.count - 1)] += 1
      }
      let expected = Double(keys.count) / Double(bins.count)
      unevenness = bins.reduce(0) { $0 + (Double($1) - expected) * (Double($1) - expected) / expected }
      fullest = bins.max() ?? 0
      distinct = hashes.count
    }

    /// Chance gives 255 ± 23, and 16 ± 4 keys to a line: the bounds are six of the one and eight of the other away.
    var isLikeChance: Bool { unevenness < 395 && fullest <= 48 && isDistinct }

    /// Multiplying is not throwing: evenly spaced keys come out more even under most secrets, and less so under some.
    /// What counts is that no line gets many of them, and that next to none have the same hash.
    var isBounded: Bool { fullest <= 64 && isDistinct }

    private var isDistinct: Bool { distinct >= count - 8 }

    var description: String { "unevenness \(Int(unevenness)), fullest \(fullest), distinct \(distinct)" }
  }

  private func check<Key: ConnectionKey>(
    _ name: String, _ keys: [Key], besides seed: UInt64? = nil, _ isGood: (Spread) -> Bool
  ) {
    #expect(keys.count == Self.count)
    for other in Self.seeds where other != seed {
      // The low bits choose the line of a small table; those of a large table reach further up.
      for shift in [0, 8, 16] as [UInt64] {
        let spread = Spread(keys, secret: HashSecret(seed: other), shift: shift)
        #expect(isGood(spread), "\(Key.self) \(name), seed \(other), bits from \(shift): \(spread)")
      }
    }
  }

  // MARK: - Chosen keys

  /// Keys that all share one line under one secret are ordinary keys under another.
  private func collide<Key: ConnectionKey>(_ type: Key.Type, seed: UInt64) {
    let secret = HashSecret(seed: seed)
    var random = SplitMix(seed: seed)
    var keys: [Key] = []
    while keys.count < Self.count {
      let word = random.next()
      let key = Key(
        high: random.next(), low: word & 0xffff_ffff, port: UInt16(truncatingIfNeeded: word >> 48), endpoint: 3)
      if key.hash(secret) & 255 == 77 { keys.append(key) }
    }
    check("chosen for seed \(seed)", keys, besides: seed) { $0.isLikeChance }
  }

  @Test(arguments: [1, 7] as [UInt64])
  func chosenForAnotherSecret(seed: UInt64) {
    collide(KeyV4.self, seed: seed)
    collide(KeyV6.self, seed: seed)
  }

  // MARK: - Keys that have much in common

  private typealias Parts = (high: UInt64, low: UInt64, port: UInt64, endpoint: UInt64)

  /// - Parameter make: the key of a number.
  private func check<Key: ConnectionKey>(_ type: Key.Type, _ name: String, _ make: (UInt64) -> Parts) {
    let keys = (0..<UInt64(Self.count)).map { number in
      let parts = make(number)
      return Key(
        high: parts.high, low: parts.low, port: UInt16(truncatingIfNeeded: parts.port),
        endpoint: UInt16(truncatingIfNeeded: parts.endpoint))
    }
    check(name, keys) { $0.isBounded }
  }

  /// Both kinds of keys have these, IPv6 in the lowest bits of its addresses.
  private func checkCommon<Key: ConnectionKey>(_ type: Key.Type, high: UInt64) {
    let low: UInt64 = 0x0a00_0001
    check(type, "ports") { (high, low, 1024 + $0, 5) }
    check(type, "every 16th port") { (high, low, $0 << 4, 5) }
    check(type, "addresses") { (high, low + $0, 40_000, 5) }
    check(type, "every 256th address") { (high, low + $0 << 8, 40_000, 5) }
    check(type, "addresses by their high bits") { (high, $0 << 20 | 1, 40_000, 5) }
    check(type, "64 addresses, 64 ports") { (high, low + $0 >> 6, 1024 + $0 & 63, 5) }
    check(type, "ports down as addresses go up") { (high, low + $0, 65_535 - $0, 5) }
    check(type, "endpoints") { (high, low, 40_000, 1 + $0) }
    check(type, "endpoints down as ports go up") { (high, low, 1024 + $0, 5000 - $0) }
  }

  @Test func ipv4() { checkCommon(KeyV4.self, high: 0) }
  @Test func ipv6() { checkCommon(KeyV6.self, high: 0x2001_0db8_0000_0001) }

  @Test func ipv6Words() {
    let high: UInt64 = 0x2001_0db8_0000_0000
    check(KeyV6.self, "the high word") { (high + $0, 1, 40_000, 5) }
    check(KeyV6.self, "the high word above bit 48") { ($0 << 48 | 1, 1, 40_000, 5) }
    check(KeyV6.self, "the high word above bit 52") { ($0 << 52, 1, 40_000, 5) }
    check(KeyV6.self, "the low word above bit 48") { (high, $0 << 48 | 1, 40_000, 5) }
    check(KeyV6.self, "the low word above bit 52") { (high, $0 << 52 | 1, 40_000, 5) }
    check(KeyV6.self, "the low word above bit 32") { (high, $0 << 32 | 1, 40_000, 5) }
    check(KeyV6.self, "both words, the same") { ($0, $0, 40_000, 5) }
    check(KeyV6.self, "both words, one up and one down") { (high + $0, 1 << 32 - $0, 40_000, 5) }
    check(KeyV6.self, "64 networks, 64 hosts") { (high + $0 >> 6, $0 & 63, 40_000, 5) }
    check(KeyV6.self, "interface identifiers") { (high, ($0 >> 8) << 40 | 0xff_fe00_0000 | $0 & 255, 40_000, 5) }
  }

  /// Only the topmost bits of both words differ: what was multiplied has nothing below them then.
  @Test func ipv6TopmostBits() {
    check(KeyV6.self, "both words above bit 52") { ($0 << 52, $0 << 52, 40_000, 5) }
    check(KeyV6.self, "both words above bit 58") { (($0 >> 6) << 58, $0 << 58, 40_000, 5) }
    check(KeyV6.self, "both words above bits 58 and 26") {
      (($0 >> 6) << 58 | ($0 >> 6) << 26, $0 << 58 | ($0 & 63) << 26, 40_000, 5)
    }
  }
}
