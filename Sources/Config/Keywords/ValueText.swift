import Wire

// Reading values the way keepalived does: what does not fit is reported as a warning, and the value stays as it was.
// (Arguments.swift is for what decides where packets go: there a value that does not fit refuses the file.)

extension Directive {
  /// A number in a range; nil with a warning when it is none.
  func number(
    _ index: Int = 0, in range: ClosedRange<Int>, isStrict: Bool = false, _ diagnostics: inout DiagnosticList
  ) -> Int? {
    guard let word = argument(index, "a number", &diagnostics, severity: .warning) else { return nil }
    return number(word, in: range, isStrict: isStrict, &diagnostics)
  }

  /// The same for a word that stands somewhere else.
  func number(
    _ word: Word, in range: ClosedRange<Int>, isStrict: Bool = false, _ diagnostics: inout DiagnosticList
  ) -> Int? {
    var text = word.text.utf8[...]
    let isNegative = text.first == UInt8(ascii: "-")
    if isNegative { text = text.dropFirst() }
    let digits = text.prefix { (48...57).contains($0) }
    let isWhole = digits.count == text.count
    if let magnitude = decimal(String(decoding: digits, as: UTF8.self)), isWhole || !isStrict {
      let value = isNegative ? -magnitude : magnitude
      if range.contains(value) {
        if !isWhole { reportGarbage(word, read: "\(value)", &diagnostics) }
        return value
      }
    }
    refuse(word, "a number from \(range.lowerBound) to \(range.upperBound)", &diagnostics)
    return nil
  }

  /// A time in seconds, up to six decimals; nil with a warning when it is none.
  func time(in range: ClosedRange<Duration>, _ diagnostics: inout DiagnosticList) -> Duration? {
    guard let word = argument(0, "a time in seconds", &diagnostics, severity: .warning) else { return nil }
    return time(word, in: range, &diagnostics)
  }

  /// The same for a word that stands somewhere else.
  func time(_ word: Word, in range: ClosedRange<Duration>, _ diagnostics: inout DiagnosticList) -> Duration? {
    let text = word.text.utf8
    let digits = text.prefix { (48...57).contains($0) || $0 == UInt8(ascii: ".") }
    if let value = Duration(seconds: String(decoding: digits, as: UTF8.self)), range.contains(value) {
      if digits.count < text.count { reportGarbage(word, read: value.secondsText, &diagnostics) }
      return value
    }
    refuse(
      word, "a time from \(range.lowerBound.secondsText) to \(range.upperBound.secondsText) seconds", &diagnostics)
    return nil
  }

  /// On or off; on when nothing stands behind the keyword.
  func flag(_ diagnostics: inout DiagnosticList) -> Bool? {
    guard words.count > 1 else { return true }
    switch words[1].text {
    case "on", "true", "yes": return true
    case "off", "false", "no": return false
    default:
      refuse(words[1], "on, true, yes, off, false or no", &diagnostics)
      return nil
    }
  }

  /// A word of a size that somebody could have meant.
  func text(_ index: Int, _ meaning: String, _ diagnostics: inout DiagnosticList) -> String? {
    guard let word = argument(index, meaning, &diagnostics, severity: .warning) else { return nil }
    guard word.text.utf8.count <= Defaults.textBytesMax else {
      diagnostics.warning(
        at: word.position, "\(quoted(word.text)) has \(word.text.utf8.count) bytes, it is ignored",
        remedy: "at most \(Defaults.textBytesMax) are read")
      return nil
    }
    guard !word.text.utf8.contains(0) else {
      diagnostics.warning(at: word.position, "\(quoted(word.text)) has a NUL in it, it is ignored")
      return nil
    }
    return word.text
  }

  /// The name of an interface.
  func interfaceName(_ diagnostics: inout DiagnosticList) -> String? {
    guard let word = argument(0, "an interface's name", &diagnostics, severity: .warning) else { return nil }
    if isInterfaceName(word.text) { return word.text }
    refuse(word, "an interface's name of 1 to 15 bytes", &diagnostics)
    return nil
  }

  /// A numeric address; nil with a warning when it is none.
  func numericAddress(_ index: Int, _ diagnostics: inout DiagnosticList) -> IPAddress? {
    guard let word = argument(index, "an IP address", &diagnostics, severity: .warning) else { return nil }
    if let address = IPAddress(word.text) { return address }
    refuse(word, "a numeric IPv4 or IPv6 address", &diagnostics)
    return nil
  }

  /// Says that a word is not what was expected, and that it changes nothing.
  func refuse(_ word: Word, _ expected: String, _ diagnostics: inout DiagnosticList) {
    diagnostics.warning(
      at: word.position, "\(quoted(word.text)) does not fit '\(keyword)', it is ignored", remedy: "write \(expected)")
  }

  private func reportGarbage(_ word: Word, read value: String, _ diagnostics: inout DiagnosticList) {
    diagnostics.warning(
      at: word.position, "\(quoted(word.text)) is read as \(value)", remedy: "remove what stands behind the number")
  }
}

extension Duration {
  /// The longest time of keepalived's: 2^32 - 1 microseconds.
  static let longest = Duration.microseconds(Int64(UInt32.max))

  /// Whole seconds and up to six decimals; further ones are rounded.
  init?(seconds text: String) {
    let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count <= 2, let whole = parts.first, !text.isEmpty, text != ".",
      let seconds = whole.isEmpty ? 0 : decimal(String(whole)), seconds <= 1 << 40
    else { return nil }
    var microseconds = 0
    if parts.count == 2 {
      let digits = parts[1].utf8.prefix(7)
      guard parts[1].utf8.allSatisfy({ (48...57).contains($0) }) else { return nil }
      let fraction = String(decoding: digits, as: UTF8.self)
      guard let tenths = decimal(fraction + String(repeating: "0", count: 7 - digits.count)) else { return nil }
      microseconds = (tenths + 5) / 10
    }
    self = .seconds(seconds) + .microseconds(microseconds)
  }

  /// `5` or `0.25`.
  public var secondsText: String {
    let (seconds, attoseconds) = components
    let microseconds = attoseconds / 1_000_000_000_000
    guard microseconds != 0 else { return "\(seconds)" }
    var fraction = String(microseconds + 1_000_000).dropFirst()
    while fraction.last == "0" { fraction.removeLast() }
    return "\(seconds).\(fraction)"
  }
}
