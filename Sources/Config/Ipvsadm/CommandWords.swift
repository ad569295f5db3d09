// Splits a line of a script into words, with the quoting of a shell and nothing else of it: no variables, no globs.
//
// Lines pasted from web pages have no-break and ideographic spaces. A shell takes them for letters; nobody means that.

/// Words of command lines.
public enum CommandWords {
  /// Why a line cannot be split.
  public struct Failure: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong.
    public let description: String
  }

  /// The words of a line. Blanks separate them; single quotes keep everything, double quotes everything but `\"` and
  /// `\\`, a backslash the next character; `#` at the start of a word begins a comment.
  public static func split(_ line: String) -> Result<[String], Failure> {
    var words: [String] = []
    var word: String?
    var quote: Character?
    var characters = line.makeIterator()
    while let character = characters.next() {
      if let open = quote {
        if character == open {
          quote = nil
        } else if character == "\\", open == "\"", let next = characters.next() {
          word?.append(contentsOf: next == "\"" || next == "\\" ? String(next) : "\\" + String(next))
        } else {
          word?.append(character)
        }
        continue
      }
      switch character {
      case " ", "\t", "\r", "\n", "\r\n", "\u{a0}", "\u{3000}":
        if let complete = word { words.append(complete) }
        word = nil
      case "#" where word == nil:
        return .success(words)
      case "'", "\"":
        quote = character
        word = word ?? ""
      case "\\":
        guard let next = characters.next() else { return .failure(Failure(description: "nothing behind the last \\")) }
        word = (word ?? "") + String(next)
      default:
        word = (word ?? "") + String(character)
      }
    }
    if let quote { return .failure(Failure(description: "the quote \(quote) is not closed")) }
    if let complete = word { words.append(complete) }
    return .success(words)
  }
}
