import Glibc

/// Where the program of a script is, and, when it cannot be started, why.
///
/// A word with a slash is a path, from / if it is a relative one, for that is where scripts run. Another is looked for in
/// `PATH`: the first regular file there that somebody may execute.
enum ScriptFile {
  /// The program's path.
  /// - Parameter searchPath: `PATH`.
  static func locate(_ script: Script, searchPath: String) throws(ScriptFailure) -> String {
    let step = "run \(script)"
    guard let name = script.words.first, !name.isEmpty else {
      throw ScriptFailure(step, "the command is empty", remedy: "write the program's path")
    }
    guard script.words.allSatisfy({ !$0.utf8.contains(0) }) else {
      throw ScriptFailure(step, "the command has a NUL character", remedy: "remove it from the configuration")
    }
    if name.utf8.contains(UInt8(ascii: "/")) {
      let path = name.hasPrefix("/") ? name : "/" + name
      try check(path, step)
      return path
    }
    var unusable: ScriptFailure?
    for folder in searchPath.split(separator: ":") where folder.hasPrefix("/") {
      let path = "\(folder)/\(name)"
      do {
        try check(path, step)
        return path
      } catch {
        // Not one in a folder that this process cannot enter: whether it is there, nobody knows.
        if error.number == EACCES, access(path, F_OK) == 0 { unusable = unusable ?? error }
      }
    }
    if let unusable { throw unusable }
    throw ScriptFailure(
      step, errno: ENOENT, remedy: "no folder of PATH (\(searchPath)) has \(name); write its path, from / on")
  }

  /// Whether there is something to start: a regular file that somebody may execute.
  private static func check(_ path: String, _ step: String) throws(ScriptFailure) {
    var status = stat()
    guard stat(path, &status) == 0 else {
      throw ScriptFailure(step, errno: errno, remedy: remedyForMissing(path))
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw ScriptFailure(step, "\(path) is not a regular file", remedy: "write the path of a program")
    }
    guard status.st_mode & 0o111 != 0 else {
      throw ScriptFailure(step, errno: EACCES, remedy: "make it executable: chmod +x \(path)")
    }
  }

  /// The user may have written a command where one word was meant, or a path in the file system of another mind.
  private static func remedyForMissing(_ path: String) -> String {
    if path.contains(where: \.isWhitespace) { return "check the quotes: all of '\(path)' is taken for the path" }
    return errno == ENOENT ? "there is no \(path): create it, or correct the configuration" : "check the path \(path)"
  }

  /// Why a program that is there has not been started.
  /// - Parameter number: what the system said: ENOENT, EACCES or ENOTDIR, which are not told apart.
  static func explanation(_ script: Script, path: String, account: ScriptAccount) -> ScriptFailure {
    let step = "run \(script)"
    do { try check(path, step) } catch { return error }
    if let interpreter = interpreter(of: path), access(interpreter, X_OK) != 0 {
      return ScriptFailure(
        step, "its first line names \(interpreter): \(String(cString: strerror(errno)))",
        remedy: "install the interpreter, or correct the line; line ends must be those of Unix")
    }
    return ScriptFailure(
      step, errno: EACCES,
      remedy: "\(account.name) must be able to execute it, to enter its folders, and the file system must not be noexec"
    )
  }

  /// What the first line of a script names, at most 255 bytes as the kernel reads it.
  private static func interpreter(of path: String) -> String? {
    let file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var bytes = [UInt8](repeating: 0, count: 255)
    let count = read(file, &bytes, bytes.count)
    guard count > 2, bytes.starts(with: [UInt8(ascii: "#"), UInt8(ascii: "!")]) else { return nil }
    let line = bytes[2..<count].prefix { $0 != UInt8(ascii: "\n") }
    return line.split { $0 == 0x20 || $0 == 0x09 }.first.map { String(decoding: $0, as: UTF8.self) }
  }
}
