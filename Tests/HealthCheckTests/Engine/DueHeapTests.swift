import Testing

@testable import HealthCheck

@Suite struct DueHeapTests {
  /// Against a list that is searched.
  @Test func findsTheEarliestWhateverIsDoneToIt() {
    print("due heap seed \(Samples.seed)")
    var random = SplitMix(Samples.seed)
    var heap = DueHeap()
    var model: [Int: UInt64] = [:]
    for _ in 0..<20_000 {
      let number = Int.random(in: 0..<60, using: &random)
      if UInt64.random(in: 0..<3, using: &random) == 0 {
        heap.remove(number)
        model[number] = nil
      } else {
        let due = UInt64.random(in: 0..<50, using: &random)
        heap.set(number, due: due)
        model[number] = due
      }
      let first = model.min { ($0.value, $0.key) < ($1.value, $1.key) }
      #expect(heap.count == model.count)
      #expect(heap.first?.number == first?.key)
      #expect(heap.first?.due == first?.value)
      #expect(heap.due(number) == model[number])
    }
  }
}
