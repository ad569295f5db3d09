import Dataplane
import Foundation
import Testing

/// A recording of which server ip_vs gave to each of some hundred connections, replayed as frames.
///
/// The same files hold the schedulers alone against ip_vs in their own tests; here the frames go the whole way. The head of
/// a file has the commands, and says of which packets a connection consists; a row has the connection and its server.
struct SchedulerRecording: Sendable, CustomTestStringConvertible {
  let file: String

  var testDescription: String { file }

  private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("SchedulerTests/Vectors")

  /// Every recording of a service by address, by name.
  static let all: [SchedulerRecording] = {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return names.filter { $0.hasSuffix(".csv") && !$0.contains(".fwm.") }.sorted().map(SchedulerRecording.init)
  }()

  /// A connection of the recording: its packets' numbers, and where they went.
  struct Row {
    var inputs: Range<Int>
    var server: String
  }

  /// Writes `commands.txt` and `in.pcap`, and tells what is to come of them.
  func writeCase(into target: String) throws -> [Row] {
    let text = try String(contentsOf: SchedulerRecording.folder.appendingPathComponent(file), encoding: .utf8)
    let capture = try CaptureWriter(path: target + "/in.pcap")
    var rows: [Row] = []
    var commands = ""
    var packets = PacketList(kinds: ["S"], isLastOfEveryThirdOnly: false)
    var count = 0
    for line in text.split(separator: "\n") where !line.hasPrefix("#end") {
      if line.hasPrefix("# packets of a connection") {
        packets = PacketList(sentence: String(line))
      } else if line.hasPrefix("# "), ["ipvsadm", "ip", "sysctl"].contains(line.split(separator: " ")[1]) {
        commands += line.dropFirst(2) + "\n"
      } else if line.first?.isNumber == true {
        let fields = line.split(separator: ",").map(String.init)
        try #require(fields.count == 6, "a row has six fields: \(line)")
        let kinds = packets.kinds(ofConnection: try #require(Int(fields[0])))
        for kind in kinds {
          let frame = try SchedulerRecording.frame(fields, flags: kind)
          frame.withUnsafeBytes { capture.write($0, nanoseconds: UInt64(count) * 1_000_000_000) }
          count += 1
        }
        commands += "@inject \(kinds.count)\n"
        rows.append(Row(inputs: count - kinds.count..<count, server: fields[5]))
      }
    }
    try capture.finish()
    try commands.write(toFile: target + "/commands.txt", atomically: false, encoding: .utf8)
    return rows
  }

  /// A line for each connection that went elsewhere.
  static func differences(rows: [Row], playback: Playback) -> [String] {
    let (sent, passed) = (CapturedFrame.byInput(playback.transmitted), CapturedFrame.byInput(playback.passed))
    var lines: [String] = []
    for (number, row) in rows.enumerated() {
      var servers = row.inputs.map { passed[$0] == nil ? server(of: sent[$0]?.first) : "tcp-reset" }
      // Packet by packet where they differ, else once for all.
      if Set(servers).count == 1 { servers.removeLast(servers.count - 1) }
      let got = servers.joined(separator: "|")
      if got != row.server { lines.append("connection \(number): want \(row.server), got \(got)") }
    }
    return lines
  }

  /// Which server a frame goes to, by the MAC addresses of the fixture, or the ICMP error that it is.
  private static func server(of frame: CapturedFrame?) -> String {
    guard let bytes = frame?.bytes else { return "none" }
    if bytes.part(0..<5) == [2, 0, 0, 0, 2] { return "10.2.0.\(bytes[5])" }
    let transport = 14 + Int(bytes.part(14..<15).first ?? 0) % 16 * 4
    if bytes.part(23..<24) == [1] {
      return "icmp-" + bytes.part(transport..<transport + 2).map { "\($0)" }.joined(separator: "-")
    }
    return "elsewhere"
  }
}

/// Of which packets a connection consists.
private struct PacketList {
  var kinds: [String]
  /// True when the last packet is there only in connections 0, 3, 6, ….
  var isLastOfEveryThirdOnly: Bool

  init(kinds: [String], isLastOfEveryThirdOnly: Bool) {
    self.kinds = kinds
    self.isLastOfEveryThirdOnly = isLastOfEveryThirdOnly
  }

  /// From `… in order: S,A[,FA]; …`.
  init(sentence: String) {
    let behind = sentence.components(separatedBy: "in order: ").last ?? ""
    let list = behind.prefix { $0 != ";" }
    isLastOfEveryThirdOnly = list.contains("[")
    kinds = list.filter { $0 != "[" && $0 != "]" }.split(separator: ",").map(String.init)
  }

  func kinds(ofConnection number: Int) -> [String] {
    isLastOfEveryThirdOnly && number % 3 != 0 ? kinds.dropLast() : kinds
  }
}

// MARK: - Frames

extension SchedulerRecording {
  private static let flagBits: [Character: UInt8] = ["F": 1, "S": 2, "R": 4, "P": 8, "A": 16, "U": 32]

  /// The frame of a TCP packet without data from the client's gateway; fields 1 to 4 are source and destination.
  private static func frame(_ fields: [String], flags: String) throws -> [UInt8] {
    let source = try address(fields[1]) + port(fields[2])
    let destination = try address(fields[3]) + port(fields[4])
    let bits = flags.reduce(UInt8(0)) { $0 | (flagBits[$1] ?? 0) }
    let acknowledgement: [UInt8] = flags == "S" ? [0, 0, 0, 0] : [0, 0, 0x13, 0x89]
    var tcp = source[4...] + destination[4...] + [0, 0, 3, 0xe8] + acknowledgement
    tcp += [0x50, bits, 0x20, 0, 0, 0, 0, 0]
    let pseudoHeader = source[..<4] + destination[..<4] + [0, 6, 0, 20]
    tcp.replaceSubrange(tcp.startIndex + 16..<tcp.startIndex + 18, with: checksum(Array(pseudoHeader + tcp)))
    var ip: [UInt8] = [0x45, 0, 0, 40, 0, 1, 0, 0, 64, 6, 0, 0] + source[..<4] + destination[..<4]
    ip.replaceSubrange(10..<12, with: checksum(ip))
    return [2, 0, 0, 0, 1, 1, 2, 0, 0, 0, 1, 0xfe, 8, 0] + ip + tcp
  }

  private static func address(_ text: String) throws -> [UInt8] {
    try text.split(separator: ".").map { try #require(UInt8($0)) }
  }

  private static func port(_ text: String) throws -> [UInt8] {
    let number = try #require(UInt16(text))
    return [UInt8(number >> 8), UInt8(number & 255)]
  }

  /// RFC 1071, written down once more so that the frames do not depend on what they test.
  private static func checksum(_ bytes: [UInt8]) -> [UInt8] {
    var sum: UInt32 = 0
    for index in stride(from: 0, to: bytes.count, by: 2) { sum += UInt32(bytes[index]) << 8 | UInt32(bytes[index + 1]) }
    while sum >> 16 != 0 { sum = sum & 0xffff + sum >> 16 }
    return [UInt8(~sum >> 8 & 255), UInt8(~sum & 255)]
  }
}
