import CShims
import Glibc
import Kernel
import Testing

@testable import Dataplane

/// Threads on one table: keys of their own, keys they fight for, and a hand that takes marks away all the time.
@Suite(.serialized) struct ConnectionTableStressTests {
  typealias Bench = ConnectionTableTests.Bench

  /// What a thread found wrong, and what it did.
  struct Report: Sendable {
    var inserted = 0
    var removed = 0
    var lost = 0
    var strange = 0
    var doubled = 0
    var full = 0

    static func + (left: Report, right: Report) -> Report {
      Report(
        inserted: left.inserted + right.inserted, removed: left.removed + right.removed, lost: left.lost + right.lost,
        strange: left.strange + right.strange, doubled: left.doubled + right.doubled, full: left.full + right.full)
    }
  }

  private static let shared = 12

  /// A thread's life: numbers below `shared` are everybody's, the others its own.
  private static func live<Key>(
    _ table: ConnectionTable<Key>, thread: Int, threads: Int, owners: UnsafeMutablePointer<UInt64>,
    stop: UnsafeMutablePointer<UInt64>
  ) -> Report {
    var report = Report()
    var random = SplitMix(seed: UInt64(thread) + 77)
    var generation: UInt64 = 1 << 31 | UInt64(thread) << 24
    var mine: [Int: UnsafeMutablePointer<UInt64>] = [:]
    let range = 40
    while lbd_load_relaxed(stop) == 0 {
      let isShared = random.next(below: 2) == 0
      let number = isShared ? random.next(below: shared) : 1000 + thread * range + random.next(below: range)
      let isPair = number % 4 == 0
      let key = Bench<Key>.key(number)
      let hash = key.hash(table.secret)
      if let slot = mine[number] {
        // It is there as long as it is ours. A rival for a shared key may be seen for the moment before it gives way.
        let found = table.find(key, hash: hash)
        if found == nil || !isShared && found != slot { report.lost += 1 }
        if random.next(below: 2) == 0 { continue }
        if isShared { _ = lbd_fetch_add(owners + number, UInt64.max) }
        guard table.remove(slot, hasContinuation: isPair)?.server == UInt16(number) else {
          report.lost += 1
          continue
        }
        mine[number] = nil
        report.removed += 1
        if !isShared, table.find(key, hash: hash) != nil { report.strange += 1 }
        continue
      }
      generation += 1
      let value = Connection(server: UInt16(number), noOutput: false)
      switch table.insert(
        key, hash: hash, value: value, generation: generation,
        continuation: isPair ? Bench<Key>.key(number + 500_000) : nil)
      {
      case .inserted(let slot):
        report.inserted += 1
        mine[number] = slot
        if isShared, lbd_fetch_add(owners + number, 1) != 0 { report.doubled += 1 }
      case .existing: if !isShared { report.strange += 1 }
      case .full: report.full += 1
      }
      let absent = Bench<Key>.key(900_000 + random.next(below: 1000))
      if table.find(absent, hash: absent.hash(table.secret)) != nil { report.strange += 1 }
      let other = Bench<Key>.key(random.next(below: shared))
      if let slot = table.find(other, hash: other.hash(table.secret)) {
        let connection = table.load(slot)
        if other.matches(slot), connection.server != UInt16(other.port) { report.strange += 1 }
      }
    }
    for (number, slot) in mine {
      if number < shared { _ = lbd_fetch_add(owners + number, UInt64.max) }
      if table.remove(slot, hasContinuation: number % 4 == 0) != nil { report.removed += 1 }
    }
    return report
  }

  private func stress<Key: ConnectionKey & SendableMetatype>(_ type: Key.Type, threads: Int) throws {
    let bench = Bench<Key>(lines: Key.wordsPerSlot == 2 ? 32 : 64)
    nonisolated(unsafe) let table = bench.table
    nonisolated(unsafe) let words = UnsafeMutablePointer<UInt64>.allocate(capacity: 64)
    nonisolated(unsafe) let reports = UnsafeMutablePointer<Report>.allocate(capacity: threads)
    words.initialize(repeating: 0, count: 64)
    reports.initialize(repeating: Report(), count: threads)
    defer {
      words.deallocate()
      reports.deallocate()
    }
    let running = UnsafeMutablePointer<PinnedThread>.allocate(capacity: threads + 1)
    defer { running.deallocate() }
    for thread in 0..<threads {
      (running + thread).initialize(
        to: try PinnedThread.start(name: "stress-\(thread)", core: nil) {
          reports[thread] = Self.live(table, thread: thread, threads: threads, owners: words + 8, stop: words)
        })
    }
    (running + threads).initialize(
      to: try PinnedThread.start(name: "stress-hand", core: nil) {
        while lbd_load_relaxed(words) == 0 {
          for line in 0..<UInt64(table.lineCount) { table.clearMark(line: line) }
        }
      })
    usleep(600_000)
    lbd_store_release(words, 1)
    for thread in 0...threads { (running + thread).move().join() }
    let sum = (0..<threads).reduce(Report()) { $0 + reports[$1] }
    #expect(sum.lost == 0 && sum.strange == 0 && sum.doubled == 0, "\(sum)")
    #expect(sum.inserted > 1000 && sum.inserted == sum.removed, "\(sum)")
    for _ in 0...Limits.probeLineLimit { bench.clearMarks() }
    #expect(bench.used == (0, 0))
  }

  @Test(arguments: [2, 3]) func addressesV4(threads: Int) throws { try stress(KeyV4.self, threads: threads) }
  @Test(arguments: [2, 3]) func addressesV6(threads: Int) throws { try stress(KeyV6.self, threads: threads) }
}
