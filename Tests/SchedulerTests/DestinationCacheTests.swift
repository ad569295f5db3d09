import Foundation
import Synchronization
import Testing

@testable import Scheduler

struct DestinationCacheTests {
  private func fill(_ memory: CacheMemory, _ destinations: Range<UInt32>, seconds: UInt32 = 0, sets: ServiceModel?) {
    for destination in destinations {
      let flow = ScheduledFlow(to: destination, seconds: seconds)
      if let sets {
        sets.withServers {
          memory.cache.join(0, at: memory.cache.find(flow), flow: flow, servers: $0)
        }
      } else {
        memory.cache.remember(UInt64(destination) + 1, at: memory.cache.find(flow), flow: flow)
      }
    }
  }

  @Test func whatFitsIsFoundAgain() {
    let memory = CacheMemory(holdsSets: false)
    fill(memory, 0..<16_384, sets: nil)
    #expect(memory.cache.count == 16_384)
    for destination in 0..<16_384 as Range<UInt32> {
      let place = memory.cache.find(ScheduledFlow(to: destination))
      #expect(place.isFound && place.content == UInt64(destination) + 1)
    }
    #expect(!memory.cache.find(ScheduledFlow(to: 16_384)).isFound)
  }

  /// Any number of destinations: the cache is as large as it is, and the newest are in it.
  @Test(arguments: [false, true]) func neverHoldsMoreThanItsEntries(holdsSets: Bool) {
    let memory = CacheMemory(holdsSets: holdsSets)
    let service = holdsSets ? ServiceModel(.replicatedLocality, boundWith: "A1") : nil
    for round in 0..<3 as Range<UInt32> {
      fill(memory, round * 100_000..<(round + 1) * 100_000, seconds: round, sets: service)
    }
    let entries = DestinationCache.bucketCount * DestinationCache.waysPerBucket
    #expect(memory.cache.count <= entries && memory.cache.count > entries * 9 / 10)
    #expect(memory.cache.find(ScheduledFlow(to: 299_999)).isFound)
    #expect(!memory.cache.find(ScheduledFlow(to: 5)).isFound, "the oldest made room")
    if holdsSets { #expect(memory.cache.load(.freshNodes) <= UInt64(entries) + 1, "nodes are used again") }
  }

  @Test func clearedEntriesAreGoneAtOnceAndSweptLater() {
    let memory = CacheMemory(holdsSets: true)
    let service = ServiceModel(.replicatedLocality, boundWith: "A1")
    fill(memory, 0..<100, sets: service)
    memory.cache.clear()
    #expect(!memory.cache.find(ScheduledFlow(to: 5)).isFound)
    #expect(memory.cache.count == 100)
    fill(memory, 0..<100, sets: service)
    #expect(memory.cache.find(ScheduledFlow(to: 5)).memberCount == 1)
    while memory.cache.sweep(seconds: 0, buckets: 9) {}
    while memory.cache.sweep(seconds: 1800, buckets: 9) {}
    #expect(memory.cache.count == 100)
    #expect(memory.cache.find(ScheduledFlow(to: 5)).isFound)
    fill(memory, 100..<200, sets: service)
    #expect(memory.cache.load(.freshNodes) == 200, "the nodes of what was swept are used again")
  }

  /// Above 16384 entries a run takes a third more than are too many, of those unused for six minutes.
  @Test func sizeIsTrimmed() {
    let memory = CacheMemory(holdsSets: false)
    #expect(!memory.cache.sweep(seconds: 0, buckets: .max))
    fill(memory, 0..<16_984, seconds: 0, sets: nil)
    while memory.cache.sweep(seconds: 359, buckets: 64) {}
    #expect(memory.cache.count == 16_984, "nothing is old enough")
    while memory.cache.sweep(seconds: 360, buckets: 64) {}
    #expect(memory.cache.count == 16_984 - 800)
    #expect(memory.cache.load(.runs) == 1, "runs that trim do not count towards the full one")
    while memory.cache.sweep(seconds: 420, buckets: 64) {}
    #expect(memory.cache.count == 16_984 - 800)
    fill(memory, 100_000..<130_000, seconds: 430, sets: nil)
    let before = memory.cache.count
    while memory.cache.sweep(seconds: 480, buckets: 64) {}
    #expect(memory.cache.count == before - 8192, "8192 at most in one run")
  }

  @Test func fullRunIsEvery30Minutes() {
    let memory = CacheMemory(holdsSets: false)
    memory.cache.setExpiration(seconds: 100)
    _ = memory.cache.sweep(seconds: 1000, buckets: .max)
    fill(memory, 0..<10, seconds: 1000, sets: nil)
    while memory.cache.sweep(seconds: 2799, buckets: .max) {}
    #expect(memory.cache.count == 10)
    while memory.cache.sweep(seconds: 2800, buckets: .max) {}
    #expect(memory.cache.count == 0)
    fill(memory, 0..<10, seconds: 2801, sets: nil)
    while memory.cache.sweep(seconds: 4599, buckets: .max) {}
    #expect(memory.cache.count == 10)
    while memory.cache.sweep(seconds: 4600, buckets: .max) {}
    #expect(memory.cache.count == 0)
  }

  @Test func sweepIsDoneInSlices() {
    let memory = CacheMemory(holdsSets: false)
    _ = memory.cache.sweep(seconds: 0, buckets: 16)
    fill(memory, 0..<1000, seconds: 0, sets: nil)
    memory.cache.setExpiration(seconds: 1)
    while memory.cache.sweep(seconds: 1799, buckets: 16) {}
    var slices = 1
    while memory.cache.sweep(seconds: 1800, buckets: 16) { slices += 1 }
    #expect(slices == DestinationCache.bucketCount / 16)
    #expect(memory.cache.count == 0)
  }

  @Test func readerGivesUpOnABucketThatIsBeingWritten() {
    let memory = CacheMemory(holdsSets: false)
    let flow = ScheduledFlow(to: 1)
    fill(memory, 1..<2, sets: nil)
    let place = memory.cache.find(flow)
    #expect(memory.cache.lock(place))
    let other = memory.cache.find(flow)
    #expect(!other.isFound && other.version == nil)
    #expect(!memory.cache.lock(other) && !memory.cache.lock(place))
    memory.cache.unlock(place)
    #expect(memory.cache.find(flow).isFound)
    #expect(!memory.cache.lock(place), "what was read before is out of date")
  }

  /// Memory full of nonsense is read within bounds, and no walk goes on for ever.
  @Test func nonsenseIsReadWithinBounds() {
    let memory = CacheMemory(holdsSets: true)
    let service = ServiceModel(.replicatedLocality, boundWith: "A1 B2")
    fill(memory, 1..<2, sets: service)
    let flow = ScheduledFlow(to: 1)
    let place = memory.cache.find(flow)
    let contents: [UInt64] = [.max, 9 << 32 | 0xffff_ffff, 9 << 32, 1 << 47 | 0xffff_fff0, 0]
    for content in contents {
      var bad = place
      bad.content = content
      #expect(service.withServers { memory.cache.survey(at: &bad, servers: $0).leastLoaded } == -1)
    }
  }

  /// Several threads on few destinations, with sweeping and clearing: every pick is in the list, and when all is quiet the
  /// sets are whole.
  @Test(arguments: [Scheduler.localityLeastConnection, .replicatedLocality])
  func workersShareIt(scheduler: Scheduler) throws {
    let service = ServiceModel(scheduler, boundWith: "A1 B2 C3 D4 E5")
    let cache = try #require(service.memory?.cache)
    cache.setExpiration(seconds: 2)
    service.withServers { set in
      nonisolated(unsafe) let servers = set
      nonisolated(unsafe) let shared = cache
      nonisolated(unsafe) let counts = UnsafeMutablePointer(mutating: set.connections)
      DispatchQueue.concurrentPerform(iterations: 4) { worker in
        var generator = SplitMix(state: UInt64(worker))
        for step in 0..<40_000 as Range<UInt32> {
          let flow = ScheduledFlow(to: .random(in: 0..<300_000, using: &generator) % 500, seconds: step / 1000)
          var state = SchedulerState()
          let position = scheduler.pick(from: servers, state: &state, flow: flow, flags: [])
          #expect((0..<5).contains(position))
          let count = UnsafeMutableRawPointer(counts + Int(servers.identifiers[max(position, 0)]))
            .assumingMemoryBound(to: Atomic<UInt64>.self)
          count.pointee.store(.random(in: 0...9, using: &generator) << 32, ordering: .relaxed)
          if worker == 0 { _ = shared.sweep(seconds: UInt64(step) * 2, buckets: 300) }
          if worker == 1 && step % 9000 == 8999 { shared.clear() }
        }
      }
    }
    for destination in 0..<500 as Range<UInt32> {
      let place = cache.find(ScheduledFlow(to: destination))
      guard place.isFound, scheduler == .replicatedLocality else { continue }
      let members = cache.members(at: place)
      #expect(members.count == place.memberCount && Set(members).count == members.count)
      #expect(members.count <= 5)
    }
  }
}

struct ServerIdentityTests {
  @Test func tableLeadsToEveryServer() {
    var service = ServiceModel(.localityLeastConnection)
    for index in 0..<1000 { service.add("10.0.\(index / 250).\(index % 250)", weight: 1) }
    service.withServers { set in
      for (position, server) in service.servers.enumerated() {
        #expect(set.position(ofIdentity: server.hashed.identity) == position)
      }
      for stranger in 0..<1000 as Range<UInt64> { #expect(set.position(ofIdentity: stranger) == -1) }
    }
  }

  @Test func addressAndPortCount() {
    let identities = [
      ServerIdentity.of(high: 0, low: 0x0a00_0001, port: 81, isIPv6: false),
      ServerIdentity.of(high: 0, low: 0x0a00_0002, port: 80, isIPv6: false),
      ServerIdentity.of(high: 0, low: 0x0a00_0001, port: 80, isIPv6: false),
      ServerIdentity.of(high: 0, low: 0x0a00_0001, port: 80, isIPv6: true),
      ServerIdentity.of(high: 0x0a00_0001, low: 0, port: 80, isIPv6: true),
    ]
    #expect(Set(identities).count == identities.count)
  }
}
