import Testing

@testable import Control
@testable import Dataplane

/// Every frame is in the account, and one that is not shows.
struct ReportTests {
  private func report(_ change: (inout Statistics) -> Void) throws -> Report {
    let dataplane = try Dataplane(connections: 1024, bothDirections: false, seed: 1)
    var statistics = Statistics()
    change(&statistics)
    return Report(listing: Listing(services: VirtualServices(), dataplane: dataplane), statistics: statistics)
  }

  @Test func balanceAddsUp() throws {
    let report = try report {
      $0.received = 7
      $0.outcomes = [.directRouting: 4, .masqueradeReply: 1, .notOurs: 1, .malformed: 1]
    }
    #expect(report.isBalanced)
    #expect(report.balance() == "received 7 = forwarded 5 + passed 1 + dropped 1")
  }

  @Test func frameWithoutOutcomeShows() throws {
    let report = try report {
      $0.received = 2
      $0.outcomes = [.tunnel: 1]
    }
    #expect(!report.isBalanced)
    #expect(report.balance() == "received 2 != forwarded 1 + passed 0 + dropped 0")
  }

  @Test func everyOutcomeHasItsLine() throws {
    let report = try report {
      $0.received = 3
      $0.outcomes = [.tooBig: 3]
      $0.originated = 5
      $0.expired = 6
      $0.missed = 7
    }
    let lines = report.outcomes().split(separator: "\n").map(String.init)
    #expect(
      lines.first == "received 3" && lines.suffix(4) == ["originated 5", "expired 6", "missed 7", "unconveyed 0"])
    #expect(lines.contains("dropped.tooBig 3") && lines.contains("forwarded.directRouting 0"))
    #expect(lines.count == Outcome.allCases.count - 1 + 5, "all outcomes but pending")
  }

  @Test func partsStandUnderHeadings() throws {
    let text = try report { _ in }.text(nowNanoseconds: 0)
    let headings = text.split(separator: "\n").filter { $0.hasPrefix("# ") }
    #expect(headings == ["# services", "# connections", "# outcomes", "# balance"])
    #expect(text.hasSuffix("# balance\nreceived 0 = forwarded 0 + passed 0 + dropped 0\n"))
  }
}
