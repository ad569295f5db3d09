import Dataplane
import Foundation
import Testing
import Wire

/// The TCP state machine, packet by packet, as a real ip_vs went through it: three directions, both sets of tables.
///
/// A recording has blocks, `== METHOD SETTING: c... s...`, with a line for each packet: what it was, the connection as
/// listed behind it, and the server's counts. Blocks of one method and setting were played one after the other on one
/// service, so that the counts go on.
struct StateRecordingTests {
  /// The blocks of one method and setting.
  struct Group: Sendable, CustomTestStringConvertible {
    let method: String
    let setting: String
    var steps: [Step] = []

    var testDescription: String { "\(method) \(setting)" }
  }

  /// A packet, and what was there after it.
  struct Step: Sendable {
    let packet: String
    let port: UInt16
    /// `SYN_RECV`; nil for no connection.
    let state: String?
    let secondsLeft: Int
    let active: Int
  }

  static let groups: [Group] = {
    let path = RecordedCase.vectors.appendingPathComponent("states-tcp.txt").path
    let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
    var groups: [Group] = []
    var port: UInt16 = 20_000
    for line in text.split(separator: "\n") where !line.hasPrefix("#") {
      let words = line.split(separator: " ").map(String.init)
      if words[0] == "==" {
        port += 1
        let setting = words[2].prefix { $0 != ":" }
        if groups.last?.method != words[1] || groups.last?.setting != String(setting) {
          groups.append(Group(method: words[1], setting: String(setting)))
        }
      } else if let counts = words.firstIndex(of: "act/inact") {
        let isThere = words[1] != "-"
        let clock = words[2].split(separator: ":").compactMap { Int($0) }
        groups[groups.count - 1].steps.append(
          Step(
            packet: words[0], port: port, state: isThere ? words[3] : nil,
            secondsLeft: isThere && clock.count == 2 ? clock[0] * 60 + clock[1] : 0,
            active: Int(words[counts + 1].split(separator: "/")[0]) ?? -1))
      }
    }
    return groups
  }()

  @Test func recordingIsThere() {
    #expect(StateRecordingTests.groups.map(\.testDescription).count == 6)
    #expect(StateRecordingTests.groups.reduce(0) { $0 + $1.steps.count } == 345)
  }

  @Test(arguments: groups) func statesFollow(group: Group) throws {
    let folder = try TemporaryFolder()
    var commands = group.setting.isEmpty ? [] : ["sysctl -w net.ipv4.vs.\(group.setting)"]
    commands += [
      "ipvsadm -A -t 10.1.0.100:80 -s rr", "ipvsadm -a -t 10.1.0.100:80 -r 10.2.0.11 \(group.method)",
    ]
    let capture = try CaptureWriter(path: folder.path + "/in.pcap")
    for (index, step) in group.steps.enumerated() {
      StateRecordingTests.frame(step).withUnsafeBytes { capture.write($0, nanoseconds: UInt64(index) * 1_000_000_000) }
      commands += ["@inject 1", "@show"]
    }
    try capture.finish()
    try commands.joined(separator: "\n").write(
      toFile: folder.path + "/commands.txt", atomically: false, encoding: .utf8)
    let shown = try Playback(folder: folder.path).state.components(separatedBy: "## after in").dropFirst()
    #expect(shown.count == group.steps.count)
    for (step, text) in zip(group.steps, shown) { check(step, text) }
  }

  private func check(_ step: Step, _ text: String) {
    let lines = text.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
    let connection = lines.first { $0.count > 3 && $0[3] == "172.16.1.1:\(step.port)" }
    #expect(connection?[2] == step.state, "port \(step.port), \(step.packet)")
    if let connection {
      let clock = connection[1].split(separator: ":").compactMap { Int($0) }
      // Where the packets were recorded a little time passed between a packet and the listing.
      #expect((0...2).contains(clock[0] * 60 + clock[1] - step.secondsLeft), "port \(step.port), \(step.packet)")
    }
    let server = lines.first { $0.first == "->" && $0.count == 6 && $0[1] == "10.2.0.11:80" }
    #expect(server.flatMap { Int($0[4]) } == step.active, "port \(step.port), \(step.packet)")
  }

  private static func frame(_ step: Step) -> [UInt8] {
    let bits: [Character: UInt8] = ["F": 1, "S": 2, "R": 4, "P": 8, "A": 16]
    let flags = step.packet.dropFirst().reduce(UInt8(0)) { $0 | (bits[$1] ?? 0) }
    if step.packet.hasPrefix("c") {
      return FrameBuilder(from: EthernetAddress(0x02_0000_0001fe), to: EthernetAddress(0x02_0000_000101))
        .ip(from: IPAddress("172.16.1.1")!, to: IPAddress("10.1.0.100")!).tcp(from: step.port, to: 80, flags: flags)
        .frame
    }
    return FrameBuilder(from: EthernetAddress(0x02_0000_00020b), to: EthernetAddress(0x02_0000_000201))
      .ip(from: IPAddress("10.2.0.11")!, to: IPAddress("172.16.1.1")!).tcp(from: 80, to: step.port, flags: flags)
      .frame
  }
}
