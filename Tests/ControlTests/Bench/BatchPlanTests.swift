import Testing

@testable import Control

struct BatchPlanTests {
  /// One letter a frame: interface a, b, c; capital when it opens a connection.
  private static func frames(_ letters: String) -> [LoadedCapture.Frame] {
    letters.enumerated().map { index, letter in
      let isOpener = letter.isUppercase
      let interface = UInt8(letter.lowercased().utf8.first! - UInt8(ascii: "a"))
      return LoadedCapture.Frame(offset: index, byteCount: 60, interface: interface, isOpener: isOpener)
    }
  }

  private static func batches(_ letters: String, capacity: Int) -> [[UInt32]] {
    let plan = BatchPlan(frames(letters), capacity: capacity)
    var start = 0
    return plan.ends.map { end in
      defer { start = end }
      return Array(plan.order[start..<end])
    }
  }

  @Test func framesOfOneInterfaceAreSimplyCut() {
    #expect(BatchPlanTests.batches("AaAaa", capacity: 2) == [[0, 1], [2, 3], [4]])
    #expect(BatchPlanTests.batches("abababab", capacity: 4) == [[0, 1, 2, 3], [4, 5, 6, 7]])
  }

  @Test func answersWaitForTheNextBatch() {
    #expect(BatchPlanTests.batches("bAba", capacity: 8) == [[0, 1, 3], [2]])
    #expect(BatchPlanTests.batches("AbaBa", capacity: 2) == [[0, 2], [1, 3], [4]])
  }

  @Test func nothingOvertakesAFrameThatWaitsAndOpens() {
    // B opens, so A waits; the b after it may be A's answer.
    for (letters, opener, answer) in [("aBAba", 2, 3), ("BAb", 1, 2), ("CBAcba", 2, 4)] {
      let batches = BatchPlanTests.batches(letters, capacity: 8)
      let place = { (number: Int) in batches.firstIndex { $0.contains(UInt32(number)) }! }
      #expect(place(answer) > place(opener))
    }
  }

  @Test(arguments: [1, 3, 64]) func everyFrameIsSentOnceAndInterfacesKeepTheirOrder(capacity: Int) {
    var random = RandomNumbers(seed: 7)
    let letters = String((0..<5000).map { _ in "aaaaaabbbbccABC".randomElement(using: &random)! })
    let frames = BatchPlanTests.frames(letters)
    let plan = BatchPlan(frames, capacity: capacity)
    #expect(plan.order.sorted() == (0..<5000).map { UInt32($0) })
    #expect(plan.ends.last == 5000 && zip([0] + plan.ends, plan.ends).allSatisfy { $1 > $0 && $1 - $0 <= capacity })
    for interface in 0..<3 {
      let numbers = plan.order.filter { frames[Int($0)].interface == interface }
      #expect(numbers == numbers.sorted())
    }
  }
}

extension RandomNumbers: RandomNumberGenerator {}
