import ArgumentParser
import Config
import Control

/// `lbd replay`: the pipeline of `lbd run` over capture files.
struct ReplayCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "replay",
    abstract: "Send captured frames through the director, without a network and without privileges.",
    discussion: """
      The very pipeline of `lbd run`, with the capture's clock and a fixed seed: the same input gives the same bytes.

        lbd replay --config lbd.conf --topology net.txt --in in.pcap --output DIR
        lbd replay [--topology net.txt] CASE --output DIR

      The topology is a file of ip(8) lines: interfaces with their MAC addresses, addresses, routes, neighbours. A frame
      enters by the interface whose MAC address it is sent to. A CASE is a folder with commands.txt and in.pcap.
      DIR gets out.pcap (what was sent), passed.pcap (what was left to the host) and state.txt (listings).
      """)

  @Argument(help: ArgumentHelp("A folder with commands.txt and in.pcap.", valueName: "case"))
  var caseFolder: String?

  @Option(help: "keepalived.conf to replay with.")
  var config: String?

  @Option(help: "File of `ip` lines that describe the network.")
  var topology: String?

  @Option(name: .customLong("in"), help: "Capture to replay.")
  var input: String?

  @Option(help: "Folder for what comes out.")
  var output: String

  @Option(help: "Room in the connection table.")
  var connections = 65_536

  @Option(help: "Seed of everything that is drawn by lot.")
  var seed: UInt64 = 1

  func validate() throws {
    guard (caseFolder != nil) != (config != nil && input != nil && topology != nil) else {
      throw ValidationError("give either a CASE folder, or --config, --topology and --in")
    }
    guard (1024...67_108_864).contains(connections) else {
      throw ValidationError("--connections takes 1024 to 67108864")
    }
  }

  func run() throws {
    try reportingErrors {
      let replay = try ReplayCase(output: output, connections: connections, seed: seed)
      if let caseFolder {
        try replay.play(folder: caseFolder, topology: topology)
      } else if let config, let topology, let input {
        let configuration = try ConfigurationFile(path: config).load { printToStandardError("\($0)") }
        print(try replay.play(configuration: configuration, topology: topology, capture: input), terminator: "")
      }
      guard replay.isBalanced else { throw CommandFailure("frames are unaccounted for: \(replay.balance)") }
    }
  }
}
