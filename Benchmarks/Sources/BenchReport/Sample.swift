/// Numbers measured again and again: what is said of them are medians and quantiles, never means, because what disturbs
/// a measurement only ever makes it slower.
public struct Sample: Sendable {
  /// Ascending.
  public let sorted: [Double]

  /// What was measured, in any order.
  public init(_ values: [Double]) { sorted = values.sorted() }

  /// How many there are.
  public var count: Int { sorted.count }

  /// The middle one, or the mean of the middle two; not a number when there are none.
  public var median: Double { percentile(50) }

  /// The value that `percent` of a hundred lie below, interpolated between neighbours.
  public func percentile(_ percent: Double) -> Double {
    guard let first = sorted.first else { return .nan }
    guard sorted.count > 1 else { return first }
    let position = min(max(percent, 0), 100) / 100 * Double(sorted.count - 1)
    let below = min(Int(position), sorted.count - 2)
    return sorted[below] + (sorted[below + 1] - sorted[below]) * (position - Double(below))
  }

  /// A quarter, half, and three quarters lie below.
  public var quartiles: (lower: Double, median: Double, upper: Double) {
    (percentile(25), median, percentile(75))
  }

  /// The distance of the quartiles as a share of the median: how far to trust it.
  public var spread: Double {
    let (lower, median, upper) = quartiles
    return (upper - lower) / median
  }

  /// The median of ours[i] / theirs[i]: measurements that were made one right after the other are held against each
  /// other, so that what slows the machine for a while slows both.
  public static func pairedRatioMedian(_ ours: [Double], _ theirs: [Double]) -> Double {
    Sample(zip(ours, theirs).map { $0 / $1 }).median
  }
}
