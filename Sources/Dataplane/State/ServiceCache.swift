import CShims
import Kernel
import Scheduler

/// Owner of the memory in which one service's scheduler remembers destinations (lblc, lblcr).
///
/// It belongs to the service's number, like the scheduler's word: it is there from the first snapshot in which the
/// service has such a scheduler to the last, so a service that is edited or deleted and added again keeps it (and is
/// told to forget what it holds when the scheduler is bound anew). Every snapshot that refers to it holds it.
final class ServiceCache {
  let cache: DestinationCache
  private let holdsSets: Bool
  private let memory: MappedMemory

  /// Where it lies.
  var block: (base: UnsafeMutableRawPointer, byteCount: Int) {
    (memory.base, DestinationCache.byteCount(holdsSets: holdsSets))
  }

  private init(holdsSets: Bool, seed: UInt64) throws {
    self.holdsSets = holdsSets
    memory = try MappedMemory(byteCount: DestinationCache.byteCount(holdsSets: holdsSets), hugePages: .never)
    cache = DestinationCache.initialize(memory.base, holdsSets: holdsSets, seed: seed)
  }

  /// The caches that a description asks for, by service number: those there are, and new ones.
  ///
  /// A service whose cache cannot be had goes without: its scheduler then picks as wlc does.
  static func caches(
    for description: SnapshotDescription, keeping old: [UInt16: ServiceCache], seed: UInt64
  ) -> [UInt16: ServiceCache] {
    var caches: [UInt16: ServiceCache] = [:]
    for service in description.services where service.scheduler.hasCache {
      let holdsSets = service.scheduler.cacheHoldsSets
      let kept = old[service.number].flatMap { $0.holdsSets == holdsSets ? $0 : nil }
      let secret = HashSecret(seed: seed).mix(UInt64(service.number) &+ 1)
      guard let cache = kept ?? (try? ServiceCache(holdsSets: holdsSets, seed: secret)) else { continue }
      let settings = description.settings
      cache.cache.setExpiration(seconds: holdsSets ? settings.lblcrSeconds : settings.lblcSeconds)
      caches[service.number] = cache
    }
    return caches
  }
}

extension WorkerState {
  /// All that a scheduler may want to know of a packet.
  func flow(of index: Int) -> ScheduledFlow {
    let packet = batch.packet(index)
    let isIPv6 = packet.pointee.isIPv6
    let client = packet.pointee.sourceAddress
    // Of an ICMP error IPVS takes the quoted packet's, which is the client.
    let destination = packet.pointee.flags.contains(.icmpError) ? client : packet.pointee.destinationAddress
    return ScheduledFlow(
      clientFold: fold(high: client.high, low: client.low, isIPv6: isIPv6),
      destinationFold: fold(high: destination.high, low: destination.low, isIPv6: isIPv6),
      clientPort: packet.pointee.farPort, destinationHigh: destination.high, destinationLow: destination.low,
      seconds: UInt32(truncatingIfNeeded: clock.nanoseconds / 1_000_000_000))
  }

  /// Picks by one of the schedulers less often used (`Scheduler.isOutOfLine`), with all that some of them ask for.
  /// - Returns: the server's number.
  @inline(never)
  mutating func pickOutOfLine(_ index: Int, service: UnsafePointer<ServiceRecord>, number: UInt16) -> UInt16? {
    let flow = flow(of: index)
    let word = shared.schedulerStates + Int(number)
    while true {
      let old = SchedulerState(word: lbd_load_relaxed(word))
      var new = old
      let position = service.pointee.scheduler.pick(
        from: service.pointee.servers, state: &new, flow: flow, flags: service.pointee.schedulerFlags)
      if new.word == old.word || lbd_compare_exchange(word, old.word, new.word) {
        return position < 0 ? nil : service.pointee.servers.identifiers[position]
      }
    }
  }
}

/// How far the first worker has come with looking after the caches.
struct CacheSweepState {
  /// When there is something to do next, in nanoseconds of the worker's clock; 0 right after a new snapshot.
  var next: UInt64 = 0
  /// The cache whose turn it is.
  var cursor = 0

  /// Buckets looked at in one turn.
  static var bucketsPerTurn: Int { 16 }
  /// Caches asked in one turn whether something is due.
  static var cachesPerTurn: Int { 64 }
}

extension WorkerState {
  /// Lets the caches forget what has not been used for long: a little in every turn, by the first worker alone.
  @inline(__always)
  mutating func sweepCachesDue() {
    if _slowPath(clock.nanoseconds >= cacheSweep.next) { sweepCaches() }
  }

  @inline(never)
  private mutating func sweepCaches() {
    let count = snapshot.pointee.cacheCount
    guard worker == 0, count > 0 else { return cacheSweep.next = .max }
    let seconds = clock.nanoseconds / 1_000_000_000
    for _ in 0..<CacheSweepState.cachesPerTurn {
      if cacheSweep.cursor >= count {
        cacheSweep.cursor = 0
        cacheSweep.next = (seconds + 1) * 1_000_000_000
        return
      }
      let cache = snapshot.pointee.caches[cacheSweep.cursor]
      // More of it in the next turn; meanwhile packets are served.
      if cache.sweep(seconds: seconds, buckets: CacheSweepState.bucketsPerTurn) { return }
      cacheSweep.cursor += 1
    }
  }

  /// Does at once all that is due: for replay, whose clock jumps.
  mutating func sweepAllCaches() {
    let seconds = clock.nanoseconds / 1_000_000_000
    for index in 0..<snapshot.pointee.cacheCount where worker == 0 {
      while snapshot.pointee.caches[index].sweep(seconds: seconds, buckets: .max) {}
    }
  }
}
