import Glibc
import Kernel

/// A file with the number of a process, for service managers and scripts.
///
/// Such files outlive a process that was killed, and in a container the same number comes again with another program, or
/// with this one: so a number counts only if the process that has it is a keepalived.
struct PidFile: Hashable {
  let path: String

  /// The process that holds the file, if it lives and is a keepalived other than this one.
  var holder: pid_t? {
    guard let text = PidFile.text(of: path), let number = pid_t(PidFile.trimmed(text)), number > 0, number != getpid()
    else { return nil }
    return PidFile.isKeepalived(PidFile.text(of: "/proc/\(number)/cmdline") ?? "") ? number : nil
  }

  /// By a command line as /proc has it: `keepalived …`, or `lbd keepalived …`.
  static func isKeepalived(_ commandLine: String) -> Bool {
    let words = commandLine.split(separator: "\0", omittingEmptySubsequences: false)
    guard let first = words.first else { return false }
    let program = first.split(separator: "/").last.map(String.init) ?? ""
    return program == "keepalived" || program == "lbd" && words.count > 1 && words[1] == "keepalived"
  }

  /// Writes the own number, in the place of whatever number is there.
  func write() throws {
    let step = "write \(path)"
    let flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK
    let file = try FileDescriptor(checking: open(path, flags, 0o644), step)
    // Whatever the umask says: others have to find the process.
    guard fchmod(file.number, 0o644) == 0 else { throw SystemError.current(step) }
    let bytes = Array("\(getpid())\n".utf8)
    guard Glibc.write(file.number, bytes, bytes.count) == bytes.count else { throw SystemError.current(step) }
  }

  /// Removes the file, if it is still this process's.
  func remove() {
    guard let text = PidFile.text(of: path), pid_t(PidFile.trimmed(text)) == getpid() else { return }
    unlink(path)
  }

  /// The beginning of a file; a pipe with this name is not waited for.
  private static func text(of path: String) -> String? {
    guard let file = try? FileDescriptor(checking: open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), "read \(path)") else {
      return nil
    }
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = read(file.number, &bytes, bytes.count)
    return count >= 0 ? String(decoding: bytes.prefix(count), as: UTF8.self) : nil
  }

  private static func trimmed(_ text: String) -> Substring {
    var rest = Substring(text)
    while rest.first?.isWhitespace == true { rest.removeFirst() }
    while rest.last?.isWhitespace == true { rest.removeLast() }
    return rest
  }
}
