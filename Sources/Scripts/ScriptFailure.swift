import Glibc

/// Why a script does not run, said the way an operator needs it.
///
/// `cannot run /etc/keepalived/check.sh: Permission denied (chmod +x /etc/keepalived/check.sh)`
public struct ScriptFailure: Error, Hashable, Sendable, CustomStringConvertible {
  /// What was being done, to be read after "cannot": `run /etc/keepalived/check.sh`.
  public let step: String
  /// The error number; nil where no system call has failed.
  public let number: Int32?
  /// What is wrong.
  public let reason: String
  /// What the operator can do.
  public let remedy: String

  /// A failure that no system call has reported.
  init(_ step: String, _ reason: String, remedy: String) {
    self.step = step
    self.number = nil
    self.reason = reason
    self.remedy = remedy
  }

  /// A failure of a system call.
  init(_ step: String, errno number: Int32, remedy: String) {
    self.step = step
    self.number = number
    self.reason = String(cString: strerror(number))
    self.remedy = remedy
  }

  /// `cannot STEP: REASON (REMEDY)`.
  public var description: String { "cannot \(step): \(reason) (\(remedy))" }
}
