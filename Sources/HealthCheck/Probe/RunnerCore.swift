import NIOCore

/// What a runner has on its loop: the engine, the probes, and one timer for whatever is due first.
final class RunnerCore {
  /// So many attempts begin before the loop looks after its sockets again. It does not while any task is ready, so the
  /// next ones are put off a little.
  private static let burst = 64
  private static let pauseNanoseconds: UInt64 = 100_000

  private let loop: any EventLoop
  private let sources: [any ProbeSource]
  private let deliver: @Sendable ([CheckReport]) -> Void
  private var engine: CheckEngine
  /// By the engine's slots.
  private var probes: [(definition: CheckDefinition, probe: any Probe)?] = []
  private var timer: (due: UInt64, task: Scheduled<Void>)?
  private var reports: [CheckReport] = []
  private var isStopped = false
  /// Attempts are begun; what ends at once need not set the timer.
  private var isBeginning = false
  /// Nothing begins before.
  private var pauseEnd: UInt64 = 0

  init(
    on loop: any EventLoop, seed: UInt64, sources: [any ProbeSource],
    deliver: @escaping @Sendable ([CheckReport]) -> Void
  ) {
    self.loop = loop
    self.sources = sources
    self.deliver = deliver
    engine = CheckEngine(seed: seed)
  }

  /// The engine's clock is the loop's.
  private var now: UInt64 { loop.now.uptimeNanoseconds }

  var statuses: [CheckStatus] { engine.statuses }

  func update(to checks: [NamedCheck]) {
    for source in sources { source.configurationChanged() }
    let update = engine.update(to: checks, atNanoseconds: now)
    update.reports.forEach(tell)
    for attempt in update.ended { cancel(attempt) }
    for (slot, probe) in probes.enumerated() where probe != nil && !engine.isUsed(slot) { probes[slot] = nil }
    setTimer()
  }

  func suspend(service: String) {
    for attempt in engine.suspend(service: service) { cancel(attempt) }
    setTimer()
  }

  func resume(service: String) {
    engine.resume(service: service, atNanoseconds: now)
    setTimer()
  }

  func checkNow(_ id: CheckID) -> Bool {
    let isThere = engine.checkNow(id, atNanoseconds: now)
    setTimer()
    return isThere
  }

  func confirm(_ id: CheckID, sinceNanoseconds moment: UInt64) {
    _ = engine.confirm(id, sinceNanoseconds: moment)
  }

  func stop() {
    isStopped = true
    timer?.task.cancel()
    timer = nil
    for probe in probes { probe?.probe.cancel() }
    probes = []
    reports = []
  }

  private func cancel(_ attempt: CheckAttempt) {
    guard attempt.slot < probes.count else { return }
    probes[attempt.slot]?.probe.cancel()
  }

  /// Begins what is due.
  private func run() {
    timer = nil
    isBeginning = true
    var count = 0
    while count < RunnerCore.burst, !isStopped, let attempt = engine.begin(atNanoseconds: now) {
      count += 1
      guard let check = engine.check(of: attempt) else { continue }
      probe(for: check, in: attempt.slot).begin(page: attempt.page) { [weak self] result in
        self?.end(attempt, result)
      }
    }
    isBeginning = false
    if count == RunnerCore.burst { pauseEnd = now.adding(RunnerCore.pauseNanoseconds) }
    setTimer()
  }

  private func end(_ attempt: CheckAttempt, _ result: AttemptResult) {
    guard !isStopped else { return }
    if let report = engine.end(attempt, with: result, atNanoseconds: now) { tell(report) }
    setTimer()
  }

  /// The slot's probe, or a new one when there is none, or its check has other times now.
  private func probe(for check: NamedCheck, in slot: Int) -> any Probe {
    if slot < probes.count, let known = probes[slot], known.definition == check.definition { return known.probe }
    let made =
      sources.lazy.compactMap { [loop] in $0.probe(for: check, on: loop) }.first
      ?? NoProbe("there is nothing to run \(check.definition.kind.name) with")
    while probes.count <= slot { probes.append(nil) }
    probes[slot] = (check.definition, made)
    return made
  }

  /// Reports of one moment go together.
  private func tell(_ report: CheckReport) {
    reports.append(report)
    guard reports.count == 1 else { return }
    loop.assumeIsolated().execute { [self] in
      guard !reports.isEmpty else { return }
      let batch = reports
      reports = []
      deliver(batch)
    }
  }

  private func setTimer() {
    guard !isStopped, !isBeginning, let next = engine.nextNanoseconds else { return }
    let due = max(next, pauseEnd)
    if let timer, timer.due <= due { return }
    timer?.task.cancel()
    let deadline = NIODeadline.uptimeNanoseconds(min(due, UInt64(Int64.max)))
    let task = loop.assumeIsolated().scheduleTask(deadline: deadline) { [weak self] () -> Void in
      self?.run()
    }
    timer = (due, task)
  }
}
