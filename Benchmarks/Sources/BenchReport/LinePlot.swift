import Glibc

/// Several series of values over a logarithmic x axis, each a line with its points.
public struct LinePlot: Plot {
  /// Becomes a part of the file's name.
  public let name: String
  /// What it shows, for people.
  public let title: String
  private let x: (field: String, title: String)
  private let y: (field: String, title: String)
  private let series: [String]
  private let goal: Double?
  private let filter: @Sendable (Cell) -> Bool

  /// - Parameters:
  ///   - x: the field along, and what stands below it.
  ///   - y: the field upwards, and what stands beside it.
  ///   - series: cells that are equal in these fields are one line.
  ///   - goal: drawn as a dashed line.
  ///   - filter: which cells are shown.
  public init(
    _ name: String, title: String, x: (String, String), y: (String, String), series: [String], goal: Double? = nil,
    where filter: @escaping @Sendable (Cell) -> Bool = { _ in true }
  ) {
    self.name = name
    self.title = title
    self.x = x
    self.y = y
    self.series = series
    self.goal = goal
    self.filter = filter
  }

  private struct Line {
    let name: String
    var points: [(x: Double, y: Double)] = []
  }

  private func lines(_ cells: [Cell]) -> [Line] {
    var lines: [Line] = []
    for cell in cells where filter(cell) {
      guard let along = cell.number(x.field), along > 0, let up = cell.number(y.field), up.isFinite else { continue }
      let name = cell.label(series)
      if !lines.contains(where: { $0.name == name }) { lines.append(Line(name: name)) }
      for index in lines.indices where lines[index].name == name { lines[index].points.append((along, up)) }
    }
    for index in lines.indices { lines[index].points.sort { $0.x < $1.x } }
    return lines
  }

  /// The picture, or nil when no cell has what it shows.
  public func svg(_ cells: [Cell]) -> String? {
    let lines = self.lines(cells)
    let points = lines.flatMap(\.points)
    guard let least = points.map(\.x).min(), let most = points.map(\.x).max() else { return nil }
    var drawing = Drawing(width: 820, height: 440, title: title)
    let axes = Axes(drawing, largest: points.map(\.y).max() ?? 1, legend: lines.map(\.name), goal: goal)
    // Half a step of room at both ends keeps the points off the frame.
    let span = (low: log10(least) - 0.15, high: log10(most) + 0.15)
    func place(_ value: Double) -> Double {
      axes.left + (axes.right - axes.left) * (log10(value) - span.low) / (span.high - span.low)
    }
    axes.draw(&drawing, title: y.title)
    drawTicks(&drawing, axes, least: least, most: most, place: place)
    for (index, line) in lines.enumerated() {
      let colour = Drawing.colour(index)
      let places = line.points.map { (x: place($0.x), y: axes.y($0.y)) }
      drawing.path(places, colour: colour, dashes: Drawing.dashes(index))
      for (point, spot) in zip(line.points, places) {
        let note = "\(line.name): \(NumberText.significant(point.y, 4)) at \(NumberText.short(point.x))"
        drawing.dot(spot, colour: colour, note: note)
      }
    }
    axes.drawGoal(&drawing)
    return drawing.svg
  }

  private func drawTicks(
    _ drawing: inout Drawing, _ axes: Axes, least: Double, most: Double, place: (Double) -> Double
  ) {
    // Powers of ten; where there is less than one between the ends, the ends themselves.
    let powers = (Int(log10(least).rounded(.up))...max(Int(log10(least).rounded(.up)), Int(log10(most))))
      .map { pow(10, Double($0)) }.filter { $0 <= most * 1.001 }
    for value in powers.count > 1 ? powers : Array(Set([least, most])) {
      drawing.line((place(value), axes.top), (place(value), axes.bottom), colour: Drawing.grid)
      drawing.text(
        NumberText.short(value), x: place(value), y: axes.bottom + 18, anchor: .middle, colour: Drawing.faint)
    }
    drawing.text(x.title, x: (axes.left + axes.right) / 2, y: axes.bottom + 42, anchor: .middle)
  }
}
