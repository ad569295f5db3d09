import Testing

@testable import BenchReport

struct SampleTests {
  @Test func quantilesLieBetweenNeighbours() {
    let sample = Sample([4, 1, 3, 2])
    #expect(sample.median == 2.5 && sample.percentile(0) == 1 && sample.percentile(100) == 4)
    #expect(sample.quartiles == (1.75, 2.5, 3.25))
    #expect(sample.spread == 0.6)
  }

  @Test func fewValues() {
    #expect(Sample([]).median.isNaN)
    #expect(Sample([7]).percentile(99) == 7 && Sample([7]).spread == 0)
    #expect(Sample([1, 2, 9]).median == 2)
  }

  /// A machine that is slow for one pair moves neither side against the other.
  @Test func pairsAreHeldAgainstEachOther() {
    #expect(Sample.pairedRatioMedian([10, 110, 10], [10, 100, 5]) == 1.1)
  }
}
