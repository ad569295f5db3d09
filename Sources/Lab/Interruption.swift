import Glibc
import Synchronization

/// Ctrl-C and SIGTERM as a flag that whoever waits looks at.
///
/// A lab owns namespaces and daemons that outlive their maker, so a signal must not simply end the process: the
/// handler only notes it, every wait in this module ends early with `LabFailure.interrupted`, and the caller's
/// `defer` takes the lab down. Taking down is not interruptible.
public enum Interruption {
  private static let flag = Atomic<Bool>(false)

  static var isRequested: Bool { flag.load(ordering: .relaxed) }

  /// Installs the handlers (SIGPIPE too: `lbd lab demo | head` must clean up); the flag is touched first, so that the
  /// handler finds it initialised.
  public static func install() {
    flag.store(false, ordering: .relaxed)
    for number in [SIGINT, SIGTERM, SIGHUP, SIGPIPE] {
      signal(number) { _ in Interruption.flag.store(true, ordering: .relaxed) }
    }
  }

  /// Throws `LabFailure.interrupted` when a signal has arrived.
  public static func check() throws {
    if isRequested { throw LabFailure.interrupted }
  }

  /// Sleeps in short naps until `condition` holds; false when the time is up.
  public static func wait(seconds: Double, until condition: () throws -> Bool) throws -> Bool {
    let deadline = monotonicSeconds() + seconds
    while true {
      try check()
      if try condition() { return true }
      if monotonicSeconds() >= deadline { return false }
      usleep(20_000)
    }
  }

  /// Sleeps, or throws when interrupted.
  public static func sleep(seconds: Double) throws {
    _ = try wait(seconds: seconds) { false }
  }
}

/// CLOCK_MONOTONIC in seconds.
public func monotonicSeconds() -> Double {
  var now = timespec()
  clock_gettime(CLOCK_MONOTONIC, &now)
  return Double(now.tv_sec) + Double(now.tv_nsec) / 1e9
}
