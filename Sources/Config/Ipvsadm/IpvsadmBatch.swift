// The lines that `ipvsadm -R` reads: a command line each, without the quoting and the comments of a shell. A word
// `ipvsadm` at the start is passed over, and so are lines that say nothing.

/// The commands of a batch, one at a time.
public struct IpvsadmBatch: Sequence, IteratorProtocol {
  /// More words than any command has; the rest of such a line is for the parser to refuse.
  private static let wordLimit = 256

  private var rest: ArraySlice<UInt8>

  /// Lines as bytes.
  public init(_ bytes: [UInt8]) { rest = bytes[...] }

  /// The words of the next line that has any.
  public mutating func next() -> [String]? {
    while !rest.isEmpty {
      let end = rest.firstIndex(of: UInt8(ascii: "\n")) ?? rest.endIndex
      let line = rest[..<end]
      rest = end < rest.endIndex ? rest[(end + 1)...] : []
      var words = line.split(maxSplits: IpvsadmBatch.wordLimit, whereSeparator: IpvsadmBatch.isBlank)
        .map { String(decoding: $0, as: UTF8.self) }
      if words.first == "ipvsadm" { words.removeFirst() }
      if !words.isEmpty { return words }
    }
    return nil
  }

  private static func isBlank(_ byte: UInt8) -> Bool { byte == 32 || (9...13).contains(byte) }
}
