import ArgumentParser
import BenchCore

/// What a pick costs, scheduler by scheduler.
struct PickCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pick", abstract: "Nanoseconds per pick among many servers, for every scheduler.")

  @Option(help: "Servers in the list.") var servers = 1000
  @Option(help: "Rounds of 1000 picks; the median counts.") var rounds = 51

  func validate() throws {
    guard (1...65_535).contains(servers) else { throw ValidationError("--servers \(servers): 1 to 65535") }
    guard (1...100_000).contains(rounds) else { throw ValidationError("--rounds \(rounds): 1 to 100000") }
  }

  func run() throws {
    for row in PickBench.rows(serverCount: servers, rounds: rounds) {
      let nanoseconds = String(Int(row.nanoseconds.rounded()))
      let width = max(0, 8 - nanoseconds.count)
      print(String(repeating: " ", count: width) + nanoseconds + " ns  " + row.name)
    }
  }
}
