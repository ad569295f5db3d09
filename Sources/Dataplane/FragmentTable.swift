/// Remembers the ports of fragmented datagrams, so that their later fragments, which carry none, go the same way.
///
/// A datagram is known by source, destination, identification and protocol (RFC 791, RFC 8200 section 4.5). Its first
/// fragment leaves the ports here; each later fragment asks. Fragments are forwarded one by one, not reassembled: the
/// receiver sees the same datagram. A later fragment that arrives before the first is dropped by name.
///
/// Fixed memory: a set of four entries by hash, the oldest of the set makes room once it has outlived its time. Each
/// worker has its own table, as a network card sends all fragments of a datagram to one queue.
struct FragmentTable: ~Copyable {
  struct Entry {
    var sourceHigh: UInt64 = 0
    var sourceLow: UInt64 = 0
    var destinationHigh: UInt64 = 0
    var destinationLow: UInt64 = 0
    var identification: UInt32 = 0
    var ports: UInt32 = 0
    /// Nanoseconds after which it counts for nothing.
    var deadline: UInt64 = 0
    var protocolNumber: UInt8 = 0

    @inline(__always)
    func isSameDatagram(as other: Entry) -> Bool {
      identification == other.identification && protocolNumber == other.protocolNumber
        && sourceLow == other.sourceLow && destinationLow == other.destinationLow && sourceHigh == other.sourceHigh
        && destinationHigh == other.destinationHigh
    }
  }

  private let entries: UnsafeMutablePointer<Entry>
  private let secret: HashSecret
  private static var ways: Int { 4 }
  private static var lifetime: UInt64 { UInt64(Limits.fragmentSeconds) * 1_000_000_000 }

  init(secret: HashSecret) {
    self.secret = secret
    entries = .allocate(capacity: Limits.fragmentCapacity)
    entries.initialize(repeating: Entry(), count: Limits.fragmentCapacity)
  }

  deinit {
    entries.deallocate()
  }

  private func set(of key: Entry) -> UnsafeMutablePointer<Entry> {
    var hash = secret.mix(key.sourceLow ^ key.sourceHigh)
    hash = secret.mix(hash &+ (key.destinationLow ^ key.destinationHigh))
    hash = secret.mix(hash &+ UInt64(key.identification) << 8 | UInt64(key.protocolNumber))
    let sets = Limits.fragmentCapacity / FragmentTable.ways
    return entries + (Int(truncatingIfNeeded: hash) & (sets - 1)) * FragmentTable.ways
  }

  /// Remembers the ports of a datagram whose first fragment has arrived.
  /// - Returns: false when the datagram's set is full of younger ones.
  func remember(_ key: Entry, sourcePort: UInt16, destinationPort: UInt16, now: UInt64) -> Bool {
    let set = set(of: key)
    var chosen: UnsafeMutablePointer<Entry>?
    for way in 0..<FragmentTable.ways {
      let entry = set + way
      if entry.pointee.isSameDatagram(as: key) {
        chosen = entry
        break
      }
      if entry.pointee.deadline <= now { chosen = chosen ?? entry }
    }
    guard let chosen else { return false }
    chosen.pointee = key
    chosen.pointee.ports = UInt32(sourcePort) << 16 | UInt32(destinationPort)
    chosen.pointee.deadline = now &+ FragmentTable.lifetime
    return true
  }

  /// The ports of a datagram: source in the upper half, or nil when its first fragment is not known.
  func ports(of key: Entry, now: UInt64) -> UInt32? {
    let set = set(of: key)
    for way in 0..<FragmentTable.ways {
      let entry = set + way
      if entry.pointee.isSameDatagram(as: key), entry.pointee.deadline > now { return entry.pointee.ports }
    }
    return nil
  }
}
