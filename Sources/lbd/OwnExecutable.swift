import Glibc

/// The file this program was started from, for starting it again elsewhere.
enum OwnExecutable {
  static func path() throws -> String {
    guard let resolved = realpath("/proc/self/exe", nil) else {
      throw CommandFailure("cannot find the path of this program (is /proc mounted?)")
    }
    defer { free(resolved) }
    return String(cString: resolved)
  }
}
