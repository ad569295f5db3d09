import CForwarder
import Glibc
import Lab

/// lbd in a rig: `lbd run`, from "ready" to its last report.
final class DirectorProcess {
  /// Its number; -1 once it has ended.
  private(set) var pid: pid_t = -1
  private let folder: String

  /// Starts lbd in the rig's middle and waits until it forwards.
  init(lbd: String, rig: Rig, mode: WireMode, port: String, flows: Int, folder: String) throws {
    self.folder = folder
    let configuration = folder + "/keepalived.conf"
    try TextFile.write(mode.configuration(flows: flows), to: configuration)
    let command =
      [
        "ip", "netns", "exec", rig.directorSpace, lbd, "run", "--config", configuration, "--port", port, "--workers",
        "1",
        "--interface", "d0", "--interface", "d1", "--report", reportPath,
      ]
    pid = try DirectorProcess.spawn(command, log: logPath)
    Priority.raise(pid)
    let isReady = try Waiting.wait(seconds: 20) {
      !isRunning || TextFile.read(logPath).split { !$0.isLetter }.contains("ready")
    }
    guard isReady, isRunning else {
      let words = TextFile.read(logPath).split(separator: "\n").last.map(String.init) ?? "it said nothing"
      stop()
      throw WireFailure("lbd does not start (\(mode.rawValue), \(port)): \(words)")
    }
  }

  private var reportPath: String { folder + "/report" }
  private var logPath: String { folder + "/lbd.log" }

  var nanoseconds: UInt64 { cf_process_cpu_ns(pid) }

  private var isRunning: Bool {
    guard pid > 0 else { return false }
    if waitpid(pid, nil, WNOHANG) == pid { pid = -1 }
    return pid > 0
  }

  /// Asks for a report and waits for it.
  func report() throws -> DirectorReport {
    unlink(reportPath)
    if isRunning { kill(pid, SIGUSR1) }
    var report: DirectorReport?
    _ = try Waiting.wait(seconds: 20) {
      report = DirectorReport(TextFile.read(reportPath))
      return report != nil || !isRunning
    }
    guard let report else { throw WireFailure("lbd wrote no report: see \(logPath)") }
    return report
  }

  /// Its threads that forward.
  var workers: [pid_t] {
    guard pid > 0, let folder = opendir("/proc/\(pid)/task") else { return [] }
    defer { closedir(folder) }
    var found: [pid_t] = []
    while let entry = readdir(folder) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      guard let thread = pid_t(name) else { continue }
      if TextFile.read("/proc/\(pid)/task/\(thread)/comm").hasPrefix("lbd-worker") { found.append(thread) }
    }
    return found
  }

  /// Ends it.
  func stop() {
    guard isRunning else { return }
    kill(pid, SIGTERM)
    let deadline = Waiting.now() + 5
    while isRunning {
      if Waiting.now() > deadline { kill(pid, SIGKILL) }
      usleep(10_000)
    }
  }

  deinit { stop() }

  /// In a session of its own, with its words in a file. `ip netns exec` becomes the program it starts.
  private static func spawn(_ command: [String], log: String) throws -> pid_t {
    let file = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard file >= 0, let path = Command.locate(command[0]) else {
      throw WireFailure("cannot start \(command[0]) with its log in \(log)")
    }
    defer { close(file) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_adddup2(&actions, file, 1)
    posix_spawn_file_actions_adddup2(&actions, file, 2)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    posix_spawnattr_setflags(&attributes, 0x80)  // POSIX_SPAWN_SETSID
    let words: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) } + [nil]
    defer { words.forEach { free($0) } }
    var child: pid_t = 0
    let error = posix_spawn(&child, path, &actions, &attributes, words, environ)
    guard error == 0 else { throw WireFailure("cannot start \(path): \(String(cString: strerror(error)))") }
    return child
  }
}

/// Files read and written whole.
enum TextFile {
  /// Empty when there is none.
  static func read(_ path: String) -> String {
    guard let file = fopen(path, "re") else { return "" }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65536)
    while true {
      let count = fread(&chunk, 1, chunk.count, file)
      if count == 0 { return String(decoding: bytes, as: UTF8.self) }
      bytes += chunk[..<count]
    }
  }

  static func write(_ text: String, to path: String) throws {
    guard let file = fopen(path, "we") else {
      throw WireFailure("cannot write \(path): \(String(cString: strerror(errno)))")
    }
    let bytes = Array(text.utf8)
    let written = fwrite(bytes, 1, bytes.count, file)
    guard fclose(file) == 0, written == bytes.count else { throw WireFailure("cannot write \(path)") }
  }
}

/// Where automatic groups are on, the niceness of one thread says nothing to those of other sessions; that of the group
/// does.
enum Priority {
  /// Puts a session before the others of the machine, where that is allowed.
  static func raise(_ process: pid_t) { try? TextFile.write("-15", to: "/proc/\(process)/autogroup") }
}
