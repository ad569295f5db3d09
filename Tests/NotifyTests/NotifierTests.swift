import Glibc
import Logging
import NIOCore
import NIOEmbedded
import NIOPosix
import Synchronization
import Testing

@testable import Notify

/// All of it, from the call to the pipe, the script and the mail server.
@Suite struct NotifierTests {
  private let folder: Folder
  private let journal = Journal()

  init() throws { folder = try Folder() }

  private func notifier(
    on loop: any EventLoop, _ runner: StageRunner,
    connect: MailConnector? = nil
  ) -> Notifier {
    Notifier(
      on: loop, runner: runner, log: journal.logger, host: Samples.host, connect: connect ?? connectMail(on: loop),
      time: { 1_000_000_000 })
  }

  private func settings(port: Int? = nil) -> NotifierSettings {
    var settings = NotifierSettings()
    settings.fifo = .init(path: folder("pipe"))
    if let port {
      settings.mail = Samples.mail { ($0.server, $0.port, $0.recipients) = ("127.0.0.1", port, ["ops@x.org"]) }
    }
    return settings
  }

  private func state(_ state: Notice.VRRPState, _ priority: Int = 100) -> Notice {
    Notice(
      Samples.instance, .state(state, priority: priority), scripts: ["notify": Samples.script("/n")], sendsMail: true)
  }

  private static func mailed(_ heard: [String]) -> [String] {
    heard.flatMap { $0.matches(of: #/Subject: (.*?)\r\n/#).map { String($0.1) } }
  }

  @Test func aNoticeGoesThreeWays() async throws {
    let server = try await LoopbackServer()
    let runner = StageRunner(isQuick: true)
    let notifier = notifier(on: server.loop, runner)
    notifier.configure(settings(port: server.port))
    notifier.tell([state(.backup), state(.master, 150)])
    let heard = try await server.heard(12)
    let reader = try PipeReader(folder("pipe"))
    #expect(reader.read() == .text("INSTANCE \"VI_1\" BACKUP 100\nINSTANCE \"VI_1\" MASTER 150\n"))
    #expect(
      try await runner.words(2) == [
        ["/n", "INSTANCE", "VI_1", "BACKUP", "100"], ["/n", "INSTANCE", "VI_1", "MASTER", "150"],
      ])
    #expect(
      Self.mailed(heard) == [
        "[LVS_DEVEL] VRRP Instance VI_1 - Entering BACKUP state",
        "[LVS_DEVEL] VRRP Instance VI_1 - Entering MASTER state",
      ])
    try await notifier.close(within: .minutes(30)).get()
    let numbers = try await notifier.numbers().get()
    #expect([numbers.linesWritten, numbers.scriptsRun, numbers.mailsSent] == [2, 2, 2])
    #expect([numbers.linesLost, numbers.scriptsFailed, numbers.scriptsLost, numbers.mailsLost] == [0, 0, 0, 0])
    #expect(reader.read() == .end)
    #expect(folder.mode("pipe") == nil)
    try await server.close()
  }

  /// Each thread's own notices stay in their order, whichever ones come between them.
  @Test func manyThreadsTell() async throws {
    let server = try await LoopbackServer()
    let notifier = notifier(on: server.loop, StageRunner(isQuick: true))
    notifier.configure(settings())
    await withTaskGroup(of: Void.self) { group in
      for thread in 0..<8 {
        group.addTask {
          for number in 0..<50 { notifier.tell(Notice(.instance("\(thread)"), .state(.master, priority: number))) }
        }
      }
    }
    // Asked after all of them, so it counts all of them.
    #expect(try await notifier.numbers().get().linesWritten == 400)
    guard case .text(let text) = try PipeReader(folder("pipe")).read() else {
      Issue.record("nothing has been written")
      return
    }
    for thread in 0..<8 {
      let priorities = text.split(separator: "\n").filter { $0.hasPrefix("INSTANCE \"\(thread)\"") }
        .map { Int($0.split(separator: " ").last ?? "") }
      #expect(priorities == Array(0..<50))
    }
    try await notifier.close(within: .minutes(30)).get()
    try await server.close()
  }

  @Test func theSameStateIsNotMailedTwiceInARow() async throws {
    let server = try await LoopbackServer()
    let runner = StageRunner(isQuick: true)
    let notifier = notifier(on: server.loop, runner)
    var settings = settings(port: server.port)
    settings.mail.omitsFaults = true
    settings.mail.omitsCheckers = true
    notifier.configure(settings)
    notifier.tell([
      state(.master), state(.master), state(.fault), state(.backup), state(.master),
      Notice(Samples.realServer, .checker(isUp: false), sendsMail: true),
      Notice(Samples.virtualServer, .down, sendsMail: false),
      Notice(Samples.realServer, .down, sendsMail: true), Notice(Samples.realServer, .down, sendsMail: true),
    ])
    try await notifier.close(within: .minutes(30)).get()
    let server1 = "[LVS_DEVEL] Realserver [10.0.0.1]:tcp:80 of virtual server [10.0.0.100]:tcp:80 - DOWN"
    #expect(
      Self.mailed(try await server.heard(30)) == [
        "[LVS_DEVEL] VRRP Instance VI_1 - Entering MASTER state",
        "[LVS_DEVEL] VRRP Instance VI_1 - Entering BACKUP state",
        "[LVS_DEVEL] VRRP Instance VI_1 - Entering MASTER state", server1, server1,
      ])
    #expect(try await runner.words(5).count == 5, "scripts hear of every state")
    try await server.close()
  }

  @Test func nothingIsToldBeforeItIsConfiguredOrAfterItsEnd() async throws {
    let server = try await LoopbackServer()
    let runner = StageRunner(isQuick: true)
    let notifier = notifier(on: server.loop, runner)
    notifier.tell(Notice(Samples.instance, .state(.master, priority: 1), sendsMail: true))
    notifier.configure(settings(port: server.port))
    let end = notifier.close()
    notifier.tell(state(.backup))
    notifier.configure(settings(port: server.port))
    try await end.get()
    try await notifier.close(within: .minutes(30)).get()
    let numbers = try await notifier.numbers().get()
    #expect(numbers == NotifierNumbers())
    #expect(folder.mode("pipe") == nil)
    try await server.close()
  }

  /// A script that hangs and a mail server that is away, in virtual time.
  @Test func closeHasItsTime() async throws {
    let loop = NIOAsyncTestingEventLoop()
    let runner = StageRunner()
    let calls = Calls()
    let notifier = notifier(on: loop, runner, connect: calls.connector(on: loop))
    notifier.configure(settings(port: 25))
    notifier.tell(state(.stop))
    _ = try await runner.words(1)
    let end = notifier.close(within: .seconds(5))
    let ending = Ending(of: end)
    await loop.advanceTime(by: .milliseconds(4_999))
    #expect(runner.cancelled.isEmpty)
    #expect(!ending.hasCome)
    await loop.advanceTime(by: .milliseconds(1))
    try await end.get()
    #expect(runner.cancelled == [0])
    let numbers = notifier.numbers()
    await loop.run()
    #expect(try await numbers.get().mailsLost == 1)
    #expect(
      journal.lines.contains { $0.hasPrefix("warning: mail: '[LVS_DEVEL] VRRP Instance VI_1 - Stopping' is given up") })
    calls.fail()
    await loop.run()
  }

  @Test func closeDoesNotWaitForScriptsThatCannotBeEnded() async throws {
    let loop = NIOAsyncTestingEventLoop()
    let runner = StageRunner(isStubborn: true)
    let notifier = notifier(on: loop, runner)
    notifier.configure(settings())
    notifier.tell(state(.stop))
    _ = try await runner.words(1)
    // More than an hour is an hour.
    let end = notifier.close(within: .nanoseconds(.max))
    let ending = Ending(of: end)
    await loop.advanceTime(by: .hours(1))
    #expect(runner.cancelled == [0])
    await loop.advanceTime(by: .milliseconds(4_999))
    #expect(!ending.hasCome)
    await loop.advanceTime(by: .milliseconds(1))
    try await end.get()
    #expect(journal.lines.last == "warning: notifications: scripts do not end, lbd ends without them")
    runner.finish(0)
  }
}

/// Whether something has come to its end, asked from another thread.
private final class Ending: Sendable {
  private let flag = Atomic(false)

  init(of future: EventLoopFuture<Void>) {
    future.whenComplete { [self] _ in flag.store(true, ordering: .releasing) }
  }

  var hasCome: Bool { flag.load(ordering: .acquiring) }
}

/// Connections that do not come about until a test says that they have failed.
private final class Calls: Sendable {
  private let promises = Mutex<[EventLoopPromise<any Channel>]>([])

  func connector(on loop: any EventLoop) -> MailConnector {
    { [self] _, _, _ in
      let promise = loop.makePromise(of: (any Channel).self)
      promises.withLock { $0.append(promise) }
      return promise.futureResult
    }
  }

  func fail() {
    for promise in promises.withLock({ $0 }) { promise.fail(ChannelError.connectTimeout(.seconds(30))) }
  }
}
