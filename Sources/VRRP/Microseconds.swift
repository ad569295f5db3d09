/// A moment of the monotonic clock, or a time between two of them.
public typealias Microseconds = UInt64

extension UInt64 {
  /// A moment later; never wraps.
  func adding(_ delay: UInt64) -> UInt64 {
    let (sum, overflow) = addingReportingOverflow(delay)
    return overflow ? .max : sum
  }
}
