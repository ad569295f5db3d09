import Glibc

/// `ipvsadm -Lnc` as another process, again and again, whose output is counted by a pipe's other end that throws it away.
struct ListingReader {
  private let program: String
  private let path: String
  private let core: Int
  private var process: pid_t = 0
  /// Bytes are counted by `wc`, which is cheap and on the reader's core.
  private(set) var lines = 0
  /// The most memory it had.
  private(set) var resident = 0
  private let output: String

  init(program: String, path: String, core: Int) {
    self.program = program
    self.path = path
    self.core = core
    output = "/tmp/lbd-bench-\(getpid()).lines"
  }

  /// Starts a listing.
  mutating func start() throws {
    let line = "exec taskset -c \(core) '\(program)' -Lnc | taskset -c \(core) wc -l > '\(output)'"
    // The shell's child that is stopped and let go on is the whole group.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
    posix_spawnattr_setpgroup(&attributes, 0)
    let words = ListingReader.pointers(["sh", "-c", line])
    let settings = ListingReader.pointers(["LBD_SOCKET=\(path)", "PATH=/usr/bin:/bin"])
    defer {
      for word in words + settings { free(word) }
      posix_spawnattr_destroy(&attributes)
    }
    let error = posix_spawn(&process, "/bin/sh", nil, &attributes, words, settings)
    guard error == 0 else { throw BenchError("start \(program): \(String(cString: strerror(error)))") }
  }

  private static func pointers(_ words: [String]) -> [UnsafeMutablePointer<CChar>?] {
    words.map { word in strdup(word) } + [nil]
  }

  /// Lets it read, starting anew when it has come to the end.
  mutating func goOn() throws {
    if process != 0, hasEnded() { process = 0 }
    if process == 0 { return try start() }
    kill(-process, SIGCONT)
  }

  /// Stops it where it is.
  mutating func pause() {
    noteMemory()
    if process != 0 { kill(-process, SIGSTOP) }
  }

  /// Lets it come to its end.
  mutating func finish() throws {
    guard process != 0 else { return }
    kill(-process, SIGCONT)
    while !hasEnded() {
      noteMemory()
      usleep(20_000)
    }
    process = 0
  }

  private mutating func hasEnded() -> Bool {
    var status: Int32 = 0
    guard waitpid(process, &status, WNOHANG) == process else { return false }
    if let text = SystemFile.read(output), let count = Int(text.split(separator: "\n").first ?? "") { lines += count }
    unlink(output)
    return true
  }

  /// Of the largest process of its group.
  private mutating func noteMemory() {
    guard let list = SystemFile.read("/proc/\(process)/task/\(process)/children") else { return }
    for child in list.split(separator: " ") {
      resident = max(resident, ListingBench.memory(String(child), "VmHWM"))
    }
  }
}
