/// Bytes as numbers and letters, 16 in a line, with offsets in decimal: the layout of genhash's `-v`.
enum HexDump {
  private static let width = 16

  /// Lines, each with its end.
  static func text(of bytes: some RandomAccessCollection<UInt8>) -> String {
    var text = ""
    var rest = bytes[...]
    var offset = 0
    while !rest.isEmpty {
      text += line(rest.prefix(width), at: offset)
      rest = rest.dropFirst(width)
      offset += width
    }
    return text
  }

  private static func line(_ bytes: some Collection<UInt8>, at offset: Int) -> String {
    let digits = bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) + " " }
    let blanks = Array(repeating: "   ", count: width - digits.count)
    let cells = digits + blanks
    let number = String(offset)
    let letters = bytes.map { isPrintable($0) ? Character(Unicode.Scalar($0)) : "." }
    return String(repeating: "0", count: max(0, 4 - number.count)) + number + "  " + cells[..<8].joined() + "- "
      + cells[8...].joined() + "  " + String(letters) + String(repeating: " ", count: width - letters.count) + "\n"
  }

  /// ASCII that moves no cursor.
  static func isPrintable(_ byte: UInt8) -> Bool { (0x20..<0x7f).contains(byte) }
}
