import Glibc
import Testing

@testable import BenchReport

struct PartReportTests {
  private static let machine = Machine(processor: "A processor", cores: 2, kernel: "Linux 6", date: "today")

  private static func cell(_ mode: String, _ connections: Int, _ ratio: Double?) -> Cell {
    var cell = Cell(part: "core")
    cell["mode"] = .text(mode)
    cell["connections"] = .integer(connections)
    if let ratio { cell["ratio"] = .number(ratio) }
    cell.judge(Goal("ratio", .atMost, 1.05))
    return cell
  }

  private static var report: PartReport {
    var report = PartReport(
      part: "core", title: "The core loop", command: "make bench-core",
      columns: [Column("mode"), Column("connections", "conns"), Column("ratio", nil, .fixed(2))],
      plots: [LinePlot("ratio", title: "Ratio", x: ("connections", "c"), y: ("ratio", "r"), series: ["mode"])])
    report.add(cell("dr", 1000, 1.04))
    report.add(cell("nat", 1_000_000, 1.2))
    return report
  }

  @Test func jsonKeepsOrderAndKinds() {
    #expect(
      JSONText.array(PartReportTests.report.cells) == """
        [
          {"part": "core", "mode": "dr", "connections": 1000, "ratio": 1.04, "goal": "ratio <= 1.05", "passed": true},
          {"part": "core", "mode": "nat", "connections": 1000000, "ratio": 1.2, "goal": "ratio <= 1.05", "passed": false}
        ]

        """)
    #expect(JSONText.array([]) == "[]\n")
    #expect(JSONText.quoted("a\"b\\\n\u{1}") == "\"a\\\"b\\\\\\n\\u0001\"")
    #expect(JSONText.text(.number(.nan)) == "null")
  }

  @Test func tableIsPadded() {
    #expect(
      Table(PartReportTests.report.cells, columns: PartReportTests.report.columns).text == """
        mode      conns  ratio  goal
        ----  ---------  -----  -------------  ------
        dr        1,000   1.04  ratio <= 1.05  met
        nat   1,000,000   1.20  ratio <= 1.05  MISSED

        """)
  }

  @Test func markdownTable() {
    let cells = [PartReportTests.cell("a|b", 1, nil)]
    #expect(
      Table(cells, columns: [Column("mode"), Column("ratio"), Column("connections")]).markdown == """
        | mode | ratio | connections | goal |  |
        |---|---|---:|---|---|
        | a\\|b | - | 1 | ratio <= 1.05 | MISSED |

        """)
  }

  @Test func goalsAreCountedAndTheMissedNamed() {
    #expect(
      PartReportTests.report.verdict == "1 of 2 goals met\nmissed: nat 1,000,000: ratio <= 1.05 (ratio 1.2)\n")
    var report = PartReportTests.report
    report.add(PartReportTests.cell("tun", 5, nil))
    #expect(report.verdict.hasSuffix("missed: tun 5: ratio <= 1.05 (not measured)\n"))
  }

  @Test func severalGoalsHaveAllToBeMet() {
    var cell = PartReportTests.cell("dr", 1, 1)
    cell["rate"] = .integer(4)
    cell.judge(Goal("rate", .atLeast, 5))
    #expect(cell["goal"] == .text("ratio <= 1.05; rate >= 5") && cell.isPassed == false)
  }

  @Test func filesAreWritten() throws {
    let folder = "/tmp/lbd-bench-report-\(getpid())"
    defer {
      for file in ["core.json", "core.md", "core-ratio.svg"] { unlink("\(folder)/deep/\(file)") }
      rmdir(folder + "/deep")
      rmdir(folder)
    }
    try PartReportTests.report.write(to: folder + "/deep", machine: PartReportTests.machine)
    for file in ["core.json", "core.md", "core-ratio.svg"] { #expect(access("\(folder)/deep/\(file)", R_OK) == 0) }
    #expect(throws: ResultFileError.self) {
      try PartReportTests.report.write(to: "/proc/nothing", machine: PartReportTests.machine)
    }
    let text = PartReportTests.report.markdown(machine: PartReportTests.machine, pictures: [("T", "core-ratio.svg")])
    #expect(
      text.hasPrefix("# The core loop\n\nA processor, 2 cores, Linux 6, today\n\n    make bench-core\n\n| mode |"))
    #expect(text.contains("![T](core-ratio.svg)") && text.contains("\n- 1 of 2 goals met\n"))
  }

  @Test func progressRewritesATerminalAndWritesLinesToALog() {
    for isTerminal in [true, false] {
      nonisolated(unsafe) var written = ""
      var progress = Progress(part: "core", steps: 2, isTerminal: isTerminal) { written += $0 }
      progress.step("dr v4")
      progress.detail("half")
      progress.step("nat v4")
      progress.finish()
      let logged = "core [1/2] 0 s: dr v4\ncore [2/2] 0 s: nat v4\ncore: done after 0 s\n"
      #expect(isTerminal ? written.hasSuffix("\r\u{1b}[K") && !written.contains("\n") : written == logged)
    }
    #expect(Progress.words(99) == "99 s" && Progress.words(125) == "2 min 5 s")
  }
}
