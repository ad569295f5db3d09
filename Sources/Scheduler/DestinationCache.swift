// What lblc and lblcr remember: for each destination address the server, or the set of servers, it was last sent to.
//
// One cache per service, shared by all workers, in memory that the caller hands in and that never moves or grows. Buckets
// of 16 entries; a new destination takes an empty entry of its bucket, or the one unused for longest. A bucket starts
// with a version, which is odd while a worker changes the bucket:
//
//     bucket   ┌─────────┬──────────────┬────────────────────────────────────────────────────────────────┐
//     832 B    │ version │ 16 tags      │ 16 entries: address (2 words), content, use, modified, stamp   │
//              └─────────┴──────────────┴────────────────────────────────────────────────────────────────┘
//
// Nobody waits. A reader takes what it finds if the version is the same afterwards, else it tries again and soon gives
// up. A writer makes the version odd by compare-and-swap from the very version it has read; when that fails, somebody
// else has changed the bucket meanwhile and what was to be written is forgotten. A scheduler that could not read or
// write picks as if there were no cache: the outcome may depend on who was faster, nothing worse. A worker that is
// suspended while it writes makes its bucket unusable until it goes on, and no other.
//
// Addresses come from clients, so the hash that selects the bucket has a secret. All words are read and written
// atomically; every index read from memory is checked before it is used.

import Synchronization

/// The memory of lblc and lblcr about destinations; a borrowed view like `RealServerSet`.
@frozen
public struct DestinationCache {
  let base: UnsafeMutableRawPointer

  /// A view over memory that has been made a cache with `initialize`.
  init(base: UnsafeMutableRawPointer) { self.base = base }

  /// The same cache in a copy of its memory.
  public func moved(to base: UnsafeMutableRawPointer) -> DestinationCache { DestinationCache(base: base) }

  static var bucketBits: Int { 12 }
  static var bucketCount: Int { 1 << bucketBits }
  static var waysPerBucket: Int { 16 }
  static var entryWords: Int { 6 }
  /// Head (version, tags) and entries, in whole cache lines.
  static var bucketBytes: Int { 64 + waysPerBucket * entryWords * 8 }
  static var headerBytes: Int { 256 }
  /// Of all sets together (`DestinationCacheSets`): one for each entry, and half as many again.
  static var nodeCapacity: Int { bucketCount * waysPerBucket * 3 / 2 }
  static var nodesOffset: Int { headerBytes + bucketCount * bucketBytes }

  /// How much memory a cache takes, most of it only once it is used.
  /// - Parameter holdsSets: true for lblcr.
  public static func byteCount(holdsSets: Bool) -> Int { nodesOffset + (holdsSets ? nodeCapacity * nodeBytes : 0) }

  /// How long a destination is remembered unless something else is said: a day.
  public static var usualExpirationSeconds: UInt32 { 86_400 }

  /// Makes a cache of memory.
  /// - Parameters:
  ///   - memory: `byteCount` zeroed bytes, aligned to 64.
  ///   - seed: the secret of the hash.
  public static func initialize(_ memory: UnsafeMutableRawPointer, holdsSets: Bool, seed: UInt64) -> DestinationCache {
    let cache = DestinationCache(base: memory)
    cache.store(.seed, seed)
    cache.store(.holdsSets, holdsSets ? 1 : 0)
    cache.store(.expiration, UInt64(usualExpirationSeconds))
    return cache
  }

  /// Sets how long a destination is remembered after its last use; in lblcr also how long a set stays as large as it is.
  public func setExpiration(seconds: UInt32) { store(.expiration, UInt64(seconds)) }

  /// Forgets everything, at once: what has been remembered so far counts as empty.
  public func clear() { _ = word(.epoch).pointee.wrappingAdd(1, ordering: .relaxed) }

  /// Entries, those included that have been cleared and not been swept away yet.
  public var count: Int { Int(truncatingIfNeeded: load(.count)) }

  var expirationSeconds: UInt64 { load(.expiration) }
  var holdsSets: Bool { load(.holdsSets) != 0 }

  // MARK: - Words

  /// The words of the header: what all read, what writers change, what the sweeper alone uses; a line each.
  enum Field: Int {
    case seed = 0
    case epoch = 1
    case expiration = 2
    case holdsSets = 3
    case count = 8
    case freeNodes = 9
    case freshNodes = 10
    case due = 16
    case runs = 17
    case cursor = 18
    case bucketsLeft = 19
    case removalsLeft = 20
    case limit = 21
    case time = 22
  }

  typealias Word = UnsafeMutablePointer<Atomic<UInt64>>

  @inline(__always)
  func word(at offset: Int) -> Word { (base + offset).assumingMemoryBound(to: Atomic<UInt64>.self) }

  @inline(__always)
  func word(_ field: Field) -> Word { word(at: field.rawValue * 8) }

  @inline(__always)
  func load(_ field: Field) -> UInt64 { word(field).pointee.load(ordering: .relaxed) }

  @inline(__always)
  func store(_ field: Field, _ value: UInt64) { word(field).pointee.store(value, ordering: .relaxed) }

  @inline(__always)
  func version(of bucket: Int) -> Word {
    word(at: DestinationCache.headerBytes + bucket * DestinationCache.bucketBytes)
  }

  @inline(__always)
  func tag(_ bucket: Int, _ way: Int) -> UnsafeMutablePointer<Atomic<UInt16>> {
    (base + DestinationCache.headerBytes + bucket * DestinationCache.bucketBytes + 8 + way * 2)
      .assumingMemoryBound(to: Atomic<UInt16>.self)
  }

  /// The words of an entry.
  enum Part: Int {
    case high
    case low
    /// lblc: the server's identity. lblcr: members << 32 | node of the first.
    case content
    /// Epoch << 32 | second of the last use.
    case use
    /// lblcr: the second in which the set last changed.
    case modified
    /// lblcr: that of the list by which the set's glances were made (`SetSurvey.swift`).
    case stamp
  }

  @inline(__always)
  func entry(_ bucket: Int, _ way: Int, _ part: Part) -> Word {
    word(
      at: DestinationCache.headerBytes + bucket * DestinationCache.bucketBytes + 64
        + (way * DestinationCache.entryWords + part.rawValue) * 8)
  }

  @inline(__always)
  func load(_ bucket: Int, _ way: Int, _ part: Part) -> UInt64 {
    entry(bucket, way, part).pointee.load(ordering: .relaxed)
  }
}
