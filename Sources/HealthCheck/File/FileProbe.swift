import Glibc
import NIOCore
import NIOPosix

/// FILE_CHECK: the first attempt tells what the file says, every other one waits until it says something else.
final class FileProbe: Probe {
  private let definition: FileDefinition
  private let loop: any EventLoop
  private let watches: FileWatches
  private var token: FileWatches.Token?
  private var done: ((AttemptResult) -> Void)?
  /// What was told last; nil before the first attempt.
  private var told: AttemptResult?
  private var isReading = false
  /// The file may have changed since it was opened.
  private var isStale = false
  /// Counts cancellations: what was read before one is not told.
  private var round = 0

  init(_ definition: FileDefinition, on loop: any EventLoop, watches: FileWatches) {
    self.definition = definition
    self.loop = loop
    self.watches = watches
  }

  deinit {
    if let token { watches.remove(token) }
  }

  func begin(page: Int, then done: @escaping (AttemptResult) -> Void) {
    self.done = done
    if token == nil {
      // The watch goes without the probe, so it must not keep it.
      token = watches.add(definition.path) { [weak self] in self?.read() }
    }
    // Something may have happened while nobody waited.
    read()
  }

  func cancel() {
    done = nil
    told = nil
    round += 1
    if let token { watches.remove(token) }
    token = nil
  }

  /// Reads the file elsewhere, since disks may be slow.
  private func read() {
    guard !isReading else {
      isStale = true
      return
    }
    isReading = true
    isStale = false
    let path = definition.path
    let own = NIOLoopBound((probe: self, round: round), eventLoop: loop)
    NIOThreadPool.singleton.runIfActive(eventLoop: loop) { FileNumber.read(path) }.whenComplete { result in
      let (probe, round) = own.value
      probe.take(result.mapError { $0 as? CheckError ?? .cannotRun(step: "read \(path)", errno: EIO) }, of: round)
    }
  }

  private func take(_ reading: Result<Result<Int, CheckError>, CheckError>, of round: Int) {
    isReading = false
    if isStale { read() }
    guard round == self.round, let done else { return }
    let result: AttemptResult =
      switch reading.flatMap({ $0 }) {
      case .success(let number): definition.result(of: number)
      case .failure(let error): AttemptResult(error)
      }
    guard result != told else { return }
    told = result
    self.done = nil
    done(result)
  }
}
