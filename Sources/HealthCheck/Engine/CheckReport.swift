/// What has happened to a check.
public enum CheckEvent: Hashable, Sendable {
  /// The check is new, or has another name than before: this is what it thinks so far.
  case added
  /// An attempt has decided: for another verdict than before, or for the first time.
  /// `failures` in a row led to it; 0 for a success.
  case verdict(isFirst: Bool, failures: Int)
  /// The verdict is as before, the weight asked for is not.
  case weight
  /// A failure that changes nothing, so many in a row; only with `logAllFailures`.
  case attempt(failures: Int)
  /// An attempt could not be made, which says nothing about the server.
  case notRun
  /// A success that changes nothing, but was asked for (`CheckEngine.confirm`).
  case confirmed
}

/// News of one check.
public struct CheckReport: Hashable, Sendable {
  /// Which check.
  public let id: CheckID
  /// What it does.
  public let definition: CheckDefinition
  /// What has happened.
  public let event: CheckEvent
  /// What the check thinks now.
  public let verdict: CheckVerdict
  /// What it wants the server's weight to be; nil is as configured.
  public let weight: CheckWeight?
  /// Why the last attempt did not end well; nil when it did.
  public let error: CheckError?
  /// When this happened: nanoseconds of CLOCK_MONOTONIC.
  public let atNanoseconds: UInt64
  /// When the check runs next; nil while it is suspended.
  public let nextNanoseconds: UInt64?
  /// The attempt was asked for (`CheckEngine.confirm`), and has ended well.
  public var confirms = false
}

/// What is known of one check, for listings.
public struct CheckStatus: Hashable, Sendable {
  /// Which check.
  public let id: CheckID
  /// What it does.
  public let definition: CheckDefinition
  /// What it thinks.
  public let verdict: CheckVerdict
  /// No attempt has decided that yet: it is as configured.
  public let isPresumed: Bool
  /// It does not run now, and thinks what it thought before.
  public let isSuspended: Bool
  /// An attempt is under way.
  public let isRunning: Bool
  /// When the verdict came to be what it is: nanoseconds of CLOCK_MONOTONIC.
  public let sinceNanoseconds: UInt64
  /// Failures in a row so far that have not changed the verdict.
  public let failures: Int
  /// What it wants the server's weight to be; nil is as configured.
  public let weight: CheckWeight?
  /// Why the last attempt did not end well; nil when it did, or there was none.
  public let lastError: CheckError?
  /// When an attempt ended last.
  public let lastNanoseconds: UInt64?
  /// When the check runs next; nil while it is suspended or running.
  public let nextNanoseconds: UInt64?
}
