// What one check knows of its server: a pure function of what it was and how an attempt ended. Nothing here knows a
// socket or a clock; time comes in as a number.
//
// An HTTP check goes from page to page, an attempt each. A server that is down comes up again with a whole round of
// good pages, counted from the first; the page that failed is asked until it is good, only then the round begins.

/// One check's memory.
struct CheckState: Hashable, Sendable {
  /// What an attempt's end leads to.
  struct Step: Hashable {
    /// When the next attempt begins.
    var due: UInt64
    /// What there is to tell, if anything.
    var event: CheckEvent?
  }

  /// What the check thinks now.
  private(set) var verdict: CheckVerdict
  /// No attempt has decided that yet: it is as configured.
  private(set) var isPresumed = true
  /// When the verdict came to be what it is.
  private(set) var since: UInt64
  /// Failures in a row, of this page.
  private(set) var failures = 0
  /// Which page is next.
  private(set) var page = 0
  /// The page that is next has failed, and the server is down.
  private(set) var isStuck = false
  /// The weight asked for last.
  private(set) var weight: CheckWeight?
  /// Of the last attempt that did not end well; nil after one that did.
  private(set) var lastError: CheckError?
  /// When an attempt ended last.
  private(set) var lastEnd: UInt64?
  private var isExhausted: Bool

  init(_ definition: CheckDefinition, atNanoseconds now: UInt64) {
    verdict = definition.times.alpha ? .failed : .well
    isExhausted = RetryRule(definition.kind).startsExhausted && !definition.times.alpha
    since = now
  }

  /// An attempt that began at `begin` has ended now.
  mutating func take(
    _ result: AttemptResult, of definition: CheckDefinition, begunAt begin: UInt64, atNanoseconds now: UInt64
  ) -> Step {
    let rule = RetryRule(definition.kind)
    lastEnd = now
    let (delay, event): (UInt64, CheckEvent?) =
      switch result {
      case .well(let weight): takeSuccess(weight, of: definition, now)
      case .failed(let error): takeFailure(error, of: definition, rule, now)
      case .notRun(let error): takeNothing(error, of: definition)
      }
    if rule.awaitsChanges {
      if case .notRun = result { return Step(due: now.adding(delay), event: event) }
      return Step(due: now, event: event)
    }
    let base = rule.countsFromBegin ? begin : now
    return Step(due: max(base.adding(delay), now), event: event)
  }

  private mutating func takeSuccess(
    _ newWeight: CheckWeight?, of definition: CheckDefinition, _ now: UInt64
  ) -> (UInt64, CheckEvent?) {
    let times = definition.times
    failures = 0
    isExhausted = false
    lastError = nil
    if case .http(let check) = definition.kind, !ends(the: check) {
      return (verdict == .failed && check.fastRecovery ? 0 : times.delayLoop.nanoseconds, nil)
    }
    let hasNewWeight = newWeight != weight
    weight = newWeight
    let event: CheckEvent? =
      if verdict == .failed || isPresumed { change(to: .well, now, after: 0) } else { hasNewWeight ? .weight : nil }
    return (times.delayLoop.nanoseconds, event)
  }

  /// A page was good: on to the next.
  /// - Returns: whether a round is complete.
  private mutating func ends(the check: HTTPDefinition) -> Bool {
    if isStuck, page > 0 {
      isStuck = false
      page = 0
      return false
    }
    isStuck = false
    page = page + 1 < check.pages.count ? page + 1 : 0
    return page == 0
  }

  private mutating func takeFailure(
    _ error: CheckError, of definition: CheckDefinition, _ rule: RetryRule, _ now: UInt64
  ) -> (UInt64, CheckEvent?) {
    let times = definition.times
    let loop = times.delayLoop.nanoseconds
    let retry = times.delayBeforeRetry.nanoseconds
    lastError = error
    failures += 1
    let isFinal = isExhausted || failures > times.retry || rule.awaitsChanges
    isExhausted = false
    let isForgiven = times.logAllFailures ? CheckEvent.attempt(failures: failures) : nil
    if verdict == .failed, !isPresumed {
      isStuck = true
      if rule.whileDown == .series, !isFinal { return (retry, isForgiven) }
      failures = 0
      return (rule.whileDown == .longer ? max(loop, retry) : loop, isForgiven)
    }
    guard isFinal else { return (retry, isForgiven) }
    let event = change(to: .failed, now, after: failures)
    failures = 0
    isStuck = true
    return (rule.whileDown == .longer ? max(loop, retry) : loop, event)
  }

  /// Said once, and again when it is another reason.
  private mutating func takeNothing(_ error: CheckError, of definition: CheckDefinition) -> (UInt64, CheckEvent?) {
    let isNews = lastError != error
    lastError = error
    return (definition.times.delayLoop.nanoseconds, isNews ? .notRun : nil)
  }

  private mutating func change(to verdict: CheckVerdict, _ now: UInt64, after failures: Int) -> CheckEvent {
    let isFirst = isPresumed
    if self.verdict != verdict { since = now }
    self.verdict = verdict
    isPresumed = false
    return .verdict(isFirst: isFirst, failures: failures)
  }
}

extension UInt64 {
  /// A moment later; never wraps.
  func adding(_ delay: UInt64) -> UInt64 {
    let (sum, overflow) = addingReportingOverflow(delay)
    return overflow ? .max : sum
  }
}
