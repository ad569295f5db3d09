import CShims
import Glibc

/// A timer that becomes readable when it expires (timerfd, monotonic clock).
public struct TimerDescriptor: ~Copyable, Sendable {
  private let file: FileDescriptor

  /// A timer that is not running.
  public init() throws {
    file = try FileDescriptor(
      checking: timerfd_create(CLOCK_MONOTONIC, Int32(TFD_NONBLOCK | TFD_CLOEXEC)), "create timer")
  }

  /// To be waited for.
  public var descriptor: Int32 { file.number }

  /// Starts or restarts the timer.
  /// - Parameters:
  ///   - first: nanoseconds until it expires; 0 means at once.
  ///   - interval: nanoseconds between further expirations, or 0 for a single one.
  public func arm(afterNanoseconds first: UInt64, everyNanoseconds interval: UInt64 = 0) throws {
    // The kernel takes 0 for "stop".
    try set(max(1, first), interval)
  }

  /// Stops the timer.
  public func disarm() throws {
    try set(0, 0)
  }

  private func set(_ first: UInt64, _ interval: UInt64) throws {
    var value = itimerspec(it_interval: TimerDescriptor.time(interval), it_value: TimerDescriptor.time(first))
    guard timerfd_settime(file.number, 0, &value, nil) == 0 else { throw SystemError.current("set timer") }
  }

  private static func time(_ nanoseconds: UInt64) -> timespec {
    timespec(tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
  }

  /// How often the timer has expired since the last call; the descriptor is not readable afterwards.
  public func expirations() -> UInt64 {
    var count: UInt64 = 0
    return read(file.number, &count, 8) == 8 ? count : 0
  }
}
