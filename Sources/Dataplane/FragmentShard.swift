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
  private var freeBlock: UInt32 = 0
  private var usedBlocks: UInt32 = 0
  private var freeBlockCount = Limits.fragmentBlocks
  private var freeDatagram: UInt32 = 0
  private var usedDatagrams: UInt32 = 0
  /// The datagram that is given up first.
  private(set) var oldest: UInt32 = 0
  private var newest: UInt32 = 0

  /// Bytes of memory that a shard takes.
  static var byteCount: Int {
    let blocks = (Limits.fragmentBlocks + 1) * (blockByteCount + MemoryLayout<Link>.stride)
    let datagrams = (Limits.fragmentDatagrams + 1) * MemoryLayout<Datagram>.stride
    return (64 + blocks + datagrams + bucketCount * 4 + 63) & ~63
  }

  /// - Parameter memory: `byteCount` zeroed bytes.
  init(memory: UnsafeMutableRawPointer) {
    lock = memory.bindMemory(to: UInt64.self, capacity: 1)
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
  var freeCount: Int { freeBlockCount }

  // MARK: - Taking in

  /// Keeps a fragment.
  mutating func keep(_ fragment: Fragment, _ packet: UnsafeRawPointer, hash: UInt64, now: UInt64) -> Verdict {
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
  private mutating func refuse(_ number: UInt32, _ outcome: Outcome, endsAll: Bool, _ verdict: Verdict) -> Verdict {
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

  private mutating func link(
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
  private mutating func store(
    _ fragment: Fragment, _ packet: UnsafeRawPointer, for datagram: UInt32, _ verdict: inout Verdict
  ) -> UInt32? {
    let count = fragment.packetByteCount
    let needed = (count + FragmentShard.blockByteCount - 1) / FragmentShard.blockByteCount
    while freeBlockCount < needed { guard evict(except: datagram, &verdict) else { return nil } }
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

  private mutating func takeBlock() -> UInt32 {
    freeBlockCount -= 1
    if freeBlock == 0 {
      // Memory that nobody has used yet is not touched before it has to be.
      usedBlocks += 1
      return usedBlocks
    }
    let block = freeBlock
    freeBlock = links[Int(block)].next
    return block
  }

  // MARK: - Datagrams

  private mutating func open(_ key: DatagramKey, bucket: UInt32, now: UInt64, _ verdict: inout Verdict) -> UInt32 {
    while freeDatagram == 0, usedDatagrams == UInt32(Limits.fragmentDatagrams) { _ = evict(except: 0, &verdict) }
    var number = freeDatagram
    if number == 0 {
      usedDatagrams += 1
      number = usedDatagrams
    } else {
      freeDatagram = datagrams[Int(number)].nextInBucket
    }
    let datagram = datagrams + Int(number)
    datagram.initialize(to: Datagram(key: key))
    datagram.pointee.deadline = now &+ FragmentPool.lifetime(isIPv6: key.isIPv6)
    datagram.pointee.bucket = bucket
    datagram.pointee.nextInBucket = buckets[Int(bucket)]
    buckets[Int(bucket)] = number
    datagram.pointee.older = newest
    if newest == 0 { oldest = number } else { datagrams[Int(newest)].newer = number }
    newest = number
    return number
  }

  /// Takes a datagram out of bucket and age; its blocks stay its own.
  mutating func unlink(_ number: UInt32) {
    let datagram = datagrams[Int(number)]
    if buckets[Int(datagram.bucket)] == number {
      buckets[Int(datagram.bucket)] = datagram.nextInBucket
    } else {
      var other = buckets[Int(datagram.bucket)]
      while datagrams[Int(other)].nextInBucket != number { other = datagrams[Int(other)].nextInBucket }
      datagrams[Int(other)].nextInBucket = datagram.nextInBucket
    }
    if datagram.older == 0 { oldest = datagram.newer } else { datagrams[Int(datagram.older)].newer = datagram.newer }
    if datagram.newer == 0 { newest = datagram.older } else { datagrams[Int(datagram.newer)].older = datagram.older }
  }

  /// Frees a datagram that is unlinked.
  mutating func release(_ number: UInt32) {
    var fragment = datagrams[Int(number)].first
    while fragment != 0 {
      let following = links[Int(fragment)].following
      var block = fragment
      while block != 0 {
        let next = links[Int(block)].next
        links[Int(block)].next = freeBlock
        freeBlock = block
        freeBlockCount += 1
        block = next
      }
      fragment = following
    }
    datagrams[Int(number)].nextInBucket = freeDatagram
    freeDatagram = number
  }

  /// Gives up the oldest datagram.
  private mutating func evict(except kept: UInt32, _ verdict: inout Verdict) -> Bool {
    let victim = oldest == kept && kept != 0 ? datagrams[Int(kept)].newer : oldest
    guard victim != 0 else { return false }
    verdict.evicted += Int(datagrams[Int(victim)].fragmentCount)
    unlink(victim)
    release(victim)
    return true
  }
}
