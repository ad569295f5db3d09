import Glibc

/// Where a long measurement is: one line on standard error, with the time gone by and what comes. On a terminal it is
/// rewritten in place, otherwise (a log) every step is a line of its own.
public struct Progress {
  private let part: String
  private let total: Int
  private let isTerminal: Bool
  private let start: Double
  private var position = 0
  private let write: (String) -> Void

  /// - Parameter steps: how many `step`s will come; 0 when that is not known.
  public init(part: String, steps: Int = 0) {
    self.init(part: part, steps: steps, isTerminal: isatty(2) == 1) { text in
      let bytes = Array(text.utf8)
      _ = Glibc.write(2, bytes, bytes.count)
    }
  }

  init(part: String, steps: Int, isTerminal: Bool, write: @escaping (String) -> Void) {
    self.part = part
    total = steps
    self.isTerminal = isTerminal
    self.write = write
    start = Progress.seconds()
  }

  /// Says what is measured from here on.
  public mutating func step(_ what: String) {
    position += 1
    show(what)
  }

  /// Says how far the present step is, without counting a step; only a terminal shows it.
  public func detail(_ what: String) {
    if isTerminal { show(what) }
  }

  /// Removes the line, or says that all is done.
  public func finish() {
    write(isTerminal ? "\r\u{1b}[K" : "\(part): done after \(elapsed)\n")
  }

  private func show(_ what: String) {
    let count = total > 0 ? "[\(position)/\(max(total, position))] " : ""
    let line = "\(part) \(count)\(elapsed)\(left): \(what)"
    // A line that wraps could not be rewritten.
    write(isTerminal ? "\r\u{1b}[K" + String(line.prefix(Progress.width() - 1)) : line + "\n")
  }

  private var elapsed: String { Progress.words(Progress.seconds() - start) }

  /// What is left if the steps to come take as long as those done.
  private var left: String {
    guard position > 3, total > position else { return "" }
    let done = Double(position - 1)
    return ", about \(Progress.words((Progress.seconds() - start) / done * (Double(total) - done))) left"
  }

  static func words(_ seconds: Double) -> String {
    let whole = Int(seconds.rounded())
    return whole < 100 ? "\(whole) s" : "\(whole / 60) min \(whole % 60) s"
  }

  private static func seconds() -> Double {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    return Double(now.tv_sec) + Double(now.tv_nsec) / 1e9
  }

  private static func width() -> Int {
    var size = winsize()
    guard ioctl(2, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 20 else { return 80 }
    return Int(size.ws_col)
  }
}
