import Testing

@testable import Control

struct LatencyHistogramTests {
  @Test func smallValuesAreExact() {
    var histogram = LatencyHistogram()
    for value in 1...60 { histogram.record(UInt64(value)) }
    #expect(histogram.count == 60 && histogram.minimum == 1 && histogram.maximum == 60)
    #expect(histogram.quantile(0.5) == 30 && histogram.quantile(0) == 1 && histogram.quantile(1) == 60)
  }

  @Test func quantilesAreRightToASixtyFourth() {
    var histogram = LatencyHistogram()
    for value in 1...100_000 { histogram.record(UInt64(value) * 1000) }
    for share in [0.001, 0.1, 0.5, 0.99, 0.999] {
      let expected = share * 1e8
      #expect(abs(Double(histogram.quantile(share)) - expected) <= expected / 64)
    }
  }

  @Test func timeOfTheSlowOnes() {
    var histogram = LatencyHistogram()
    #expect(histogram.timeShare(above: 0) == 0)
    for _ in 0..<50 { histogram.record(10) }
    histogram.record(1500)
    #expect(abs(histogram.timeShare(above: 100) - 0.75) < 0.01 && histogram.timeShare(above: 2000) == 0)
  }

  @Test func anyValueHasABucket() {
    var histogram = LatencyHistogram()
    #expect(histogram.minimum == 0 && histogram.maximum == 0 && histogram.quantile(0.5) == 0)
    for value in [0, 63, 64, 65, 127, 128, UInt64.max / 2, .max] { histogram.record(value) }
    #expect(histogram.count == 8 && histogram.minimum == 0 && histogram.maximum == .max)
    #expect(histogram.quantile(1) >= .max / 64 * 63)
  }
}
