import FoundationEssentials
import Glibc
import Kernel

/// What `lbd realserver setup` has changed on this host and how it was before: the file that `undo` works from.
///
/// It is written before each change is made, so a change that was cut short is still known. What it holds is a claim
/// about the past, not the present: whoever undoes compares first.
struct RealServerState: Codable, Equatable {
  struct Setting: Codable, Equatable {
    let setting: SystemSetting
    /// The value before the first setup.
    let previous: String
    var value: String
  }

  struct Address: Codable, Equatable {
    let prefix: String
    let interface: String
  }

  struct Program: Codable, Equatable {
    let interface: String
    /// The kernel's number of the program; nil while it is being attached.
    var identifier: UInt32?
    let endpoints: [String]
  }

  /// Programs on a control group that tell clients' addresses (TOA).
  struct Clients: Codable, Equatable {
    let group: String
    /// Local addresses of directors, whose word is taken.
    let directors: [String]
  }

  struct Route: Codable, Equatable {
    let destination: String
    /// The kernel's own words for the route before and after, in hexadecimal.
    let previous: String
    var value: String
  }

  var version = 1
  /// Who ran setup last, and when.
  var author = ""
  /// The network namespace's number: the same path may be seen from several.
  var namespace: UInt64 = 0
  var settings: [Setting] = []
  var addresses: [Address] = []
  var programs: [Program] = []
  var routes: [Route] = []
  /// Optional also because records of earlier versions have none.
  var clients: Clients?

  var isEmpty: Bool {
    settings.isEmpty && addresses.isEmpty && programs.isEmpty && routes.isEmpty && clients == nil
  }
}

/// The state file and its lock.
struct RealServerStateFile: ~Copyable {
  let path: String
  private let lock: FileDescriptor?

  /// - Parameter isWriter: makes the directory and takes the lock; a second writer is refused.
  init(path: String, isWriter: Bool) throws {
    guard isWriter else {
      self.init(path: path, lock: nil)
      return
    }
    let directory = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
    if !directory.isEmpty, mkdir(directory, 0o755) != 0, errno != EEXIST {
      throw SystemError.current("create \(directory)", remedy: errno == EACCES ? "run as root" : nil)
    }
    let lock = try FileDescriptor(
      checking: open(path + ".lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o644), "open \(path).lock",
      remedy: errno == EACCES ? "run as root" : nil)
    // A child that is just being started has a copy of every descriptor until it executes: a lock given back a moment
    // ago may still look taken.
    var attempts = 25
    while flock(lock.number, LOCK_EX | LOCK_NB) != 0 {
      attempts -= 1
      if attempts > 0, errno == EWOULDBLOCK || errno == EINTR {
        usleep(20_000)
        continue
      }
      throw SystemError.current("lock \(path)", remedy: "another lbd realserver is at work")
    }
    self.init(path: path, lock: lock)
  }

  private init(path: String, lock: consuming FileDescriptor?) {
    self.path = path
    self.lock = lock
  }

  /// What was recorded; an empty state when there is no file.
  func load() throws -> RealServerState {
    var state = RealServerState()
    if access(path, F_OK) == 0 {
      do {
        state = try JSONDecoder().decode(RealServerState.self, from: Data(contentsOf: URL(filePath: path)))
      } catch is DecodingError {
        throw SystemError("read \(path)", errno: EBADMSG, remedy: "not a state file of lbd realserver")
      }
    }
    let namespace = RealServerStateFile.currentNamespace()
    if state.isEmpty { state.namespace = namespace }
    guard state.namespace == namespace else {
      throw SystemError(
        "use \(path)", errno: EXDEV, remedy: "it describes another network namespace: name another file")
    }
    return state
  }

  /// Replaces the file as a whole, or removes it when nothing is left to undo.
  func save(_ state: RealServerState) throws {
    if state.isEmpty {
      guard unlink(path) == 0 || errno == ENOENT else { throw SystemError.current("remove \(path)") }
      return
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    let bytes = [UInt8](try encoder.encode(state)) + [10]
    let temporary = path + ".new"
    let file = try FileDescriptor(
      checking: open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644), "create \(temporary)")
    guard write(file.number, bytes, bytes.count) == bytes.count, fsync(file.number) == 0,
      rename(temporary, path) == 0
    else { throw SystemError.current("write \(path)") }
  }

  private static func currentNamespace() -> UInt64 {
    var status = stat()
    return stat("/proc/thread-self/ns/net", &status) == 0 ? UInt64(status.st_ino) : 0
  }

  /// The caller, for the record.
  static func author() -> String {
    let user = getenv("SUDO_USER").map { String(cString: $0) + " by sudo" } ?? "user \(getuid())"
    return "\(user), process \(getpid()), \(Date().ISO8601Format())"
  }
}
