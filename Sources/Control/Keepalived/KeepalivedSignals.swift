import Glibc

/// keepalived's signals, and their names for `--signum`.
public enum KeepalivedSignals {
  /// The first two real-time signals are the C library's, so these are what it leaves.
  static let json = __libc_current_sigrtmin() + 2
  static let clearStatistics = __libc_current_sigrtmax() - 1

  /// Those that are not every director's.
  static let own = [json, clearStatistics]

  /// The number to use with kill(1), or nil for a name there is not.
  public static func number(_ name: String) -> Int32? {
    switch name {
    case "STOP": SIGTERM
    case "RELOAD": SIGHUP
    case "DATA": SIGUSR1
    case "STATS": SIGUSR2
    case "STATS_CLEAR": clearStatistics
    case "JSON": json
    default: nil
    }
  }

  /// What a signal wants written, or nil.
  static func dump(_ signal: Int32) -> KeepalivedDumps.Kind? {
    switch signal {
    case SIGUSR1: .data
    case SIGUSR2: .statistics
    case clearStatistics: .statisticsAndClear
    case json: .json
    default: nil
    }
  }
}
