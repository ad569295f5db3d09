// When checks run. The same keywords may stand in a virtual server, a real server and a checker; what a level does not say
// it has from the level above, and the last word is the kind of checker's.

/// What one level says of its checks; nil is what the level above says.
public struct CheckTiming: Hashable, Sendable {
  /// Seconds between checks.
  public var delayLoop: Duration?
  /// How long a connection, or an answer, may take.
  public var connectTimeout: Duration?
  /// Failures in a row that are forgiven.
  public var retry: Int?
  /// Between a failure and the next attempt.
  public var delayBeforeRetry: Duration?
  /// The first check comes 1 second and a random part of this after the start.
  public var warmup: Duration?
  /// Down until the first success.
  public var alpha: Bool?
  /// Every failing attempt is logged, not only the one that counts.
  public var logAllFailures: Bool?

  /// Nothing said.
  public init() {}

  /// What holds where this level says something, and what `above` says elsewhere.
  public func over(_ above: CheckTiming) -> CheckTiming {
    var result = CheckTiming()
    result.delayLoop = delayLoop ?? above.delayLoop
    result.connectTimeout = connectTimeout ?? above.connectTimeout
    result.retry = retry ?? above.retry
    result.delayBeforeRetry = delayBeforeRetry ?? above.delayBeforeRetry
    result.warmup = warmup ?? above.warmup
    result.alpha = alpha ?? above.alpha
    result.logAllFailures = logAllFailures ?? above.logAllFailures
    return result
  }
}

/// When one checker runs: everything said.
public struct CheckSchedule: Hashable, Sendable {
  /// Between checks.
  public var delayLoop: Duration
  /// How long a connection, or an answer, may take.
  public var connectTimeout: Duration
  /// Failures in a row that are forgiven.
  public var retry: Int
  /// Between a failure and the next attempt.
  public var delayBeforeRetry: Duration
  /// The first check comes 1 second and a random part of this after the start.
  public var warmup: Duration
  /// Down until the first success.
  public var alpha: Bool
  /// Every failing attempt is logged.
  public var logAllFailures: Bool

  /// What a kind of checker does with the levels' words.
  init(_ timing: CheckTiming, of kind: Checker.Kind) {
    delayLoop = timing.delayLoop ?? Defaults.delayLoop
    connectTimeout = timing.connectTimeout ?? Defaults.connectTimeout
    warmup = timing.warmup ?? delayLoop
    alpha = timing.alpha ?? false
    logAllFailures = timing.logAllFailures ?? false
    switch kind {
    case .dns:
      retry = timing.retry ?? 3
      delayBeforeRetry = timing.delayBeforeRetry ?? delayLoop
    case .http:
      retry = timing.retry ?? 1
      delayBeforeRetry = timing.delayBeforeRetry ?? .seconds(3)
    case .misc:
      retry = timing.retry ?? 0
      delayBeforeRetry = timing.delayBeforeRetry ?? .seconds(1)
    case .tcp, .smtp, .ping, .udp, .file, .bfd:
      retry = timing.retry ?? 1
      delayBeforeRetry = timing.delayBeforeRetry ?? .seconds(1)
    }
  }
}

/// A block that may say when checks run.
protocol Timed: Traced, Sendable {
  var timing: CheckTiming { get set }
}

/// The keywords of timing, for every level that has them.
enum TimingKeys {
  /// In a virtual server or a real server, where a retry is at least 1.
  static func level<Model: Timed>() -> [Key<Model>] {
    all(retry: 1...Int(Int32.max)) + [
      .time("connect_timeout", \Model.timing.connectTimeout, .microseconds(1)...Duration.longest)
    ]
  }

  /// In a checker, where no retry at all is possible.
  static func checker<Model: Timed>() -> [Key<Model>] {
    all(retry: 0...Int(Int32.max)) + [.flag("log_all_failures", \Model.timing.logAllFailures)]
  }

  private static func all<Model: Timed>(retry: ClosedRange<Int>) -> [Key<Model>] {
    [
      .time("delay_loop", \Model.timing.delayLoop, .microseconds(1)...Duration.longest),
      .integer("retry", \Model.timing.retry, retry),
      .time("delay_before_retry", \Model.timing.delayBeforeRetry, .zero...Duration.longest),
      .time("warmup", \Model.timing.warmup, .zero...Duration.longest),
      .flag("alpha", \Model.timing.alpha),
    ]
  }
}
