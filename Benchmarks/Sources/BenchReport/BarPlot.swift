/// Groups of bars: a group for each cell, or each set of cells, a bar for each series.
public struct BarPlot: Plot {
  /// Becomes a part of the file's name.
  public let name: String
  /// What it shows, for people.
  public let title: String
  private let yTitle: String
  private let group: [String]
  private let bars: Bars
  private let goal: Double?
  private let filter: @Sendable (Cell) -> Bool

  /// Where the bars of a group come from.
  public enum Bars: Sendable {
    /// Several fields of each cell, each with its name in the legend.
    case fields([(field: String, name: String)])
    /// One field of several cells, which differ in the fields given.
    case cells(field: String, series: [String])
  }

  /// - Parameters:
  ///   - y: what stands beside the vertical axis.
  ///   - group: cells that are equal in these fields are one group.
  ///   - bars: where a group's bars come from.
  ///   - goal: drawn as a dashed line.
  ///   - filter: which cells are shown.
  public init(
    _ name: String, title: String, y: String, group: [String], bars: Bars, goal: Double? = nil,
    where filter: @escaping @Sendable (Cell) -> Bool = { _ in true }
  ) {
    self.name = name
    self.title = title
    yTitle = y
    self.group = group
    self.bars = bars
    self.goal = goal
    self.filter = filter
  }

  private struct Groups {
    var names: [String] = []
    var series: [String] = []
    /// By name of the group, by name of the series.
    var values: [String: [String: Double]] = [:]

    mutating func add(_ group: String, _ name: String, _ value: Double?) {
      guard let value, value.isFinite else { return }
      if !names.contains(group) { names.append(group) }
      if !series.contains(name) { series.append(name) }
      values[group, default: [:]][name] = value
    }

    var largest: Double { values.values.flatMap(\.values).max() ?? 0 }

    /// One size for the numbers over all bars, so that the longest fits.
    func textSize(bar: Double) -> Double {
      let widest = values.values.flatMap(\.values).map { Drawing.textWidth(BarPlot.words($0), size: 1) }.max() ?? 1
      return min(11, bar / widest)
    }
  }

  private func groups(_ cells: [Cell]) -> Groups {
    var groups = Groups()
    for cell in cells where filter(cell) {
      switch bars {
      case .fields(let fields):
        for (field, name) in fields { groups.add(cell.label(group), name, cell.number(field)) }
      case .cells(let field, let series):
        groups.add(cell.label(group), cell.label(series), cell.number(field))
      }
    }
    return groups
  }

  /// The picture, or nil when no cell has what it shows.
  public func svg(_ cells: [Cell]) -> String? {
    let groups = self.groups(cells)
    guard !groups.names.isEmpty else { return nil }
    let widest = groups.names.map { Drawing.textWidth($0) }.max() ?? 0
    let room = max(64, Double(groups.series.count) * 26 + 18)
    // Labels that would run into each other are turned.
    let isTurned = widest + 8 > room
    let legendWidth = (groups.series.map { Drawing.textWidth($0) }.max() ?? 0) + 52
    let width = min(1600, max(620, 72 + legendWidth + room * Double(groups.names.count)))
    var drawing = Drawing(width: width, height: isTurned ? 420 + widest * 0.6 : 420, title: title)
    let axes = Axes(
      drawing, largest: groups.largest * 1.05, legend: groups.series, goal: goal,
      foot: isTurned ? 30 + widest * 0.6 : 40)
    axes.draw(&drawing, title: yTitle)
    for (index, name) in groups.names.enumerated() {
      draw(&drawing, axes, groups, name, at: index, isTurned: isTurned)
    }
    axes.drawGoal(&drawing)
    return drawing.svg
  }

  private func draw(
    _ drawing: inout Drawing, _ axes: Axes, _ groups: Groups, _ name: String, at index: Int, isTurned: Bool
  ) {
    let room = (axes.right - axes.left) / Double(groups.names.count)
    let middle = axes.left + room * (Double(index) + 0.5)
    let bar = min(40, room * 0.8 / Double(groups.series.count))
    let start = middle - bar * Double(groups.series.count) / 2
    for (position, series) in groups.series.enumerated() {
      guard let value = groups.values[name]?[series] else { continue }
      let x = start + bar * Double(position)
      let words = BarPlot.words(value)
      drawing.box(
        x: x + 1, y: axes.y(value), width: bar - 2, height: axes.bottom - axes.y(value),
        colour: Drawing.colour(position), note: "\(name), \(series): \(words)")
      guard bar >= 22 else { continue }
      drawing.text(
        words, x: x + bar / 2, y: axes.y(value) - 4, size: groups.textSize(bar: bar), anchor: .middle,
        colour: Drawing.ink)
    }
    if isTurned {
      drawing.text(name, x: middle + 4, y: axes.bottom + 14, anchor: .end, turned: -35)
    } else {
      drawing.text(name, x: middle, y: axes.bottom + 20, anchor: .middle)
    }
  }

  private static func words(_ value: Double) -> String {
    value >= 10_000 ? NumberText.short(value) : NumberText.significant(value, 3)
  }
}
