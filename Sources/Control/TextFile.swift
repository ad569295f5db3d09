import Glibc
import Kernel

/// Small text files, written so that a reader never sees half of one.
enum TextFile {
  /// Writes a neighbour file and renames it over `path`.
  /// - Parameter isDurable: true when it must also outlast the machine's losing its power.
  static func replace(_ path: String, with text: String, isDurable: Bool = false) throws {
    let step = "write \(path)"
    let temporary = path + ".new"
    do {
      let file = try FileDescriptor(
        checking: open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o640), step)
      try Array(text.utf8).withUnsafeBytes { bytes in
        var written = 0
        while written < bytes.count, let base = bytes.baseAddress {
          let count = write(file.number, base + written, bytes.count - written)
          guard count >= 0 else { throw SystemError.current(step) }
          written += count
        }
      }
      if isDurable, fsync(file.number) != 0 { throw SystemError.current(step) }
    }
    guard rename(temporary, path) == 0 else { throw SystemError.current(step) }
    guard isDurable else { return }
    let folder = path.lastIndex(of: "/").map { path[...$0] } ?? "."
    let directory = try FileDescriptor(checking: open(String(folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC), step)
    guard fsync(directory.number) == 0 else { throw SystemError.current(step) }
  }
}
