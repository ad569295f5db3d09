import Glibc

/// The frame of a plot: where values lie on the sheet, grid lines, labels, and the legend at the right.
struct Axes {
  let left = 72.0
  let top = 46.0
  let bottom: Double
  let right: Double
  /// Value at the upper edge; the lower one is 0.
  let limit: Double
  private let step: Double
  private let decimals: Int
  private let legend: [String]
  private let goal: Double?

  /// - Parameters:
  ///   - largest: the largest value to be shown.
  ///   - legend: names of the series; a single one needs none.
  ///   - goal: a dashed line across the plot.
  ///   - foot: room below for the labels of the x axis.
  init(
    _ drawing: borrowing Drawing, largest: Double, legend: [String], goal: Double?, foot: Double = 56
  ) {
    self.legend = legend.count > 1 ? legend : []
    self.goal = goal
    let largest = max(largest, goal ?? 0)
    let widest = (self.legend + [Axes.name(ofGoal: goal)]).map { Drawing.textWidth($0) }.max { $0 < $1 }
      .flatMap { $0 > 0 ? $0 : nil }
    right = drawing.width - (widest.map { $0 + 52 } ?? 24)
    bottom = drawing.height - foot
    step = Axes.niceStep(largest > 0 && largest.isFinite ? largest : 1)
    limit = (max(largest, step) / step).rounded(.up) * step
    decimals = max(0, -Int(log10(step * 1.0001).rounded(.down)))
  }

  /// 1, 2 or 5 times a power of ten, so that four to eight of them reach the value.
  static func niceStep(_ largest: Double) -> Double {
    let rough = largest / 6
    let power = pow(10, log10(rough).rounded(.down))
    for factor in [1.0, 2, 5] where factor * power >= rough { return factor * power }
    return 10 * power
  }

  func y(_ value: Double) -> Double { bottom - (bottom - top) * min(max(value / limit, 0), 1) }

  func draw(_ drawing: inout Drawing, title: String) {
    var value = 0.0
    while value <= limit * 1.0001 {
      let place = y(value)
      drawing.line((left, place), (right, place), colour: value == 0 ? Drawing.faint : Drawing.grid)
      let label = limit >= 10_000 ? NumberText.short(value) : NumberText.fixed(value, decimals)
      drawing.text(label, x: left - 8, y: place + 4, anchor: .end, colour: Drawing.faint)
      value += step
    }
    let middle = (top + bottom) / 2
    drawing.text(title, x: 18, y: middle, anchor: .middle, colour: Drawing.ink, turned: -90)
    for (index, name) in legend.enumerated() {
      let place = top + 10 + 20 * Double(index)
      drawing.line(
        (right + 14, place - 4), (right + 34, place - 4), colour: Drawing.colour(index), width: 4,
        dashes: Drawing.dashes(index))
      drawing.text(name, x: right + 40, y: place)
    }
  }

  /// The goal, over what has been plotted; its name stands in the legend, where no line runs through it.
  func drawGoal(_ drawing: inout Drawing) {
    guard let goal else { return }
    drawing.line((left, y(goal)), (right, y(goal)), colour: Drawing.goal, width: 1.5, dashes: "5 4")
    let place = top + 10 + 20 * Double(legend.count)
    drawing.line(
      (right + 14, place - 4), (right + 34, place - 4), colour: Drawing.goal, width: 1.5, dashes: "5 4")
    drawing.text(Axes.name(ofGoal: goal), x: right + 40, y: place)
  }

  private static func name(ofGoal goal: Double?) -> String {
    goal.map { "goal \(NumberText.significant($0, 4))" } ?? ""
  }
}
