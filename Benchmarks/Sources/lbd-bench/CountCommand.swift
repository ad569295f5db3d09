import ArgumentParser
import BenchCore

extension CountedRun.Side: ExpressibleByArgument {}

/// A fixed number of packets, for callgrind; `count-instructions.sh` is the part.
struct CountCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "count", abstract: "A fixed number of packets without timing, for callgrind.",
    discussion: "Run by Benchmarks/count-instructions.sh. Without a cell: lists them.")

  @Argument(help: "Cells, e.g. dr-v4-established or new-rr.") var cells: [String] = []
  @Option(help: "What to run: lbd or reference.") var side = CountedRun.Side.lbd
  @Option(help: "Rounds of 4096 packets.") var rounds = 16

  func validate() throws {
    guard (1...60).contains(rounds) else {
      throw ValidationError("--rounds \(rounds): 1 to 60, because a table has to hold them")
    }
  }

  func run() throws {
    if cells.isEmpty { print(CountedRun.Cell.all.map(\.name).joined(separator: "\n")) }
    for name in cells {
      guard let cell = CountedRun.Cell.all.first(where: { $0.name == name }) else {
        throw ValidationError("there is no cell \(name); without arguments the command lists them")
      }
      try CountedRun.run(cell, side, rounds: rounds)
    }
  }
}
