import ArgumentParser
import BenchPeers
import BenchReport
import Glibc
import Lab

/// `lbd-bench peers`.
struct PeersCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "peers", abstract: "lbd, nftables, haproxy and nginx between a client and two real servers.",
    discussion: """
      Builds a lab in network namespaces (root), measures every target in turn, round after round, and removes it.
      Ends with 77 where nothing can be measured.
      """)

  @Flag(help: "One short round, in less than a minute.") var quick = false
  @Option(help: "Path of lbd (default: the release build beside the benchmarks, then the installed one).")
  var lbd: String?
  @Option(help: "Turns of every target (default: 7, quick: 1).") var rounds: Int?
  @Option(help: "Only targets whose names contain this word (lbd, DR, nginx...); may be given several times.")
  var only: [String] = []
  @Flag(help: "Client and servers receive on their own core, not on the director's when it sends.") var ownCores = false
  @Flag(help: "The switch gathers the director's frames for 20 us and joins segments, as network cards do.")
  var gather = false
  @Option(help: "Folder for the results (default: Benchmarks/results).") var results: String?

  func validate() throws {
    if let rounds, !(1...100).contains(rounds) { throw ValidationError("--rounds takes 1 to 100") }
  }

  func run() throws {
    if let reason = BenchPeers.reasonToSkip() {
      print("peers: skipped: \(reason)")
      throw ExitCode(77)
    }
    do {
      var peers = try BenchPeers(
        BenchPeers.Options(
          executable: lbd, isQuick: quick, rounds: rounds, only: only,
          wire: PeerWire(receiversHaveTheirCore: ownCores, gathersFrames: gather), command: command))
      try peers.run().finish(directory: results)
    } catch let failure as LabFailure where failure == .interrupted {
      complain("peers: interrupted, everything removed")
      throw ExitCode(130)
    } catch let failure as LabFailure {
      complain(failure.description)
      throw ExitCode(1)
    }
  }

  private var command: String {
    var words = ["lbd-bench", "peers"] + (quick ? ["--quick"] : []) + (ownCores ? ["--own-cores"] : [])
    if gather { words.append("--gather") }
    if let rounds { words += ["--rounds", "\(rounds)"] }
    return (words + only.flatMap { ["--only", "'\($0)'"] }).joined(separator: " ")
  }

  private func complain(_ text: String) {
    let line = Array((text + "\n").utf8)
    _ = write(2, line, line.count)
  }
}
