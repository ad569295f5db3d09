import Dataplane
import Foundation
import Testing
import Wire

/// UDP, persistence and changed timeouts, packet by packet: one long conversation with a real ip_vs, commands, packets and
/// pauses in turn, played as it was.
///
/// In the recording `$ COMMAND` is followed by what it printed, `-- PACKET -> …` is a packet, `# sleep N` a pause.
struct TimeoutRecordingTests {
  /// A command, and what it printed.
  struct Answer: Equatable {
    var command: String
    var lines: [String]
  }

  private static let recording: String = {
    let path = RecordedCase.vectors.appendingPathComponent("states-udp-timeouts.txt").path
    return (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
  }()

  private static func answers(in text: String) -> [Answer] {
    var answers: [Answer] = []
    for line in text.split(separator: "\n") {
      if line.hasPrefix("$ ipvsadm") {
        answers.append(Answer(command: String(line.dropFirst(2)), lines: []))
      } else if line.hasPrefix("## final") {
        break
      } else if !line.hasPrefix("$ sysctl"), !line.hasPrefix("#"), !line.hasPrefix("--"), !line.hasPrefix("(exit"),
        !answers.isEmpty
      {
        let words = String(line.reversed().drop { $0 == " " }.reversed())
        if !words.isEmpty { answers[answers.count - 1].lines.append(words) }
      }
    }
    return answers
  }

  @Test func theConversationGoesAsRecorded() throws {
    let folder = try TemporaryFolder()
    let capture = try CaptureWriter(path: folder.path + "/in.pcap")
    var commands: [String] = []
    var packets: UInt64 = 0
    for line in TimeoutRecordingTests.recording.split(separator: "\n") {
      if line.hasPrefix("$ ") {
        // A change of timeouts in the half second of a packet would count for that packet's connection.
        if line.contains("--set") { commands.append("@sleep 1") }
        commands.append(String(line.dropFirst(2)))
      } else if line.hasPrefix("# sleep ") {
        commands.append("@sleep \(line.dropFirst(8))")
      } else if line.hasPrefix("-- ") {
        let name = line.dropFirst(3).components(separatedBy: " -> ")[0]
        let frame = try #require(TimeoutRecordingTests.frame(name), "\(name)")
        frame.withUnsafeBytes { capture.write($0, nanoseconds: packets * 1_000_000_000) }
        packets += 1
        commands.append("@inject 1")
      }
    }
    try capture.finish()
    try commands.joined(separator: "\n").write(
      toFile: folder.path + "/commands.txt", atomically: false, encoding: .utf8)
    let want = TimeoutRecordingTests.answers(in: TimeoutRecordingTests.recording)
    let have = TimeoutRecordingTests.answers(in: try Playback(folder: folder.path).state)
    #expect(want.count > 25 && packets == 9)
    #expect(have.map(\.command) == want.map(\.command))
    for (index, (left, right)) in zip(want, have).enumerated() { compare(left, right, "answer \(index)") }
  }

  private func compare(_ want: Answer, _ have: Answer, _ place: String) {
    guard want.command.contains("-Lnc") else {
      #expect(have == want, "\(place)")
      return
    }
    // In no particular order, and where it was recorded a little time passed between packets.
    let (left, right) = (TimeoutRecordingTests.connections(want), TimeoutRecordingTests.connections(have))
    #expect(Set(left.keys) == Set(right.keys), "\(place)")
    for (name, seconds) in left {
      #expect((0...3).contains((right[name] ?? -1) - seconds), "\(place): \(name)")
    }
  }

  /// Seconds left, by all the rest of the line.
  private static func connections(_ answer: Answer) -> [String: Int] {
    var connections: [String: Int] = [:]
    for line in answer.lines {
      var words = line.split(separator: " ").map(String.init)
      let clock = words.count > 1 ? words[1].split(separator: ":").compactMap { Int($0) } : []
      guard clock.count == 2 else {
        connections[line] = 0
        continue
      }
      words.remove(at: 1)
      connections[words.joined(separator: " ")] = clock[0] * 60 + clock[1]
    }
    return connections
  }

  private static func frame(_ name: String) -> [UInt8]? {
    let request = FrameBuilder(from: EthernetAddress(0x02_0000_0001fe), to: EthernetAddress(0x02_0000_000101))
      .ip(from: IPAddress("172.16.1.1")!, to: IPAddress("10.1.0.100")!)
    switch name {
    case "UDP client": return request.udp(from: 5000, to: 53).payload([1]).frame
    case "UDP new": return request.udp(from: 5001, to: 53).payload([1]).frame
    case "UDP reply":
      return FrameBuilder(from: EthernetAddress(0x02_0000_00020b), to: EthernetAddress(0x02_0000_000201))
        .ip(from: IPAddress("10.2.0.11")!, to: IPAddress("172.16.1.1")!).udp(from: 53, to: 5000).payload([2]).frame
    case "TCP SYN to a persistent service": return request.tcp(from: 6000, to: 80, flags: TCP.syn).frame
    case "ACK": return request.tcp(from: 6000, to: 80, flags: TCP.ack).frame
    case "FIN": return request.tcp(from: 6000, to: 80, flags: TCP.fin | TCP.ack).frame
    default: return nil
    }
  }
}
