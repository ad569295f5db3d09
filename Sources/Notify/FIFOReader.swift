import Logging
import NIOCore

/// A program that reads a pipe for as long as there is one. When it ends by itself it is started again: after 1 s, and after
/// twice as long each time that it does not last a minute, up to a minute.
///
/// Lives on an event loop; all of it is to be called there.
final class FIFOReader {
  /// What it runs, with the pipe's path as its last argument.
  let script: NotifyScript
  private let loop: any EventLoop
  private let runner: any ScriptRunning
  private let log: Logger
  private var task: Task<Void, Never>?
  private var pause: Scheduled<Void>?
  private var failures = 0
  private var start = NIODeadline.now()
  private var isClosing = false
  private let end: EventLoopPromise<Void>

  /// Until it is started again.
  static let firstPause = TimeAmount.seconds(1)
  /// The same, later; and how long it must last to be trusted again.
  static let longestPause = TimeAmount.seconds(60)

  /// Starts it.
  init(_ script: NotifyScript, path: String, on loop: any EventLoop, runner: any ScriptRunning, log: Logger) {
    self.script = script.appending([path])
    self.loop = loop
    self.runner = runner
    self.log = log
    end = loop.makePromise(of: Void.self)
    run()
  }

  /// The pipe is to be closed: it is not started again.
  /// - Returns: when it has ended.
  func close() -> EventLoopFuture<Void> {
    isClosing = true
    pause?.cancel()
    if task == nil { end.succeed() }
    return end.futureResult
  }

  /// Ends it.
  func abort() {
    task?.cancel()
  }

  private func run() {
    start = loop.now
    let reader = NIOLoopBound(self, eventLoop: loop)
    task = Task { [loop, runner, script] in
      let end = await runner.run(script, timeLimit: nil)
      loop.execute { reader.value.ended(end) }
    }
  }

  private func ended(_ result: ScriptEnd) {
    task = nil
    guard !isClosing else { return end.succeed() }
    if loop.now - start >= FIFOReader.longestPause { failures = 0 }
    let time = min(.seconds(1 << Int64(min(failures, 10))), FIFOReader.longestPause)
    failures += 1
    let words =
      switch result {
      case .good: "FIFO script \(script): it has ended"
      case .bad(let words): "FIFO script \(script): \(words)"
      case .notStarted(let words): words
      }
    failures == 1 ? log.warning("\(words); it is started again") : log.debug("\(words)")
    pause = loop.assumeIsolated().scheduleTask(in: time) { [self] in
      pause = nil
      run()
    }
  }
}
