// The variables of a configuration: `$NAME=value`, several lines with a backslash at the end of each but the last, and those
// that are always there. Values are kept as they are written; what they refer to is looked up where they are used.

/// Variables and their values.
struct Definitions {
  /// A value.
  struct Value {
    /// One line, or several.
    var lines: [ArraySlice<UInt8>]
    /// Of uses in the file of the definition, which nearly all are in.
    let source: Source

    /// Of uses in a file.
    func source(usedIn file: Source) -> Source {
      file.number == source.number
        ? source : Source(file: file.file, number: file.number, definition: source.definition)
    }
  }

  /// What the predefined variables stand for.
  struct Surroundings {
    /// `${_PWD}`.
    var folder: String
    /// `${_INSTANCE}`.
    let configID: String
  }

  var surroundings: Surroundings
  private var values: [[UInt8]: Value] = [:]
  private var random: UInt64

  init(surroundings: Surroundings, randomSeed: UInt64) {
    self.surroundings = surroundings
    random = randomSeed
  }

  /// From now on `${_RANDOM}` yields the same numbers for the same seed.
  mutating func seed(_ seed: UInt64) { random = seed }

  /// Sets a variable; the last value counts.
  mutating func set(_ name: ArraySlice<UInt8>, to lines: [ArraySlice<UInt8>], at position: Position) {
    let definition = Definition(name: String(decoding: name, as: UTF8.self), position: position)
    let source = Source(file: position.file, number: position.source.number, definition: definition)
    values[Array(name)] = Value(lines: lines, source: source)
  }

  func value(of name: ArraySlice<UInt8>) -> Value? { values[Array(name)] }

  /// The value of a predefined variable; what is in the braces may have arguments.
  mutating func predefined(_ text: ArraySlice<UInt8>, isQuoted: Bool) -> [UInt8]? {
    guard text.first == UInt8(ascii: "_") else { return nil }
    let words = text.split(separator: UInt8(ascii: " ")).map { String(decoding: $0, as: UTF8.self) }
    switch (words.first, words.count) {
    case ("_PWD", 1): return Array(surroundings.folder.utf8)
    case ("_INSTANCE", 1): return Array(surroundings.configID.utf8)
    // Outside quotes it must not begin a comment.
    case ("_HASH", 1): return Array((isQuoted ? "#" : "\\#").utf8)
    case ("_BANG", 1): return Array((isQuoted ? "!" : "\\!").utf8)
    case ("_RANDOM", 1...3):
      let bounds = words.dropFirst().map(decimal)
      guard let lower = bounds.isEmpty ? 0 : bounds[0], let upper = bounds.count < 2 ? 32767 : bounds[1],
        lower <= upper, upper <= Int(Int32.max)
      else { return nil }
      return Array("\(lower + Int(next() % UInt64(upper - lower + 1)))".utf8)
    default: return nil
    }
  }

  /// SplitMix64; nothing depends on the numbers' being hard to guess.
  private mutating func next() -> UInt64 {
    random &+= 0x9e37_79b9_7f4a_7c15
    var mixed = random
    mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
    return mixed ^ mixed >> 31
  }
}

/// The name of a variable at the beginning of a definition, or where it is used.
enum VariableName {
  static func isStart(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: "_") || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
  }

  /// The index behind the name that begins at `start`; `start` itself when none does.
  static func end(in bytes: ArraySlice<UInt8>, from start: Int) -> Int {
    guard start < bytes.endIndex, isStart(bytes[start]) else { return start }
    return bytes[start...].firstIndex { !isStart($0) && !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
      ?? bytes.endIndex
  }

  /// What stands at a `$`: the text that names a variable, and the index behind it. Without braces a name ends at a
  /// blank, a comma, a closing parenthesis or the line's end, else it is none.
  static func use(in bytes: ArraySlice<UInt8>, at dollar: Int) -> (name: ArraySlice<UInt8>, end: Int)? {
    let start = dollar + 1
    guard start < bytes.endIndex else { return nil }
    if bytes[start] == UInt8(ascii: "{") {
      // No name is that long; the bound keeps a line full of `${` from being searched again and again.
      let limit = min(bytes.endIndex, start + 300)
      guard let close = bytes[start..<limit].firstIndex(of: UInt8(ascii: "}")),
        start + 1 < close, isStart(bytes[start + 1])
      else { return nil }
      return (bytes[(start + 1)..<close], close + 1)
    }
    let end = end(in: bytes, from: start)
    guard end > start else { return nil }
    guard end < bytes.endIndex else { return (bytes[start..<end], end) }
    let next = bytes[end]
    let isEnd = Blanks.isPlain(next) || next == UInt8(ascii: ",") || next == UInt8(ascii: ")")
    return isEnd ? (bytes[start..<end], end) : nil
  }
}
