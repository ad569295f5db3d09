import Glibc

/// A program that runs beside us, in a session of its own, with its words in a file.
///
/// It is not killed when this value goes: `lbd lab up` leaves servers and director running. Whoever wants it to end
/// says so, or takes down the namespace it lives in.
public final class BackgroundProcess {
  /// Its number.
  public let pid: pid_t
  /// Where its output and errors go.
  public let logPath: String
  private var exitStatus: Int32?

  /// Starts a program; its words go to a new file.
  public init(_ arguments: [String], logPath: String) throws {
    let log = open(logPath, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard log >= 0 else { throw LabFailure("cannot write \(logPath): \(String(cString: strerror(errno)))") }
    defer { close(log) }
    self.logPath = logPath
    pid = try Command.spawn(arguments, output: log, errors: log, flags: 0x80)  // POSIX_SPAWN_SETSID
  }

  /// Whether it has not ended yet.
  public var isRunning: Bool {
    if exitStatus != nil { return false }
    var status: Int32 = 0
    let ended = waitpid(pid, &status, WNOHANG)
    if ended == 0 { return true }
    if ended < 0 && errno == EINTR { return true }
    // Someone else may have collected it already (ECHILD).
    exitStatus = ended == pid ? Command.exitCode(of: status) : -1
    return false
  }

  /// What it has said so far.
  public var log: String { TextFile.read(logPath) ?? "" }

  /// Its last words, for a failure's line.
  public var lastLine: String {
    log.split(separator: "\n").last.map(String.init) ?? "it said nothing"
  }

  /// Sends it a signal, unless it has ended.
  public func signal(_ number: Int32) {
    if isRunning { kill(pid, number) }
  }

  /// Waits for its end; nil when it is still running after `seconds`.
  public func waitForEnd(seconds: Double) -> Int32? {
    let deadline = monotonicSeconds() + seconds
    while isRunning {
      if monotonicSeconds() >= deadline { return nil }
      usleep(10_000)
    }
    return exitStatus
  }

  /// Asks it to end, then insists.
  @discardableResult
  public func stop(graceSeconds: Double = 5) -> Int32 {
    signal(SIGTERM)
    if let status = waitForEnd(seconds: graceSeconds) { return status }
    signal(SIGKILL)
    return waitForEnd(seconds: 5) ?? -1
  }
}

/// Small text files, read and written whole.
public enum TextFile {
  /// The whole file, or nil when it cannot be read.
  public static func read(_ path: String) -> String? {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65536)
    while true {
      let count = Glibc.read(file, &chunk, chunk.count)
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { break }
      bytes.append(contentsOf: chunk[..<count])
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Writes the whole file, readable by its owner alone when it is new.
  public static func write(_ text: String, to path: String) throws {
    let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw LabFailure("cannot write \(path): \(String(cString: strerror(errno)))") }
    defer { close(file) }
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
      guard count > 0 else { throw LabFailure("cannot write \(path): \(String(cString: strerror(errno)))") }
      rest = rest.dropFirst(count)
    }
  }
}
