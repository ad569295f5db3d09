import ArgumentParser
import BenchCapture
import BenchReport

/// `lbd-bench capture`: generated captures through the loop of a worker.
struct CaptureCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "capture", abstract: "Generated captures through the loop, as `lbd bench replay` does it.")

  @Flag(help: "Less traffic, for a shorter time.")
  var quick = false

  @Option(help: "Folder for what comes out.")
  var results: String?

  func run() throws {
    try CapturePart(isQuick: quick).run(command: "make bench-capture" + (quick ? " QUICK=1" : ""))
      .finish(directory: results)
  }
}
