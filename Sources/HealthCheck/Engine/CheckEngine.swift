// When thousands of checks run: pure, on a clock that is handed in.
//
// The engine says which attempt is due and is told how it ended; what an attempt is, it does not know. An attempt's end
// counts only once, and only while its check is there as it was begun: whatever comes from an attempt that was taken
// back or replaced is dropped.
//
// A check that is late (the machine slept, a burst of others came first) runs once, not once for every time it missed.

/// One attempt of a check.
public struct CheckAttempt: Hashable, Sendable {
  /// Which check; the numbers of a check that has gone are given to others.
  let slot: Int
  /// No other attempt has it.
  let serial: UInt64
  /// Which page of an HTTP check; 0 for other kinds.
  public let page: Int
}

/// Many checks and their times.
public struct CheckEngine: Sendable {
  /// The first attempt of a check comes no earlier than that after its start.
  static let startNanoseconds: UInt64 = 1_000_000_000

  struct Slot: Sendable {
    var check: NamedCheck
    var state: CheckState
    var attempt: CheckAttempt?
    var begin: UInt64 = 0
    /// An attempt that is wanted as soon as the one under way is over.
    var wantsMore = false
    /// A success of an attempt that begins later is to be told.
    var confirmsSince: UInt64?
  }

  var slots: [Slot?] = []
  private var free: [Int] = []
  var numbers: [CheckID: Int] = [:]
  /// As the caller ordered them.
  var order: [Int] = []
  var due = DueHeap()
  var suspended: Set<String> = []
  private var serial: UInt64 = 0
  private var random: SplitMix

  /// An engine without checks. `seed` decides the random parts of first attempts.
  public init(seed: UInt64) {
    random = SplitMix(seed)
  }

  /// How many checks there are.
  public var count: Int { order.count }

  /// When an attempt is due next; nil for none.
  public var nextNanoseconds: UInt64? { due.first?.due }

  /// Begins the attempt that has been due longest.
  /// - Returns: nil when none is due now.
  public mutating func begin(atNanoseconds now: UInt64) -> CheckAttempt? {
    guard let first = due.first, first.due <= now, var slot = slots[first.number] else { return nil }
    due.remove(first.number)
    serial += 1
    let attempt = CheckAttempt(slot: first.number, serial: serial, page: slot.state.page)
    slot.attempt = attempt
    slot.begin = now
    slots[first.number] = slot
    return attempt
  }

  /// What `attempt` is about; nil when it counts no more.
  public func check(of attempt: CheckAttempt) -> NamedCheck? {
    guard let slot = slots[attempt.slot], slot.attempt == attempt else { return nil }
    return slot.check
  }

  /// A check has this slot.
  func isUsed(_ slot: Int) -> Bool { slot < slots.count && slots[slot] != nil }

  /// `attempt` has ended.
  /// - Returns: what there is to tell, if anything.
  public mutating func end(
    _ attempt: CheckAttempt, with result: AttemptResult, atNanoseconds now: UInt64
  ) -> CheckReport? {
    guard var slot = slots[attempt.slot], slot.attempt == attempt else { return nil }
    let step = slot.state.take(result, of: slot.check.definition, begunAt: slot.begin, atNanoseconds: now)
    slot.attempt = nil
    due.set(attempt.slot, due: slot.wantsMore ? now : step.due)
    slot.wantsMore = false
    let confirms = slot.confirms(result)
    if confirms { slot.confirmsSince = nil }
    slots[attempt.slot] = slot
    guard let event = step.event ?? (confirms ? .confirmed : nil) else { return nil }
    var report = report(event, of: attempt.slot, slot, atNanoseconds: now)
    report.confirms = confirms
    return report
  }

  /// Runs a check now, or again after the attempt that is under way.
  /// - Returns: false when there is no such check, or it is suspended.
  public mutating func checkNow(_ id: CheckID, atNanoseconds now: UInt64) -> Bool {
    guard let number = numbers[id], !suspended.contains(id.service), let slot = slots[number] else { return false }
    if slot.attempt == nil { due.set(number, due: now) } else { slots[number]?.wantsMore = true }
    return true
  }

  /// Asks to be told of the first attempt that begins after `moment` and ends well, though it should change nothing.
  /// - Returns: false when there is no such check, or none whose attempts come by themselves.
  public mutating func confirm(_ id: CheckID, sinceNanoseconds moment: UInt64) -> Bool {
    guard let number = numbers[id], let slot = slots[number], slot.check.definition.kind.asksAgain else { return false }
    slots[number]?.confirmsSince = moment
    return true
  }

  /// Stops the checks of a service, as they are (`ha_suspend`).
  /// - Returns: the attempts under way, which count no more.
  public mutating func suspend(service: String) -> [CheckAttempt] {
    guard suspended.insert(service).inserted else { return [] }
    var ended: [CheckAttempt] = []
    for number in order where slots[number]?.check.id.service == service {
      due.remove(number)
      if let attempt = takeBack(number) { ended.append(attempt) }
    }
    return ended
  }

  /// Lets the checks of a service run again, each within its warm-up or its loop, whichever is shorter.
  public mutating func resume(service: String, atNanoseconds now: UInt64) {
    guard suspended.remove(service) != nil else { return }
    for number in order {
      guard let check = slots[number]?.check, check.id.service == service else { continue }
      let times = check.definition.times
      due.set(number, due: now.adding(spread(min(times.warmup, times.delayLoop))))
    }
  }

  /// What is known of every check, in the order they were given.
  public var statuses: [CheckStatus] {
    order.compactMap { number in slots[number].map { status(of: number, $0) } }
  }
}

extension CheckEngine.Slot {
  /// True when an attempt that ends so is what was asked for.
  fileprivate func confirms(_ result: AttemptResult) -> Bool {
    guard let moment = confirmsSince, begin > moment, state.verdict == .well, case .well = result else { return false }
    return true
  }
}

extension CheckKind {
  /// True when its attempts come by themselves, again and again; others wait for a change.
  public var asksAgain: Bool { !RetryRule(self).awaitsChanges }
}

extension CheckEngine {
  /// A new check in a free slot, its first attempt to come.
  mutating func add(_ check: NamedCheck, atNanoseconds now: UInt64) -> Int {
    let slot = Slot(check: check, state: CheckState(check.definition, atNanoseconds: now))
    let number: Int
    if let last = free.popLast() {
      number = last
      slots[number] = slot
    } else {
      number = slots.count
      slots.append(slot)
    }
    guard !suspended.contains(check.id.service) else { return number }
    let waits = !RetryRule(check.definition.kind).awaitsChanges
    let delay = CheckEngine.startNanoseconds.adding(spread(check.definition.times.warmup))
    due.set(number, due: waits ? now.adding(delay) : now)
    return number
  }

  mutating func remove(_ number: Int) {
    due.remove(number)
    slots[number] = nil
    free.append(number)
  }

  /// The attempt under way of a check counts no more.
  mutating func takeBack(_ number: Int) -> CheckAttempt? {
    guard let attempt = slots[number]?.attempt else { return nil }
    slots[number]?.attempt = nil
    slots[number]?.wantsMore = false
    return attempt
  }

  /// A random part of `duration`.
  mutating func spread(_ duration: Duration) -> UInt64 {
    let most = duration.nanoseconds
    return most == 0 ? 0 : UInt64.random(in: 0..<most, using: &random)
  }

  func report(_ event: CheckEvent, of number: Int, _ slot: Slot, atNanoseconds now: UInt64) -> CheckReport {
    CheckReport(
      id: slot.check.id, definition: slot.check.definition, event: event, verdict: slot.state.verdict,
      weight: slot.state.weight, error: slot.state.lastError, atNanoseconds: now, nextNanoseconds: due.due(number))
  }

  private func status(of number: Int, _ slot: Slot) -> CheckStatus {
    CheckStatus(
      id: slot.check.id, definition: slot.check.definition, verdict: slot.state.verdict,
      isPresumed: slot.state.isPresumed, isSuspended: suspended.contains(slot.check.id.service),
      isRunning: slot.attempt != nil, sinceNanoseconds: slot.state.since, failures: slot.state.failures,
      weight: slot.state.weight, lastError: slot.state.lastError, lastNanoseconds: slot.state.lastEnd,
      nextNanoseconds: due.due(number))
  }
}

/// SplitMix64: numbers that look random, from a seed; for spreading, not for secrets.
struct SplitMix: RandomNumberGenerator, Sendable {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var value = state
    value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
    value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
    return value ^ value >> 31
  }
}
