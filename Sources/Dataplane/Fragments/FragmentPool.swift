import CShims
import Kernel

/// Where fragments wait for the rest of their datagrams: fixed memory, shared by all workers.
///
/// Shared, because a network card may well send the fragments of one datagram to several queues (only the first one has
/// ports to spread by); whoever brings the last one takes the whole datagram.
///
/// In shards, by the sender's address. A sender, however many fragments it sends that never become whole, fills its own
/// shard and nobody else's. A shard that is full gives up its oldest datagram: fragments that belong together come
/// within milliseconds, and who waits longer most likely waits for ever. (Linux refuses the newest instead, and so
/// everybody, for half a minute.) Each family has its own, as its datagrams wait for another time.
struct FragmentPool: @unchecked Sendable {
  private let shards: UnsafeMutablePointer<FragmentShard>
  private let secret: HashSecret

  static var shardCount: Int { 2 * Limits.fragmentShards }

  /// Bytes of memory for all shards.
  static var byteCount: Int { shardCount * (FragmentShard.byteCount + MemoryLayout<FragmentShard>.stride) }

  /// - Parameter memory: `byteCount` zeroed bytes.
  init(memory: UnsafeMutableRawPointer, secret: HashSecret) {
    let records = memory + FragmentPool.shardCount * FragmentShard.byteCount
    self.init(memory: memory, records: records, secret: secret)
    for index in 0..<FragmentPool.shardCount {
      FragmentShard.prepare(memory + index * FragmentShard.byteCount)
    }
  }

  /// Over shards that are prepared, or will be before anything is done with them.
  /// - Parameter records: where to note where the shards are.
  init(memory: UnsafeMutableRawPointer, records: UnsafeMutableRawPointer, secret: HashSecret) {
    self.secret = secret
    shards = records.bindMemory(to: FragmentShard.self, capacity: FragmentPool.shardCount)
    for index in 0..<FragmentPool.shardCount {
      (shards + index).initialize(to: FragmentShard(memory: memory + index * FragmentShard.byteCount))
    }
  }

  /// Bytes of what is noted of the shards.
  static var recordByteCount: Int { shardCount * MemoryLayout<FragmentShard>.stride }

  /// How long a datagram waits, in nanoseconds.
  static func lifetime(isIPv6: Bool) -> UInt64 {
    UInt64(isIPv6 ? Limits.fragmentSeconds.ipv6 : Limits.fragmentSeconds.ipv4) * 1_000_000_000
  }

  /// IPv4's come first.
  func shard(_ index: Int) -> UnsafeMutablePointer<FragmentShard> { shards + index }

  private func shard(of key: DatagramKey) -> UnsafeMutablePointer<FragmentShard> {
    let index = Int(truncatingIfNeeded: key.shardHash(secret) >> 32) & (Limits.fragmentShards - 1)
    return shards + (key.isIPv6 ? index + Limits.fragmentShards : index)
  }

  /// Keeps a fragment.
  /// - Returns: what became of it, and where its datagram is if it is complete.
  func keep(
    _ fragment: Fragment, _ packet: UnsafeRawPointer, now: UInt64
  ) -> (verdict: FragmentShard.Verdict, shard: UnsafeMutablePointer<FragmentShard>) {
    let shard = shard(of: fragment.key)
    let hash = fragment.key.hash(secret)
    shard.pointee.acquire()
    let verdict = shard.pointee.keep(fragment, packet, hash: hash, now: now)
    shard.pointee.unlock()
    return (verdict, shard)
  }

  /// Gives back what a complete datagram lay in.
  func release(_ datagram: UInt32, _ shard: UnsafeMutablePointer<FragmentShard>) {
    shard.pointee.acquire()
    shard.pointee.release(datagram)
    shard.pointee.unlock()
  }

  /// Takes out a datagram of this shard whose time is over; it belongs to the caller until `release`.
  func takeExpired(_ shard: UnsafeMutablePointer<FragmentShard>, now: UInt64) -> UInt32? {
    shard.pointee.acquire()
    defer { shard.pointee.unlock() }
    let oldest = shard.pointee.oldest
    guard oldest != 0, shard.pointee.datagrams[Int(oldest)].deadline <= now else { return nil }
    shard.pointee.unlink(oldest)
    return oldest
  }

  /// Blocks that hold fragments.
  var usedBlockCount: Int {
    (0..<FragmentPool.shardCount).reduce(0) { $0 + Limits.fragmentBlocks - shards[$1].freeCount }
  }
}
