import ArgumentParser
import Kernel
import Lab
import Wire

/// `lbd lab`: a network in namespaces to see the director at work.
struct LabCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lab",
    abstract: "A client, a director and two real servers in network namespaces.",
    subcommands: [
      LabDemoCommand.self, LabUpCommand.self, LabDownCommand.self, LabTestCommand.self, LabReloadCommand.self,
      LabEchoCommand.self, LabProbeCommand.self, LabPathCommand.self, LabPortCommand.self,
    ])
}

/// What all lab commands understand.
struct LabArguments: ParsableArguments {
  @Option(help: "How the director takes frames: auto, xdp or packet.")
  var port = "auto"

  @Flag(name: .customLong("ipv6"), help: "Ask by IPv6.")
  var isIPv6 = false

  @Flag(name: .customLong("two-armed"), help: "A network for each side of the director.")
  var isTwoArmed = false

  @Option(help: "What the namespaces' names begin with.")
  var prefix = "lbd-"

  @Option(help: "Queues of the director's ports.")
  var queues = 1

  @Option(help: "By what services know their packets: address, mark or any-port; local: the director is a server too.")
  var services: LabServices?

  func validate() throws {
    guard ["auto", "xdp", "packet"].contains(port) else { throw ValidationError("--port takes auto, xdp or packet") }
    guard (1...16).contains(queues) else { throw ValidationError("--queues takes 1 to 16") }
  }

  func options() throws -> LabOptions {
    LabOptions(
      executable: try OwnExecutable.path(), prefix: prefix, port: port, isIPv6: isIPv6, isTwoArmed: isTwoArmed,
      queueCount: queues, services: services ?? .address)
  }
}

extension LabServices: ExpressibleByArgument {}

/// The modes that `--mode` names.
struct ModeArgument: ExpressibleByArgument {
  let modes: [LabMode]

  init?(argument: String) {
    if argument == "all" {
      modes = LabMode.forwardingMethods
    } else if let mode = LabMode(rawValue: argument) {
      modes = [mode]
    } else {
      return nil
    }
  }

  init(_ modes: [LabMode]) { self.modes = modes }

  var defaultValueDescription: String { modes.count == 1 ? modes[0].rawValue : "all" }
  static var allValueStrings: [String] { LabMode.allCases.map(\.rawValue) + ["all"] }
}

/// Ends the process with a lab command's exit code.
private func finish(_ code: Int32) throws {
  if code != 0 { throw ExitCode(code) }
}

struct LabDemoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "demo", abstract: "Balance real traffic before your eyes; fails unless every byte arrives.")
  @OptionGroup var lab: LabArguments
  @Option(help: "Forwarding method.") var mode = ModeArgument(LabMode.forwardingMethods)

  func run() throws { try finish(LabCommands.demo(modes: mode.modes, options: lab.options())) }
}

struct LabUpCommand: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "up", abstract: "Build the lab and leave it running.")
  @OptionGroup var lab: LabArguments
  @Option(help: "Forwarding method.") var mode = ModeArgument([.dr])
  @Flag(name: .customLong("no-director"), help: "Leave the director for you to start.") var hasNoDirector = false

  func run() throws {
    guard let mode = mode.modes.first, self.mode.modes.count == 1 else {
      throw ValidationError("`lab up` takes one --mode")
    }
    try finish(LabCommands.up(mode: mode, options: lab.options(), startsDirector: !hasNoDirector))
  }
}

struct LabDownCommand: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "down", abstract: "Remove the lab.")
  @OptionGroup var lab: LabArguments

  func run() throws { try finish(LabCommands.down(options: lab.options())) }
}

struct LabTestCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "test", abstract: "Every mode, port and family: shares, transfers, load, UDP, and a killed director.")
  @OptionGroup var lab: LabArguments
  @Option(help: "Forwarding method; all forms of full NAT when not given.") var mode: ModeArgument?
  @Flag(help: "Smaller transfers and shorter loads.") var quick = false

  func run() throws {
    let matrix = LabMatrix(
      modes: mode?.modes ?? LabMode.allCases, services: lab.services.map { [$0] } ?? LabServices.allCases,
      ports: lab.port == "auto" ? ["xdp", "packet"] : [lab.port],
      families: lab.isIPv6 ? [.ipv6] : [.ipv4, .ipv6],
      transferByteCount: quick ? LabMatrix.quick.transferByteCount : 256 << 20,
      loadSeconds: quick ? LabMatrix.quick.loadSeconds : 3, isQuick: quick)
    try finish(LabCommands.test(options: lab.options(), matrix: matrix))
  }
}

struct LabReloadCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reload", abstract: "Replace the configuration again and again under load: not one request may fail.")
  @OptionGroup var lab: LabArguments
  @Option(help: "Forwarding method.") var mode = ModeArgument([.dr])
  @Option(help: "How often.") var reloads = 1000
  @Option(help: "How long the download beside it takes.") var seconds = 600

  func validate() throws {
    guard (1...1_000_000).contains(reloads), (5...86_400).contains(seconds) else {
      throw ValidationError("--reloads takes 1 to 1000000, --seconds 5 to 86400")
    }
  }

  func run() throws {
    for mode in mode.modes {
      try finish(LabCommands.reload(mode: mode, options: lab.options(), count: reloads, seconds: seconds))
    }
  }
}

/// Inside the lab's namespaces only.
struct LabEchoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "udp-echo", shouldDisplay: false)
  @Option(transform: LabAddress.parse) var address: [IPAddress]
  @Option var port: UInt16

  func run() throws { try finish(LabCommands.udpEcho(addresses: address, port: port)) }
}

/// Inside the lab's namespaces only.
struct LabProbeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "udp-probe", shouldDisplay: false)
  @Option(transform: LabAddress.parse) var address: IPAddress
  @Option var port: UInt16
  @Option var size: Int
  @Option var count = 1
  @Flag var shuffled = false

  func run() throws {
    try finish(
      LabCommands.udpProbe(address: address, port: port, byteCount: size, count: count, isShuffled: shuffled))
  }
}

/// Inside the lab's namespaces only.
struct LabPathCommand: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "udp-path", shouldDisplay: false)
  @Option(transform: LabAddress.parse) var address: IPAddress
  @Option var port: UInt16

  func run() throws { try finish(LabCommands.udpPath(address: address, port: port)) }
}

/// Inside the lab's namespaces only.
struct LabPortCommand: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "port", shouldDisplay: false)
  @Argument var role: String
  @Option var interface: String
  @Option var vlan: UInt32 = 0
  @Option(transform: LabAddress.parsePrefix) var prefix: [IPPrefix] = []

  func run() throws {
    switch role {
    case "pass": try finish(LabCommands.preparePort(.pass, interface: interface))
    case "access": try finish(LabCommands.preparePort(.access(vlan: vlan), interface: interface))
    case "trunk": try finish(LabCommands.preparePort(.trunk(vlan: vlan, prefixes: prefix), interface: interface))
    default: throw ValidationError("the role is pass, access or trunk")
    }
  }
}

/// Addresses on the command line.
enum LabAddress {
  static func parse(_ text: String) throws -> IPAddress {
    guard let address = IPAddress(text) else { throw ValidationError("'\(text)' is not an IP address") }
    return address
  }

  static func parsePrefix(_ text: String) throws -> IPPrefix {
    guard let prefix = IPPrefix(text) else { throw ValidationError("'\(text)' is not a prefix") }
    return prefix
  }
}
