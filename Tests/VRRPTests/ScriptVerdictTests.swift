import Testing

@testable import VRRP

@Suite struct ScriptVerdictTests {
  /// Runs as `+` and `-`, and the verdict after each.
  @Test(arguments: [
    (1, 1, "+-+", "+-+"), (1, 1, "-+", "-+"), (1, 3, "+--+--+---+", "+++++++++-+"),
    (3, 1, "-++-+++", "------+"), (2, 2, "+-+--++", "++++--+"), (5, 5, "+", "+"), (5, 5, "-", "-"),
    (0, 0, "+-", "+-"), (3, 2, "-+++--", "---++-"),
  ]) func verdicts(rise: Int, fall: Int, runs: String, verdicts: String) {
    var verdict = ScriptVerdict(rise: rise, fall: fall)
    #expect(verdict.isWell == nil)
    var seen = ""
    for run in runs {
      let before = verdict.isWell
      let isNews = verdict.take(success: run == "+")
      #expect(isNews == (verdict.isWell != before))
      seen += verdict.isWell == true ? "+" : "-"
    }
    #expect(seen == verdicts)
  }

  @Test func keepsItsVerdict() {
    var verdict = ScriptVerdict(rise: 1, fall: 2)
    _ = verdict.take(success: true)
    var kept = ScriptVerdict(rise: 1, fall: 3, keeping: verdict)
    let news = [false, false, false].map { kept.take(success: $0) }
    #expect(news == [false, false, true])
    #expect(ScriptVerdict(rise: 1, fall: 1, keeping: ScriptVerdict(rise: 2, fall: 2)).isWell == nil)
  }
}
