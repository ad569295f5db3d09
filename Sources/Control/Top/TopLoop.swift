import Config
import Glibc
import Kernel

/// `lbd top`: asks lbd for its numbers now and then, and draws them until told to stop.
public struct TopLoop {
  /// Where lbd listens.
  public var path: String
  /// Between two questions.
  public var seconds: Double
  /// How often to ask without a terminal.
  public var count: Int
  private var view = TopView()

  /// - Parameters:
  ///   - order: what to sort by; one of `orders`.
  ///   - filter: what rows must contain.
  public init(path: String, seconds: Double, count: Int, order: String, filter: String) {
    self.path = path
    self.seconds = seconds
    self.count = count
    view.order = TopRow.Order(rawValue: order) ?? .listed
    view.filter = filter
  }

  /// What can be sorted by.
  public static var orders: [String] { TopRow.Order.allCases.map(\.rawValue) }

  /// Plain lines, for scripts.
  public func print() throws {
    var before: TopSample?
    for number in 0..<count {
      if number > 0 { usleep(UInt32(seconds * 1e6)) }
      let sample = try ask()
      let renderer = TopRenderer(difference: TopDifference(sample, since: before), view: view, columns: .max)
      let text = renderer.lines(rows: nil).lines.joined(separator: "\n") + "\n"
      guard Terminal.write((number > 0 ? "\n" : "") + text) else { return }
      before = sample
    }
  }

  private func ask() throws -> TopSample {
    let answer = try AdminClient.ask(.numbers, at: path)
    guard answer.exitCode == 0 else {
      throw AdminFault(String(String(decoding: answer.error, as: UTF8.self).dropLast()))
    }
    do {
      return try TopSample.decode(answer.output)
    } catch {
      throw AdminFault("lbd's answer makes no sense; is it of another version?")
    }
  }

  private enum Token: UInt64 {
    case signal
    case timer
    case key
  }

  /// On a screen of its own, until `q` or a signal.
  public mutating func show() throws {
    let signals = try SignalDescriptor([SIGINT, SIGTERM, SIGHUP, SIGWINCH])
    let timer = try TimerDescriptor()
    let step = UInt64(seconds * 1e9)
    try timer.arm(afterNanoseconds: step, everyNanoseconds: step)
    let epoll = try Epoll()
    try epoll.add(signals.descriptor, events: .readable, token: Token.signal.rawValue)
    try epoll.add(timer.descriptor, events: .readable, token: Token.timer.rawValue)
    try epoll.add(STDIN_FILENO, events: .readable, token: Token.key.rawValue)
    var sample = try ask()
    var before: TopSample?
    var fault: String?
    Terminal.withScreen {
      draw(sample, before, fault)
      var isEnding = false
      while !isEnding {
        var mustDraw = false
        _ = epoll.wait(timeoutMilliseconds: -1) { ready in
          switch Token(rawValue: ready.token) {
          case .signal:
            while let signal = signals.next() { isEnding = isEnding || signal != SIGWINCH }
            mustDraw = true
          case .timer:
            _ = timer.expirations()
            guard !view.isPaused else { return }
            do {
              let next = try ask()
              (before, sample, fault) = (sample, next, nil)
            } catch {
              fault = "\(error)"
            }
            mustDraw = true
          case .key:
            let keys = Terminal.keys()
            let wish = view.take(keys, page: max(1, Terminal.size.rows / 2))
            isEnding = isEnding || keys.isEmpty || wish == .quit
            mustDraw = mustDraw || wish == .redraw
          case nil: break
          }
        }
        if mustDraw, !isEnding { draw(sample, before, fault) }
      }
    }
  }

  private mutating func draw(_ sample: TopSample, _ before: TopSample?, _ fault: String?) {
    let size = Terminal.size
    let renderer = TopRenderer(
      difference: TopDifference(sample, since: before), view: view, columns: size.columns)
    var (lines, emphasised, first) = renderer.lines(rows: size.rows)
    view.first = first
    if let fault, let last = lines.indices.last {
      lines[last] = String("lbd: \(fault)".prefix(size.columns))
      emphasised.insert(last)
    }
    var text = "\u{1b}[H"
    for (index, line) in lines.enumerated() {
      text += (emphasised.contains(index) ? "\u{1b}[1m\(line)\u{1b}[0m" : line) + "\u{1b}[K"
      if index < lines.count - 1 { text += "\r\n" }
    }
    Terminal.write(text + "\u{1b}[J")
  }
}
