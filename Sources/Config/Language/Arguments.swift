import Wire

// Reading the words behind a keyword. What does not fit is reported where it stands, with what would fit; the directive
// then counts as absent, so that reading can go on. Further words than expected are passed over, as keepalived does.

extension Directive {
  /// The word at `index` behind the keyword, or nil with an error.
  func argument(
    _ index: Int = 0, _ meaning: String, _ diagnostics: inout DiagnosticList, severity: Diagnostic.Severity = .error
  ) -> Word? {
    if words.count > index + 1 { return words[index + 1] }
    diagnostics.add(
      Diagnostic(
        severity, at: position,
        "'\(keyword)' needs \(meaning)"
          + (severity == .error ? "" : ", the line is ignored"), remedy: "write it behind the keyword"))
    return nil
  }

  /// A decimal number within `range`, or nil with an error.
  func integer(
    _ index: Int = 0, in range: ClosedRange<Int>, _ meaning: String, _ diagnostics: inout DiagnosticList
  ) -> Int? {
    guard let word = argument(index, meaning, &diagnostics) else { return nil }
    if let value = decimal(word.text), range.contains(value) { return value }
    diagnostics.error(
      at: word.position, "\(quoted(word.text)) is not \(meaning)",
      remedy: "write a number from \(range.lowerBound) to \(range.upperBound)")
    return nil
  }

  /// A numeric address, or nil with an error.
  func address(_ index: Int = 0, _ diagnostics: inout DiagnosticList) -> IPAddress? {
    guard let word = argument(index, "an IP address", &diagnostics) else { return nil }
    if let address = IPAddress(word.text) { return address }
    diagnostics.error(
      at: word.position, "\(quoted(word.text)) is not an IP address",
      remedy: "write a numeric IPv4 or IPv6 address, names are not looked up")
    return nil
  }

  /// The port at `index`: 0 when the word is absent, nil with an error when it is no port.
  func port(_ index: Int, _ diagnostics: inout DiagnosticList) -> UInt16? {
    guard words.count > index + 1 else { return 0 }
    return integer(index, in: 0...65535, "a port", &diagnostics).map { UInt16($0) }
  }
}

/// A number made of decimal digits only, as keepalived reads them; nil above 18 digits.
func decimal(_ text: String) -> Int? {
  guard (1...18).contains(text.utf8.count), text.utf8.allSatisfy({ (48...57).contains($0) }) else { return nil }
  return Int(text)
}
