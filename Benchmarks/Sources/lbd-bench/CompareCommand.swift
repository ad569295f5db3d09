import ArgumentParser
import BenchCore

/// lbd against the reference, byte by byte.
struct CompareCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compare", abstract: "The same mutated frames through lbd and through the reference in C.",
    discussion: "Ends with 1 at the first difference in outcome, bytes, interface or counters, and shows it.")

  @Option(help: "Frames in all.") var frames = 200_000
  @Option(help: "Of everything that is drawn by lot; without it another one each time.") var seed: UInt64?

  func validate() throws {
    guard frames > 0 else { throw ValidationError("--frames \(frames): at least 1") }
  }

  func run() throws {
    let seed = self.seed ?? UInt64.random(in: 1...999_999)
    print("seed \(seed)")
    var comparison = Comparison(frames: frames, seed: seed)
    do {
      let summary = try comparison.run()
      for (outcome, count) in summary.outcomes.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
        print("  \(outcome.name): \(count)")
      }
      print("\(summary.frames) frames, \(summary.leftOut) of them left out by the reference: no difference")
    } catch let error as BenchError {
      print("DIFFERENCE (--seed \(seed)): \(error)")
      throw ExitCode(1)
    }
  }
}
