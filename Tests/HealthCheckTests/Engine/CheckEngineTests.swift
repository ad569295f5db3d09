import Testing

@testable import HealthCheck

@Suite struct CheckEngineTests {
  private static func check(
    _ number: Int, _ kind: CheckKind = .tcp, server: Int = 1, service: Int = 100,
    _ change: (inout CheckTimes) -> Void = { _ in }
  ) -> NamedCheck {
    NamedCheck(
      id: Samples.id(number, server: server, service: service), definition: Samples.definition(kind, change))
  }

  /// Runs the engine up to `end`; every attempt takes `duration` and ends as `result` says.
  private static func run(
    _ engine: inout CheckEngine, from start: UInt64 = 0, to end: UInt64, duration: UInt64 = 0,
    result: (CheckID, UInt64) -> AttemptResult = { _, _ in .well() }
  ) -> (begins: [CheckID: [UInt64]], reports: [CheckReport]) {
    var begins: [CheckID: [UInt64]] = [:]
    var reports: [CheckReport] = []
    var now = start
    while let next = engine.nextNanoseconds, max(next, now) <= end {
      now = max(next, now)
      while let attempt = engine.begin(atNanoseconds: now) {
        guard let check = engine.check(of: attempt) else { continue }
        begins[check.id, default: []].append(now)
        let report = engine.end(attempt, with: result(check.id, now), atNanoseconds: now + duration)
        if let report { reports.append(report) }
      }
    }
    return (begins, reports)
  }

  private func begin(_ engine: inout CheckEngine, at now: UInt64) throws -> CheckAttempt {
    let attempt = engine.begin(atNanoseconds: now)
    return try #require(attempt)
  }

  @Test func firstAttemptsAreSpreadOverTheWarmUp() {
    var engine = CheckEngine(seed: 1)
    let checks = (0..<1000).map { number in Self.check(number) { $0.warmup = .seconds(10) } }
    _ = engine.update(to: checks, atNanoseconds: 0)
    var begins = Array(repeating: 0, count: 10)
    while let attempt = engine.begin(atNanoseconds: 11 * Samples.second) {
      #expect(engine.check(of: attempt) != nil)
    }
    for status in engine.statuses { #expect(status.isRunning) }
    engine = CheckEngine(seed: 1)
    _ = engine.update(to: checks, atNanoseconds: 0)
    for status in engine.statuses {
      let due = status.nextNanoseconds ?? 0
      #expect((Samples.second..<11 * Samples.second).contains(due))
      begins[Int((due - Samples.second) / Samples.second)] += 1
    }
    #expect(begins.allSatisfy { $0 > 60 && $0 < 140 }, "\(begins)")
  }

  /// What passive detection waits for: a success of an attempt that began later, told though it is no news.
  @Test func aSuccessThatIsAskedForIsTold() throws {
    var engine = CheckEngine(seed: 1)
    let check = Self.check(0)
    _ = engine.update(to: [check], atNanoseconds: 0)
    func attempt(_ result: AttemptResult) throws -> (begin: UInt64, report: CheckReport?) {
      let now = try #require(engine.nextNanoseconds)
      let attempt = try begin(&engine, at: now)
      return (now, engine.end(attempt, with: result, atNanoseconds: now + 5))
    }
    #expect(try attempt(.well()).report?.confirms == false)
    #expect(try attempt(.well()).report == nil)
    // Asked for while an attempt is under way: that one does not count.
    let due = try #require(engine.nextNanoseconds)
    let early = try begin(&engine, at: due)
    let isThere = engine.confirm(check.id, sinceNanoseconds: due + 1)
    #expect(isThere)
    #expect(engine.end(early, with: .well(), atNanoseconds: due + 5) == nil)
    let failed = try attempt(.failed(.connectTimeout)).report
    #expect(failed?.confirms != true)
    var report = try attempt(.well()).report
    while report == nil { report = try attempt(.well()).report }
    #expect(report?.confirms == true && report?.verdict == .well && report?.phrase == nil)
    // Once.
    #expect(try attempt(.well()).report == nil)
    let isUnknown = engine.confirm(Samples.id(9, server: 9, service: 9), sinceNanoseconds: 0)
    #expect(!isUnknown)
  }

  @Test func theNextAttemptCountsFromTheEndOfTheLast() {
    var engine = CheckEngine(seed: 1)
    _ = engine.update(to: [Self.check(0)], atNanoseconds: 0)
    let begins = Self.run(&engine, to: 40 * Samples.second, duration: Samples.second / 2).begins[Samples.id()]
    #expect(begins == [1_000_000_000, 11_500_000_000, 22_000_000_000, 32_500_000_000])
  }

  @Test func tenMillisecondsAreKept() {
    var engine = CheckEngine(seed: 1)
    _ = engine.update(to: [Self.check(0) { $0.delayLoop = .milliseconds(10) }], atNanoseconds: 0)
    let begins = Self.run(&engine, to: 2 * Samples.second).begins[Samples.id()] ?? []
    #expect(begins.count == 101)
    #expect(zip(begins, begins.dropFirst()).allSatisfy { $1 - $0 == 10_000_000 })
  }

  @Test func whoIsLateRunsOnce() {
    var engine = CheckEngine(seed: 1)
    _ = engine.update(to: [Self.check(0)], atNanoseconds: 0)
    let begins = Self.run(&engine, from: 1000 * Samples.second, to: 1010 * Samples.second).begins[Samples.id()]
    #expect(begins == [1000 * Samples.second, 1010 * Samples.second])
  }

  @Test func reportsSayWhatWhenAndWhatNext() {
    var engine = CheckEngine(seed: 1)
    let added = engine.update(to: [Self.check(0)], atNanoseconds: 0)
    #expect(added.reports.map(\.event) == [.added])
    #expect(added.reports.map(\.verdict) == [.well])
    let reports = Self.run(&engine, to: 3 * Samples.second) { _, _ in .failed(.connect(111)) }.reports
    #expect(reports.count == 1)
    #expect(reports.first?.id == Samples.id())
    #expect(reports.first?.event == .verdict(isFirst: true, failures: 1))
    #expect(reports.first?.verdict == .failed)
    #expect(reports.first?.error == .connect(111))
    #expect(reports.first?.atNanoseconds == Samples.second)
    #expect(reports.first?.nextNanoseconds == 11 * Samples.second)
    let status = engine.statuses.first
    #expect(status?.verdict == .failed)
    #expect(status?.sinceNanoseconds == Samples.second)
    #expect(status?.nextNanoseconds == 11 * Samples.second)
    #expect(status?.lastError == .connect(111))
    #expect(status?.isPresumed == false)
  }

  @Test func anEndCountsOnce() throws {
    var engine = CheckEngine(seed: 1)
    _ = engine.update(to: [Self.check(0)], atNanoseconds: 0)
    let attempt = try begin(&engine, at: Samples.second)
    let second = engine.begin(atNanoseconds: 100 * Samples.second)
    #expect(second == nil)
    let first = engine.end(attempt, with: .failed(.noData), atNanoseconds: Samples.second)
    let again = engine.end(attempt, with: .well(), atNanoseconds: Samples.second)
    #expect(first != nil && again == nil)
    #expect(engine.statuses.first?.verdict == .failed)
  }

  @Test func checkNowRunsNowOrNext() throws {
    var engine = CheckEngine(seed: 1)
    _ = engine.update(to: [Self.check(0)], atNanoseconds: 0)
    let isThere = engine.checkNow(Samples.id(), atNanoseconds: 5)
    let attempt = try begin(&engine, at: 5)
    let isThereStill = engine.checkNow(Samples.id(), atNanoseconds: 6)
    let second = engine.begin(atNanoseconds: 6)
    #expect(isThere && isThereStill && second == nil)
    _ = engine.end(attempt, with: .well(), atNanoseconds: 7)
    #expect(engine.nextNanoseconds == 7)
    let isUnknown = engine.checkNow(Samples.id(9), atNanoseconds: 7)
    #expect(!isUnknown)
  }

  @Test func aSuspendedServiceStaysAsItIs() throws {
    var engine = CheckEngine(seed: 1)
    let other = Self.check(0, service: 101)
    _ = engine.update(to: [Self.check(0), other], atNanoseconds: 0)
    _ = Self.run(&engine, to: Samples.second) { _, _ in .failed(.noData) }
    let running = try begin(&engine, at: 11 * Samples.second)
    let ended = [engine.suspend(service: Samples.id().service), engine.suspend(service: Samples.id().service)]
    #expect(ended == [[running], []])
    let report = engine.end(running, with: .well(), atNanoseconds: 12 * Samples.second)
    let runsNow = engine.checkNow(Samples.id(), atNanoseconds: 12 * Samples.second)
    #expect(report == nil && !runsNow)
    let begins = Self.run(&engine, from: 12 * Samples.second, to: 100 * Samples.second).begins
    #expect(begins.keys.map(\.service) == [other.id.service])
    let status = try #require(engine.statuses.first)
    #expect(status.isSuspended && status.verdict == .failed && status.nextNanoseconds == nil)
    // A reload in between changes nothing about it, and what it adds to the service waits too.
    _ = engine.update(to: [Self.check(0), Self.check(1, .ping), other], atNanoseconds: 101 * Samples.second)
    #expect(engine.statuses.map(\.isSuspended) == [true, true, false])
    engine.resume(service: Samples.id().service, atNanoseconds: 102 * Samples.second)
    #expect(engine.statuses.first?.nextNanoseconds == 102 * Samples.second)
    #expect(engine.statuses.first?.verdict == .failed)
  }

  @Test func whatIsTheSameGoesOn() throws {
    var engine = CheckEngine(seed: 1)
    _ = engine.update(to: [Self.check(0), Self.check(1, .ping)], atNanoseconds: 0)
    _ = Self.run(&engine, to: Samples.second) { _, _ in .failed(.noData) }
    let running = try begin(&engine, at: 11 * Samples.second)
    // The same again, at another place and with another loop; and one that asks for something else.
    let update = engine.update(
      to: [Self.check(0, .ping) { $0.delayLoop = .seconds(2) }, Self.check(1), Self.check(2, .udp(UDPDefinition()))],
      atNanoseconds: 12 * Samples.second)
    #expect(update.ended.isEmpty)
    #expect(update.reports.map(\.id.number) == [0, 1, 2])
    #expect(update.reports.map(\.verdict) == [.failed, .failed, .well])
    #expect(engine.check(of: running)?.id == Samples.id(1))
    let report = engine.end(running, with: .well(), atNanoseconds: 12 * Samples.second)
    #expect(report?.verdict == .well)
    // It was due at 11 s; the shorter loop does not put it off.
    #expect(engine.statuses[0].nextNanoseconds == 11 * Samples.second)
  }

  @Test func aShorterLoopTakesEffectAtOnce() {
    var engine = CheckEngine(seed: 1)
    _ = engine.update(to: [Self.check(0)], atNanoseconds: 0)
    _ = Self.run(&engine, to: Samples.second)
    _ = engine.update(to: [Self.check(0) { $0.delayLoop = .seconds(1) }], atNanoseconds: 2 * Samples.second)
    #expect(engine.nextNanoseconds == 3 * Samples.second)
  }

  @Test func whatIsAnotherStartsAsNew() throws {
    var engine = CheckEngine(seed: 1)
    _ = engine.update(to: [Self.check(0)], atNanoseconds: 0)
    _ = Self.run(&engine, to: Samples.second) { _, _ in .failed(.noData) }
    let running = try begin(&engine, at: 11 * Samples.second)
    var changed = Self.check(0).definition
    changed.target.port = 8080
    let update = engine.update(
      to: [NamedCheck(id: Samples.id(), definition: changed)], atNanoseconds: 12 * Samples.second)
    #expect(update.ended == [running])
    #expect(update.reports.map(\.verdict) == [.well])
    let report = engine.end(running, with: .well(), atNanoseconds: 12 * Samples.second)
    #expect(report == nil)
    #expect(engine.nextNanoseconds == 13 * Samples.second)
    _ = engine.update(to: [], atNanoseconds: 13 * Samples.second)
    #expect(engine.count == 0 && engine.nextNanoseconds == nil && engine.statuses.isEmpty)
  }

  @Test func twoOfOneNameAreOne() {
    var engine = CheckEngine(seed: 1)
    let update = engine.update(to: [Self.check(0), Self.check(0, .ping)], atNanoseconds: 0)
    #expect(update.reports.count == 1)
    #expect(engine.statuses.map(\.definition.kind) == [.tcp])
  }

  /// Random edits, ends, suspensions: every check that is there and not suspended runs or has a time; numbers are never
  /// mixed up.
  @Test func noCheckIsEverForgotten() {
    print("check engine seed \(Samples.seed)")
    var random = SplitMix(Samples.seed)
    var engine = CheckEngine(seed: Samples.seed)
    var running: [CheckAttempt] = []
    var suspended: Set<Int> = []
    var now: UInt64 = 0
    for _ in 0..<3000 {
      now += UInt64.random(in: 0..<3 * Samples.second, using: &random)
      switch Int.random(in: 0..<10, using: &random) {
      case 0:
        let checks = (0..<Int.random(in: 0..<30, using: &random)).map { _ in
          Self.check(
            Int.random(in: 0..<3, using: &random), [.tcp, .ping, Samples.pages(3)].randomElement(using: &random)!,
            server: Int.random(in: 0..<4, using: &random), service: Int.random(in: 0..<3, using: &random))
        }
        let before = Set(engine.statuses.map(\.id))
        let update = engine.update(to: checks, atNanoseconds: now)
        let news = Set(engine.statuses.map(\.id)).subtracting(before)
        #expect(news.isSubset(of: Set(update.reports.map(\.id))))
        for attempt in update.ended { #expect(engine.check(of: attempt) == nil) }
      case 1:
        let service = Int.random(in: 0..<3, using: &random)
        _ = engine.suspend(service: Samples.id(service: service).service)
        suspended.insert(service)
      case 2:
        let service = Int.random(in: 0..<3, using: &random)
        engine.resume(service: Samples.id(service: service).service, atNanoseconds: now)
        suspended.remove(service)
      case 3..<6:
        guard let attempt = running.randomElement(using: &random) else { break }
        let isThere = engine.check(of: attempt) != nil
        let result: AttemptResult = Bool.random(using: &random) ? .well() : .failed(.noData)
        let report = engine.end(attempt, with: result, atNanoseconds: now)
        #expect(isThere || report == nil)
        running.removeAll { $0 == attempt }
      default:
        if let attempt = engine.begin(atNanoseconds: now) { running.append(attempt) }
      }
      let names = suspended.map { Samples.id(service: $0).service }
      for status in engine.statuses {
        let isSuspended = names.contains(status.id.service)
        #expect(status.isSuspended == isSuspended)
        #expect((status.nextNanoseconds != nil) == (!isSuspended && !status.isRunning))
      }
    }
  }
}
