import Glibc

// Running other programs: `ip`, `curl`, `nginx` and our own executable. No shell ever sees an argument, children get a
// small fixed environment (a user's proxy settings or locale must not change a test), stdin is /dev/null, and a
// child that overstays its time is killed with everything it started: a foreground child leads a process group of
// its own, a background one a session of its own.

/// How a program ended and what it said.
public struct CommandResult: Sendable {
  /// The exit code, or 128 + the signal's number.
  public let status: Int32
  /// Standard output.
  public let output: String
  /// Standard error.
  public let errors: String
  /// True when it was killed because its time was up.
  public let timedOut: Bool
}

/// Foreground commands.
public enum Command {
  private static let searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

  /// Where `name` is installed, or nil. A name with a slash is taken as it is.
  public static func locate(_ name: String) -> String? {
    let candidates = name.contains("/") ? [name] : searchPath.split(separator: ":").map { "\($0)/\(name)" }
    return candidates.first { access($0, X_OK) == 0 }
  }

  /// Runs a program to its end and returns what it said, whatever its exit code.
  public static func run(
    _ arguments: [String], timeoutSeconds: Double = 30, interruptible: Bool = true
  ) throws -> CommandResult {
    var output = try Pipe()
    var errors = try Pipe()
    let child = try spawn(
      arguments, output: output.writer, errors: errors.writer, flags: Int32(POSIX_SPAWN_SETPGROUP))
    output.closeWriter()
    errors.closeWriter()
    let deadline = monotonicSeconds() + timeoutSeconds
    var verdict: LabFailure?
    while output.isOpen || errors.isOpen {
      if interruptible && Interruption.isRequested { verdict = .interrupted }
      if monotonicSeconds() >= deadline { verdict = verdict ?? LabFailure("timeout") }
      if verdict != nil { break }
      waitAndRead(&output, &errors)
    }
    if verdict != nil { kill(-child, SIGKILL) }
    let status = reap(child)
    if verdict == .interrupted { throw LabFailure.interrupted }
    return CommandResult(
      status: status, output: output.text, errors: errors.text, timedOut: verdict != nil)
  }

  /// Runs a program that must succeed; returns its output.
  @discardableResult
  public static func check(
    _ arguments: [String], timeoutSeconds: Double = 30, interruptible: Bool = true
  ) throws -> String {
    let result = try run(arguments, timeoutSeconds: timeoutSeconds, interruptible: interruptible)
    guard result.status == 0 else { throw LabFailure(complaint(arguments, result)) }
    return result.output
  }

  /// One line about a failed command.
  static func complaint(_ arguments: [String], _ result: CommandResult) -> String {
    let said = (result.errors.isEmpty ? result.output : result.errors).split(separator: "\n").last.map(String.init)
    let how = result.timedOut ? "took too long" : (said ?? "exit code \(result.status)")
    return "`\(arguments.joined(separator: " "))`: \(how)"
  }

  /// Starts a program with the given descriptors as stdout and stderr.
  static func spawn(_ arguments: [String], output: Int32, errors: Int32, flags: Int32) throws -> pid_t {
    guard let path = arguments.first.flatMap(locate) else {
      throw LabFailure("\(arguments.first ?? "command"): not installed")
    }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_adddup2(&actions, output, 1)
    posix_spawn_file_actions_adddup2(&actions, errors, 2)

    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var noSignals = sigset_t()
    sigemptyset(&noSignals)
    var defaultSignals = sigset_t()
    sigemptyset(&defaultSignals)
    for number in [SIGINT, SIGTERM, SIGHUP, SIGPIPE] { sigaddset(&defaultSignals, number) }
    posix_spawnattr_setsigmask(&attributes, &noSignals)
    posix_spawnattr_setsigdefault(&attributes, &defaultSignals)
    let all = flags | Int32(POSIX_SPAWN_SETSIGMASK) | Int32(POSIX_SPAWN_SETSIGDEF)
    posix_spawnattr_setflags(&attributes, Int16(truncatingIfNeeded: all))

    var child: pid_t = 0
    let failure = withStrings(arguments) { vector in
      withStrings(environment()) { posix_spawn(&child, path, &actions, &attributes, vector, $0) }
    }
    guard failure == 0 else { throw LabFailure("cannot start \(path): \(String(cString: strerror(failure)))") }
    return child
  }

  private static func environment() -> [String] {
    let names = ["LD_LIBRARY_PATH", "ASAN_OPTIONS", "TSAN_OPTIONS", "TMPDIR"]
    let kept = names.compactMap { name -> String? in
      getenv(name).map { "\(name)=\(String(cString: $0))" }
    }
    return ["PATH=\(searchPath)", "LC_ALL=C", "HOME=/"] + kept
  }

  private static func withStrings<Result>(
    _ strings: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result
  ) -> Result {
    let vector = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: strings.count + 1)
    for (index, string) in strings.enumerated() { vector[index] = strdup(string) }
    vector[strings.count] = nil
    defer {
      for index in strings.indices { free(vector[index]) }
      vector.deallocate()
    }
    return body(vector)
  }

  private static func waitAndRead(_ first: inout Pipe, _ second: inout Pipe) {
    var waiting = [first.reader, second.reader].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    guard poll(&waiting, nfds_t(waiting.count), 100) > 0 else { return }
    if waiting[0].revents != 0 { first.read() }
    if waiting[1].revents != 0 { second.read() }
  }

  /// Waits for a child that has ended or is about to.
  static func reap(_ child: pid_t) -> Int32 {
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0 && errno == EINTR {}
    return exitCode(of: status)
  }

  /// The shell's number for a wait status.
  static func exitCode(of status: Int32) -> Int32 {
    status & 0x7f == 0 ? status >> 8 & 0xff : 128 + (status & 0x7f)
  }
}

/// A pipe whose reading end collects. (A pair of sockets: they are born close-on-exec.)
private struct Pipe: ~Copyable {
  private(set) var reader: Int32
  private(set) var writer: Int32
  private var bytes: [UInt8] = []

  init() throws {
    var ends: [Int32] = [-1, -1]
    let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else { throw LabFailure("cannot make a pipe: errno \(errno)") }
    reader = ends[0]
    writer = ends[1]
  }

  var isOpen: Bool { reader >= 0 }
  var text: String { String(decoding: bytes, as: UTF8.self) }

  mutating func closeWriter() {
    close(writer)
    writer = -1
  }

  mutating func read() {
    let count = withUnsafeTemporaryAllocation(byteCount: 65536, alignment: 8) { buffer in
      let count = Glibc.read(reader, buffer.baseAddress, buffer.count)
      if count > 0 { bytes.append(contentsOf: buffer[..<count]) }
      return count
    }
    if count > 0 || (count < 0 && (errno == EINTR || errno == EAGAIN)) { return }
    close(reader)
    reader = -1
  }

  deinit {
    if reader >= 0 { close(reader) }
    if writer >= 0 { close(writer) }
  }
}
