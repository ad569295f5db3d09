import Testing

@testable import Config

/// A line within a block, and what comes of it.
struct KeyRow: CustomTestStringConvertible {
  let line: String
  let key: String
  /// The value as it would be written; nil is none.
  let value: String?
  /// A part of the only warning or error, or nil when there is to be none.
  var message: String?

  init(_ line: String, _ key: String, _ value: String?, _ message: String? = nil) {
    self.line = line
    self.key = key
    self.value = value
    self.message = message
  }

  var testDescription: String { line }
}

/// Reads a block and compares one value and its place; `lineNumber` is that of the row's line.
func expect(_ row: KeyRow, in text: String, block title: String, lineNumber: Int) throws {
  let (configuration, diagnostics) = read(text)
  let block = try #require(find(title, in: configuration.explained), "no \(title)")
  let setting = block.settings.first { $0.key == row.key }
  #expect(setting?.value == row.value, "\(diagnostics)")
  let findings = diagnostics.filter { $0.severity != .note && $0.line >= lineNumber }
  if let message = row.message {
    #expect(findings.contains { $0.description.contains(message) }, "\(findings)")
  } else {
    #expect(findings.isEmpty)
    #expect(setting?.origin?.line == lineNumber)
  }
}

/// The first block of that title, at any depth.
func find(_ title: String, in blocks: [ExplainedBlock]) -> ExplainedBlock? {
  for block in blocks {
    if block.title.hasPrefix(title) { return block }
    if let inner = find(title, in: block.blocks) { return inner }
  }
  return nil
}
