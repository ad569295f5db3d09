import Logging
import NIOCore
import NIOEmbedded
import Testing

@testable import Notify

/// Programs that read a pipe, on a loop whose time a test moves.
@Suite struct FIFOReaderTests {
  private let loop = NIOAsyncTestingEventLoop()
  private let runner = StageRunner()
  private let journal = Journal()

  private func reader() async throws -> NIOLoopBound<FIFOReader> {
    let (loop, runner, log) = (loop, runner, journal.logger)
    return try await loop.executeInContext {
      let script = Samples.script("/bin/read", "-v")
      return NIOLoopBound(FIFOReader(script, path: "/run/pipe", on: loop, runner: runner, log: log), eventLoop: loop)
    }
  }

  /// Returns once the loop has heard of the last script's end: it has something to do at a time yet to come.
  private func untilSaid(_ count: Int) async throws {
    while journal.lines.count < count { try await Task.sleep(for: .milliseconds(2)) }
    await loop.run()
  }

  @Test func thePathIsTheLastArgument() async throws {
    let reader = try await reader()
    #expect(try await runner.words(1) == [["/bin/read", "-v", "/run/pipe"]])
    #expect(runner.limits == [nil], "a companion")
    let end = try await loop.executeInContext { reader.value.close() }
    runner.finish(0)
    try await end.get()
    #expect(journal.lines.isEmpty)
  }

  @Test func itIsStartedAgainLaterAndLater() async throws {
    let reader = try await reader()
    _ = try await runner.words(1)
    runner.finish(0, .bad("exited with status 3"))
    try await untilSaid(1)
    #expect(journal.lines == ["warning: FIFO script /bin/read -v /run/pipe: exited with status 3; it is started again"])
    await loop.advanceTime(by: .milliseconds(999))
    #expect(try await runner.words(1).count == 1)
    await loop.advanceTime(by: .milliseconds(1))
    #expect(try await runner.words(2).count == 2)
    let end = try await loop.executeInContext {
      let end = reader.value.close()
      reader.value.abort()
      return end
    }
    try await end.get()
    #expect(runner.cancelled == [1])
  }

  @Test func pausesGrowToAMinute() {
    #expect((0...7).map { FIFOReader.pause(after: $0) } == [1, 2, 4, 8, 16, 32, 60, 60].map { TimeAmount.seconds($0) })
    #expect(FIFOReader.pause(after: .max) == .seconds(60))
  }

  @Test func whileItWaitsItCanBeClosed() async throws {
    let reader = try await reader()
    _ = try await runner.words(1)
    runner.finish(0, .notStarted("cannot run /bin/read: No such file or directory"))
    try await untilSaid(1)
    #expect(
      journal.lines == ["warning: cannot run /bin/read: No such file or directory; it is started again"])
    let end = try await loop.executeInContext { reader.value.close() }
    try await end.get()
    await loop.advanceTime(by: .minutes(5))
    let again = try await loop.executeInContext { reader.value.close() }
    try await again.get()
    #expect(try await runner.words(1).count == 1)
  }

  /// Closing a pipe ends its reader after a second, if the reader does not end by itself.
  @Test func aReaderThatDoesNotListenIsEnded() async throws {
    let folder = try Folder()
    let (loop, runner, log) = (loop, runner, journal.logger)
    let path = folder("pipe")
    let fifos = try await loop.executeInContext {
      let fifos = FIFOSet(on: loop, runner: runner, log: log)
      var settings = NotifierSettings()
      settings.fifo = .init(path: path, script: Samples.script("/bin/read"))
      fifos.configure(settings)
      // Again: it is not started twice.
      fifos.configure(settings)
      return NIOLoopBound(fifos, eventLoop: loop)
    }
    #expect(try await runner.words(1) == [["/bin/read", path]])
    let end = try await loop.executeInContext { fifos.value.close() }
    await loop.advanceTime(by: .milliseconds(999))
    #expect(runner.cancelled.isEmpty)
    await loop.advanceTime(by: .milliseconds(1))
    try await end.get()
    #expect(runner.cancelled == [0])
  }
}
