/// How a kind of check goes about failures; keepalived's kinds differ in small ways that people see as detection times.
///
///     up      fail ── delay_before_retry ── fail ── … ── failure retry + 1: down
///     down    per kind, until one success: up
struct RetryRule: Hashable, Sendable {
  /// When a server that is down is tried again.
  enum WhileDown: Hashable {
    /// After `delay_loop`, then a full series of retries, and so on.
    case series
    /// After `delay_loop`.
    case loop
    /// After `delay_loop` or `delay_before_retry`, whichever is longer.
    case longer
  }

  var whileDown: WhileDown
  /// The very first failure is final: nobody knows yet that the server ever worked.
  var startsExhausted: Bool
  /// Delays count from the begin of an attempt, not from its end.
  var countsFromBegin = false
  /// Nothing is asked again and again: an attempt waits for the next change, and the next one begins at once.
  var awaitsChanges = false

  init(_ kind: CheckKind) {
    switch kind {
    case .tcp:
      self.init(whileDown: .series, startsExhausted: true)
    case .smtp:
      self.init(whileDown: .series, startsExhausted: false)
    case .http:
      self.init(whileDown: .longer, startsExhausted: true)
    case .dns, .ping, .udp:
      self.init(whileDown: .loop, startsExhausted: true)
    case .script:
      self.init(whileDown: .loop, startsExhausted: true, countsFromBegin: true)
    case .file, .bfd:
      self.init(whileDown: .loop, startsExhausted: true, awaitsChanges: true)
    }
  }

  private init(
    whileDown: WhileDown, startsExhausted: Bool, countsFromBegin: Bool = false, awaitsChanges: Bool = false
  ) {
    self.whileDown = whileDown
    self.startsExhausted = startsExhausted
    self.countsFromBegin = countsFromBegin
    self.awaitsChanges = awaitsChanges
  }
}
