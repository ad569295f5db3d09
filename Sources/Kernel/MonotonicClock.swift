import Glibc

/// CLOCK_MONOTONIC: time since the machine started, never set back.
public enum MonotonicClock {
  /// Nanoseconds now; no system call on machines whose clock source the vDSO can read.
  @inlinable @inline(__always)
  public static func nanoseconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(truncatingIfNeeded: time.tv_sec) &* 1_000_000_000 &+ UInt64(truncatingIfNeeded: time.tv_nsec)
  }
}
