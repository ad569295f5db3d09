import Glibc
import Lab

/// `bpf/bench.bpf.c`, compiled when the measurement starts: it takes a fifth of a second, and spares the package a build
/// plugin of its own.
enum ProgramFile {
  /// Compiles into a folder and returns the object's path.
  static func compile(into folder: String) throws -> String {
    let source = try sourcePath()
    let object = folder + "/bench.bpf.o"
    var command = [try clang(), "-target", "bpf", "-mcpu=v3", "-O2", "-g"]
    for machine in ["x86_64", "aarch64"] where access("/usr/include/\(machine)-linux-gnu/asm/types.h", R_OK) == 0 {
      command += ["-idirafter", "/usr/include/\(machine)-linux-gnu"]
    }
    try Command.check(command + ["-c", source, "-o", object], timeoutSeconds: 60)
    return object
  }

  /// Beside the program that runs, wherever it was built; else where this file was.
  private static func sourcePath() throws -> String {
    let own = String(
      unsafeUninitializedCapacity: 4096
    ) { buffer in
      buffer.withMemoryRebound(to: CChar.self) { max(0, readlink("/proc/self/exe", $0.baseAddress!, $0.count)) }
    }
    for path in [own, #filePath] {
      guard let range = path.split(separator: "/").lastIndex(of: "Benchmarks") else { continue }
      let root = "/" + path.split(separator: "/")[...range].joined(separator: "/")
      if access(root + "/bpf/bench.bpf.c", R_OK) == 0 { return root + "/bpf/bench.bpf.c" }
    }
    throw WireFailure.missing("bpf/bench.bpf.c: not found beside the program; run it where it was built")
  }

  /// The Swift toolchain brings a clang that compiles for BPF; it stands beside `swift`.
  private static func clang() throws -> String {
    let path = getenv("PATH").map { String(cString: $0) } ?? ""
    let folders = path.split(separator: ":").map(String.init) + ["/opt/swift/usr/bin", "/usr/bin"]
    for folder in folders where access(folder + "/swift", X_OK) == 0 && access(folder + "/clang", X_OK) == 0 {
      return folder + "/clang"
    }
    guard let found = folders.first(where: { access($0 + "/clang", X_OK) == 0 }) else {
      throw WireFailure.missing("needs clang, which stands beside swift: put the Swift toolchain into PATH")
    }
    return found + "/clang"
  }
}
