import Config
import Dataplane
import Foundation
import Testing
import Wire

@testable import Control

/// Questions about packets, as they come over the socket: what is answered, and that it comes true.
struct WhyTests {
  private static let services = """
    -A -t 10.1.0.100:80 -s wlc -p 300
    -a -t 10.1.0.100:80 -r 10.2.0.11:8080 -m -w 3
    -A -t 10.1.0.100:81 -s mh
    -a -t 10.1.0.100:81 -r 10.2.0.11:81 -g
    -A -u 10.1.0.100:53 -s rr
    -a -u 10.1.0.100:53 -r 10.2.0.11:53 -i
    -A -t 10.1.0.100:82 -s rr
    -a -t 10.1.0.100:82 -r 10.2.0.12:82 -m
    -A --sctp-service 10.1.0.100:83 -s rr
    -a --sctp-service 10.1.0.100:83 -r 10.2.0.11:83 -m
    -A -f 7 -s sh
    -a -f 7 -r 10.2.0.11:84 -g
    -A -t 10.1.0.100:85 -s lblc
    -A -t 192.0.2.80:80 -s rr
    """

  private static func replay() throws -> Replay {
    let replay = try Replay(connections: 1024)
    replay.use(Samples.network, links: [1, 2])
    var rule = MarkRule(flip: 7)
    rule.destinationPorts = Condition([84...84])
    try replay.apply(.append(rule))
    for line in services.split(separator: "\n") {
      try replay.apply(try IpvsadmCommand.parse(line.split(separator: " ").map(String.init)).get())
    }
    return replay
  }

  private static func ask(_ replay: Replay, _ words: String) throws -> String {
    try replay.answer(to: .why(try WhyQuestion(words: words.split(separator: " ").map(String.init))))
  }

  /// A row: what is asked, and what stands in the answer.
  @Test(arguments: [
    (
      "tcp 172.16.1.1:1000 10.1.0.100:80",
      [
        "comes by    eth0\n", "service     TCP 10.1.0.100:80 wlc persistent 300\n", "none yet, this packet opens one",
        "template    none for this client: one is made", "scheduler   wlc\n",
        "* 10.2.0.11:8080 weight 3 active 0 inactive 0", "server      10.2.0.11:8080 by NAT", "SYN_RECV after",
        "outcome     forwarded.masqueradeRequest", "sends       by eth1, 54 bytes", "0000  02 00 00 00 02 0b",
      ]
    ),
    ("tcp 172.16.1.1:1000 10.1.0.100:81", ["scheduler   mh, place ", " of 4093 belongs to 10.2.0.11:81"]),
    ("udp 172.16.1.1:1000 10.1.0.100:53 --size 5", ["by TUN", "IP 172.16.1.1:1000 > 10.1.0.100:53", "0x0 becomes 0x"]),
    ("tcp 172.16.1.1:1000 10.1.0.100:82", ["next hop    of the server: MAC address not known", "neighbourUnresolved"]),
    ("sctp 172.16.1.1:1000 10.1.0.100:83", ["by NAT", "INIT1 after this packet"]),
    (
      "tcp 172.16.1.1:1000 10.1.0.100:84",
      ["mark        7, by mark rule 1\n", "service     FWM 7 sh", "of 256 belongs to"]
    ),
    ("tcp 172.16.1.1:1000 10.1.0.100:85", ["is not remembered", "picks none", "dropped.noServerAvailable"]),
    ("tcp 172.16.1.1:1000 10.1.0.100:80 --flags ack", ["none yet\n", "passed.noConnection", "then        it is"]),
    ("tcp 172.16.1.1:1000 10.1.0.100:9", ["not looked for", "mark        none", "passed.notOurs"]),
    (
      "tcp 172.16.1.1:1000 192.0.2.80:80",
      ["passed.notOurs", "but TCP 192.0.2.80:80, of which", "is not an address of this host", "add 192.0.2.80/32 dev"]
    ),
    ("tcp 172.16.1.1:1000 10.1.0.100:80 --ttl 1", ["dropped.timeExceeded", "sends       by eth0, ", "ICMP"]),
    ("tcp 10.2.0.11:8080 172.16.1.1:1000", ["comes by    eth1\n", "noReplyConnection"]),
    ("tcp 10.7.0.11:8080 10.1.0.100:81", ["comes by    eth1\n", "vlan 7 IP 10.7.0.11:8080"]),
    ("tcp 172.16.1.1:1000 10.1.0.100:81 --interface eth1", ["comes by    eth1\n", "directRouting"]),
  ])
  func rows(_ words: String, _ parts: [String]) throws {
    let text = try Self.ask(try Self.replay(), words)
    for part in parts { #expect(text.contains(part), "\(part) is not in\n\(text)") }
  }

  /// Hundreds of random packets in words: what is said is what then happens, and asking leaves every listing as it was.
  @Test func whatIsSaidHappens() throws {
    let seed = UInt64.random(in: 0 ... .max)
    print("why seed \(seed)")
    var random = RandomNumbers(seed: seed)
    let replay = try Self.replay()
    let protocols = ["tcp", "tcp", "tcp", "udp", "sctp"]
    var sent: [[UInt8]] = []
    var outcome = Outcome.pending
    replay.onTransmit = { _, _, bytes in sent.append(Array(bytes)) }
    replay.onResult = { outcome = $0.outcome }
    for number in 0..<400 {
      var words = protocols[random.below(protocols.count)]
      words += " 172.16.1.\(1 + random.below(3)):\(1000 + random.below(9))"
      words += " 10.1.0.100:\([80, 81, 82, 83, 84, 85, 53][random.below(7)]) --size \(random.below(3) * 600)"
      words += " --flags \(["syn", "ack", "fin,ack", "rst"][random.below(4)]) --ttl \([64, 64, 1][random.below(3)])"
      if random.below(20) == 0 { replay.advance(nanoseconds: 40_000_000_000) }
      let question = try WhyQuestion(words: words.split(separator: " ").map(String.init) + ["--json"])
      let before = replay.listing.connections(nowNanoseconds: replay.clockNanoseconds) + replay.listing.statistics()
      let answer = try JSONSerialization.jsonObject(with: Data(try replay.answer(to: .why(question)).utf8))
      let after = replay.listing.connections(nowNanoseconds: replay.clockNanoseconds) + replay.listing.statistics()
      #expect(before == after)
      let packet = try #require(((answer as? [String: Any])?["packets"] as? [[String: Any]])?.first)
      let foretold = (packet["sent"] as? [[String: Any]] ?? []).map { $0["bytes"] as? String ?? "" }
      sent = []
      let frame = try replay.frame(of: question)
      try frame.withUnsafeBytes { try replay.feed($0, input: number, elapsedNanoseconds: 0) }
      replay.flush()
      #expect(packet["outcome"] as? String == outcome.name, "seed \(seed), \(words)")
      #expect(foretold == sent.map { $0.map(WhyText.hex).joined() }, "seed \(seed), \(words)")
    }
  }

  @Test func aCaptureIsAStory() throws {
    let replay = try Self.replay()
    let ask = { (flags: String) in
      try WhyQuestion(
        words: "tcp 172.16.1.1:1000 10.1.0.100:80 --flags \(flags)".split(separator: " ").map(String.init))
    }
    let frames = try ["syn", "ack"].map { WhyQuestion.Frame(nanoseconds: 5, bytes: try replay.frame(of: try ask($0))) }
    let text = try replay.answer(to: .why(WhyQuestion(frames: frames)))
    #expect(text.contains("# 1\npacket") && text.contains("\n# 2\npacket"))
    #expect(text.contains("known, to 10.2.0.11:8080, SYN_RECV, last packet 0 s ago"))
    #expect(text.contains("ESTABLISHED after this packet"))
  }

  @Test(arguments: [
    ("tcp 172.16.1.1:1000 10.1.0.100:80 --interface eth9", "why: there is no interface eth9"),
    ("tcp 172.16.1.1:1000 10.1.0.100:80 --worker 1", "there is no worker 1 (0 to 0)"),
    ("tcp 172.16.1.1:1000 10.1.0.100:80 --interface lo", "why: there is no interface lo"),
    ("icmp", "why: a packet is PROTOCOL SOURCE DESTINATION"),
  ])
  func refusals(words: String, message: String) throws {
    var request = AdminRequest()
    request.isOwn = true
    request.arguments = ["why"] + words.split(separator: " ").map(String.init)
    let parts = AdminDeskTests.parts(try Self.replay().answer(to: request).bytes)
    #expect(parts.errors.contains(message) && parts.output.isEmpty && parts.code != 0, "\(parts)")
  }

  @Test func whoMayAsk() throws {
    let replay = try Self.replay()
    let request = LbdQuestion.why(try WhyQuestion(words: ["tcp", "172.16.1.1:1", "10.1.0.100:80"])).request
    _ = try Self.ask(replay, "tcp 172.16.1.1:1 10.1.0.100:80")
    for (rights, code) in [(AdminRights.none, Int32(255)), (.ask, 0), (.change, 0)] {
      let answer = QuestionDesk().answer(to: request, rights: rights, in: replay.whyPlace)
      #expect(AdminDeskTests.parts(answer.bytes).code == code)
    }
  }

  @Test func withoutARunningLbd() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("lbd-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let text = """
      ip link set eth0 address 02:00:00:00:01:01 up
      ip addr add 10.1.0.100/24 dev eth0
      ip neigh add 10.1.0.11 lladdr 02:00:00:00:01:0b dev eth0

      """
    try text.write(toFile: folder + "/net.txt", atomically: false, encoding: .utf8)
    let configuration = """
      virtual_server 10.1.0.100 80 {
        lb_algo rr
        lb_kind DR
        protocol TCP
        real_server 10.1.0.11 80 {
        }
      }

      """
    try configuration.write(toFile: folder + "/lbd.conf", atomically: false, encoding: .utf8)
    let loaded = try ConfigurationFile(path: folder + "/lbd.conf").load { _ in }
    let question = try WhyQuestion(words: ["tcp", "10.1.0.7:1000", "10.1.0.100:80"])
    let answer = try OfflineWhy.answer(question, loaded, topology: folder + "/net.txt")
    #expect(answer.contains("forwarded.directRouting") && answer.contains("* 10.1.0.11:80"))
  }
}

extension Replay {
  /// The frame that a question is about.
  func frame(of question: WhyQuestion) throws -> [UInt8] {
    try prepare()
    return try WhyFrames(whyPlace).frames(of: question)[0].bytes
  }
}
