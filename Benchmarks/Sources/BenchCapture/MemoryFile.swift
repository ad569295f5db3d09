import Kernel

/// A file that is in memory only and goes with the program, for functions that want a path.
struct MemoryFile: ~Copyable {
  private let memory: MappedMemory

  /// - Parameter name: shows in /proc/PID/fd.
  init(name: String) throws {
    // Whoever opens it for writing cuts it to nothing first.
    memory = try MappedMemory(sharedNamed: name, byteCount: 1, hugePages: .never)
  }

  /// Of this process.
  var path: String { "/proc/self/fd/\(memory.descriptor)" }
}
