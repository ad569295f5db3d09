import ArgumentParser
import Config
import Control
import Dataplane

/// `lbd why`: what becomes of a packet, and why.
struct WhyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "why",
    abstract: "Say what lbd does with a packet, step by step, without sending it.",
    discussion: """
      Asks a running lbd, or with --config a configuration alone. The packet goes through the very pipeline, over a copy of
      what it touches: nothing is sent, no connection made, nothing counted.

        lbd why tcp 192.0.2.7:40000 198.51.100.1:80
        lbd why udp [2001:db8::7]:5353 [2001:db8:1::1]:53 --size 100 --json
        lbd why --capture in.pcap --count 3
        lbd why tcp 192.0.2.7:40000 198.51.100.1:80 --config lbd.conf [--topology net.txt]

      Packets of a capture follow each other: the second one is looked at as if the first had been sent.
      """)

  @Argument(help: ArgumentHelp("tcp, udp or sctp; source; destination.", valueName: "protocol source destination"))
  var packet: [String] = []

  @Option(help: "Packets of this capture instead, from the Ethernet header on.")
  var capture: String?

  @Option(help: "How many packets of the capture (1 to 4096).")
  var count = 1000

  @Option(help: "The interface it comes by (default: which it would come by).")
  var interface: String?

  @Option(help: "The worker that gets it, where there are several.")
  var worker = 0

  @Option(help: "Of a TCP segment: some of fin,syn,rst,psh,ack,urg; or none (default: syn).")
  var flags: String?

  @Option(name: .customLong("ttl"), help: "TTL or hop limit (default: 64).")
  var hops: Int?

  @Option(help: "Bytes of payload (default: 0).")
  var size: Int?

  @Flag(help: "For programs.")
  var json = false

  @Option(help: "Where lbd listens (default: LBD_SOCKET, or /run/lbd.sock).")
  var socket: String?

  @Option(name: .shortAndLong, help: "Ask this configuration instead of a running lbd.")
  var config: String?

  @Option(help: "With --config: file of `ip` lines that describe the network (default: this host's).")
  var topology: String?

  func validate() throws {
    guard (capture == nil) == !packet.isEmpty else {
      throw ValidationError("give PROTOCOL SOURCE DESTINATION, or --capture FILE")
    }
    guard topology == nil || config != nil else { throw ValidationError("--topology goes with --config") }
    guard config == nil || socket == nil else { throw ValidationError("--config asks no running lbd") }
    guard (1...WhyQuestion.frameLimit).contains(count) else {
      throw ValidationError("--count takes 1 to \(WhyQuestion.frameLimit)")
    }
  }

  func run() throws {
    try reportingErrors {
      let question = try self.question()
      if let config {
        let configuration = try ConfigurationFile(path: config).load { printToStandardError("\($0)") }
        print(try OfflineWhy.answer(question, configuration, topology: topology), terminator: "")
        return
      }
      let answer = try AdminClient.ask(.why(question), at: socket ?? AdminClient.defaultPath)
      print(String(decoding: answer.output, as: UTF8.self), terminator: "")
      guard answer.exitCode == 0 else {
        throw CommandFailure(String(String(decoding: answer.error, as: UTF8.self).dropLast()))
      }
    }
  }

  private func question() throws -> WhyQuestion {
    var words = packet + ["--worker", "\(worker)"]
    if json { words.append("--json") }
    if let interface { words += ["--interface", interface] }
    if let flags { words += ["--flags", flags] }
    if let hops { words += ["--ttl", "\(hops)"] }
    if let size { words += ["--size", "\(size)"] }
    guard let capture else { return try WhyQuestion(words: words) }
    let frames = try CapturedFrames.read(capture, limit: count)
    return try WhyQuestion(words: words + ["--capture"], input: WhyQuestion(frames: frames).input)
  }
}

/// The first frames of a capture.
enum CapturedFrames {
  static func read(_ path: String, limit: Int) throws -> [WhyQuestion.Frame] {
    let reader = try CaptureReader(path: path)
    var frames: [WhyQuestion.Frame] = []
    var first: UInt64?
    while frames.count < limit, let frame = try reader.next() {
      let start = first ?? frame.nanoseconds
      first = start
      // Time does not go back.
      let since = max(frame.nanoseconds, start) - start
      frames.append(
        WhyQuestion.Frame(nanoseconds: max(since, frames.last?.nanoseconds ?? 0), bytes: Array(frame.bytes)))
    }
    guard !frames.isEmpty else { throw CommandFailure("\(path): there is no packet in it") }
    return frames
  }
}
