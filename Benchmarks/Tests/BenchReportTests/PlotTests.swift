import Testing

@testable import BenchReport

struct PlotTests {
  private static func cells() -> [Cell] {
    ["dr", "nat"].flatMap { mode in
      [1000, 100_000, 10_000_000].map { connections in
        var cell = Cell(part: "core")
        cell["mode"] = .text(mode)
        cell["connections"] = .integer(connections)
        cell["nsPerPacket"] = .number(20 + Double(connections.trailingZeroBitCount))
        cell["referenceNsPerPacket"] = .number(19)
        return cell
      }
    }
  }

  private static func count(_ part: String, in text: String) -> Int {
    var count = 0
    var rest = text[...]
    while let range = rest.firstRange(of: part) {
      count += 1
      rest = rest[range.upperBound...]
    }
    return count
  }

  @Test func aLineForEachSeries() throws {
    let plot = LinePlot(
      "p", title: "A < B", x: ("connections", "connections"), y: ("nsPerPacket", "ns"), series: ["mode"], goal: 25)
    let svg = try #require(plot.svg(PlotTests.cells()))
    #expect(PlotTests.count("<polyline", in: svg) == 2 && PlotTests.count("<circle", in: svg) == 6)
    #expect(svg.contains(">A &lt; B</text>") && svg.contains(">10 M</text>") && svg.contains(">goal 25</text>"))
    #expect(plot.svg([]) == nil && plot.svg([Cell(part: "core")]) == nil)
  }

  @Test func onePointIsAPlotToo() throws {
    let plot = LinePlot("p", title: "t", x: ("connections", "c"), y: ("nsPerPacket", "ns"), series: ["mode"])
    let svg = try #require(plot.svg([PlotTests.cells()[0]]))
    #expect(PlotTests.count("<circle", in: svg) == 1 && !svg.contains("nan"))
  }

  @Test func aBarForEachFieldOrCell() throws {
    let both = BarPlot(
      "p", title: "t", y: "ns", group: ["mode"],
      bars: .fields([("nsPerPacket", "lbd"), ("referenceNsPerPacket", "C")])
    ) { $0.number("connections") == 1000 }
    let svg = try #require(both.svg(PlotTests.cells()))
    // The sheet itself is one, too.
    #expect(PlotTests.count("<rect", in: svg) == 5 && svg.contains(">lbd</text>"))
    let each = BarPlot(
      "p", title: "t", y: "ns", group: ["mode"], bars: .cells(field: "nsPerPacket", series: ["connections"]))
    #expect(PlotTests.count("<rect", in: try #require(each.svg(PlotTests.cells()))) == 7)
    #expect(each.svg([]) == nil)
  }

  @Test(arguments: [(1.0, 0.2), (0.9, 0.2), (6, 1), (70, 20), (1e6, 200_000)]) func stepsAreRound(
    largest: Double, step: Double
  ) {
    #expect(abs(Axes.niceStep(largest) - step) < step / 1e9)
  }
}
