import CShims
import Glibc

/// A part of the fragment pool: its datagrams, found by hash, linked by age; and the blocks that their fragments lie in.
///
/// Fixed memory. Every list is linked by numbers, 0 is none. All of it is guarded by one lock, which is held for as long as
/// a fragment is copied. That is no lock of the fast path: a packet that is whole never comes here.
struct FragmentShard {
  /// A block's place in its lists. What follows `next` is said of the block that a fragment begins in.
  struct Link {
    /// The fragment's next block, or the next free one.
    var next: UInt32
    /// The datagram's next fragment.
    var following: UInt32
    var offset: UInt32
    var byteCount: UInt16
    var headerByteCount: UInt16
    var packetByteCount: UInt16
  }

  /// What has become of a fragment, and of others on that occasion.
  struct Verdict {
    /// `fragmentHeld`, or why it was dropped; `pending` when its datagram is complete.
    var outcome = Outcome.fragmentHeld
    /// The complete datagram. It belongs to the caller until `release`.
    var datagram: UInt32 = 0
    /// Fragments of its own datagram that ended for the same reason.
    var ended = 0
    /// Fragments of older datagrams that made room.
    var evicted = 0
  }

  static var blockByteCount: Int { 512 }
  private static var bucketCount: Int { Limits.fragmentDatagrams }

  let lock: UnsafeMutablePointer<UInt64>
  private let buckets: UnsafeMutablePointer<UInt32>
  let datagrams: UnsafeMutablePointer<Datagram>
  let links: UnsafeMutablePointer<Link>
  let blocks: UnsafeMutableRawPointer
  /// What changes. In the memory and not in this record, so that nobody reads what another worker writes who only
  /// wants to know where the lock is.
  private let state: UnsafeMutablePointer<State>

  private struct State {
    var freeBlock: UInt32 = 0
    var usedBlocks: UInt32 = 0
    var freeBlockCount = Limits.fragmentBlocks
    var freeDatagram: UInt32 = 0
    var usedDatagrams: UInt32 = 0
    var oldest: UInt32 = 0
    var newest: UInt32 = 0
  }

  /// The datagram that is given up first.
  var oldest: UInt32 { state.pointee.oldest }

  /// Bytes of memory that a shard takes.
  static var byteCount: Int {
    let blocks = (Limits.fragmentBlocks + 1) * (blockByteCount + MemoryLayout<Link>.stride)
    let datagrams = (Limits.fragmentDatagrams + 1) * MemoryLayout<Datagram>.stride
    // Whole pages, so that a shard can be copied by itself (`StateImage`).
    return (64 + blocks + datagrams + bucketCount * 4 + 4095) & ~4095
  }

  /// Makes zeroed memory a shard without fragments; touches its first page only.
  static func prepare(_ memory: UnsafeMutableRawPointer) {
    (memory + 8).bindMemory(to: State.self, capacity: 1).initialize(to: State())
  }

  /// Makes a copy of a shard, taken while its lock was held, one that nobody holds.
  static func unlock(copy memory: UnsafeMutableRawPointer) {
    memory.storeBytes(of: 0, as: UInt64.self)
  }

  /// - Parameter memory: `byteCount` bytes, prepared.
  init(memory: UnsafeMutableRawPointer) {
    lock = memory.bindMemory(to: UInt64.self, capacity: 1)
    // Lock and state share the first line.
    state = (memory + 8).bindMemory(to: State.self, capacity: 1)
    blocks = memory + 64
    var next = blocks + (Limits.fragmentBlocks + 1) * FragmentShard.blockByteCount
    datagrams = next.bindMemory(to: Datagram.self, capacity: Limits.fragmentDatagrams + 1)
    next += (Limits.fragmentDatagrams + 1) * MemoryLayout<Datagram>.stride
    links = next.bindMemory(to: Link.self, capacity: Limits.fragmentBlocks + 1)
    next += (Limits.fragmentBlocks + 1) * MemoryLayout<Link>.stride
    buckets = next.bindMemory(to: UInt32.self, capacity: FragmentShard.bucketCount)
  }

  /// Takes the lock. A worker that has been put aside while it held it is given the processor.
  func acquire() {
    var attempts = 0
    while !lbd_compare_exchange(lock, 0, 1) {
      attempts += 1
      if attempts & 63 == 0 { sched_yield() }
    }
  }

  func unlock() { lbd_store_release(lock, 0) }

  /// Blocks that are free.
  var freeCount: Int { state.pointee.freeBlockCount }

  // MARK: - Taking in

  /// Keeps a fragment.
  func keep(_ fragment: Fragment, _ packet: UnsafeRawPointer, hash: UInt64, now: UInt64) -> Verdict {
    var verdict = Verdict()
    let bucket = UInt32(truncatingIfNeeded: hash) & UInt32(FragmentShard.bucketCount - 1)
    var number = buckets[Int(bucket)]
    while number != 0, datagrams[Int(number)].key != fragment.key { number = datagrams[Int(number)].nextInBucket }
    if number == 0 { number = open(fragment.key, bucket: bucket, now: now, &verdict) }
    let datagram = datagrams + Int(number)
    guard datagram.pointee.takeEnd(fragment) else {
      return refuse(number, .fragmentContradictory, endsAll: !fragment.key.isIPv6, verdict)
    }
    guard datagram.pointee.fragmentCount < Limits.fragmentsPerDatagram else {
      return refuse(number, .fragmentsTooMany, endsAll: true, verdict)
    }
    var previous: UInt32 = 0
    switch place(fragment, in: datagram, behind: &previous) {
    case .free: break
    case .duplicate: return refuse(number, .fragmentDuplicate, endsAll: false, verdict)
    case .overlap: return refuse(number, .fragmentOverlap, endsAll: true, verdict)
    }
    guard let block = store(fragment, packet, for: number, &verdict) else {
      return refuse(number, .fragmentPoolFull, endsAll: false, verdict)
    }
    link(block, behind: previous, fragment, in: datagram)
    if datagram.pointee.isComplete {
      unlink(number)
      verdict.outcome = .pending
      verdict.datagram = number
    }
    return verdict
  }

  /// The fragment is dropped, and its datagram if it has to be, or if there is nothing else of it.
  private func refuse(_ number: UInt32, _ outcome: Outcome, endsAll: Bool, _ verdict: Verdict) -> Verdict {
    var verdict = verdict
    verdict.outcome = outcome
    if endsAll || datagrams[Int(number)].fragmentCount == 0 {
      verdict.ended = Int(datagrams[Int(number)].fragmentCount)
      unlink(number)
      release(number)
    }
    return verdict
  }

  private enum Place {
    case free
    case duplicate
    case overlap
  }

  /// Where among the others a fragment belongs. Most come in order, or in the opposite order.
  private func place(
    _ fragment: Fragment, in datagram: UnsafeMutablePointer<Datagram>, behind previous: inout UInt32
  ) -> Place {
    previous = datagram.pointee.last
    if previous == 0 || fragment.offset >= end(of: previous) { return .free }
    previous = 0
    var number = datagram.pointee.first
    while number != 0, end(of: number) <= fragment.offset {
      previous = number
      number = links[Int(number)].following
    }
    let start = Int(links[Int(number)].offset)
    if fragment.end <= start { return .free }
    if fragment.offset < start { return .overlap }
    // Nothing new in it, when what is there goes on without a gap.
    var known = end(of: number)
    while known < fragment.end {
      number = links[Int(number)].following
      guard number != 0, Int(links[Int(number)].offset) == known else { return .overlap }
      known = end(of: number)
    }
    return .duplicate
  }

  private func end(of block: UInt32) -> Int { Int(links[Int(block)].offset) + Int(links[Int(block)].byteCount) }

  private func link(
    _ block: UInt32, behind previous: UInt32, _ fragment: Fragment, in datagram: UnsafeMutablePointer<Datagram>
  ) {
    if previous == 0 {
      links[Int(block)].following = datagram.pointee.first
      datagram.pointee.first = block
    } else {
      links[Int(block)].following = links[Int(previous)].following
      links[Int(previous)].following = block
    }
    if links[Int(block)].following == 0 { datagram.pointee.last = block }
    datagram.pointee.fragmentCount += 1
    datagram.pointee.byteCount += UInt32(truncatingIfNeeded: fragment.byteCount)
    datagram.pointee.congestion |= fragment.congestion
    let size = UInt32(truncatingIfNeeded: fragment.wholeByteCount)
    datagram.pointee.largest = max(datagram.pointee.largest, size)
    if fragment.mustNotBeCut { datagram.pointee.largestUncut = max(datagram.pointee.largestUncut, size) }
  }

  // MARK: - Blocks

  /// Copies a packet into blocks; the oldest datagrams give up theirs if need be.
  private func store(
    _ fragment: Fragment, _ packet: UnsafeRawPointer, for datagram: UInt32, _ verdict: inout Verdict
  ) -> UInt32? {
    let count = fragment.packetByteCount
    let needed = (count + FragmentShard.blockByteCount - 1) / FragmentShard.blockByteCount
    while state.pointee.freeBlockCount < needed { guard evict(except: datagram, &verdict) else { return nil } }
    var first: UInt32 = 0
    for index in (0..<needed).reversed() {
      let block = takeBlock()
      let offset = index * FragmentShard.blockByteCount
      bytes(block).copyMemory(from: packet + offset, byteCount: min(count - offset, FragmentShard.blockByteCount))
      links[Int(block)] = Link(
        next: first, following: 0, offset: UInt32(truncatingIfNeeded: fragment.offset),
        byteCount: UInt16(truncatingIfNeeded: fragment.byteCount),
        headerByteCount: UInt16(truncatingIfNeeded: fragment.headerByteCount),
        packetByteCount: UInt16(truncatingIfNeeded: count))
      first = block
    }
    return first
  }

  /// Memory of a block.
  func bytes(_ block: UInt32) -> UnsafeMutableRawPointer { blocks + Int(block) * FragmentShard.blockByteCount }

  /// Copies bytes of the packet that begins in `block`.
  func copy(_ block: UInt32, from offset: Int, count: Int, to target: UnsafeMutableRawPointer) {
    var block = block
    var skipped = offset
    while skipped >= FragmentShard.blockByteCount, block != 0 {
      skipped -= FragmentShard.blockByteCount
      block = links[Int(block)].next
    }
    var done = 0
    while done < count, block != 0 {
      let part = min(count - done, FragmentShard.blockByteCount - skipped)
      (target + done).copyMemory(from: bytes(block) + skipped, byteCount: part)
      done += part
      skipped = 0
      block = links[Int(block)].next
    }
  }

  private func takeBlock() -> UInt32 {
    state.pointee.freeBlockCount -= 1
    if state.pointee.freeBlock == 0 {
      // Memory that nobody has used yet is not touched before it has to be.
      state.pointee.usedBlocks += 1
      return state.pointee.usedBlocks
    }
    let block = state.pointee.freeBlock
    state.pointee.freeBlock = links[Int(block)].next
    return block
  }

  // MARK: - Datagrams

  private func open(_ key: DatagramKey, bucket: UInt32, now: UInt64, _ verdict: inout Verdict) -> UInt32 {
    while state.pointee.freeDatagram == 0, state.pointee.usedDatagrams == UInt32(Limits.fragmentDatagrams) {
      _ = evict(except: 0, &verdict)
    }
    var number = state.pointee.freeDatagram
    if number == 0 {
      state.pointee.usedDatagrams += 1
      number = state.pointee.usedDatagrams
    } else {
      state.pointee.freeDatagram = datagrams[Int(number)].nextInBucket
    }
    let datagram = datagrams + Int(number)
    datagram.initialize(to: Datagram(key: key))
    datagram.pointee.deadline = now &+ FragmentPool.lifetime(isIPv6: key.isIPv6)
    datagram.pointee.bucket = bucket
    datagram.pointee.nextInBucket = buckets[Int(bucket)]
    buckets[Int(bucket)] = number
    datagram.pointee.older = state.pointee.newest
    if state.pointee.newest == 0 {
      state.pointee.oldest = number
    } else {
      datagrams[Int(state.pointee.newest)].newer = number
    }
    state.pointee.newest = number
    return number
  }

  /// Takes a datagram out of bucket and age; its blocks stay its own.
  func unlink(_ number: UInt32) {
    let datagram = datagrams[Int(number)]
    if buckets[Int(datagram.bucket)] == number {
      buckets[Int(datagram.bucket)] = datagram.nextInBucket
    } else {
      var other = buckets[Int(datagram.bucket)]
      while datagrams[Int(other)].nextInBucket != number { other = datagrams[Int(other)].nextInBucket }
      datagrams[Int(other)].nextInBucket = datagram.nextInBucket
    }
    if datagram.older == 0 {
      state.pointee.oldest = datagram.newer
    } else {
      datagrams[Int(datagram.older)].newer = datagram.newer
    }
    if datagram.newer == 0 {
      state.pointee.newest = datagram.older
    } else {
      datagrams[Int(datagram.newer)].older = datagram.older
    }
  }

  /// Frees a datagram that is unlinked.
  func release(_ number: UInt32) {
    var fragment = datagrams[Int(number)].first
    while fragment != 0 {
      let following = links[Int(fragment)].following
      var block = fragment
      while block != 0 {
        let next = links[Int(block)].next
        links[Int(block)].next = state.pointee.freeBlock
        state.pointee.freeBlock = block
        state.pointee.freeBlockCount += 1
        block = next
      }
      fragment = following
    }
    datagrams[Int(number)].nextInBucket = state.pointee.freeDatagram
    state.pointee.freeDatagram = number
  }

  /// Gives up the oldest datagram.
  private func evict(except kept: UInt32, _ verdict: inout Verdict) -> Bool {
    let victim = state.pointee.oldest == kept && kept != 0 ? datagrams[Int(kept)].newer : state.pointee.oldest
    guard victim != 0 else { return false }
    verdict.evicted += Int(datagrams[Int(victim)].fragmentCount)
    unlink(victim)
    release(victim)
    return true
  }
}
