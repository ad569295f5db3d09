import ArgumentParser
import BenchReport
import BenchWire
import Glibc

/// `lbd-bench wire`: packets through namespaces.
struct WireCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "wire",
    abstract: "Measures lbd between two veths against a do-nothing AF_XDP forwarder in C and against the kernel.",
    discussion: """
      Builds namespaces named lbd-bench-wire-… and removes them at the end, also after Ctrl-C. Needs root, two cores and \
      Linux 5.18; without them it says so and exits with 77 (skipped).
      """)

  @Flag(help: "A small grid in under a minute.")
  var quick = false

  @Option(help: "The program to measure (default: the release build beside Benchmarks).")
  var lbd: String?

  @Option(help: "Folder for the results (default: Benchmarks/results).")
  var results: String?

  @Option(help: "Only this mode: dr, nat, tun, fullnat; may be given several times.")
  var mode: [WireMode] = []

  @Option(help: "Only this port: xdp, packet; may be given several times.")
  var port: [String] = []

  @Option(help: "Only this number of flows; may be given several times.")
  var flows: [Int] = []

  @Option(help: "Rounds for each cell.")
  var rounds: Int?

  func validate() throws {
    guard port.allSatisfy({ ["xdp", "packet"].contains($0) }) else {
      throw ValidationError("--port takes xdp or packet")
    }
    guard flows.allSatisfy({ (1...4_000_000).contains($0) }) else {
      throw ValidationError("--flows takes 1 to 4000000")
    }
    if let rounds, !(1...1000).contains(rounds) { throw ValidationError("--rounds takes 1 to 1000") }
  }

  func run() throws {
    var options = WireBench.Options(lbd: lbd ?? WireCommand.builtProgram(), isQuick: quick, rounds: rounds)
    if !mode.isEmpty { options.modes = mode }
    if !port.isEmpty { options.ports = port }
    if !flows.isEmpty { options.flows = flows }
    let report: PartReport
    do {
      let bench = try WireBench(options)
      defer { bench.close() }
      let words = CommandLine.arguments.dropFirst().joined(separator: " ")
      report = PartReport.wire(try bench.run(), command: "lbd-bench \(words)")
    } catch let failure as WireFailure {
      let words = "lbd-bench wire: \(failure)\n" + (failure.isMissingPrerequisite ? "wire: skipped\n" : "")
      _ = Glibc.write(2, words, words.utf8.count)
      throw ExitCode(failure.isMissingPrerequisite ? 77 : failure == .interrupted ? 130 : 1)
    }
    try report.finish(directory: results)
  }

  /// `.build/release/lbd` of the repository that the results go to.
  private static func builtProgram() -> String {
    let benchmarks = ResultFiles.defaultDirectory().split(separator: "/").dropLast(2).joined(separator: "/")
    return "/\(benchmarks)/.build/release/lbd"
  }
}

extension WireMode: ExpressibleByArgument {}
