/// How long something took, how often: buckets on a logarithmic scale, a sixty-fourth of an octave wide, so that a
/// quantile is right to 1.6 %. Recording allocates nothing and costs a few instructions.
public struct LatencyHistogram: ~Copyable {
  /// Values recorded.
  public private(set) var count: UInt64 = 0
  /// The smallest, exact; 0 when there is none.
  public var minimum: UInt64 { count == 0 ? 0 : least }
  /// The largest, exact.
  public private(set) var maximum: UInt64 = 0

  private var least = UInt64.max
  private let buckets: UnsafeMutablePointer<UInt64>

  private static var octaveShift: UInt64 { 6 }
  private static var perOctave: UInt64 { 1 << octaveShift }
  /// Values below `perOctave` have a bucket each; then 58 octaves up to 2^64.
  private static var bucketCount: Int { Int(perOctave) * 59 }

  /// An empty one.
  public init() {
    buckets = .allocate(capacity: LatencyHistogram.bucketCount)
    buckets.initialize(repeating: 0, count: LatencyHistogram.bucketCount)
  }

  deinit { buckets.deallocate() }

  /// Counts a value.
  @inline(__always)
  public mutating func record(_ value: UInt64) {
    count &+= 1
    least = min(least, value)
    maximum = max(maximum, value)
    buckets[LatencyHistogram.bucket(of: value)] &+= 1
  }

  /// The value that `share` (0 to 1) of all values do not exceed; 0 when there is none.
  public func quantile(_ share: Double) -> UInt64 {
    guard count > 0 else { return 0 }
    let rank = UInt64((min(max(share, 0), 1) * Double(count)).rounded(.up))
    var seen: UInt64 = 0
    for index in 0..<LatencyHistogram.bucketCount {
      seen += buckets[index]
      // The middle of a bucket may lie outside of what was recorded.
      if seen >= max(rank, 1) { return min(max(LatencyHistogram.middle(of: index), minimum), maximum) }
    }
    return maximum
  }

  /// The share of all the time that values above `limit` make up; 0 when there is none.
  public func timeShare(above limit: UInt64) -> Double {
    var total = 0.0
    var above = 0.0
    for index in 0..<LatencyHistogram.bucketCount where buckets[index] > 0 {
      let middle = LatencyHistogram.middle(of: index)
      let time = Double(buckets[index]) * Double(middle)
      total += time
      if middle > limit { above += time }
    }
    return total > 0 ? above / total : 0
  }

  @inline(__always)
  private static func bucket(of value: UInt64) -> Int {
    if value < perOctave { return Int(truncatingIfNeeded: value) }
    let shift = 63 &- UInt64(value.leadingZeroBitCount) &- octaveShift
    return Int(truncatingIfNeeded: (shift &+ 1) << octaveShift &+ (value >> shift &- perOctave))
  }

  private static func middle(of bucket: Int) -> UInt64 {
    let number = UInt64(bucket)
    if number < perOctave { return number }
    let shift = number >> octaveShift - 1
    return (perOctave + number % perOctave) << shift + (1 << shift) / 2
  }
}
