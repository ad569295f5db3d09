// What separates words: space, TAB, VT, FF, CR, and in pasted text the blanks that keepalived does not know.

/// Blanks of configuration text.
enum Blanks {
  static let byteOrderMark: [UInt8] = [0xef, 0xbb, 0xbf]
  private static let noBreakSpace: [UInt8] = [0xc2, 0xa0]
  private static let ideographicSpace: [UInt8] = [0xe3, 0x80, 0x80]

  static func isPlain(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0d).contains(byte) }

  /// True for the first bytes of blanks.
  static func mayBegin(_ byte: UInt8) -> Bool { isPlain(byte) || byte == 0xc2 || byte == 0xe3 || byte == 0xef }

  /// The length of the blank at `index`, 0 when there is none, and whether keepalived takes it for one.
  static func length(at index: Int, in line: SourceLine) -> (length: Int, isPlain: Bool) {
    let byte = line.bytes[index]
    if isPlain(byte) { return (1, true) }
    guard mayBegin(byte) else { return (0, true) }
    let rest = line.bytes[index...]
    if rest.starts(with: noBreakSpace) { return (2, false) }
    if rest.starts(with: ideographicSpace) { return (3, false) }
    let isFileStart = line.number == 1 && index == line.lineStart && line.use == nil
    return isFileStart && rest.starts(with: byteOrderMark) ? (3, false) : (0, true)
  }

  /// The index of the first byte that is no blank, or the line's end.
  static func end(in line: SourceLine, from start: Int) -> Int {
    var index = start
    while index < line.bytes.endIndex {
      let length = length(at: index, in: line).length
      guard length > 0 else { break }
      index += length
    }
    return index
  }

  /// Without plain blanks at both ends.
  static func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    guard let first = bytes.firstIndex(where: { !isPlain($0) }), let last = bytes.lastIndex(where: { !isPlain($0) })
    else { return [] }
    return bytes[first...last]
  }
}
