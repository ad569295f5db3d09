import ArgumentParser
import Config

/// `lbd keywords`: prints docs/keywords.md.
struct KeywordsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "keywords",
    abstract: "Print every keyword of the configuration, with its form and what becomes of it.",
    discussion: "As Markdown. The same text is in docs/keywords.md.")

  func run() { print(KeywordReference.markdown, terminator: "") }
}
