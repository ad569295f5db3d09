// Forgetting destinations, as IPVS does by a timer: a run every minute.
//
// Most runs are quiet. Every 30th is a full one: what has been unused for the expiration time (a day) goes. Other runs look
// at the size: above 16384 entries they take out a third more than are too many, but no more than 8192, of those unused
// for six minutes, and go on where the run before stopped; such a run does not count towards the 30.
//
// One worker does this between two batches, a few buckets each time. What it needs for that is in the header. Which of the
// old entries a trimming takes depends on the order of the buckets, which is not that of IPVS: its is known to all.

extension DestinationCache {
  private static var secondsBetweenRuns: UInt64 { 60 }
  private static var runsPerFullRun: UInt64 { 30 }
  /// Entries above which a run trims.
  static var softLimit: Int { 16_384 }
  /// Entries in use are not trimmed.
  private static var trimmingSeconds: UInt64 { 360 }

  /// Does a little of what is due. Only one worker may call this.
  /// - Parameters:
  ///   - seconds: the present time; the first call starts the timer.
  ///   - buckets: how many to look at.
  /// - Returns: true when there is more to do at once.
  public func sweep(seconds: UInt64, buckets: Int) -> Bool {
    if load(.bucketsLeft) == 0 {
      let due = load(.due)
      if due == 0 {
        store(.runs, 1)
        store(.due, seconds &+ DestinationCache.secondsBetweenRuns)
        return false
      }
      if seconds < due { return false }
      begin(at: due)
      store(.due, due &+ DestinationCache.secondsBetweenRuns)
    }
    for _ in 0..<min(UInt64(max(buckets, 0)), load(.bucketsLeft)) {
      let cursor = Int(load(.cursor)) & (DestinationCache.bucketCount - 1)
      sweep(bucket: cursor)
      store(.cursor, UInt64(cursor + 1))
      store(.bucketsLeft, load(.removalsLeft) == 0 ? 0 : load(.bucketsLeft) - 1)
      if load(.bucketsLeft) == 0 { break }
    }
    return load(.bucketsLeft) != 0 || seconds >= load(.due)
  }

  /// Decides what a run has to do.
  private func begin(at time: UInt64) {
    store(.time, time)
    let excess = count - DestinationCache.softLimit
    if load(.runs) % DestinationCache.runsPerFullRun == 0 {
      store(.runs, 1)
      store(.limit, expirationSeconds)
      store(.removalsLeft, .max)
    } else if excess > 0 {
      store(.limit, DestinationCache.trimmingSeconds)
      store(.removalsLeft, UInt64(min(excess * 4 / 3, DestinationCache.softLimit / 2)))
    } else {
      store(.runs, load(.runs) &+ 1)
      return
    }
    if load(.removalsLeft) != 0 { store(.bucketsLeft, UInt64(DestinationCache.bucketCount)) }
  }

  private func sweep(bucket: Int) {
    let epoch = load(.epoch) & 0xffff_ffff
    for way in 0..<DestinationCache.waysPerBucket where load(.removalsLeft) != 0 {
      guard tag(bucket, way).pointee.load(ordering: .relaxed) != 0, isOld(bucket, way, epoch: epoch) else { continue }
      // A bucket that another worker is changing now has its turn in the next run.
      let version = version(of: bucket).pointee.load(ordering: .acquiring)
      guard version & 1 == 0, lock(bucket, version: version) else { return }
      // It may have been changed before it was locked.
      if tag(bucket, way).pointee.load(ordering: .relaxed) != 0, isOld(bucket, way, epoch: epoch) {
        erase(bucket, way)
        if load(.removalsLeft) != .max { store(.removalsLeft, load(.removalsLeft) - 1) }
      }
      unlock(bucket, version: version)
    }
  }

  /// True when an entry has been cleared, or been unused for as long as the present run asks for.
  private func isOld(_ bucket: Int, _ way: Int, epoch: UInt64) -> Bool {
    let use = load(bucket, way, .use)
    return use >> 32 != epoch || use & 0xffff_ffff &+ load(.limit) <= load(.time)
  }
}
