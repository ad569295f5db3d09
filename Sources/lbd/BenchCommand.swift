import ArgumentParser
import Config
import Control
import Dataplane

/// `lbd bench`: what the user's own traffic costs.
struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench", abstract: "Measure the loop of a worker with captured frames, from memory.",
    subcommands: [BenchReplayCommand.self, BenchCaptureCommand.self])
}

/// `lbd bench replay`: a capture through the loop of a worker, as fast as it goes.
struct BenchReplayCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "replay",
    abstract: "Send a capture through the loop of a worker from memory, again and again, and say how fast it goes.",
    discussion: """
      The very loop of `lbd run`, from taking frames to the counters, on one pinned core, without a network and without
      privileges. What is timed are the turns alone: the frames are copied into place before.

        lbd bench capture --output demo.pcap
        lbd bench replay demo.pcap --config demo.conf --topology demo.topology

      The topology is a file of ip(8) lines: interfaces with their MAC addresses, addresses, routes, neighbours. A frame
      enters by the interface whose MAC address it is sent to.
      """)

  @Argument(help: "The capture, Ethernet.")
  var capture: String

  @Option(help: "keepalived.conf with the services.")
  var config: String?

  @Option(help: "File of `ip` lines that describe the network.")
  var topology: String?

  @Option(help: "How long, in seconds.")
  var seconds = 5.0

  @Option(help: "Packets in a batch, 1 to 64.")
  var batch = 64

  @Option(help: "The core to run on; default: the last one.")
  var core: Int?

  @Option(help: "Room in the connection table; default: what the configuration says.")
  var connections: Int?

  @Option(help: "Seed of everything that is drawn by lot.")
  var seed: UInt64 = 1

  @Flag(help: "Print the result as one JSON object.")
  var json = false

  func validate() throws {
    guard config != nil, topology != nil else {
      let missing = config == nil ? "--config FILE (the services)" : "--topology FILE (the network)"
      throw ValidationError(
        "\(missing) is missing; `lbd bench capture --output demo.pcap` writes a capture together with both")
    }
    guard (1...64).contains(batch) else { throw ValidationError("--batch takes 1 to 64") }
    guard (0...86_400).contains(seconds) else { throw ValidationError("--seconds takes 0 to 86400") }
    let room = Limits.connections
    guard connections.map((room.least...room.most).contains) ?? true else {
      throw ValidationError("--connections takes \(room.least) to \(room.most)")
    }
  }

  func run() throws {
    try reportingErrors {
      guard let config, let topology else { return }
      var options = CaptureBench.Options()
      options.seconds = seconds
      options.batch = batch
      options.core = core
      options.connections = connections
      options.seed = seed
      let bench = try CaptureBench(
        configuration: try ConfigurationFile(path: config).load { printToStandardError("\($0)") },
        topology: try TopologyFile.read(topology), capture: capture, options: options)
      for note in bench.notes { printToStandardError("lbd: note: \(note)") }
      let result = try bench.run()
      print(json ? result.json : result.text, terminator: "")
      guard result.isBalanced else { throw CommandFailure("frames are unaccounted for: \(result.balance)") }
    }
  }
}
