import ArgumentParser
import BenchCore

/// One worker and two on one table.
struct ScaleCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "scale", abstract: "One worker and two that share the connection table.")

  @Flag(help: "A few cells in less than a minute (also: QUICK=1).") var quick = false
  @Option(help: "Folder for the results.") var results: String?

  func run() throws {
    let part = ScalePart(isQuick: quick || Invocation.isQuick)
    try part.run(command: Invocation.command).finish(directory: results)
  }
}
