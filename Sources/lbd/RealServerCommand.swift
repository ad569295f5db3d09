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
      FULLNAT with --toa: accept() and getpeername() of any program return the client's address, which the director puts
      into a TCP option.
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

  @Flag(help: "Tell programs here the addresses of their clients, which the director puts into a TCP option (fullnat).")
  var toa = false
  @Option(
    help: "Local address of a director, whose option is believed; may be given several times (with --toa).",
    transform: LabAddress.parse)
  var director: [IPAddress] = []
  @Option(help: "Directory of the control group whose processes are told (default: the root, which has all).")
  var controlGroup: String?

  func run() throws {
    try reportingErrors {
      var request = RealServerHost.Request(
        vips: vip, mode: mode, interface: interface, endpoints: endpoint, advertisedMSS: advmss,
        guePorts: guePort.isEmpty ? [RealServerHost.Request.usualGUEPort] : guePort)
      request.conveysClients = toa
      request.directors = director
      request.controlGroup = controlGroup
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
