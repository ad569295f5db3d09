import Testing

@testable import Scheduler

struct TwoChoicesTests {
  /// The numbers drawn, the pick.
  static let rows: [(UInt64, UInt64, String)] = [
    (0, 6, "A"), (1, 2, "B"), (3, 4, "B"), (4, 1, "A"), (6, 6, "A"), (2, 5, "B"), (0, 0, "C"), (1, 1, "C"),
    (7, 0, "A"), (.max, .max, "A"),
  ]

  @Test(arguments: rows) func vectors(first: UInt64, second: UInt64, server: String) {
    var service = ServiceModel(.twoChoices, boundWith: "A3 B2 C1")
    service.load("A", active: 4)
    service.load("B", active: 1)
    service.load("C", active: 2)
    let position = service.withServers { TwoChoices.pick(from: $0, first: first, second: second) }
    #expect(service.servers[position].name == server)
  }

  @Test func equalChoicesGoToTheFirstDrawn() {
    let service = ServiceModel(.twoChoices, boundWith: "A1 B1")
    #expect(service.withServers { TwoChoices.pick(from: $0, first: 2, second: 1) } == 1)
    #expect(service.withServers { TwoChoices.pick(from: $0, first: 1, second: 2) } == 0)
  }

  @Test func sameWordSamePicks() {
    var one = ServiceModel(.twoChoices, boundWith: "A3 B2 C1")
    var other = one
    one.state = SchedulerState(word: 5)
    other.state = SchedulerState(word: 5)
    #expect(one.picks(200) == other.picks(200))
    other.add("D", weight: 1)
    #expect(other.state == one.state, "a change of the list does not turn back the generator")
  }

  /// All choices alike (no load): a server of weight w gets w numbers of total + 1, the first of the list one more.
  @Test(arguments: [1, 2, 3] as [UInt64]) func sharesFollowTheWeights(seed: UInt64) {
    let service = ServiceModel(.twoChoices, boundWith: "A4 B3 C2 D1")
    var state = SchedulerState(word: seed)
    var counts = [0, 0, 0, 0]
    let picks = 40_000
    for _ in 0..<picks {
      let position = service.withServers { TwoChoices.pick(from: $0, state: &state) }
      counts[position] += 1
    }
    // List order D, C, B, A.
    for (count, share) in zip(counts, [2, 2, 3, 4]) {
      let expected = picks * share / 11
      // Five standard deviations.
      #expect(abs(count - expected) < 500, "seed \(seed): \(counts)")
    }
  }

  /// With connections that stay, two choices keep the loads within a few of each other; one choice would not.
  @Test(arguments: [1, 2, 3] as [UInt64]) func loadsStayClose(seed: UInt64) {
    var service = ServiceModel(.twoChoices)
    for index in 0..<50 { service.add("s\(index)", weight: 1) }
    service.state = SchedulerState(word: seed)
    for _ in 0..<5000 { _ = service.connect() }
    let loads = service.servers.map { service.connections[Int($0.identifier)] >> 32 }
    #expect(loads.max()! <= 106 && loads.min()! >= 90, "seed \(seed): \(loads)")
  }

  @Test func onlyTheEligibleTakePart() {
    var service = ServiceModel(.twoChoices, boundWith: "A3 B2 C0")
    service.overload("A")
    for _ in 0..<100 { #expect(service.connect() == "B") }
    service.overload("B")
    #expect(service.connect() == nil)
  }

  @Test func drawnNumbersReachBothEnds() {
    var state = SchedulerState(word: 3)
    var seen: Set<UInt64> = []
    for _ in 0..<200 { seen.insert(TwoChoices.draw(&state, through: 3)) }
    #expect(seen == [0, 1, 2, 3])
  }
}
