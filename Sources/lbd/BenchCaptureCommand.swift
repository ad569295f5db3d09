import ArgumentParser
import Config
import Control
import Foundation

/// `lbd bench capture`: something to replay, for those who have no capture at hand.
struct BenchCaptureCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "capture",
    abstract: "Write a capture like one of real traffic, and the network that belongs to it.",
    discussion: """
      Flows from SYN to FIN, most of them short and a few very long, thousands at a time; small, middle and full
      packets; IPv4 and IPv6; TCP and some UDP. The same seed writes the same bytes.

        lbd bench capture --output demo.pcap

      writes demo.pcap, demo.topology and demo.conf. With --config the services are your own, and no demo.conf is
      written. Answers of real servers are in it for NAT and FULLNAT services with `lb_algo sh`, whose choice can be
      known beforehand; replay those with the same --seed.
      """)

  @Option(help: "The capture; the other files lie beside it and are named after it.")
  var output: String

  @Option(help: "Flows, 1 to 10000000.")
  var flows = 10_000

  @Option(help: "End after so many frames, also in the midst of flows.")
  var packets: Int?

  @Option(help: "Seed of everything that is drawn by lot.")
  var seed: UInt64 = 1

  @Option(help: "keepalived.conf with services to send to, instead of services made up.")
  var config: String?

  @Option(help: "Services that are made up: all, or one of dr, nat, tun, fullnat.")
  var mode: SampleServices = .all

  func validate() throws {
    guard (1...10_000_000).contains(flows) else { throw ValidationError("--flows takes 1 to 10000000") }
    guard packets ?? 1 > 0 else { throw ValidationError("--packets takes 1 or more") }
    guard config == nil || mode == .all else {
      throw ValidationError("--mode is for services that are made up; with --config they are yours")
    }
  }

  func run() throws {
    try reportingErrors {
      let base = output.hasSuffix(".pcap") ? String(output.dropLast(5)) : output
      let services = config ?? base + ".conf"
      if config == nil { try mode.text.write(toFile: services, atomically: true, encoding: .utf8) }
      var options = CaptureGenerator.Options()
      options.flows = flows
      options.packets = packets
      options.seed = seed
      var generator = try CaptureGenerator(
        configuration: try ConfigurationFile(path: services).load { printToStandardError("\($0)") }, name: services,
        options: options)
      try generator.topology.write(toFile: base + ".topology", atomically: true, encoding: .utf8)
      let made = try generator.write(to: output)
      let seconds = String(format: "%.1f", Double(made.nanoseconds) / 1e9)
      print(
        """
        \(output): \(made.flows) flows, \(made.frames) frames (\(made.answers) answers), \(made.byteCount) bytes, \
        \(seconds) s by its clock
        lbd bench replay \(output) --config \(services) --topology \(base).topology\(seed == 1 ? "" : " --seed \(seed)")
        """)
    }
  }
}

extension SampleServices: ExpressibleByArgument {}
