import Glibc

/// Lines for a person: colour only on a terminal, each line out at once.
struct Console {
  enum Colour: String {
    case bold = "1"
    case green = "32"
    case red = "31"
    case yellow = "33"
    case dim = "2"
  }

  let isTerminal: Bool

  init() { isTerminal = isatty(1) == 1 && getenv("NO_COLOR") == nil }

  func line(_ text: String = "") {
    print(text)
    fflush(nil)
  }

  func paint(_ text: String, _ colour: Colour) -> String {
    isTerminal ? "\u{1b}[\(colour.rawValue)m\(text)\u{1b}[0m" : text
  }

  /// A line on standard error.
  static func complain(_ text: String) {
    var line = Array((text + "\n").utf8)
    write(2, &line, line.count)
  }

  /// 1234567 as 1,234,567.
  static func grouped(_ number: UInt64) -> String {
    let digits = Array(String(number))
    return digits.indices.reduce(into: "") { text, index in
      if index > 0, (digits.count - index).isMultiple(of: 3) { text.append(",") }
      text.append(digits[index])
    }
  }

  /// One decimal, without Foundation.
  static func tenths(_ number: Double) -> String {
    let tenths = Int((number * 10).rounded())
    return "\(tenths / 10).\(tenths % 10)"
  }

  static func padded(_ text: String, to width: Int, with filler: Character = " ") -> String {
    text + String(repeating: filler, count: max(0, width - text.count))
  }
}
