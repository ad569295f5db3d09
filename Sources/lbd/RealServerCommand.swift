import ArgumentParser
import Lab
import Wire

/// `lbd realserver`: what has to be set on a real server, and how to take it back.
struct RealServerCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "realserver",
    abstract: "Prepare this host to be a real server: VIP on lo, ARP settings, decapsulation.",
    subcommands: [RealServerSetupCommand.self, RealServerShowCommand.self, RealServerUndoCommand.self])
}

/// Where the record of what was changed lies.
struct RealServerArguments: ParsableArguments {
  @Option(help: "Record of what was changed, for `undo`.")
  var state = "/run/lbd/realserver.json"

  var host: RealServerHost { RealServerHost(statePath: state) { print($0) } }
}

struct RealServerSetupCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "setup",
    abstract: "Set what a real server needs, and say what was changed.",
    discussion: """
      DR and TUN: the VIP goes on lo, and this host keeps quiet about it in ARP. TUN: an XDP program on the interface takes
      the outer header off. NAT and FULLNAT need nothing here but, for NAT, the default route to the director.
      """)
  @OptionGroup var record: RealServerArguments
  @Option(help: "Virtual address; may be given several times.", transform: LabAddress.parse) var vip: [IPAddress] = []
  @Option(help: "dr, tun, nat or fullnat.") var mode: RealServerHost.Mode
  @Option(help: "Where packets from the director come in (default for tun: that of the default route).")
  var interface: String?
  @Option(
    help: "Address of this host that tunnels end at; may be given several times (default: all of --interface).",
    transform: LabAddress.parse)
  var endpoint: [IPAddress] = []
  @Option(help: "Largest TCP segment to announce, so that encapsulated segments fit the path (tun).")
  var advmss: Int?
  @Option(
    name: .customLong("gue-port"), help: "UDP port that GUE comes to (tun); may be given several times (default: 6080)."
  )
  var guePort: [UInt16] = []

  func run() throws {
    try reportingErrors {
      let request = RealServerHost.Request(
        vips: vip, mode: mode, interface: interface, endpoints: endpoint, advertisedMSS: advmss,
        guePorts: guePort.isEmpty ? [RealServerHost.Request.usualGUEPort] : guePort)
      try record.host.setup(request) { try $0.attach() }
    }
  }
}

struct RealServerShowCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Show what is set, and what differs from it.")
  @OptionGroup var record: RealServerArguments

  func run() throws { try reportingErrors { try record.host.show() } }
}

struct RealServerUndoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "undo", abstract: "Take back what `setup` changed, and nothing else.")
  @OptionGroup var record: RealServerArguments

  func run() throws { try reportingErrors { try record.host.undo() } }
}

extension RealServerHost.Mode: ExpressibleByArgument {}
