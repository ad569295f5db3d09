import BenchReport
import Testing

@testable import BenchCore

/// Both sides do what is measured, and the comparison finds what differs.
struct EngineTests {
  @Test(arguments: Mode.allCases, Family.allCases)
  func bothSidesForwardEstablishedTraffic(mode: Mode, family: Family) throws {
    let scenario = Scenario(mode, family, connections: 4096)
    var random = Randomness(seed: 1)
    let ours = try EstablishedTraffic(LbdEngine(scenario), scenario: scenario, count: 500)
    #expect(try ours.round(&random) > 0)
    try ours.verify()
    let theirs = try EstablishedTraffic(ReferenceEngine(scenario), scenario: scenario, count: 500)
    #expect(try theirs.round(&random) > 0)
    try theirs.verify()
  }

  @Test func framesThatWentElsewhereAreAnError() throws {
    let scenario = Scenario(.dr, .v4, connections: 4096)
    let engine = try LbdEngine(scenario)
    let flows = FlowSet(scenario, count: 10)
    try flows.open(engine)
    let before = engine.outcomes()
    try flows.offerRequest(4711, Segment.Flags.ack, to: engine)
    engine.turnNow()
    #expect(throws: BenchError.self) {
      try flows.verify(engine, since: before, requests: 1, replies: 0, doing: "test")
    }
  }

  @Test func comparisonCoversOutcomesAndAgrees() throws {
    var comparison = Comparison(frames: 8000, seed: 3)
    let summary = try comparison.run()
    #expect(summary.frames >= 8000)
    #expect(summary.outcomes.count > 12, "the frames reach many ends")
  }

  @Test func duelPairsBlocks() {
    let duel = Duel(blocks: 3, rounds: 2)
    var calls = (0, 0)
    let result = duel.run { _ in
      calls.0 += 1
      return 2
    } theirs: { _ in
      calls.1 += 1
      return 4
    }
    #expect(calls == (9, 9))
    #expect(result.ratio == 0.5 && result.ours.count == 3)
  }
}
