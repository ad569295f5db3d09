import Glibc
import Kernel

/// Files for root's eyes in folders where anybody may put files, as /tmp is.
enum PrivateFile {
  /// Puts a file of mode 0600 in the place of whatever has this name. It is made under a name that nobody else has, then
  /// moved: a link with the wanted name is replaced, not followed, and nobody who has made the file before can read it.
  static func replace(_ path: String, with text: String) throws {
    let step = "write \(path)"
    var name = Array((path + ".XXXXXX").utf8CString)
    // mkstemp makes the file itself or fails, and gives it to its owner alone.
    let file = try FileDescriptor(checking: mkstemp(&name), step)
    _ = fcntl(file.number, F_SETFD, FD_CLOEXEC)
    let temporary = String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    do {
      try Array(text.utf8).withUnsafeBytes { bytes in
        var written = 0
        while written < bytes.count, let base = bytes.baseAddress {
          let count = write(file.number, base + written, bytes.count - written)
          if count < 0 && errno == EINTR { continue }
          guard count >= 0 else { throw SystemError.current(step) }
          written += count
        }
      }
      guard fchmod(file.number, 0o600) == 0, rename(temporary, path) == 0 else { throw SystemError.current(step) }
    } catch {
      unlink(temporary)
      throw error
    }
  }
}
