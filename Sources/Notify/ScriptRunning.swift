import NIOCore

/// What runs scripts: as their user, within their time, so many at once.
public protocol ScriptRunning: Sendable {
  /// Runs a script to its end. When the task is cancelled, the script is ended, and this returns once it has.
  /// - Parameter timeLimit: nil is a companion, which may run as long as lbd does.
  func run(_ script: NotifyScript, timeLimit: TimeAmount?) async -> ScriptEnd
}

/// What has become of a script.
public enum ScriptEnd: Hashable, Sendable {
  /// It has ended well, or was ended on purpose.
  case good
  /// It has run, but ended otherwise: `exited with status 3`.
  case bad(String)
  /// It has not run at all: `cannot run /etc/notify.sh: Permission denied (…)`.
  case notStarted(String)
}
