import Logging
import NIOCore

/// The pipes of a configuration: one for everything, one for VRRP, one for services; what is the same path is one pipe.
///
/// A pipe that is in the next configuration as well stays open, so that its readers do not see its end. One that cannot be opened,
/// or that somebody has removed, is opened (and made) again when there is a line for it. That a pipe is full, or not to be had, is
/// said once, and again when it takes lines.
///
/// Lives on an event loop; all of it is to be called there.
final class FIFOSet {
  private let loop: any EventLoop
  private let runner: any ScriptRunning
  private let log: Logger
  private var pipes: [String: Pipe] = [:]

  /// Lines that pipes have taken.
  private(set) var writtenCount = 0
  /// Lines that they have not.
  private(set) var lostCount = 0
  /// How long readers may take to end by themselves when their pipe is closed.
  static let readersLimit = TimeAmount.seconds(1)

  init(on loop: any EventLoop, runner: any ScriptRunning, log: Logger) {
    self.loop = loop
    self.runner = runner
    self.log = log
  }

  /// Opens, keeps and closes pipes until they are these.
  func configure(_ settings: NotifierSettings) {
    var wanted: [String: (settings: NotifierSettings.FIFO, isForVRRP: Bool, isForServices: Bool)] = [:]
    for (fifo, isForVRRP, isForServices) in [
      (settings.fifo, true, true), (settings.vrrpFIFO, true, false), (settings.lvsFIFO, false, true),
    ] {
      guard let fifo else { continue }
      var entry = wanted[fifo.path] ?? (fifo, false, false)
      entry.isForVRRP = entry.isForVRRP || isForVRRP
      entry.isForServices = entry.isForServices || isForServices
      entry.settings.script = entry.settings.script ?? fifo.script
      wanted[fifo.path] = entry
    }
    for (path, pipe) in pipes where wanted[path] == nil {
      _ = end(pipe)
      pipes[path] = nil
    }
    for (path, entry) in wanted {
      let pipe = pipes[path] ?? Pipe(entry.settings, log: log)
      pipes[path] = pipe
      (pipe.isForVRRP, pipe.isForServices) = (entry.isForVRRP, entry.isForServices)
      if pipe.settings.script != entry.settings.script, let reader = pipe.reader {
        pipe.reader = nil
        _ = reader.close()
        reader.abort()
      }
      pipe.settings = entry.settings
      open(pipe)
    }
  }

  /// Writes a notice's line to the pipes that are for it.
  func write(_ notice: Notice) {
    guard notice.tellsFIFOs, let line = notice.line else { return }
    for pipe in pipes.values where notice.isVRRP ? pipe.isForVRRP : pipe.isForServices {
      open(pipe)
      if pipe.write(line) { writtenCount += 1 } else { lostCount += 1 }
    }
  }

  /// Closes all of them.
  /// - Returns: when their readers have ended.
  func close() -> EventLoopFuture<Void> {
    let ends = pipes.values.map(end)
    pipes = [:]
    return EventLoopFuture.andAllComplete(ends, on: loop)
  }

  /// Opens it if need be, and starts its reader.
  private func open(_ pipe: Pipe) {
    pipe.open()
    guard let script = pipe.settings.script, pipe.isOpen, pipe.reader == nil else { return }
    pipe.reader = FIFOReader(script, path: pipe.settings.path, on: loop, runner: runner, log: log)
  }

  /// Closing the pipe is what tells a reader; one that does not listen is ended.
  private func end(_ pipe: Pipe) -> EventLoopFuture<Void> {
    pipe.close()
    guard let reader = pipe.reader else { return loop.makeSucceededVoidFuture() }
    let limit = loop.assumeIsolated().scheduleTask(in: FIFOSet.readersLimit) { reader.abort() }
    let end = reader.close()
    end.assumeIsolated().whenComplete { _ in limit.cancel() }
    return end
  }
}

/// One of them, and what the log has been told of it.
private final class Pipe {
  var settings: NotifierSettings.FIFO
  var reader: FIFOReader?
  var isForVRRP = false
  var isForServices = false
  private let log: Logger
  /// nil while it cannot be opened.
  private var fifo: FIFO?
  private var saidFailure: String?
  private var losses = Losses()

  init(_ settings: NotifierSettings.FIFO, log: Logger) {
    self.settings = settings
    self.log = log
  }

  var isOpen: Bool { fifo != nil }

  func open() {
    if fifo?.isInPlace == true { return }
    if fifo != nil { log.notice("FIFO \(settings.path): it has been removed, another one is opened") }
    close()
    do throws(FIFO.Failure) {
      fifo = try FIFO(settings)
      saidFailure = nil
    } catch {
      if saidFailure != error.description { log.error("\(error); lines are lost") }
      saidFailure = error.description
    }
  }

  /// - Returns: false when the line is lost.
  func write(_ line: String) -> Bool {
    guard fifo?.write(line) == .written else {
      if losses.add(), isOpen {
        log.warning("FIFO \(settings.path): it is full, lines are lost (see whether somebody reads it)")
      }
      return false
    }
    if let count = losses.end() { log.notice("FIFO \(settings.path): it takes lines again, \(count) were lost") }
    return true
  }

  func close() {
    fifo?.close()
    fifo = nil
  }
}
