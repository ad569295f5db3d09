import Glibc

/// A download whose client takes no more than it is told to: it lasts as long as something else does, on any machine.
///
/// The client writes into a pipe with a name, and what is read of that is the pace; from there on the connection's own
/// flow control holds the server back.
final class HeldDownload {
  /// Where what has come is.
  let path: String
  let process: BackgroundProcess
  private let pipePath: String
  private let pipe: Int32
  private let file: Int32
  private(set) var byteCount = 0

  /// - Parameters:
  ///   - client: a program that writes to the path that its arguments end with.
  ///   - path: where to put what comes.
  init(_ client: [String], path: String, logPath: String) throws {
    self.path = path
    pipePath = "\(path).pipe"
    unlink(pipePath)
    guard mkfifo(pipePath, 0o600) == 0 else {
      throw LabFailure("cannot make \(pipePath): \(String(cString: strerror(errno)))")
    }
    pipe = open(pipePath, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
    file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard pipe >= 0, file >= 0 else {
      for descriptor in [pipe, file] where descriptor >= 0 { close(descriptor) }
      unlink(pipePath)
      throw LabFailure("cannot open \(path) and its pipe: \(String(cString: strerror(errno)))")
    }
    do {
      process = try BackgroundProcess(client + [pipePath], logPath: logPath)
    } catch {
      close(pipe)
      close(file)
      unlink(pipePath)
      throw error
    }
  }

  deinit {
    close(pipe)
    close(file)
    unlink(pipePath)
  }

  /// Takes what has come, up to that many bytes in all.
  func take(upTo limit: Int) throws {
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while byteCount < limit {
      let count = read(pipe, &chunk, min(chunk.count, limit - byteCount))
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return }
      guard write(file, chunk, count) == count else {
        throw LabFailure("cannot write \(path): \(String(cString: strerror(errno)))")
      }
      byteCount += count
    }
  }

  /// Takes all that is still to come.
  /// - Returns: how the client ended; nil when it does not.
  func finish(seconds: Double) throws -> Int32? {
    let deadline = monotonicSeconds() + seconds
    while process.isRunning, monotonicSeconds() < deadline {
      try take(upTo: .max)
      usleep(10_000)
    }
    try take(upTo: .max)
    return process.waitForEnd(seconds: 0)
  }
}
