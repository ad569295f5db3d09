import Config
import Glibc
import Kernel

/// The files of a configuration, read from disk.
struct DiskFiles: ConfigurationFiles {
  /// All the files of a configuration have at most as many bytes together; one of them is not read further.
  static let byteLimit = 32 << 20
  /// One pattern yields no more names.
  private static let nameLimit = 8192

  func names(matching pattern: String) -> [String] {
    var found = glob_t()
    defer { globfree(&found) }
    guard !pattern.utf8.contains(0), glob(pattern, 0, nil, &found) == 0 else { return [] }
    return (0..<min(Int(found.gl_pathc), DiskFiles.nameLimit)).compactMap { index in
      found.gl_pathv[index].map { String(cString: $0) }
    }
  }

  /// As keepalived does it, files that can be executed are left out: a pattern may have met a script.
  func text(of name: String, atMost byteCount: Int) throws(ConfigurationFileFailure) -> ConfigurationText {
    do {
      return try DiskFiles.text(of: name, step: "read", mayBeExecutable: false)
    } catch let error as SystemError {
      throw ConfigurationFileFailure("\(error)")
    } catch {
      throw error as? ConfigurationFileFailure ?? ConfigurationFileFailure("\(error)")
    }
  }

  /// Reads a file whole.
  static func text(of path: String, step: String, mayBeExecutable: Bool = true) throws -> ConfigurationText {
    // A pipe without a writer must not hold up the reading.
    let flags = O_RDONLY | O_CLOEXEC | (mayBeExecutable ? 0 : O_NONBLOCK)
    let file = try FileDescriptor(checking: open(path, flags), step)
    var status = stat()
    guard fstat(file.number, &status) == 0 else { throw SystemError.current(step) }
    if !mayBeExecutable {
      guard status.st_mode & S_IFMT == S_IFREG else { throw ConfigurationFileFailure("it is no regular file") }
      guard status.st_mode & 0o111 == 0 else {
        throw ConfigurationFileFailure("it can be executed, so it is taken for a program")
      }
    }
    return ConfigurationText(bytes: try bytes(of: file, step), identity: "\(status.st_dev):\(status.st_ino)")
  }

  private static func bytes(of file: borrowing FileDescriptor, _ step: String) throws -> [UInt8] {
    var bytes: [UInt8] = []
    let number = file.number
    while true {
      let part = try [UInt8](unsafeUninitializedCapacity: 65_536) { buffer, count in
        let result = Glibc.read(number, buffer.baseAddress, buffer.count)
        guard result >= 0 else { throw SystemError.current(step) }
        count = result
      }
      if part.isEmpty { return bytes }
      bytes += part
      guard bytes.count <= byteLimit else {
        throw SystemError(step, errno: EFBIG, remedy: "a configuration has at most 32 MiB")
      }
    }
  }
}
