import ArgumentParser
import BenchCore
import BenchReport

extension Mode: ExpressibleByArgument {}
extension Family: ExpressibleByArgument {}

/// One worker over frames in memory, beside the same loop in C.
struct CoreCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "core", abstract: "One worker over frames in memory, beside the same loop in C.")

  @Flag(help: "A few cells in less than a minute (also: QUICK=1).") var quick = false
  @Option(help: "Only this forwarding method.") var mode: Mode?
  @Option(help: "Only this address family.") var family: Family?
  @Option(help: "Only this kind: established, new, mix, hold.") var kind: String?
  @Option(help: "Only this number of connections.") var connections: Int?
  @Option(help: "Folder for the results.") var results: String?

  func run() throws {
    var selection = CorePart.Selection()
    selection.mode = mode
    selection.family = family
    selection.kind = kind
    selection.connections = connections
    var part = CorePart(selection, isQuick: quick || Invocation.isQuick)
    try part.run(command: Invocation.command).finish(directory: results)
    if part.failed { throw ExitCode(1) }
  }
}
