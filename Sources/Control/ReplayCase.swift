import Config
import Dataplane
import Foundation
import Wire

/// Plays files through `Replay`: a capture and what goes with it in, captures and listings out.
///
/// Two forms. A *case* is a folder with `commands.txt` (commands, sleeps, listings and "now inject N frames" line by line)
/// and `in.pcap`; input k's outputs are stamped k s + (j + 1) ms, so that cause and effect can be read off. A plain replay
/// has a configuration and a capture, whose own time stamps are the clock.
public final class ReplayCase {
  private let replay: Replay
  private let transmitted: CaptureWriter
  private let passed: CaptureWriter
  private let output: String
  private var state = ""
  private var inputs = 0
  /// Time stamps of a plain replay's frames; nil for a case.
  private var stamps: [UInt64]?
  /// Frames on their way, as they came.
  private var originals: [Int: [UInt8]] = [:]

  /// - Parameter output: folder for `out.pcap`, `passed.pcap` and `state.txt`; made if it is not there.
  public init(output: String, connections: Int = 65_536, seed: UInt64 = 1) throws {
    try FileManager.default.createDirectory(atPath: output, withIntermediateDirectories: true)
    self.output = output
    replay = try Replay(connections: connections, seed: seed)
    transmitted = try CaptureWriter(path: output + "/out.pcap")
    passed = try CaptureWriter(path: output + "/passed.pcap")
    replay.onTransmit = { [unowned self] input, position, bytes in
      transmitted.write(bytes, nanoseconds: stamp(input, position + 1))
    }
    replay.onTimer = { [unowned self] bytes in
      guard inputs > 0 else { return }
      transmitted.write(bytes, nanoseconds: stamp(inputs - 1, 500))
    }
    replay.onResult = { [unowned self] result in
      let original = originals.removeValue(forKey: result.input)
      guard result.outcome.fate == .passed, let original else { return }
      original.withUnsafeBytes { passed.write($0, nanoseconds: stamp(result.input, 0)) }
    }
  }

  private func stamp(_ input: Int, _ milliseconds: Int) -> UInt64 {
    if let stamps { return stamps[input] }
    return UInt64(input) * 1_000_000_000 + UInt64(milliseconds) * 1_000_000
  }

  // MARK: - Case form

  /// Plays a case folder.
  /// - Parameter topology: a file of `ip` lines that are in force before the case's own.
  public func play(folder: String, topology: String?) throws {
    if let topology { try run(script: topology, capture: nil) }
    let capture = folder + "/in.pcap"
    let reader = FileManager.default.fileExists(atPath: capture) ? try CaptureReader(path: capture) : nil
    try run(script: folder + "/commands.txt", capture: reader)
    if let reader { while try inject(from: reader) {} }
    replay.flush()
    show(heading: "final", withStatistics: true)
    try finish()
  }

  private func run(script: String, capture: CaptureReader?) throws {
    let text = try String(contentsOfFile: script, encoding: .utf8)
    for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" || $0 == "\r" })
      guard let first = words.first, !first.hasPrefix("#") else { continue }
      let place = "\(script):\(index + 1)"
      switch first {
      case "@inject":
        guard let capture else { throw ReplayCaseError("\(place): nothing to inject: there is no in.pcap") }
        let count = words.count == 1 || words[1] == "rest" ? Int.max : Int(words[1])
        guard let count, count >= 0, words.count <= 2 || words[2].hasPrefix("#") else {
          throw ReplayCaseError("\(place): @inject wants a number of frames, or 'rest' for all that are left")
        }
        for _ in 0..<count { guard try inject(from: capture) else { break } }
      case "@sleep":
        guard words.count == 2, let seconds = Double(words[1]), seconds >= 0, seconds < 1e9 else {
          throw ReplayCaseError("\(place): @sleep wants a number of seconds")
        }
        replay.advance(nanoseconds: UInt64(seconds * 1e9))
      case "@show":
        show(heading: "after in #\(inputs - 1)", withStatistics: false)
      default:
        try run(command: String(line), first: String(first), place: place)
      }
    }
  }

  /// As in a shell, a command that is refused says so and the script goes on; one that is wrong, or that this version does
  /// not know, ends it.
  private func run(command line: String, first: String, place: String) throws {
    if first == "ipvsadm" || first.hasSuffix("/ipvsadm") {
      state += "$ \(line)\n"
      guard let parsed = IpvsadmCommand.parse(line: line) else { return }
      guard case .success(let command) = parsed else {
        _ = try parsed.mapError { ReplayCaseError("\(place): \(line): \($0)") }.get()
        return
      }
      do {
        state += try replay.apply(command)
      } catch let error as EditError {
        state += "\(error.answer)\n"
      } catch let error as IpvsadmError where !error.isMissing {
        state += "\(error)\n"
      } catch {
        throw ReplayCaseError("\(place): \(line): \(error)")
      }
      return
    }
    if first == "modprobe" {
      state += "$ \(line)\n"
      return replay.helpFTP(try ReplayCase.ports(ofModule: line, place: place))
    }
    if let parsed = IptablesText.parse(line: line) { return try run(marks: parsed, line, place: place) }
    guard first == "ip" || first == "sysctl" else {
      // What ran in the background when the case was recorded, a server say, is nothing to lbd.
      if line.last(where: { $0 != " " }) == "&" { return state += "$ \(line)\n" }
      throw ReplayCaseError(
        "\(place): \(first): not in this version (ipvsadm, ip, sysctl, iptables, @inject, @sleep, @show)")
    }
    if first == "sysctl" { state += "$ \(line)\n" }
    switch TopologyText.parse(line: line) {
    case .failure(let failure):
      throw ReplayCaseError("\(place): \(failure)")
    case .success(let edits):
      for edit in edits {
        if let refusal = replay.apply(edit) { throw ReplayCaseError("\(place): \(refusal)") }
        if !line.contains("-q") { state += ReplayCase.echo(of: edit) }
      }
    }
  }

  /// The ports in `modprobe ip_vs_ftp [ports=21,2121]`.
  private static func ports(ofModule line: String, place: String) throws -> [UInt16] {
    let words = line.split(separator: " ").dropFirst()
    guard words.first == "ip_vs_ftp", words.count <= 2 else {
      throw ReplayCaseError("\(place): \(line): of the kernel's modules only ip_vs_ftp is known")
    }
    guard words.count == 2, let list = words.last else { return [FTP.controlPort] }
    let ports = list.dropFirst("ports=".count).split(separator: ",", omittingEmptySubsequences: false).map {
      UInt16($0)
    }
    guard list.hasPrefix("ports="), ports.count <= HelperPorts.capacity, !ports.contains(nil) else {
      throw ReplayCaseError("\(place): \(line): write ports=N,N, 8 at most")
    }
    return ports.compactMap { $0 }
  }

  /// What sysctl(8) prints.
  private static func echo(of edit: TopologyEdit) -> String {
    switch edit {
    case .setSysctl(let name, let value): "\(name) = \(value)\n"
    case .setIPVS(let setting, let value): "\(IPVSSetting.prefix)\(setting.rawValue) = \(value)\n"
    default: ""
    }
  }

  private func run(
    marks parsed: Result<IptablesText.Line, IptablesText.Failure>, _ line: String, place: String
  ) throws {
    state += "$ \(line)\n"
    switch parsed {
    case .failure(let failure):
      throw ReplayCaseError("\(place): \(failure)")
    case .success(.noEffect):
      break
    case .success(.edits(let edits)):
      for edit in edits {
        do {
          try replay.apply(edit)
        } catch {
          throw ReplayCaseError("\(place): \(error)")
        }
      }
    }
  }

  private func inject(from reader: CaptureReader) throws -> Bool {
    guard let frame = try reader.next() else { return false }
    originals[inputs] = Array(frame.bytes)
    try replay.feed(frame.bytes, input: inputs)
    inputs += 1
    return true
  }

  private func show(heading: String, withStatistics: Bool) {
    let listing = replay.listing
    state += "## \(heading)\n# ipvsadm -Ln\n" + listing.services()
    state += "# ipvsadm -Lnc\n" + listing.connections(nowNanoseconds: replay.clockNanoseconds)
    if withStatistics { state += "# ipvsadm -Ln --stats --exact\n" + listing.statistics() }
  }

  // MARK: - Plain form

  /// Replays a capture through a configuration, with the capture's own clock.
  /// - Returns: the report.
  public func play(configuration: Configuration, topology: String, capture path: String) throws -> String {
    try run(script: topology, capture: nil)
    try replay.apply(configuration)
    let reader = try CaptureReader(path: path)
    stamps = []
    var last: UInt64?
    while let frame = try reader.next() {
      // A capture's clock may step back; the replay's does not.
      let elapsed = last.map { frame.nanoseconds > $0 ? frame.nanoseconds - $0 : 0 } ?? 0
      last = max(last ?? 0, frame.nanoseconds)
      stamps?.append(frame.nanoseconds)
      originals[inputs] = Array(frame.bytes)
      try replay.feed(frame.bytes, input: inputs, elapsedNanoseconds: elapsed)
      inputs += 1
    }
    replay.flush()
    show(heading: "final", withStatistics: true)
    try finish()
    return replay.report.text(nowNanoseconds: replay.clockNanoseconds)
  }

  private func finish() throws {
    try transmitted.finish()
    try passed.finish()
    try state.write(toFile: output + "/state.txt", atomically: false, encoding: .utf8)
  }

  /// The account of every frame.
  public var balance: String { replay.report.balance() }

  /// False when a frame is unaccounted for.
  public var isBalanced: Bool { replay.report.isBalanced }
}

/// Why a case cannot be played.
public struct ReplayCaseError: Error, CustomStringConvertible {
  /// `file:line: what`.
  public let description: String

  init(_ description: String) { self.description = description }
}
