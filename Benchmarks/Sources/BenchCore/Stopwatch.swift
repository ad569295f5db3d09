import Glibc

/// The clock that everything is measured by.
public enum Stopwatch {
  /// CLOCK_MONOTONIC.
  @inline(__always)
  public static func nanoseconds() -> UInt64 {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    return UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
  }
}
