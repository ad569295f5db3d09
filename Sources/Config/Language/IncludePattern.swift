// `include PATTERN` and its variants: what they ask for, and what has to be there.

/// What an include must find; without any of it, nothing.
struct IncludeStrictness: OptionSet {
  let rawValue: UInt8

  /// Files that match must be readable.
  static let readable = IncludeStrictness(rawValue: 1)
  /// A name without wildcards must be there.
  static let match = IncludeStrictness(rawValue: 2)
  /// A name with wildcards must match something.
  static let wildcardMatch = IncludeStrictness(rawValue: 4)
  /// Each alternative in braces must match something.
  static let braceMatch = IncludeStrictness(rawValue: 8)
  static let all: IncludeStrictness = [.readable, .match, .wildcardMatch, .braceMatch]

  /// The words of keepalived's `include_check`.
  private static let names: [String: IncludeStrictness] = [
    "readable": .readable, "read": .readable, "match": .match, "wildcard_match": .wildcardMatch,
    "brace_match": .braceMatch,
  ]

  /// What the keywords that begin an include ask for; nil for any other keyword.
  static func of(keyword: String) -> IncludeStrictness? {
    switch keyword {
    case "include": []
    case "includer": [.readable]
    case "includem": [.readable, .match]
    case "includew": [.readable, .match, .wildcardMatch]
    case "includeb": [.readable, .match, .braceMatch]
    case "includea": .all
    default: nil
    }
  }

  /// Changes what `include` asks for: `include_check [+|-]NAME…`, alone for all.
  /// - Returns: a word that is no name, or nil.
  mutating func check(_ words: [String]) -> String? {
    guard !words.isEmpty else {
      self = .all
      return nil
    }
    if let first = words[0].first, first != "+", first != "-" { self = [] }
    for word in words {
      let isRemoved = word.hasPrefix("-")
      let name = isRemoved || word.hasPrefix("+") ? String(word.dropFirst()) : word
      guard let part = IncludeStrictness.names[name] else { return word }
      if isRemoved { subtract(part) } else { formUnion(part) }
    }
    return nil
  }
}

/// The names a pattern stands for.
enum IncludePattern {
  /// More alternatives are refused.
  static let alternativesMax = 1024

  static func hasWildcard(_ pattern: String) -> Bool { pattern.utf8.contains { "*?[".utf8.contains($0) } }

  /// The alternatives of braces as in csh, in their order; `{}` stands for itself.
  /// - Returns: nil when there are too many.
  static func alternatives(of pattern: String) -> [String]? {
    var done: [String] = []
    var open = [pattern]
    while let next = open.popLast() {
      guard done.count + open.count < alternativesMax else { return nil }
      guard let parts = firstBraces(of: Array(next.utf8)) else {
        done.append(next)
        continue
      }
      // The last goes in first, because the first has to come out first.
      for part in parts.reversed() { open.append(String(decoding: part, as: UTF8.self)) }
    }
    return done
  }

  /// The text once for each alternative of its first pair of braces.
  private static func firstBraces(of text: [UInt8]) -> [[UInt8]]? {
    var search = text.startIndex
    while let open = text[search...].firstIndex(of: UInt8(ascii: "{")) {
      var depth = 0
      var commas = [open]
      var index = open
      scan: while index < text.endIndex {
        switch text[index] {
        case UInt8(ascii: "{"): depth += 1
        case UInt8(ascii: ",") where depth == 1: commas.append(index)
        case UInt8(ascii: "}"):
          depth -= 1
          if depth == 0 { break scan }
        default: break
        }
        index += 1
      }
      guard index < text.endIndex else { return nil }
      guard index > open + 1 else {
        search = index + 1
        continue
      }
      return commas.indices.map { number in
        let end = number + 1 < commas.count ? commas[number + 1] : index
        return Array(text[..<open]) + text[(commas[number] + 1)..<end] + text[(index + 1)...]
      }
    }
    return nil
  }
}
