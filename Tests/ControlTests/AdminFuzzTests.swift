import Config
import Foundation
import Glibc
import Kernel
import Logging
import Testing

@testable import Control

/// Whatever comes over the socket, as words or as bytes, has an answer or ends; and what was refused changed nothing.
///
/// `LBD_FUZZ_SECONDS`: how long each is repeated (`make fuzz-socket`); seeds are printed.
@Suite(.serialized) struct AdminFuzzTests {
  private static let words = """
    -A -E -D -C -R -S -a -e -d -L -l -Z --set --start-daemon --stop-daemon -h -P -Q -G -t -u -f -6 -s -p -M -r -g -i -m -b -w
    -x -y -o --pe -n -c --stats --rate --json --atomic --nosort -X -z -F 10.1.0.100:80 10.1.0.100 10.2.0.11:81 7 rr sh 300
    master sh-port 255.255.0.0 fd00::1 [fd00::1]:80 eth0 -- \u{1} --persistent-conn --timeout --daemon -Ln -Lnc =
    -A -A -t -t -a -s wlc 10.1.0.100:80 -r 10.2.0.11:81 --sctp-service --tun-type gre --sched-flags
    """.split(whereSeparator: \.isWhitespace).map(String.init)
  private static let ownWords = """
    why numbers --json --capture --interface --worker --flags --ttl --size tcp udp sctp icmp 10.1.0.1:1 10.1.0.100:80
    10.2.0.11:8080 [fd00::1]:80 [fd00:2::11]:9 syn ack,fin none , 0 1 64 255 256 -1 3600 99999 eth0 eth1 eth1.7 lo \u{0}
    tcp 172.16.1.1:1000 10.1.0.100:80
    """.split(separator: " ").flatMap { $0.split(separator: "\n") }.map(String.init)

  /// Repeats with one seed after the other.
  private func rounds(_ body: (inout RandomNumbers, UInt64) throws -> Void) rethrows {
    let end = Date().addingTimeInterval(Samples.fuzzSeconds)
    var seed = UInt64.random(in: 0...UInt64(UInt32.max))
    var count = 0
    print("socket fuzz seed \(seed)")
    repeat {
      var random = RandomNumbers(seed: seed)
      try body(&random, seed)
      seed &+= 1
      count += 1
    } while Date() < end
    print("socket fuzz: \(count) rounds, up to seed \(seed &- 1)")
  }

  private static func replay() throws -> Replay {
    let replay = try Replay(connections: 1024)
    replay.use(Samples.network, links: [1, 2])
    return replay
  }

  /// A request of random words, or of an order that makes sense and is bent.
  private static func request(_ random: inout RandomNumbers) -> AdminRequest {
    var request = AdminRequest()
    request.isOwn = random.below(4) == 0
    request.takesMarks = random.below(2) == 0
    let words = request.isOwn ? ownWords : Self.words
    if request.isOwn, random.below(3) > 0 { request.arguments = ["why"] }
    request.arguments += (0..<random.below(9)).map { _ in words[random.below(words.count)] }
    if random.below(3) == 0 {
      request.input = (0..<random.below(200)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    } else if request.isOwn {
      request.input =
        WhyQuestion(
          frames: (0..<random.below(4)).map { _ in
            WhyQuestion.Frame(
              nanoseconds: random.next(),
              bytes: (0..<random.below(120)).map { _ in UInt8(truncatingIfNeeded: random.next()) })
          }
        ).input
    } else {
      request.input = Array(
        (0..<random.below(30)).map { _ in words[random.below(words.count)] }.joined(separator: " ").utf8)
    }
    return request
  }

  /// What is there: rules, counters and connections.
  private static func state(_ replay: Replay) -> String {
    let listing = replay.listing
    return listing.saved() + listing.statistics() + listing.connections(nowNanoseconds: replay.clockNanoseconds)
  }

  @Test func argumentVectors() throws {
    let replay = try Self.replay()
    rounds { random, seed in
      for number in 0..<500 {
        let request = number == 0 ? Self.clear : Self.request(&random)
        let before = Self.state(replay)
        let answer = replay.answer(to: request)
        var bytes = answer.bytes
        while let more = answer.rest?() { bytes += more }
        guard let code = AdminDeskTests.parts(bytes).code else {
          Issue.record("seed \(seed): no end to \(request.arguments)")
          continue
        }
        // A batch that ends in an error may have changed something before.
        let isBatch = request.arguments.contains { $0.hasPrefix("-R") } && !request.arguments.contains("--atomic")
        if request.isOwn || code != 0 && !isBatch {
          #expect(Self.state(replay) == before, "seed \(seed): \(request.arguments)")
        }
      }
    }
  }

  private static let clear: AdminRequest = {
    var request = AdminRequest()
    request.arguments = ["-C"]
    return request
  }()

  /// Requests with bits turned over, cut off, or nothing but noise, over a real socket to the real desk.
  @Test func socketBytes() throws {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("lbd-\(UUID().uuidString.prefix(8))").path
    let replay = try Self.replay()
    let log = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    let server = try AdminServer(path: path, log: log) { request, _ in replay.answer(to: request) }
    try rounds { random, seed in
      for number in 0..<200 {
        let request = number == 0 ? Self.clear : Self.request(&random)
        var bytes = AdminFrame.encode(.request, request.encoded())
        let turned = random.below(4)
        for _ in 0..<turned { bytes[random.below(bytes.count)] ^= 1 << UInt8(random.below(8)) }
        if random.below(20) == 0 {
          bytes = (0..<random.below(300)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        }
        let client = try LocalSocket.connect(to: path)
        let sent = bytes.prefix(random.below(3) == 0 ? random.below(bytes.count + 1) : bytes.count)
        _ = Array(sent).withUnsafeBytes { LocalSocket.send(client.number, $0) }
        for _ in 0..<3 { server.serve() }
      }
      for _ in 0..<50 { server.serve() }
      #expect(try Self.isAlive(path, server), "seed \(seed)")
    }
  }

  private static func isAlive(_ path: String, _ server: AdminServer) throws -> Bool {
    var request = AdminRequest()
    request.arguments = ["--version"]
    let client = try LocalSocket.connect(to: path)
    let bytes = AdminFrame.encode(.request, request.encoded())
    _ = bytes.withUnsafeBytes { LocalSocket.send(client.number, $0) }
    for _ in 0..<50 { server.serve() }
    var answer = [UInt8](repeating: 0, count: 4096)
    let count = recv(client.number, &answer, answer.count, Int32(MSG_DONTWAIT))
    return AdminDeskTests.parts(Array(answer.prefix(max(0, count)))).code == 0
  }
}
