/// Bytes for people.
enum HexDump {
  /// Sixteen bytes a line, with their offset; the first 160.
  static func text(_ bytes: [UInt8]) -> String {
    var text = ""
    for start in stride(from: 0, to: min(bytes.count, 160), by: 16) {
      let line = bytes[start..<min(start + 16, bytes.count)].map { pair($0) }.joined(separator: " ")
      text += "  \(pair(UInt8(start)))  \(line)\n"
    }
    return bytes.count > 160 ? text + "  … \(bytes.count) bytes\n" : text
  }

  private static func pair(_ byte: UInt8) -> String { (byte < 16 ? "0" : "") + String(byte, radix: 16) }
}
