import Synchronization

// Finding a destination in the cache, and writing it there.

extension DestinationCache {
  /// Where a destination is, or would be, in a cache, and what was found there.
  struct Place {
    var bucket: Int
    /// -1 when it is not there.
    var way = -1
    var tag: UInt16
    /// That of the bucket when it was read; nil when others kept changing it.
    var version: UInt64?
    var epoch: UInt64
    var content: UInt64 = 0
    var modified: UInt64 = 0
    var stamp: UInt64 = 0

    var isFound: Bool { way >= 0 }
    /// lblcr: how many servers the set has.
    var memberCount: Int { Int(truncatingIfNeeded: content >> 32) }
    /// lblcr: the node of the first.
    var firstNode: UInt32 { UInt32(truncatingIfNeeded: content) }
  }

  private static var readAttempts: Int { 4 }

  /// Looks for a flow's destination.
  func find(_ flow: ScheduledFlow) -> Place {
    let hash = TwoChoices.stirred(
      TwoChoices.stirred(flow.destinationHigh ^ load(.seed)) ^ flow.destinationLow)
    let bucket = Int(truncatingIfNeeded: hash) & (DestinationCache.bucketCount - 1)
    var place = Place(
      bucket: bucket, tag: UInt16(truncatingIfNeeded: hash >> 48) | 1, version: nil, epoch: load(.epoch) & 0xffff_ffff)
    let version = version(of: bucket)
    for _ in 0..<DestinationCache.readAttempts {
      let before = version.pointee.load(ordering: .acquiring)
      if before & 1 != 0 { continue }
      read(flow, &place)
      atomicMemoryFence(ordering: .acquiring)
      if version.pointee.load(ordering: .relaxed) == before {
        place.version = before
        return place
      }
    }
    place.way = -1
    return place
  }

  private func read(_ flow: ScheduledFlow, _ place: inout Place) {
    place.way = -1
    for way in 0..<DestinationCache.waysPerBucket
    where tag(place.bucket, way).pointee.load(ordering: .relaxed) == place.tag {
      guard load(place.bucket, way, .high) == flow.destinationHigh,
        load(place.bucket, way, .low) == flow.destinationLow,
        load(place.bucket, way, .use) >> 32 == place.epoch
      else { continue }
      place.way = way
      place.content = load(place.bucket, way, .content)
      place.modified = load(place.bucket, way, .modified)
      place.stamp = load(place.bucket, way, .stamp)
      return
    }
  }

  /// Notes that a destination is in use.
  ///
  /// The entry may have become another destination's meanwhile: then that one is kept a little longer than it need be.
  func touch(_ place: Place, seconds: UInt32) {
    let use = place.epoch << 32 | UInt64(seconds)
    // An address in demand is used by all workers: the line is only written once a second.
    if load(place.bucket, place.way, .use) != use { set(place.bucket, place.way, .use, use) }
  }

  /// Remembers one server for a destination, in place of the one before.
  func remember(_ content: UInt64, at place: Place, flow: ScheduledFlow) {
    if place.isFound && place.content == content { return }
    guard lock(place) else { return }
    write(content, at: place, flow: flow)
    unlock(place)
  }

  // MARK: - Writing

  /// Makes the bucket the caller's own, if it is still as it was read.
  func lock(_ place: Place) -> Bool {
    guard let version = place.version else { return false }
    return lock(place.bucket, version: version)
  }

  func lock(_ bucket: Int, version: UInt64) -> Bool {
    let isOurs = self.version(of: bucket).pointee.compareExchange(
      expected: version, desired: version &+ 1, ordering: .acquiring
    ).exchanged
    // Whoever sees a word written below sees the odd version too.
    if isOurs { atomicMemoryFence(ordering: .releasing) }
    return isOurs
  }

  /// Ends what `lock` began.
  func unlock(_ place: Place) {
    guard let version = place.version else { return }
    unlock(place.bucket, version: version)
  }

  func unlock(_ bucket: Int, version: UInt64) {
    self.version(of: bucket).pointee.store(version &+ 2, ordering: .releasing)
  }

  /// Writes a destination's entry; the bucket is locked.
  func write(_ content: UInt64, at place: Place, flow: ScheduledFlow) {
    let bucket = place.bucket
    if place.isFound {
      set(bucket, place.way, .content, content)
      set(bucket, place.way, .modified, UInt64(flow.seconds))
      return
    }
    let way = victim(in: bucket, epoch: place.epoch)
    if tag(bucket, way).pointee.load(ordering: .relaxed) != 0 { erase(bucket, way) }
    set(bucket, way, .high, flow.destinationHigh)
    set(bucket, way, .low, flow.destinationLow)
    set(bucket, way, .content, content)
    set(bucket, way, .use, place.epoch << 32 | UInt64(flow.seconds))
    set(bucket, way, .modified, UInt64(flow.seconds))
    set(bucket, way, .stamp, 0)
    tag(bucket, way).pointee.store(place.tag, ordering: .relaxed)
    word(.count).pointee.wrappingAdd(1, ordering: .relaxed)
  }

  /// Takes an entry out; the bucket is locked.
  func erase(_ bucket: Int, _ way: Int) {
    tag(bucket, way).pointee.store(0, ordering: .relaxed)
    word(.count).pointee.wrappingSubtract(1, ordering: .relaxed)
    if holdsSets { freeSet(load(bucket, way, .content)) }
  }

  @inline(__always)
  private func set(_ bucket: Int, _ way: Int, _ part: Part, _ value: UInt64) {
    entry(bucket, way, part).pointee.store(value, ordering: .relaxed)
  }

  /// The entry to be written over: an empty one, one that has been cleared, the one unused for longest.
  private func victim(in bucket: Int, epoch: UInt64) -> Int {
    var oldest = 0
    var leastUse = UInt64.max
    for way in 0..<DestinationCache.waysPerBucket {
      if tag(bucket, way).pointee.load(ordering: .relaxed) == 0 { return way }
      let use = load(bucket, way, .use)
      let rank = use >> 32 == epoch ? use & 0xffff_ffff &+ 1 : 0
      if rank < leastUse {
        oldest = way
        leastUse = rank
      }
    }
    return oldest
  }
}
