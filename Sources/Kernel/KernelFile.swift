import Glibc

/// The kernel's one-line files under `/proc/sys` and `/sys`.
enum KernelFile {
  /// The file's text without its line end, or nil when there is no such file or it cannot be read.
  static func read(_ path: String) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    return withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 1) { buffer in
      let count = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
      guard count >= 0 else { return nil }
      var bytes = UnsafeRawBufferPointer(rebasing: buffer[0..<count])
      if bytes.last == UInt8(ascii: "\n") { bytes = UnsafeRawBufferPointer(rebasing: bytes.dropLast()) }
      return String(decoding: bytes, as: UTF8.self)
    }
  }

  /// Writes `text`; 0, or the errno.
  static func write(_ path: String, _ text: String) -> Int32 {
    let descriptor = open(path, O_WRONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return errno }
    defer { close(descriptor) }
    var text = text
    let count = text.withUTF8 { Glibc.write(descriptor, $0.baseAddress, $0.count) }
    return count >= 0 ? 0 : errno
  }
}
