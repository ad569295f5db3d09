import Logging
import NIOCore

/// The pipes of a configuration: one for everything, one for VRRP, one for services; what is the same path is one pipe.
///
/// A pipe that is in the next configuration as well stays open, so that its readers do not see its end. A pipe that is full, or
/// not to be had, is said once, and again when it takes lines.
///
/// Lives on an event loop; all of it is to be called there.
final class FIFOSet {
  private struct Pipe {
    var settings: NotifierSettings.FIFO
    /// nil while it cannot be opened.
    var fifo: FIFO?
    var reader: FIFOReader?
    var isForVRRP = false
    var isForServices = false
    var losses = Losses()
  }

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
    var wanted: [String: Pipe] = [:]
    for (fifo, isForVRRP, isForServices) in [
      (settings.fifo, true, true), (settings.vrrpFIFO, true, false), (settings.lvsFIFO, false, true),
    ] {
      guard let fifo else { continue }
      var pipe = wanted[fifo.path] ?? Pipe(settings: fifo)
      pipe.isForVRRP = pipe.isForVRRP || isForVRRP
      pipe.isForServices = pipe.isForServices || isForServices
      pipe.settings.script = pipe.settings.script ?? fifo.script
      wanted[fifo.path] = pipe
    }
    for (path, pipe) in pipes where wanted[path] == nil { _ = end(pipe) }
    pipes = wanted.mapValues { take(over: pipes[$0.settings.path], $0) }
  }

  /// Writes a notice's line to the pipes that are for it.
  func write(_ notice: Notice) {
    guard notice.tellsFIFOs, let line = notice.line else { return }
    for (path, pipe) in pipes where notice.isVRRP ? pipe.isForVRRP : pipe.isForServices {
      if pipe.fifo?.write(line) == .written {
        writtenCount += 1
        if let count = pipes[path]?.losses.end() {
          log.notice("FIFO \(path): it takes lines again, \(count) were lost")
        }
      } else {
        lostCount += 1
        if pipes[path]?.losses.add() == true, pipe.fifo != nil {
          log.warning("FIFO \(path): it is full, lines are lost (see whether somebody reads it)")
        }
      }
    }
  }

  /// Closes all of them.
  /// - Returns: when their readers have ended.
  func close() -> EventLoopFuture<Void> {
    let ends = pipes.values.map(end)
    pipes = [:]
    return EventLoopFuture.andAllComplete(ends, on: loop)
  }

  private func take(over former: Pipe?, _ wanted: Pipe) -> Pipe {
    var pipe = wanted
    if let former {
      (pipe.fifo, pipe.losses) = (former.fifo, former.losses)
      if former.settings.script == wanted.settings.script {
        pipe.reader = former.reader
      } else if let reader = former.reader {
        _ = reader.close()
        reader.abort()
      }
    }
    do throws(FIFO.Failure) {
      if pipe.fifo == nil { pipe.fifo = try FIFO(pipe.settings) }
    } catch {
      log.error("\(error); its lines are lost")
    }
    if let script = pipe.settings.script, pipe.fifo != nil, pipe.reader == nil {
      pipe.reader = FIFOReader(script, path: pipe.settings.path, on: loop, runner: runner, log: log)
    }
    return pipe
  }

  /// Closing the pipe is what tells a reader; one that does not listen is ended.
  private func end(_ pipe: Pipe) -> EventLoopFuture<Void> {
    pipe.fifo?.close()
    guard let reader = pipe.reader else { return loop.makeSucceededVoidFuture() }
    let limit = loop.assumeIsolated().scheduleTask(in: FIFOSet.readersLimit) { reader.abort() }
    let end = reader.close()
    end.assumeIsolated().whenComplete { _ in limit.cancel() }
    return end
  }
}
