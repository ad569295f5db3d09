import Logging
import NIOCore

/// Scripts that are to run: those of one subject one after the other, those of several at the same time, but not too many.
///
/// What comes last for a subject also ends last: whoever moves an address somewhere by script can rely on it. A script that hangs
/// holds up its own subject only, until its time is up. What waits is bounded, for one subject and for all: of one subject the
/// oldest are dropped, for they tell of what is no longer so.
///
/// Lives on an event loop; all of it is to be called there.
final class ScriptQueue {
  /// How much there may be.
  struct Limits {
    var runningMax = 32
    var waitingMax = 16384
    var subjectMax = 64
  }

  private let loop: any EventLoop
  private let runner: any ScriptRunning
  private let log: Logger
  private let limits: Limits
  private var waiting: [Notice.Subject: CircularBuffer<NotifyScript>] = [:]
  private var ready = CircularBuffer<Notice.Subject>()
  private var running: [Notice.Subject: Task<Void, Never>] = [:]
  private var waitingCount = 0
  private var dropped = Losses()
  private var failing: Set<String> = []
  private var idlePromises: [EventLoopPromise<Void>] = []
  private var isClosing = false

  /// How long each may take.
  var timeLimit = TimeAmount.seconds(300)
  /// That have run to their end.
  private(set) var runCount = 0
  /// That were not started, or ended badly.
  private(set) var failedCount = 0
  /// That were dropped.
  private(set) var lostCount = 0

  init(on loop: any EventLoop, runner: any ScriptRunning, log: Logger, limits: Limits = Limits()) {
    self.loop = loop
    self.runner = runner
    self.log = log
    self.limits = limits
  }

  /// Runs scripts when it is their turn.
  func add(_ scripts: [NotifyScript], for subject: Notice.Subject) {
    guard !isClosing else { return }
    for script in scripts {
      var line = waiting[subject] ?? []
      if line.count >= limits.subjectMax, let oldest = line.popFirst() { drop(oldest) }
      if waitingCount >= limits.waitingMax {
        drop(nil)
        lostCount += 1
        continue
      }
      if line.isEmpty && running[subject] == nil { ready.append(subject) }
      line.append(script)
      waitingCount += 1
      waiting[subject] = line
    }
    pump()
  }

  /// Takes no more.
  /// - Returns: when all it has are done.
  func close() -> EventLoopFuture<Void> {
    isClosing = true
    let promise = loop.makePromise(of: Void.self)
    idlePromises.append(promise)
    pump()
    return promise.futureResult
  }

  /// Ends what runs, and drops what waits.
  func abort() {
    isClosing = true
    if waitingCount > 0 { log.warning("scripts: \(waitingCount) are dropped, lbd ends") }
    lostCount += waitingCount
    (waiting, ready, waitingCount) = ([:], [], 0)
    for task in running.values { task.cancel() }
    pump()
  }

  private func drop(_ oldest: NotifyScript?) {
    if oldest != nil {
      waitingCount -= 1
      lostCount += 1
    }
    if dropped.add() {
      log.warning("scripts: too many wait for their turn, some are dropped (see which ones take long)")
    }
  }

  private func pump() {
    while running.count < limits.runningMax, let subject = ready.popFirst() {
      guard var line = waiting.removeValue(forKey: subject), let script = line.popFirst() else { continue }
      if !line.isEmpty { waiting[subject] = line }
      waitingCount -= 1
      start(script, for: subject)
    }
    guard running.isEmpty, waitingCount == 0 else { return }
    if let count = dropped.end() { log.notice("scripts: \(count) were dropped; none waits any longer") }
    for promise in idlePromises { promise.succeed() }
    idlePromises = []
  }

  private func start(_ script: NotifyScript, for subject: Notice.Subject) {
    let queue = NIOLoopBound(self, eventLoop: loop)
    running[subject] = Task { [loop, runner, timeLimit] in
      let end = await runner.run(script, timeLimit: timeLimit)
      loop.execute { queue.value.ended(end, script, subject) }
    }
  }

  private func ended(_ end: ScriptEnd, _ script: NotifyScript, _ subject: Notice.Subject) {
    running[subject] = nil
    if waiting[subject] != nil { ready.append(subject) }
    let program = script.words[0]
    switch end {
    case .good:
      runCount += 1
      failing.remove(program)
    case .bad(let words):
      runCount += 1
      failedCount += 1
      say("script \(script): \(words)", program)
    case .notStarted(let words):
      failedCount += 1
      say(words, program)
    }
    pump()
  }

  /// Said once for a program, until it ends well.
  private func say(_ words: String, _ program: String) {
    guard failing.count < 1024, failing.insert(program).inserted else { return log.debug("\(words)") }
    log.warning("\(words)")
  }
}
