import Glibc

/// The clock that everything is measured by.
enum Stopwatch {
  /// CLOCK_MONOTONIC.
  @inline(__always)
  static func nanoseconds() -> UInt64 { read(CLOCK_MONOTONIC) }

  /// The time that the calling thread has had a core.
  static func threadNanoseconds() -> UInt64 { read(CLOCK_THREAD_CPUTIME_ID) }

  @inline(__always)
  private static func read(_ clock: clockid_t) -> UInt64 {
    var now = timespec()
    clock_gettime(clock, &now)
    return UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
  }
}
