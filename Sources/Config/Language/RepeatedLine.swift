// `~SEQ(var[,start[,step]],end) text`, `~SEQx` for hexadecimal numbers, `~LST(var,value,…) text` and
// `~LST({a,b},{1,2},{3,4}) text`: the text is read once for each value of the variable.

/// What a line that begins with `~` asks for.
struct RepeatedLine {
  /// One variable with its values in turn.
  enum Values {
    case numbers(start: Int, step: Int, count: Int, isHexadecimal: Bool)
    case list([[ArraySlice<UInt8>]])
  }

  let names: [ArraySlice<UInt8>]
  let values: Values
  /// The index of the text's first byte.
  let textStart: Int

  /// How often the text is read.
  var count: Int {
    switch values {
    case .numbers(_, _, let count, _): count
    case .list(let tuples): tuples.count
    }
  }

  /// The values of the variables in one turn, from 0.
  func values(inTurn turn: Int) -> [ArraySlice<UInt8>] {
    switch values {
    case .list(let tuples): return tuples[turn]
    case .numbers(let start, let step, _, let isHexadecimal):
      let number = start + turn * step
      return [Array(String(number, radix: isHexadecimal ? 16 : 10).utf8)[...]]
    }
  }

  /// Where the arguments of a repetition are: nil when the line has another beginning.
  static func arguments(of bytes: ArraySlice<UInt8>, at start: Int) -> (keyword: Keyword, open: Int, close: Int?)? {
    for keyword in Keyword.allCases where bytes[start...].starts(with: Array(keyword.rawValue.utf8)) {
      var open = start + keyword.rawValue.utf8.count
      while open < bytes.endIndex, Blanks.isPlain(bytes[open]) { open += 1 }
      guard open < bytes.endIndex, bytes[open] == UInt8(ascii: "(") else { continue }
      return (keyword, open, bytes[open...].firstIndex(of: UInt8(ascii: ")")))
    }
    return nil
  }

  /// What begins such a line.
  enum Keyword: String, CaseIterable {
    case hexadecimal = "~SEQx"
    case decimal = "~SEQ"
    case list = "~LST"
  }

  /// - Parameter arguments: what is in the parentheses.
  init?(_ keyword: Keyword, arguments: ArraySlice<UInt8>, textStart: Int) {
    self.textStart = textStart
    switch keyword {
    case .list:
      guard let tuples = RepeatedLine.tuples(arguments), tuples.count > 1,
        tuples.allSatisfy({ $0.count == tuples[0].count }), tuples[0].allSatisfy(RepeatedLine.isName)
      else { return nil }
      names = tuples[0]
      values = .list(Array(tuples.dropFirst()))
    case .decimal, .hexadecimal:
      let parts = arguments.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false).map(Blanks.trimmed)
      let numbers = parts.dropFirst().map(RepeatedLine.number)
      guard (2...4).contains(parts.count), RepeatedLine.isName(parts[0]), !numbers.contains(nil) else { return nil }
      let (end, first) = (numbers.last! ?? 0, numbers.count > 1 ? numbers[0] ?? 0 : nil)
      let start = first ?? (end < 0 ? -1 : 1)
      let step = numbers.count > 2 ? numbers[1] ?? 0 : start <= end ? 1 : -1
      guard step != 0, start == end || (step > 0) == (start < end) else { return nil }
      names = [parts[0]]
      values = .numbers(
        start: start, step: step, count: (end - start) / step + 1, isHexadecimal: keyword == .hexadecimal)
    }
  }

  private static func isName(_ bytes: ArraySlice<UInt8>) -> Bool {
    !bytes.isEmpty && VariableName.end(in: bytes, from: bytes.startIndex) == bytes.endIndex
  }

  /// A number of at most 32 bits, with a sign, decimal or behind `0x`.
  private static func number(_ bytes: ArraySlice<UInt8>) -> Int? {
    var digits = String(decoding: bytes, as: UTF8.self)
    let isNegative = digits.hasPrefix("-")
    if isNegative { digits.removeFirst() }
    let isHexadecimal = digits.hasPrefix("0x") || digits.hasPrefix("0X")
    if isHexadecimal { digits.removeFirst(2) }
    guard let first = digits.utf8.first, first != UInt8(ascii: "+"), first != UInt8(ascii: "-"),
      let value = Int(digits, radix: isHexadecimal ? 16 : 10), value <= Int(UInt32.max)
    else { return nil }
    return isNegative ? -value : value
  }

  /// Values in groups of one, or as they are in braces.
  private static func tuples(_ bytes: ArraySlice<UInt8>) -> [[ArraySlice<UInt8>]]? {
    let comma = UInt8(ascii: ",")
    guard bytes.first == UInt8(ascii: "{") else {
      return bytes.split(separator: comma, omittingEmptySubsequences: false).map { [Blanks.trimmed($0)] }
    }
    var tuples: [[ArraySlice<UInt8>]] = []
    var rest = bytes
    while rest.first == UInt8(ascii: "{"), let close = rest.firstIndex(of: UInt8(ascii: "}")) {
      let inner = rest[(rest.startIndex + 1)..<close]
      tuples.append(inner.split(separator: comma, omittingEmptySubsequences: false).map(Blanks.trimmed))
      rest = rest[(close + 1)...]
      if rest.first == comma { rest = rest.dropFirst() } else { break }
    }
    return rest.isEmpty ? tuples : nil
  }
}
