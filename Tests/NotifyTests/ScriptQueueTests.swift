import NIOCore
import NIOEmbedded
import Testing

@testable import Notify

@Suite struct ScriptQueueTests {
  private let loop = NIOAsyncTestingEventLoop()
  private let runner = StageRunner()
  private let journal = Journal()

  private func queue(_ limits: ScriptQueue.Limits = .init()) async throws -> NIOLoopBound<ScriptQueue> {
    let (loop, runner, log) = (loop, runner, journal.logger)
    return try await loop.executeInContext {
      NIOLoopBound(ScriptQueue(on: loop, runner: runner, log: log, limits: limits), eventLoop: loop)
    }
  }

  private func add(_ words: String..., for subject: String, to queue: NIOLoopBound<ScriptQueue>) async throws {
    try await loop.executeInContext { queue.value.add(words.map { Samples.script($0) }, for: .instance(subject)) }
  }

  private func running(_ queue: NIOLoopBound<ScriptQueue>) async throws -> Int {
    try await loop.executeInContext { queue.value.runningCount }
  }

  /// Runs, failures and losses.
  private func counts(_ queue: NIOLoopBound<ScriptQueue>) async throws -> [Int] {
    try await loop.executeInContext { [queue.value.runCount, queue.value.failedCount, queue.value.lostCount] }
  }

  private func close(_ queue: NIOLoopBound<ScriptQueue>) async throws -> EventLoopFuture<Void> {
    try await loop.executeInContext { queue.value.close() }
  }

  @Test func ofOneSubjectOneAfterTheOther() async throws {
    let queue = try await queue()
    try await add("master", "notify", for: "VI_1", to: queue)
    try await add("backup", for: "VI_1", to: queue)
    #expect(try await running(queue) == 1)
    #expect(try await runner.words(1) == [["master"]])
    runner.finish(0)
    #expect(try await runner.words(2) == [["master"], ["notify"]])
    #expect(try await running(queue) == 1)
    runner.finish(1)
    #expect(try await runner.words(3) == [["master"], ["notify"], ["backup"]])
    runner.finish(2)
    try await close(queue).get()
    #expect(try await counts(queue) == [3, 0, 0])
  }

  @Test func ofSeveralAtTheSameTimeButNotTooMany() async throws {
    var limits = ScriptQueue.Limits()
    limits.runningMax = 2
    let queue = try await queue(limits)
    for name in ["a", "b", "c"] { try await add(name, for: name, to: queue) }
    #expect(try await running(queue) == 2)
    #expect(Set(try await runner.words(2)) == [["a"], ["b"]])
    runner.finish(0)
    #expect(try await runner.words(3).last == ["c"])
    runner.finish(1)
    runner.finish(2)
    try await close(queue).get()
  }

  @Test func theOldestOfASubjectAreDropped() async throws {
    var limits = ScriptQueue.Limits()
    limits.subjectMax = 2
    let queue = try await queue(limits)
    for number in 0..<6 { try await add("\(number)", for: "VI_1", to: queue) }
    _ = try await runner.words(1)
    for number in 0..<3 {
      runner.finish(number)
      _ = try await runner.words(min(number + 2, 3))
    }
    try await close(queue).get()
    #expect(try await runner.words(3) == [["0"], ["4"], ["5"]], "what comes last also ends last")
    #expect(try await counts(queue) == [3, 0, 3])
    #expect(
      journal.lines == [
        "warning: scripts: too many wait for their turn, some are dropped (see which ones take long)",
        "notice: scripts: 3 were dropped; none waits any longer",
      ])
  }

  @Test func whatWaitsIsBoundedForAll() async throws {
    var limits = ScriptQueue.Limits()
    (limits.runningMax, limits.waitingMax) = (1, 2)
    let queue = try await queue(limits)
    try await add("running", for: "a", to: queue)
    try await add("old", for: "b", to: queue)
    try await add("other", for: "c", to: queue)
    try await add("none left", for: "d", to: queue)
    try await add("new", for: "b", to: queue)
    for number in 0..<3 {
      _ = try await runner.words(number + 1)
      runner.finish(number)
    }
    try await close(queue).get()
    #expect(Set(try await runner.words(3)) == [["running"], ["new"], ["other"]])
    #expect(try await counts(queue) == [3, 0, 2])
  }

  @Test func aFailureIsSaidUntilItEndsWell() async throws {
    let queue = try await queue()
    let ends: [ScriptEnd] = [
      .bad("exited with status 1"), .bad("exited with status 2"), .good, .notStarted("cannot run /x: reason"),
    ]
    for (number, end) in ends.enumerated() {
      try await add("/x", for: "VI_1", to: queue)
      _ = try await runner.words(number + 1)
      runner.finish(number, end)
      while try await running(queue) > 0 { try await Task.sleep(for: .milliseconds(2)) }
    }
    #expect(journal.lines == ["warning: script /x: exited with status 1", "warning: cannot run /x: reason"])
    #expect(try await counts(queue) == [3, 3, 0])
    try await close(queue).get()
  }

  @Test func theLimitOfTimeIsTheConfigurations() async throws {
    let queue = try await queue()
    try await loop.executeInContext { queue.value.timeLimit = .seconds(7) }
    try await add("/x", for: "VI_1", to: queue)
    _ = try await runner.words(1)
    #expect(runner.limits == [.seconds(7)])
    runner.finish(0)
    try await close(queue).get()
  }

  @Test func afterCloseNothingIsTaken() async throws {
    let queue = try await queue()
    try await add("first", "second", for: "VI_1", to: queue)
    let end = try await close(queue)
    try await add("third", for: "VI_1", to: queue)
    for number in 0..<2 {
      _ = try await runner.words(number + 1)
      runner.finish(number)
    }
    try await end.get()
    #expect(try await runner.words(2) == [["first"], ["second"]])
  }

  @Test func abortEndsWhatRunsAndDropsWhatWaits() async throws {
    let queue = try await queue()
    try await add("first", "second", "third", for: "VI_1", to: queue)
    _ = try await runner.words(1)
    let end = try await close(queue)
    try await loop.executeInContext { queue.value.abort() }
    try await end.get()
    #expect(runner.cancelled == [0])
    #expect(try await runner.words(1) == [["first"]])
    #expect(try await counts(queue) == [1, 0, 2])
    #expect(journal.lines == ["warning: scripts: 2 are dropped, lbd ends"])
  }
}
