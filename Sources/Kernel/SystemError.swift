import CShims
import Glibc

/// A failed system call, said the way an operator needs it: the step, the errno's name, and what to do about it.
///
/// `cannot bind AF_XDP socket to eth1 queue 3: EBUSY (another program owns this queue)`
public struct SystemError: Error, Sendable, CustomStringConvertible {
  /// What was being done, to be read after "cannot": `bind AF_XDP socket to eth1 queue 3`.
  public let step: String
  /// The error number, positive.
  public let number: Int32
  /// What the operator can do, or nil when only the system's own words are known.
  public let remedy: String?

  /// An error for `step`; `number` may be negative, as libbpf returns it.
  public init(_ step: String, errno number: Int32, remedy: String? = nil) {
    self.step = step
    self.number = number < 0 ? -number : number
    self.remedy = remedy
  }

  /// An error from the calling thread's current `errno`.
  public static func current(_ step: String, remedy: String? = nil) -> SystemError {
    SystemError(step, errno: errno, remedy: remedy)
  }

  /// The symbolic name: `EBUSY`.
  public var name: String {
    guard let name = lbd_errno_name(number) else { return "errno \(number)" }
    return String(cString: name)
  }

  /// `cannot STEP: NAME (REMEDY)`.
  public var description: String {
    "cannot \(step): \(name) (\(remedy ?? String(cString: strerror(number))))"
  }
}
