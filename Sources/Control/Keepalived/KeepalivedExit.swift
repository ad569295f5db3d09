import Glibc
import Kernel

/// The codes that keepalived ends with.
public enum KeepalivedExit: Int32, Sendable {
  /// Told to end; or another keepalived runs already.
  case ok = 0
  /// Something it cannot do without is not to be had.
  case fatal = 1
  /// The configuration is refused.
  case configuration = 2
  /// It is not allowed to.
  case permission = 4
  /// There is no configuration.
  case missingFile = 6
  /// It ended without a word.
  case software = 70
  /// Out of memory.
  case memory = 204

  /// What an error that ends the program comes to.
  init(_ error: any Error) {
    switch error {
    case is ConfigurationRefused: self = .configuration
    case let error as SystemError:
      switch error.number {
      case EPERM, EACCES: self = .permission
      case ENOMEM: self = .memory
      default: self = .fatal
      }
    default: self = .fatal
    }
  }
}
