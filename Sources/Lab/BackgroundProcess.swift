import Glibc
import Synchronization

/// A program that runs beside us, in a session of its own, with its words in a file.
///
/// It is not killed when this value goes: `lbd lab up` leaves servers and director running. Whoever wants it to end
/// says so, or takes down the namespace it lives in. Whatever ends it, a thread collects it at once: a child that nobody
/// waits for would be in the way of those who wait for any (as tests that run in a process of their own do).
public final class BackgroundProcess {
  /// Its number.
  public let pid: pid_t
  /// Where its output and errors go.
  public let logPath: String
  private let ending: Ending

  /// Starts a program; its words go to a new file.
  public init(_ arguments: [String], logPath: String) throws {
    let log = open(logPath, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard log >= 0 else { throw LabFailure("cannot write \(logPath): \(String(cString: strerror(errno)))") }
    defer { close(log) }
    self.logPath = logPath
    pid = try Command.spawn(arguments, output: log, errors: log, flags: 0x80)  // POSIX_SPAWN_SETSID
    ending = Ending(pid)
    try ending.watch()
  }

  /// Whether it has not ended yet.
  public var isRunning: Bool { ending.status == nil }

  /// What it has said so far.
  public var log: String { TextFile.read(logPath) ?? "" }

  /// Its last words, for a failure's line.
  public var lastLine: String {
    log.split(separator: "\n").last.map(String.init) ?? "it said nothing"
  }

  /// Sends it a signal, unless it has ended.
  public func signal(_ number: Int32) {
    ending.signal(number)
  }

  /// Waits for its end; nil when it is still running after `seconds`.
  public func waitForEnd(seconds: Double) -> Int32? {
    let deadline = monotonicSeconds() + seconds
    while isRunning {
      if monotonicSeconds() >= deadline { return nil }
      usleep(10_000)
    }
    return ending.status
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

/// A child's end. Its number is not free for another before `status` is set, so that no signal hits a stranger.
private final class Ending: Sendable {
  private let pid: pid_t
  private let collected = Mutex<Int32?>(nil)

  init(_ pid: pid_t) { self.pid = pid }

  /// Its exit code, -1 when somebody else has collected it; nil while it runs.
  var status: Int32? { collected.withLock { $0 } }

  func signal(_ number: Int32) {
    collected.withLock { if $0 == nil { kill(pid, number) } }
  }

  /// Starts the thread that waits; without one the program is ended.
  func watch() throws {
    var thread = pthread_t()
    let context = Unmanaged.passRetained(self)
    let failure = pthread_create(
      &thread, nil,
      { context in
        if let context { Unmanaged<Ending>.fromOpaque(context).takeRetainedValue().collect() }
        return nil
      }, context.toOpaque())
    guard failure == 0 else {
      context.release()
      signal(SIGKILL)
      throw LabFailure("cannot start the thread that waits for process \(pid): \(String(cString: strerror(failure)))")
    }
    pthread_detach(thread)
  }

  private func collect() {
    var info = siginfo_t()
    // It stays until the lock is held.
    while waitid(P_PID, id_t(pid), &info, WEXITED | WNOWAIT) < 0 && errno == EINTR {}
    collected.withLock {
      var status: Int32 = 0
      $0 = waitpid(pid, &status, 0) == pid ? Command.exitCode(of: status) : -1
    }
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
