/// How much of a configuration is read; beyond it there is an error, so that no file can take all memory or all time.
struct ReadingLimits {
  /// Of all files together. A real server with a check takes about 200 bytes, so there is room for a hundred and sixty
  /// thousand.
  var byteCount = 32 << 20
  /// What variables, sequences and lists may make.
  var expandedByteCount = 32 << 20
  /// Lines and braces. A real server with a check has fifteen.
  var lineCount = 4 << 20
  /// Files, each as often as it is included.
  var fileCount = 4096
  /// Files that include one another.
  var fileDepth = 32

  /// A number of bytes for messages.
  static func text(_ byteCount: Int) -> String {
    byteCount >= 1 << 20 ? "\(byteCount >> 20) MiB" : "\(byteCount) bytes"
  }
}
