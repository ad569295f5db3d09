import Glibc

/// Compiles one BPF source file and writes the object as a Swift enum of 64-bit words.
///
/// Compiling and embedding are one step so that no object file is an output of the build. The compiler runs with this
/// program's own standard error: what it has to say reaches the user verbatim. It is started with posix_spawn, not with
/// Foundation, because a sanitized build sanitizes this tool too and refuses Foundation's leaks.
struct Embedding {
  let clang: String
  let source: String
  let output: String
  let typeName: String

  /// - Returns: the exit status.
  static func run(_ arguments: [String]) -> Int32 {
    guard arguments.count == 5 else {
      complain("usage: bpfembed CLANG SOURCE OUTPUT TYPE")
      return 2
    }
    let embedding = Embedding(
      clang: arguments[1], source: arguments[2], output: arguments[3], typeName: arguments[4])
    return embedding.run()
  }

  private func run() -> Int32 {
    // Not OUTPUT.o: that name is the Swift compiler's.
    let object = output + ".bpf"
    let status = compile(to: object)
    guard status == 0 else { return status }
    guard let bytes = Embedding.read(object) else {
      Embedding.complain("cannot read \(object): \(String(cString: strerror(errno)))")
      return 1
    }
    unlink(object)
    guard Embedding.write(text(of: bytes), to: output) else {
      Embedding.complain("cannot write \(output): \(String(cString: strerror(errno)))")
      return 1
    }
    return 0
  }

  // MARK: Compiling

  private func compile(to object: String) -> Int32 {
    var command = [clang, "-target", "bpf", "-mcpu=v3", "-O2", "-g", "-Wall", "-Wextra", "-Werror"]
    // <asm/types.h> is not where a compiler for BPF looks on systems with multiarch headers.
    if let folder = Embedding.multiarchInclude() { command += ["-idirafter", folder] }
    command += ["-c", source, "-o", object]

    let words: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) } + [nil]
    defer { words.forEach { free($0) } }
    var child: pid_t = 0
    let error = posix_spawn(&child, clang, nil, nil, words, environ)
    guard error == 0 else {
      Embedding.complain("cannot start \(clang): \(String(cString: strerror(error)))")
      return 1
    }
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0 {
      guard errno == EINTR else { return 1 }
    }
    let signal = status & 0x7f
    return signal == 0 ? status >> 8 & 0xff : 128 + signal
  }

  /// `/usr/include/MACHINE-…` if it holds asm/types.h: Debian's place for headers that depend on the machine.
  private static func multiarchInclude() -> String? {
    var name = utsname()
    guard uname(&name) == 0 else { return nil }
    let machine = withUnsafeBytes(of: &name.machine) { bytes in
      String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
    guard let folder = opendir("/usr/include") else { return nil }
    defer { closedir(folder) }
    var found: [String] = []
    while let entry = readdir(folder) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      let path = "/usr/include/\(name)"
      if name.contains("-linux-"), access("\(path)/asm/types.h", R_OK) == 0 { found.append(path) }
    }
    found.sort()
    // Machines whose package name differs from the kernel's (i686, armv7l) have one such folder as a rule.
    return found.first { $0.hasPrefix("/usr/include/\(machine)-") } ?? found.first
  }

  // MARK: Embedding

  private func text(of bytes: [UInt8]) -> String {
    var text = """
      // Made from \(source.split(separator: "/").last ?? "") by bpfembed.
      enum \(typeName) {
        static let byteCount = \(bytes.count)
        static let words: [UInt64] = [

      """
    for start in stride(from: 0, to: bytes.count, by: 8) {
      var word: UInt64 = 0
      for (place, byte) in bytes[start..<min(start + 8, bytes.count)].enumerated() {
        word |= UInt64(byte) << UInt64(8 * place)
      }
      // The words lie in memory as the bytes did.
      text += "0x\(String(UInt64(littleEndian: word), radix: 16)),"
      text += start / 8 % 8 == 7 ? "\n" : " "
    }
    return text + "\n  ]\n}\n"
  }

  // MARK: Files

  private static func read(_ path: String) -> [UInt8]? {
    guard let file = fopen(path, "r") else { return nil }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65536)
    while true {
      let count = fread(&chunk, 1, chunk.count, file)
      guard count > 0 else { break }
      bytes += chunk[..<count]
    }
    return ferror(file) == 0 ? bytes : nil
  }

  private static func write(_ text: String, to path: String) -> Bool {
    guard let file = fopen(path, "w") else { return false }
    let written = fputs(text, file) >= 0
    return fclose(file) == 0 && written
  }

  private static func complain(_ text: String) {
    let line = Array("bpfembed: \(text)\n".utf8)
    _ = Glibc.write(STDERR_FILENO, line, line.count)
  }
}
