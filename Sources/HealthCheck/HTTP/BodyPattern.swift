import CPCRE2

/// A compiled pattern that bodies are held against.
///
/// Bodies come from servers that may be broken or hostile, and patterns may take exponential time. So a search has a
/// budget; a body that uses it up is neither a match nor none, and its check fails.
///
/// keepalived searches piece by piece while a body arrives; here the whole body, up to `HTTPReader.keptByteLimit`, is
/// searched at its end. The answers are the same but for patterns that look behind them by more than a piece.
public final class BodyPattern: Sendable {
  /// A pattern that is not understood.
  public struct PatternError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong, and where.
    public let description: String
  }

  /// What a search has found.
  enum Finding: Hashable {
    case match
    case noMatch
    /// Nothing can be said.
    case limit
  }

  /// About a tenth of a second at most.
  private static let limits = lbd_pattern_limits(
    search: 10_000_000, steps: 1_000_000, depth: 100_000, kibibytes: 16 * 1024)

  // Immutable once compiled, and PCRE2 lets any number of threads search with one.
  nonisolated(unsafe) private let compiled: OpaquePointer
  private let first: Int
  private let last: Int

  /// Compiles a pattern, for instance to see that it is sound.
  public init(_ definition: HTTPDefinition.PatternDefinition) throws(PatternError) {
    var options: UInt32 = 0
    for name in definition.options {
      let option = lbd_pattern_option(name)
      guard option != 0 else { throw PatternError(description: "there is no option \(name)") }
      options |= option
    }
    guard definition.maxOffset == 0 || definition.minOffset <= definition.maxOffset else {
      throw PatternError(
        description: "a match can never begin after \(definition.minOffset) and before \(definition.maxOffset)")
    }
    var message = [CChar](repeating: 0, count: 256)
    var offset = 0
    let text = definition.pattern.utf8.map(CChar.init(bitPattern:))
    let compiled = lbd_pattern_compile(
      text, text.count, options, BodyPattern.limits, &message, message.count, &offset)
    guard let compiled else {
      let reason = String(decoding: message.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
      throw PatternError(description: "pattern not understood at offset \(offset): \(reason)")
    }
    self.compiled = compiled
    first = max(0, definition.minOffset)
    last = definition.maxOffset > 0 ? definition.maxOffset : .max
  }

  deinit {
    lbd_pattern_free(compiled)
  }

  /// Searches a body.
  func search(_ body: [UInt8]) -> Finding {
    let size = last == .max ? UInt.max : UInt(last)
    return switch lbd_pattern_find(compiled, body, body.count, first, Int(bitPattern: size)) {
    case 1: .match
    case 0: .noMatch
    default: .limit
    }
  }
}
