import CShims
import Glibc
import Kernel
import Testing

@testable import Dataplane

/// Workers and an expiry hand on one table, built to be run under ThreadSanitizer (`make test-tsan`).
///
/// The sanitizer has nothing to say about the table's own words: all of them are atomic. What it can judge is what the
/// table promises about *other* memory: whoever finds a key sees everything its inserter did before. So every key has a
/// note, plain memory written just before the insert and read by whoever finds it; and whoever removes an entry,
/// which must be exactly one, writes down so in plain memory too. An order that is too weak anywhere is a data race
/// on these, on any processor. No key is inserted twice, so a note is never written again.
@Suite(.serialized) struct ConnectionTableRaceTests {
  /// All that threads share. Numbers are keys; thread `t` inserts those from t * `numbersPerThread` on.
  struct Arena<Key: ConnectionKey>: @unchecked Sendable {
    let table: ConnectionTable<Key>
    let threads: Int
    let numbersPerThread: Int
    /// Plain: number -> what its inserter wrote.
    let notes: UnsafeMutablePointer<UInt64>
    /// Plain: number -> how often it was removed.
    let removals: UnsafeMutablePointer<UInt8>
    /// Atomic, a cache line each: how many numbers a thread has used; behind them the tick, and how many have finished.
    let progress: UnsafeMutablePointer<UInt64>

    var tick: UnsafeMutablePointer<UInt64> { progress + threads * 8 }
    var finished: UnsafeMutablePointer<UInt64> { progress + (threads + 1) * 8 }
    var numberCount: Int { threads * numbersPerThread }

    init(bench: ConnectionTableTests.Bench<Key>, threads: Int, numbersPerThread: Int) {
      table = bench.table
      self.threads = threads
      self.numbersPerThread = numbersPerThread
      notes = .allocate(capacity: threads * numbersPerThread)
      removals = .allocate(capacity: threads * numbersPerThread)
      progress = .allocate(capacity: (threads + 2) * 8)
      notes.initialize(repeating: 0, count: threads * numbersPerThread)
      removals.initialize(repeating: 0, count: threads * numbersPerThread)
      progress.initialize(repeating: 0, count: (threads + 2) * 8)
    }

    func deallocate() {
      notes.deallocate()
      removals.deallocate()
      progress.deallocate()
    }

    static func key(_ number: Int) -> Key { ConnectionTableTests.Bench<Key>.key(number) }
    static func note(_ number: Int) -> UInt64 { UInt64(number) &* 0x9e37_79b9_7f4a_7c15 | 1 }
    /// Every fourth key takes two slots, as replies of FULLNAT do.
    static func isPair(_ number: Int) -> Bool { number % 4 == 0 }
    static func continuation(_ number: Int) -> Key { key(number + 1 << 28) }

    /// The number is in the value as well: a value tells whose it is.
    static func value(_ number: Int, tick: UInt64) -> Connection {
      var connection = Connection(server: UInt16(truncatingIfNeeded: number), noOutput: false)
      connection.localPort = UInt16(truncatingIfNeeded: number >> 16)
      return stamped(connection, tick: tick)
    }

    static func number(_ connection: Connection) -> Int { Int(connection.server) | Int(connection.localPort) << 16 }

    static func stamped(_ connection: Connection, tick: UInt64) -> Connection {
      var clock = Clock()
      clock.set(nanoseconds: tick * 500_000_000)
      var connection = connection
      connection.touch(clock)
      return connection
    }

    static func age(_ connection: Connection, tick: UInt64) -> UInt64 {
      var clock = Clock()
      clock.set(nanoseconds: tick * 500_000_000)
      return connection.idleTicks(clock)
    }
  }

  /// What a thread did, and what it found wrong.
  struct Report: Sendable {
    var inserted = 0
    var full = 0
    var found = 0
    var removed = 0
    var wrong = 0

    static func + (left: Report, right: Report) -> Report {
      Report(
        inserted: left.inserted + right.inserted, full: left.full + right.full, found: left.found + right.found,
        removed: left.removed + right.removed, wrong: left.wrong + right.wrong)
    }
  }

  // MARK: - What threads do

  private static func insert<Key>(_ number: Int, into arena: Arena<Key>, generation: UInt64, _ report: inout Report) {
    let key = Arena<Key>.key(number)
    arena.notes[number] = Arena<Key>.note(number)
    let insertion = arena.table.insert(
      key, hash: key.hash(arena.table.secret),
      value: Arena<Key>.value(number, tick: lbd_load_relaxed(arena.tick)), generation: generation,
      continuation: Arena<Key>.isPair(number) ? Arena<Key>.continuation(number) : nil)
    switch insertion {
    case .inserted: report.inserted += 1
    case .existing: report.wrong += 1
    case .full: report.full += 1
    }
  }

  /// Looks a key up, touches or removes it; it may have been removed long ago, or not be there yet.
  private static func visit<Key>(_ number: Int, in arena: Arena<Key>, action: Int, _ report: inout Report) {
    let table = arena.table
    let key = Arena<Key>.key(number)
    guard let slot = table.find(key, hash: key.hash(table.secret)) else { return }
    // Before the value is looked at: finding the key alone must be enough.
    if arena.notes[number] != Arena<Key>.note(number) { report.wrong += 1 }
    report.found += 1
    let old = table.load(slot)
    let continued = Arena<Key>.isPair(number) ? Key(slot + Key.wordsPerSlot).at(endpoint: 7) : nil
    // Meanwhile the slot may have become somebody else's. Still the same key: then all that was read was this one's.
    guard !old.isDead, key.matches(slot), !table.load(slot).isDead else { return }
    if Arena<Key>.number(old) != number { report.wrong += 1 }
    if let continued, continued != Arena<Key>.continuation(number) { report.wrong += 1 }
    switch action {
    case 0: remove(slot, old, in: arena, &report)
    case 1...4: _ = table.replace(slot, old: old, with: Arena<Key>.stamped(old, tick: lbd_load_relaxed(arena.tick)))
    default: break
    }
  }

  private static func remove<Key>(
    _ slot: UnsafeMutablePointer<UInt64>, _ old: Connection, in arena: Arena<Key>, _ report: inout Report
  ) {
    let number = Arena<Key>.number(old)
    guard arena.table.remove(slot, ifStill: old, hasContinuation: Arena<Key>.isPair(number)) else { return }
    // The value alone was looked at: that must be enough, too.
    if arena.notes[number] != Arena<Key>.note(number) { report.wrong += 1 }
    arena.removals[number] += 1
    report.removed += 1
  }

  private static func work<Key>(_ arena: Arena<Key>, thread: Int) -> Report {
    var report = Report()
    var random = SplitMix(seed: UInt64(thread) + 1)
    for count in 0..<arena.numbersPerThread {
      let number = thread * arena.numbersPerThread + count
      insert(number, into: arena, generation: 1 << 31 | UInt64(number), &report)
      lbd_store_relaxed(arena.progress + thread * 8, UInt64(count + 1))
      for _ in 0..<6 {
        let other = random.next(below: arena.threads)
        let reached = Int(lbd_load_relaxed(arena.progress + other * 8))
        // The newest most of all, and the one that is just coming.
        let back = random.next(below: 2) == 0 ? random.next(below: 3) : random.next(below: 60)
        let target = min(max(0, reached + 1 - back), arena.numbersPerThread - 1)
        visit(other * arena.numbersPerThread + target, in: arena, action: random.next(below: 12), &report)
      }
    }
    _ = lbd_fetch_add(arena.finished, 1)
    return report
  }

  private static func sweep<Key>(_ arena: Arena<Key>, olderThan age: UInt64, _ report: inout Report) {
    let table = arena.table
    let tick = lbd_load_relaxed(arena.tick)
    for line in 0..<UInt64(table.lineCount) {
      let first = table.line(line)
      if table.isEmpty(first) { continue }
      for position in 0..<ConnectionTable<Key>.slotsPerLine {
        let slot = first + position * Key.wordsPerSlot
        let endpoint = UInt16(truncatingIfNeeded: lbd_load_acquire(slot))
        if endpoint == 0 || endpoint == 0xffff { continue }
        let connection = table.load(slot)
        if connection.isDead || Arena<Key>.age(connection, tick: tick) < age { continue }
        remove(slot, connection, in: arena, &report)
      }
      table.clearMark(line: line)
    }
  }

  /// The hand: every turn is a tick, and what has not been touched for three is removed.
  private static func expire<Key>(_ arena: Arena<Key>) -> Report {
    var report = Report()
    while lbd_load_relaxed(arena.finished) < UInt64(arena.threads) {
      _ = lbd_fetch_add(arena.tick, 1)
      sweep(arena, olderThan: 3, &report)
    }
    return report
  }

  // MARK: - The tests

  /// More with LBD_RACE_ROUNDS, which `make test-tsan` sets.
  private static var rounds: Int { getenv("LBD_RACE_ROUNDS").flatMap { Int(String(cString: $0)) } ?? 1 }

  private func race<Key: ConnectionKey & SendableMetatype>(_ type: Key.Type, threads: Int) throws {
    for round in 0..<Self.rounds {
      let bench = ConnectionTableTests.Bench<Key>(lines: Key.wordsPerSlot == 2 ? 32 : 64, seed: UInt64(round))
      let arena = Arena<Key>(bench: bench, threads: threads, numbersPerThread: 12_000 / threads)
      defer { arena.deallocate() }
      nonisolated(unsafe) let reports = UnsafeMutablePointer<Report>.allocate(capacity: threads + 1)
      reports.initialize(repeating: Report(), count: threads + 1)
      defer { reports.deallocate() }
      let running = UnsafeMutablePointer<PinnedThread>.allocate(capacity: threads + 1)
      defer { running.deallocate() }
      for thread in 0..<threads {
        (running + thread).initialize(
          to: try PinnedThread.start(name: "race-\(thread)", core: nil) {
            reports[thread] = Self.work(arena, thread: thread)
          })
      }
      (running + threads).initialize(
        to: try PinnedThread.start(name: "race-hand", core: nil) { reports[threads] = Self.expire(arena) })
      for thread in 0...threads { (running + thread).move().join() }
      var sum = (0...threads).reduce(Report()) { $0 + reports[$1] }
      Self.sweep(arena, olderThan: 0, &sum)
      #expect(sum.wrong == 0 && sum.inserted == sum.removed, "round \(round): \(sum)")
      #expect(sum.inserted > 100 && sum.found > 100, "round \(round): \(sum)")
      #expect((0..<arena.numberCount).allSatisfy { arena.removals[$0] <= 1 }, "round \(round)")
      for _ in 0...Limits.probeLineLimit { bench.clearMarks() }
      #expect(bench.used == (0, 0), "round \(round)")
    }
  }

  @Test(arguments: [2, 4]) func addressesV4(threads: Int) throws { try race(KeyV4.self, threads: threads) }
  @Test(arguments: [2, 4]) func addressesV6(threads: Int) throws { try race(KeyV6.self, threads: threads) }
}
