import ArgumentParser

/// The command line of the benchmarks.
@main
struct LbdBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lbd-bench", abstract: "Measures lbd against references measured in the same run.",
    subcommands: [
      CoreCommand.self,
      ScaleCommand.self,
      CountCommand.self,
      CaptureCommand.self,
      WireCommand.self,
      PeersCommand.self,
      PickCommand.self,
      ListingCommand.self,
      CompareCommand.self,
    ])
}
