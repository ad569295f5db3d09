/// What a check thinks of its server.
public enum CheckVerdict: Hashable, Sendable {
  /// It counts as working.
  case well
  /// It counts as not working.
  case failed
}

/// What a check wants a server's weight to be.
public enum CheckWeight: Hashable, Sendable {
  /// This weight, in place of the configured one (`misc_dynamic`). With several such checks of one server, the
  /// differences to the configured weight add up.
  case replace(Int)
  /// So much more than the configured one (FILE_CHECK).
  case add(Int)
}

/// How an attempt ended.
public enum AttemptResult: Hashable, Sendable {
  /// As it should.
  case well(CheckWeight? = nil)
  /// Not so.
  case failed(CheckError)
  /// It could not be made: nothing is known.
  case notRun(CheckError)

  /// A failure, or no verdict, as the error has it.
  public init(_ error: CheckError) {
    self = error.isNoVerdict ? .notRun(error) : .failed(error)
  }
}
