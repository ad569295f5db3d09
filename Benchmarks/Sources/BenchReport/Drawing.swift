/// An SVG picture under construction: a light sheet with a title, and the few shapes that plots are made of.
struct Drawing {
  /// Where a text stands relative to its point.
  enum Anchor: String {
    case start, middle, end
  }

  static let ink = "#24292f"
  static let faint = "#6e7781"
  static let grid = "#e4e7eb"
  static let goal = "#8c959f"
  /// Told apart by the colour-blind, too; the order is that of the series.
  static let palette = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a5195", "#4d4d4d"]

  let width: Double
  let height: Double
  private var body = ""

  init(width: Double, height: Double, title: String) {
    self.width = width
    self.height = height
    text(title, x: 16, y: 26, size: 16, weight: "600")
  }

  static func colour(_ index: Int) -> String { palette[index % palette.count] }

  /// Series beyond the palette's colours are told apart by their dashes.
  static func dashes(_ index: Int) -> String? { index < palette.count ? nil : "6 3" }

  mutating func line(
    _ from: (x: Double, y: Double), _ to: (x: Double, y: Double), colour: String, width: Double = 1,
    dashes: String? = nil
  ) {
    body +=
      "<line x1=\"\(number(from.x))\" y1=\"\(number(from.y))\" x2=\"\(number(to.x))\" y2=\"\(number(to.y))\""
      + " stroke=\"\(colour)\" stroke-width=\"\(number(width))\"\(attribute("stroke-dasharray", dashes))/>\n"
  }

  mutating func path(_ points: [(x: Double, y: Double)], colour: String, dashes: String? = nil) {
    let places = points.map { "\(number($0.x)),\(number($0.y))" }.joined(separator: " ")
    body +=
      "<polyline points=\"\(places)\" fill=\"none\" stroke=\"\(colour)\" stroke-width=\"2\""
      + " stroke-linejoin=\"round\"\(attribute("stroke-dasharray", dashes))/>\n"
  }

  mutating func dot(_ point: (x: Double, y: Double), colour: String, note: String) {
    body +=
      "<circle cx=\"\(number(point.x))\" cy=\"\(number(point.y))\" r=\"3.5\" fill=\"\(colour)\">"
      + "<title>\(escaped(note))</title></circle>\n"
  }

  mutating func box(x: Double, y: Double, width: Double, height: Double, colour: String, note: String = "") {
    body +=
      "<rect x=\"\(number(x))\" y=\"\(number(y))\" width=\"\(number(width))\" height=\"\(number(height))\""
      + " fill=\"\(colour)\"><title>\(escaped(note))</title></rect>\n"
  }

  mutating func text(
    _ text: String, x: Double, y: Double, size: Double = 12, anchor: Anchor = .start, colour: String = Drawing.ink,
    weight: String? = nil, turned degrees: Double? = nil
  ) {
    let turn = degrees.map { "rotate(\(number($0)) \(number(x)) \(number(y)))" }
    body +=
      "<text x=\"\(number(x))\" y=\"\(number(y))\" font-size=\"\(number(size))\" fill=\"\(colour)\""
      + " text-anchor=\"\(anchor.rawValue)\"\(attribute("font-weight", weight))\(attribute("transform", turn))>"
      + "\(escaped(text))</text>\n"
  }

  /// The whole file.
  var svg: String {
    "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"\(number(width))\" height=\"\(number(height))\""
      + " viewBox=\"0 0 \(number(width)) \(number(height))\" font-family=\"Helvetica, Arial, sans-serif\">\n"
      + "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n" + body + "</svg>\n"
  }

  /// About how wide a text is; there is no font to ask.
  static func textWidth(_ text: String, size: Double = 12) -> Double { Double(text.count) * size * 0.56 }

  private func number(_ value: Double) -> String { NumberText.significant((value * 10).rounded() / 10, 6) }

  private func attribute(_ name: String, _ value: String?) -> String {
    value.map { " \(name)=\"\($0)\"" } ?? ""
  }

  private func escaped(_ text: String) -> String {
    text.reduce(into: "") { result, character in
      switch character {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      default: result.append(character)
      }
    }
  }
}
