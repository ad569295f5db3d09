import Testing

@testable import Scheduler

struct WeightedRoundRobinTests {
  struct Row: CustomTestStringConvertible {
    let testDescription: String
    let servers: String
    let together: Bool
    let picks: String
  }

  static let rows = [
    Row(testDescription: "3 2 1 at once", servers: "A3 B2 C1", together: true, picks: "A B A C B A A B A C B A"),
    Row(
      testDescription: "3 2 1 one by one", servers: "A3 B2 C1", together: false,
      picks: "C B A A B A C B A A B A C B A"),
    Row(testDescription: "4 2 2 at once", servers: "A4 B2 C2", together: true, picks: "A C B A A C B A"),
    Row(testDescription: "4 2 2 one by one", servers: "A4 B2 C2", together: false, picks: "C B A A C B A A C B A"),
    Row(testDescription: "equal weights", servers: "A1 B1 C1", together: true, picks: "C B A C B A"),
    Row(testDescription: "5 1 1 at once", servers: "A5 B1 C1", together: true, picks: "A A A A C B A A A A A C B A"),
    Row(testDescription: "all quiescent", servers: "A0 B0 C0", together: true, picks: "- - -"),
    Row(testDescription: "no servers", servers: "", together: true, picks: "- -"),
    Row(testDescription: "one server", servers: "A7", together: false, picks: "A A A"),
  ]

  @Test func paceOfAGrowingList() {
    var generator = SystemRandomNumberGenerator()
    let choices: [Int32] = [0, 1, 2, 3, 4, 6, 8, 9, 12, 100, 65_535, .max]
    for _ in 0..<200 {
      let weights = (0..<Int.random(in: 1...12, using: &generator)).map { _ -> Int32 in
        choices.randomElement(using: &generator) ?? 0
      }
      var pace: (step: UInt32, maximum: UInt32) = (1, 0)
      for weight in weights { pace = WeightedRoundRobin.pace(pace, adding: weight) }
      #expect(pace == WeightedRoundRobin.pace(of: weights), "weights \(weights)")
    }
  }

  @Test(arguments: rows) func vectors(row: Row) {
    var service = ServiceModel(.weightedRoundRobin)
    if row.together {
      service = ServiceModel(.weightedRoundRobin, boundWith: row.servers)
    } else {
      service.addAll(row.servers)
    }
    #expect(service.picks(row.picks.split(separator: " ").count) == row.picks)
  }

  @Test func overloadedServerIsPassedOver() {
    var service = ServiceModel(.weightedRoundRobin, boundWith: "A3 B2 C1")
    service.overload("A")
    #expect(service.picks(9) == "B C B B C B B C B")
    service.overload("B")
    service.overload("C")
    #expect(service.picks(2) == "- -")
    service.overload("B", false)
    #expect(service.picks(2) == "B B")
  }

  @Test func paceIsDivisorAndFirstWeight() {
    let rows: [([Int32], UInt32, UInt32)] = [
      ([], 1, 0), ([0, 0], 1, 0), ([1, 2, 3], 1, 3), ([2, 2, 4], 2, 3), ([0, 6, 9], 3, 7), ([5], 5, 1),
      ([.max], 2_147_483_647, 1), ([.max, 1], 1, 2_147_483_647), ([-4, 6], 6, 1),
    ]
    for (weights, step, maximum) in rows {
      let pace = Scheduler.pace(of: weights)
      #expect(pace.step == step && pace.maximum == maximum, "\(weights)")
    }
  }

  @Test func editsKeepTheCurrentWeightWhereItMakesSense() {
    var service = ServiceModel(.weightedRoundRobin, boundWith: "A3 B2 C1")
    #expect(service.picks(2) == "A B")
    #expect(service.state.currentWeight == 2)
    service.edit("C", weight: 5)
    #expect(service.state.cursor == nil && service.state.currentWeight == 2)
    #expect(service.picks(3) == "C B A")
    service.edit("A", weight: 1)
    service.edit("B", weight: 1)
    service.edit("C", weight: 1)
    #expect(service.state.currentWeight == 1)
    service.edit("A", weight: 0)
    service.edit("B", weight: 0)
    service.edit("C", weight: 0)
    #expect(service.state.currentWeight == 0)
    service.edit("A", weight: 8)
    service.edit("B", weight: 4)
    #expect(service.state.currentWeight == 1)
    #expect(service.picks(3) == "B A A")
  }

  @Test func heavyOverloadedServerCostsNoEmptyPasses() {
    var service = ServiceModel(.weightedRoundRobin, boundWith: "A2147483647 B1")
    service.overload("A")
    #expect(service.picks(50) == Array(repeating: "B", count: 50).joined(separator: " "))
  }

  @Test func wordOfAnotherListIsBroughtIntoRange() {
    var service = ServiceModel(.weightedRoundRobin, boundWith: "A3 B2 C1")
    service.state = SchedulerState(word: .max)
    #expect(service.picks(6) == "A B A C B A")
    service.state = SchedulerState()
    #expect(service.picks(6) == "A B A C B A")
  }

  /// The picks and the state of the walk without skipping, over random lists with overloads and edits.
  @Test(arguments: 1...20) func skippingChangesNothing(seed: UInt64) {
    var generator = SplitMix(state: seed)
    for _ in 0..<40 {
      let factor = Int32.random(in: 1...4, using: &generator)
      var service = ServiceModel(.weightedRoundRobin)
      var names = ["A", "B", "C", "D", "E"].prefix(Int.random(in: 1...5, using: &generator)).map { $0 }
      for name in names { service.add(name, weight: Int32.random(in: 0...9, using: &generator) * factor) }
      for _ in 0..<60 {
        switch Int.random(in: 0..<10, using: &generator) {
        case 0: service.edit(names.randomElement(using: &generator)!, weight: .random(in: 0...20, using: &generator))
        case 1, 2: service.overload(names.randomElement(using: &generator)!, .random(using: &generator))
        case 3 where names.count > 1: service.remove(names.removeLast())
        default: break
        }
        var plain = PlainWalk(service)
        let expected = plain.pick()
        #expect(service.connect() == expected)
        #expect(service.state.currentWeight == plain.weight && service.state.cursor == plain.cursor)
      }
    }
  }
}

/// Weighted round robin as the rule is told: one pass after the other, none skipped.
private struct PlainWalk {
  let service: ServiceModel
  let step: Int
  let maximum: Int
  var weight: UInt32
  var cursor: UInt16?

  init(_ service: ServiceModel) {
    self.service = service
    let pace = Scheduler.pace(of: service.servers.map(\.weight))
    step = Int(pace.step)
    maximum = Int(pace.maximum)
    weight = service.state.currentWeight
    cursor = service.state.cursor
  }

  mutating func pick() -> String? {
    guard maximum > 0 else { return nil }
    var current = Int(weight)
    let last = service.servers.firstIndex { $0.identifier == cursor }
    var start = last.map { $0 + 1 } ?? 0
    var stop: Int?
    var isFinal = false
    var hasRestarted = false
    defer { weight = UInt32(current) }
    while true {
      for position in start..<max(start, service.servers.count) {
        let server = service.servers[position]
        if service.overloaded[Int(server.identifier)] == 0 && Int(server.weight) >= current {
          cursor = server.identifier
          return server.name
        }
        if position == stop { return nil }
      }
      start = 0
      current -= step
      if current <= 0 {
        current = maximum
        if isFinal || last == nil {
          cursor = nil
          return nil
        }
        hasRestarted = true
      }
      isFinal = current <= step
      if isFinal && hasRestarted { stop = last }
    }
  }
}

/// A seeded generator, so that a failing history can be played again.
struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var word = state
    word = (word ^ word >> 30) &* 0xbf58_476d_1ce4_e5b9
    word = (word ^ word >> 27) &* 0x94d0_49bb_1331_11eb
    return word ^ word >> 31
  }
}
