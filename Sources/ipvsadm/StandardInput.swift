import Glibc

/// All of the standard input, for `-R`.
enum StandardInput {
  static func read(limit: Int) throws -> [UInt8] {
    var bytes: [UInt8] = []
    while true {
      let part = try [UInt8](unsafeUninitializedCapacity: 1 << 16) { buffer, count in
        var result = Glibc.read(STDIN_FILENO, buffer.baseAddress, buffer.count)
        while result < 0, errno == EINTR { result = Glibc.read(STDIN_FILENO, buffer.baseAddress, buffer.count) }
        guard result >= 0 else {
          throw Failure("ipvsadm: cannot read standard input: \(String(cString: strerror(errno)))")
        }
        count = result
      }
      if part.isEmpty { return bytes }
      bytes += part
      guard bytes.count < limit - (1 << 20) else {
        throw Failure("ipvsadm: more than \((limit >> 20) - 1) MiB of commands; give them in several parts")
      }
    }
  }
}
