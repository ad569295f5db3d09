import Config
import Dataplane
import Foundation
import Testing
import Wire

@testable import Control

/// The director without a network: commands, time and frames in, frames and an account out.
struct ReplayTests {
  private static let client = Samples.address("172.16.1.1")
  private static let virtual = Samples.address("10.1.0.100")

  /// A SYN from the client's gateway.
  private static func frame(port: UInt16, to target: UInt16 = 80) -> [UInt8] {
    FrameBuilder(from: EthernetAddress("02:00:00:00:01:fe")!, to: EthernetAddress("02:00:00:00:01:01")!)
      .ip(from: client, to: virtual).tcp(from: port, to: target, flags: 2).frame
  }

  private static let topology = """
    ip link set eth0 address 02:00:00:00:01:01 mtu 1500 up
    ip link set eth1 address 02:00:00:00:02:01 mtu 1500 up
    ip addr add 10.1.0.1/24 dev eth0
    ip addr add 10.1.0.100/32 dev eth0
    ip addr add 10.2.0.1/24 dev eth1
    ip neigh replace 10.1.0.254 lladdr 02:00:00:00:01:fe dev eth0
    ip neigh replace 10.2.0.11 lladdr 02:00:00:00:02:0b dev eth1
    ip route add default via 10.1.0.254

    """

  /// A folder with `commands.txt`, `in.pcap` and `topology.txt`; it goes when the body is done.
  private func withCase(_ commands: String, frames: [[UInt8]], _ body: (String) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("lbd-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try commands.write(toFile: folder + "/commands.txt", atomically: false, encoding: .utf8)
    try ReplayTests.topology.write(toFile: folder + "/topology.txt", atomically: false, encoding: .utf8)
    let capture = try CaptureWriter(path: folder + "/in.pcap")
    for (index, frame) in frames.enumerated() {
      frame.withUnsafeBytes { capture.write($0, nanoseconds: UInt64(index) * 2_000_000) }
    }
    try capture.finish()
    try body(folder)
  }

  private func stamps(_ path: String) throws -> [UInt64] {
    let reader = try CaptureReader(path: path)
    var stamps: [UInt64] = []
    while let frame = try reader.next() { stamps.append(frame.nanoseconds) }
    return stamps
  }

  private static let services = """
    ipvsadm -A -t 10.1.0.100:80 -s rr
    ipvsadm -a -t 10.1.0.100:80 -r 10.2.0.11:80 -g

    """

  private func play(_ folder: String) throws -> ReplayCase {
    let replay = try ReplayCase(output: folder + "/out", connections: 1024)
    try replay.play(folder: folder, topology: folder + "/topology.txt")
    return replay
  }

  @Test func caseIsPlayedLineByLine() throws {
    let frames = [ReplayTests.frame(port: 1), ReplayTests.frame(port: 2, to: 81), ReplayTests.frame(port: 3)]
    let commands = ReplayTests.services + "@inject 1 # first\n@show\n@sleep 0.5\n@inject rest\n"
    try withCase(commands, frames: frames) { folder in
      let replay = try play(folder)
      #expect(replay.balance == "received 3 = forwarded 2 + passed 1 + dropped 0" && replay.isBalanced)
      #expect(try stamps(folder + "/out/out.pcap") == [1_000_000, 2_001_000_000])
      #expect(try stamps(folder + "/out/passed.pcap") == [1_000_000_000])
      let state = try String(contentsOfFile: folder + "/out/state.txt", encoding: .utf8)
      #expect(state.hasPrefix("$ ipvsadm -A -t 10.1.0.100:80 -s rr\n$ ipvsadm -a"))
      let parts = state.split(separator: "## final")
      #expect(parts.count == 2 && parts[0].contains("## after in #0\n# ipvsadm -Ln\n"))
      #expect(parts[0].contains("Route   1      1          0") && parts[1].contains("Route   1      2          0"))
      #expect(!parts[0].contains("--stats") && parts[1].contains("# ipvsadm -Ln --stats --exact\n"))
    }
  }

  @Test func refusedCommandIsWrittenDownAndPlayGoesOn() throws {
    let commands = ReplayTests.services + "ipvsadm -A -t 10.1.0.100:80 -s rr\nipvsadm -D -t 10.1.0.100:81\n"
    try withCase(commands, frames: [ReplayTests.frame(port: 1)]) { folder in
      let replay = try play(folder)
      #expect(replay.balance == "received 1 = forwarded 1 + passed 0 + dropped 0")
      let state = try String(contentsOfFile: folder + "/out/state.txt", encoding: .utf8)
      #expect(state.contains("-s rr\nService already exists\n$ ipvsadm -D -t 10.1.0.100:81\nNo such service\n"))
    }
  }

  @Test func settingsAndMarksAreTakenAndAnswersWrittenDown() throws {
    let commands = """
      sysctl -w net.ipv4.vs.sync_threshold="3 50" net.ipv4.vs.sloppy_tcp=1
      sysctl -qw net.ipv4.vs.conntrack=1
      iptables -t mangle -A PREROUTING -d 10.1.0.100 -p tcp -j MARK --set-mark 1
      ipvsadm -A -f 1 -s rr -p 60
      ipvsadm --set 1 2 3
      ipvsadm -L --timeout
      ipvsadm -Sn
      ipvsadm -Ln -f 2

      """
    try withCase(commands, frames: []) { folder in
      _ = try play(folder)
      let state = try String(contentsOfFile: folder + "/out/state.txt", encoding: .utf8)
      #expect(state.contains("net.ipv4.vs.sync_threshold = 3\t50\nnet.ipv4.vs.sloppy_tcp = 1\n$ sysctl -qw"))
      #expect(state.contains("conntrack=1\n$ iptables") && state.contains("--set-mark 1\n$ ipvsadm -A"))
      #expect(state.contains("$ ipvsadm -L --timeout\nTimeout (tcp tcpfin udp): 1 2 3\n"))
      #expect(state.contains("$ ipvsadm -Sn\n-A -f 1 -s rr -p 60\n$ ipvsadm -Ln -f 2\nNo such service\n## final"))
      #expect(state.contains("\nFWM  1 rr persistent 60\n"))
    }
  }

  /// Lines that end a replay, and what is said behind `commands.txt:LINE: `.
  static let refused: [(line: String, reason: String)] = [
    ("@inject -1", "@inject wants a number of frames, or 'rest' for all that are left"),
    ("@inject many", "@inject wants a number of frames, or 'rest' for all that are left"),
    ("@inject 1 2", "@inject wants a number of frames, or 'rest' for all that are left"),
    ("@sleep", "@sleep wants a number of seconds"),
    ("@sleep -1", "@sleep wants a number of seconds"),
    ("@sleep nan", "@sleep wants a number of seconds"),
    ("@sleep 1e300", "@sleep wants a number of seconds"),
    ("nc -l 80", "nc: not in this version (ipvsadm, ip, sysctl, iptables, @inject, @sleep, @show)"),
    ("ip addr add 10.9.0.1/24 dev eth9", "no interface eth9"),
    ("ip frobnicate it", "'ip' 'frobnicate' 'it' is not known here"),
    ("ipvsadm -A -t 10.1.0.100", "ipvsadm -A -t 10.1.0.100: "),
    ("ipvsadm -R", "ipvsadm -R: -R has nothing to read here, write its lines as commands"),
    ("iptables -t mangle -A PREROUTING -j DROP", "the target 'DROP' is not known here, only MARK is"),
    ("iptables -t mangle -D PREROUTING 1", "there is no rule number 1"),
    ("sysctl -w net.ipv4.vs.sloppy_tpc=1", "there is no setting 'net.ipv4.vs.sloppy_tpc'; did you mean"),
  ]

  @Test(arguments: refused.indices) func lineThatCannotBePlayedIsNamed(row: Int) throws {
    let (line, reason) = ReplayTests.refused[row]
    try withCase("# first\n\(line)\n", frames: []) { folder in
      do {
        _ = try play(folder)
        Issue.record("\(line) was played")
      } catch {
        #expect("\(error)".hasPrefix("\(folder)/commands.txt:2: \(reason)"))
      }
    }
  }

  @Test func clockStopsAtItsEnd() throws {
    let sleeps = String(repeating: "@sleep 999999999\n", count: 30)
    try withCase(ReplayTests.services + sleeps + "@inject 1\n", frames: [ReplayTests.frame(port: 1)]) { folder in
      let replay = try play(folder)
      #expect(replay.balance == "received 1 = forwarded 1 + passed 0 + dropped 0")
    }
  }

  @Test func topologyWithoutInterfaceIsRefused() throws {
    let replay = try Replay(connections: 1024)
    let frame = ReplayTests.frame(port: 1)
    #expect(throws: ReplayError.self) { () throws in
      try frame.withUnsafeBytes { (bytes: UnsafeRawBufferPointer) throws in try replay.feed(bytes, input: 0) }
    }
  }

  @Test func frameThatFitsNowhereIsRefused() throws {
    let frame = ReplayTests.frame(port: 1) + [UInt8](repeating: 0, count: 9000)
    try withCase("", frames: [frame]) { folder in
      #expect(throws: ReplayError.self) { try play(folder) }
    }
  }

  @Test func connectionsTimeOutWhileAsleep() throws {
    try withCase(ReplayTests.services + "@inject\n@sleep 61\n", frames: [ReplayTests.frame(port: 1)]) { folder in
      _ = try play(folder)
      let state = try String(contentsOfFile: folder + "/out/state.txt", encoding: .utf8)
      #expect(state.contains("Route   1      0          0") && !state.contains("SYN_RECV"))
    }
  }

  /// A VIP that goes to another director (VRRP) and comes back: its connections wait, nothing refers to what is gone.
  @Test func addressThatGoesAndComesBack() throws {
    let commands =
      ReplayTests.services + """
        @inject 1
        ip addr del 10.1.0.100/32 dev eth0
        @inject 1
        @sleep 20
        @show
        ip addr add 10.1.0.100/32 dev eth0
        @inject 1
        """
    let syn = ReplayTests.frame(port: 1000)
    try withCase(commands, frames: [syn, syn, syn]) { folder in
      let replay = try play(folder)
      #expect(try stamps(folder + "/out/out.pcap") == [1_000_000, 2_001_000_000])
      #expect(try stamps(folder + "/out/passed.pcap") == [1_000_000_000])
      let state = try String(contentsOfFile: folder + "/out/state.txt", encoding: .utf8)
      #expect(state.contains("10.2.0.11:80                 Route   1      1          0"))
      #expect(replay.isBalanced)
    }
  }

  @Test func captureIsReplayedByItsOwnClock() throws {
    let frames = (1...3).map { ReplayTests.frame(port: $0, to: $0 == 2 ? 81 : 80) }
    try withCase("", frames: frames) { folder in
      let text =
        "virtual_server 10.1.0.100 80 {\n protocol TCP\n lb_kind DR\n real_server 10.2.0.11 80 { weight 1 }\n}\n"
      let (configuration, _) = parseConfiguration(bytes: Array(text.utf8), file: "test.conf")
      let replay = try ReplayCase(output: folder + "/out", connections: 1024)
      let report = try replay.play(
        configuration: configuration, topology: folder + "/topology.txt", capture: folder + "/in.pcap")
      #expect(try stamps(folder + "/out/out.pcap") == [0, 4_000_000])
      #expect(try stamps(folder + "/out/passed.pcap") == [2_000_000])
      #expect(report.hasSuffix("# balance\nreceived 3 = forwarded 2 + passed 1 + dropped 0\n"))
    }
  }
}
