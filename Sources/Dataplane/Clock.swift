import Glibc

/// Time as the dataplane sees it: read once a batch, counted in half-second ticks in the connection table.
///
/// A connection remembers its last packet in 17 bits: 0.5 s units, which wrap after 18 hours, or (coarse) 32 s units,
/// which last 48 days, longer than any timeout IPVS accepts (31 days). The expiry hand changes an entry to coarse
/// units when it has been idle for hours; the next packet changes it back.
public struct Clock: Sendable {
  /// Nanoseconds of CLOCK_MONOTONIC, or of the capture being replayed.
  public private(set) var nanoseconds: UInt64 = 0
  /// Half seconds, modulo 2^17.
  public private(set) var tick: UInt64 = 0
  /// Units of 32 seconds, modulo 2^17.
  public private(set) var coarseTick: UInt64 = 0

  @inline(__always) static var tickMask: UInt64 { 0x1ffff }
  @inline(__always) static var ticksPerSecond: UInt64 { 2 }
  @inline(__always) static var ticksPerCoarseTick: UInt64 { 64 }
  @inline(__always) static var nanosecondsPerTick: UInt64 { 500_000_000 }

  /// A clock that stands at 0.
  public init() {}

  /// Reads the system's monotonic clock.
  public mutating func tickNow() {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    set(nanoseconds: UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec))
  }

  /// Sets the clock, as replay does.
  public mutating func set(nanoseconds: UInt64) {
    self.nanoseconds = nanoseconds
    let ticks = nanoseconds / Clock.nanosecondsPerTick
    tick = ticks & Clock.tickMask
    coarseTick = (ticks / Clock.ticksPerCoarseTick) & Clock.tickMask
  }
}
