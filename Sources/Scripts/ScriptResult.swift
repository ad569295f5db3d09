import Glibc

/// What has become of a script.
public enum ScriptResult: Hashable, Sendable, CustomStringConvertible {
  /// It ended by itself, with this status: 0 to 255.
  case exited(status: Int32)
  /// A signal that was not ours ended it.
  case signalled(Int32)
  /// Its time was up, so it was ended.
  case timedOut
  /// lbd was to end, or no longer wanted the result, so it was ended.
  case stopped
  /// It has not run at all.
  case cannotStart(ScriptFailure)

  /// True for status 0 alone.
  public var isSuccess: Bool { self == .exited(status: 0) }

  /// The words that keepalived's log has as well: `exited with status 3`, `timed_out`.
  public var description: String {
    switch self {
    case .exited(let status): "exited with status \(status)"
    case .signalled(let number): "ended by signal \(number) (\(String(cString: strsignal(number))))"
    case .timedOut: "timed_out"
    case .stopped: "stopped"
    case .cannotStart(let failure): failure.description
    }
  }
}
