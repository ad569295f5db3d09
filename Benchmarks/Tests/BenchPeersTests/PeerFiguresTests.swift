import BenchReport
import Testing

@testable import BenchPeers

@Suite("From turns to cells")
struct PeerFiguresTests {
  private let direct = PeerTarget.all[0]
  private let ours = PeerTarget.all[1]
  private let peers = PeerTarget.all.filter(\.isPeer)

  @Test func ratiosArePairedByRound() {
    var figures = PeerFigures()
    // The second round of one target failed; the third was slow for both.
    for (round, value) in [(0, 100.0), (1, 100), (2, 10)] { figures.add([.requests: value], of: direct, round: round) }
    for (round, value) in [(0, 90.0), (2, 9)] { figures.add([.requests: value], of: ours, round: round) }
    #expect(figures.ratio(.requests, of: ours, to: direct) == 0.9)
    #expect(figures.median(.requests, of: direct) == 100)
    #expect(figures.median(.gbit, of: direct) == nil)
    #expect(figures.ratio(.gbit, of: ours, to: direct) == nil)
  }

  @Test func heldAgainstTheBestPeer() throws {
    var figures = PeerFigures()
    for metric in PeerMetric.rates { figures.add([metric: 100], of: direct, round: 0) }
    for metric in PeerMetric.rates { figures.add([metric: 98], of: ours, round: 0) }
    figures.add([.p50: 20], of: direct, round: 0)
    figures.add([.p50: 50], of: ours, round: 0)
    for (peer, value) in zip(peers, [70.0, 49, 30, 20]) {
      for metric in PeerMetric.rates { figures.add([metric: value], of: peer, round: 0) }
    }
    let report = PeersReport(figures: figures, targets: PeerTarget.all).report(command: "", notes: [])
    let cell = report.cells[1]
    #expect(cell.number("requestsRelativeToPeers") == 1.4)
    #expect(cell.number("addedP50Microseconds") == 30)
    #expect(cell.isPassed == true)
    // What was not measured has not met its goal.
    #expect(report.cells[2].isPassed == false)
    #expect(report.cells[0].isPassed == nil)
  }

  @Test func coreTime() throws {
    let before = "cpu  1 1\ncpu1 10 20 30 4000 50 6 7 8 0 0\nintr 1\n"
    #expect(try #require(CoreTime(core: 1, statistics: before)).busySeconds == 0.73)
    #expect(CoreTime(core: 2, statistics: before) == nil)
  }

  @Test func processTime() {
    let words = "4711 (a (b) 1) S 1 4711 4711 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 3 0 12345 1 1"
    #expect(ProcessTime.seconds(words) == 3)
    #expect(ProcessTime.seconds("4711 (lbd) S 1") == nil)
  }
}
