import CShims
import Glibc

/// The system's log, by way of `/dev/log`. Without anybody there, lines are lost in silence, as with every program.
public struct SystemLog: Sendable {
  /// How bad something is, by syslog's numbers.
  public enum Severity: Int32, Sendable {
    case error = 3
    case warning = 4
    case notice = 5
    case information = 6
    case debugging = 7
  }

  /// Opens it for the whole process: the C library knows one of it.
  /// - Parameters:
  ///   - identity: what lines begin with; it is never freed, because the C library keeps it.
  ///   - facility: syslog's number, 3 is daemon.
  public init(identity: String, facility: Int32) {
    guard let kept = strdup(identity) else { return }
    lbd_syslog_open(kept, facility)
  }

  /// Writes a line.
  public func write(_ line: String, _ severity: Severity) { lbd_syslog_write(severity.rawValue, line) }
}
