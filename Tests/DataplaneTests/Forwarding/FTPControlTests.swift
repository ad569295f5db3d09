import Testing
import Wire

@testable import Dataplane

/// FTP through NAT: announced data connections pass, in both directions, and nothing else does.
@Suite struct FTPControlTests {
  static let families = [IPAddress.Family.ipv4, .ipv6]

  /// A control connection of a client, and what both ends say on it.
  final class Session {
    let director: Director
    let service: TestService
    let port: UInt16
    private var client: UInt32 = 1000
    private var server: UInt32 = 5000
    /// By how much the client's view of the server's numbers is ahead.
    private var shift: UInt32 = 0

    init(_ family: IPAddress.Family = .ipv4, ports: [UInt16] = [21], connections: Int = 1024) throws {
      service = TestService(method: .masquerading, family: family, port: 21, serverPort: 2121)
      director = try Director([service], connections: connections)
      port = 40_000
      director.settings.ftpPorts = HelperPorts(ports)
      director.publish()
      begin()
    }

    /// Another one of the same director.
    init(beside other: Session, port: UInt16) {
      (director, service, self.port) = (other.director, other.service, port)
      begin()
    }

    private func begin() {
      #expect(says("", TCP.syn).outcome == .masqueradeRequest)
      client &+= 1
      #expect(answers("", TCP.syn | TCP.ack).outcome == .masqueradeReply)
      server &+= 1
      #expect(says("").outcome == .masqueradeRequest)
    }

    /// The client's segment; the director has to forward it as it is, but for the acknowledgement.
    @discardableResult
    func says(_ text: String, _ flags: UInt8 = TCP.ack | TCP.psh) -> Journey {
      var packet = TestPacket.request(service, port: port, flags)
      (packet.sequence, packet.payload) = (client, Array(text.utf8))
      packet.acknowledgement = flags & TCP.ack == 0 ? 0 : server &+ shift
      let journey = director.fromClient(packet)
      let wanted = MasqueradeTests.atServer(packet, service).with {
        if flags & TCP.ack != 0 { $0.acknowledgement = server }
      }
      #expect(journey == .toServer(.masqueradeRequest, wanted.leaving()), "\(text)")
      client &+= UInt32(text.utf8.count)
      return journey
    }

    /// The server's segment; the director has to forward `seen`.
    @discardableResult
    func answers(
      _ text: String, _ flags: UInt8 = TCP.ack | TCP.psh, seen: String? = nil, isRepeated: Bool = false
    ) -> Journey {
      let seen = seen ?? text
      let growth = UInt32(bitPattern: Int32(seen.utf8.count - text.utf8.count))
      if isRepeated {
        server &-= UInt32(text.utf8.count)
        shift &-= growth
      }
      var packet = TestPacket.reply(service, port: port, flags)
      (packet.sequence, packet.acknowledgement, packet.payload) = (server, client, Array(text.utf8))
      let journey = director.fromServer(packet)
      let wanted = MasqueradeTests.atClient(packet, service).with {
        $0.sequence = server &+ shift
        $0.payload = Array(seen.utf8)
      }
      #expect(journey == .toClient(.masqueradeReply, wanted.leavingToClient), "\(text)")
      server &+= UInt32(text.utf8.count)
      shift &+= growth
      return journey
    }

    /// A data connection's SYN from the client.
    func connects(to near: UInt16, from far: UInt16) -> Journey {
      director.fromClient(TestPacket.request(service, port: far).with { $0.destinationPort = near })
    }

    /// A data connection's SYN from the server, from the port below its own.
    func opens(to client: IPAddress, _ port: UInt16, from own: UInt16 = 2120) -> Journey {
      director.fromServer(TestPacket.reply(service, to: client, port: port, TCP.syn).with { $0.sourcePort = own })
    }

    var expected: [String] {
      director.listed.filter { $0.stateName == "LISTEN" }.map { "\($0.client) \($0.service) \($0.server)" }.sorted()
    }
  }

  @Test(arguments: families) func passive(family: IPAddress.Family) throws {
    let session = try Session(family)
    session.says(family == .ipv4 ? "PASV\r\n" : "EPSV\r\n")
    if family == .ipv4 {
      session.answers("227 x (10,2,0,11,195,80)\r\n", seen: "227 x (10,1,0,100,195,80)\r\n")
    } else {
      session.answers("229 x (|2|fd00:2::11|50000|)\r\n", seen: "229 x (|||50000|)\r\n")
    }
    session.says("NOOP\r\n")
    let syn = TestPacket.request(session.service, port: 41_000).with { $0.destinationPort = 50_000 }
    let leaving = MasqueradeTests.atServer(syn, session.service).with { $0.destinationPort = 50_000 }.leaving()
    #expect(session.director.fromClient(syn) == .toServer(.masqueradeRequest, leaving))
    let answer = TestPacket.reply(session.service, port: 41_000).with { $0.sourcePort = 50_000 }
    let returning = MasqueradeTests.atClient(answer, session.service).with { $0.sourcePort = 50_000 }.leavingToClient
    #expect(session.director.fromServer(answer) == .toClient(.masqueradeReply, returning))
    #expect(session.connects(to: 50_000, from: 41_001).outcome == .notOurs, "one connection for each announcement")
    #expect(session.connects(to: 50_001, from: 41_002).outcome == .notOurs)
    session.answers("226 done\r\n")
    session.director.verifyEmptyAfterExpiry()
  }

  @Test(arguments: families) func active(family: IPAddress.Family) throws {
    let session = try Session(family)
    let client = Network.client(family)
    #expect(session.opens(to: client, 40_036).outcome == .notOurs, "not before it is announced")
    session.says(family == .ipv4 ? "PORT 172,16,1,1,156,100\r\n" : "EPRT |2|2001:db8::5|40036|\r\n")
    let syn = TestPacket.reply(session.service, port: 40_036, TCP.syn).with { $0.sourcePort = 2120 }
    let leaving = MasqueradeTests.atClient(syn, session.service).with { $0.sourcePort = 20 }.leavingToClient
    #expect(session.director.fromServer(syn) == .toClient(.masqueradeReply, leaving))
    let answer = TestPacket.request(session.service, port: 40_036, TCP.syn | TCP.ack).with { $0.destinationPort = 20 }
    let returning = MasqueradeTests.atServer(answer, session.service).with { $0.destinationPort = 2120 }.leaving()
    #expect(session.director.fromClient(answer) == .toServer(.masqueradeRequest, returning))
    #expect(session.opens(to: client, 40_037).outcome == .notOurs)
    session.director.verifyEmptyAfterExpiry()
  }

  /// Texts after which nobody is expected, whatever the other end then says.
  @Test(arguments: [
    ("nobody asked", "NOOP\r\n", "227 x (10,2,0,11,195,80)\r\n"),
    ("another host's address", "PASV\r\n", "227 x (10,2,0,12,195,80)\r\n"),
    ("the VIP's address", "PASV\r\n", "227 x (10,1,0,100,195,80)\r\n"),
    ("another host's address, extended", "EPSV\r\n", "229 x (|1|10.2.0.12|50000|)\r\n"),
    ("port 0, extended", "EPSV\r\n", "229 x (|||0|)\r\n"),
    ("no parentheses, extended", "EPSV\r\n", "229 x |||50000|\r\n"),
    ("the other answer", "PASV\r\n", "229 x (|||50000|)\r\n"),
    ("the other answer", "EPSV\r\n", "227 x (10,2,0,11,1,2)\r\n"),
    ("refused", "PASV\r\n", "500 x (10,2,0,11,195,80)\r\n"),
    ("the other family", "EPSV 2\r\n", "229 x (|||50000|)\r\n"),
    ("zeros without end", "PASV\r\n", "227 x (" + String(repeating: "0", count: 1400) + "10,2,0,11,1,2)\r\n"),
    ("zeros without end, over 2 KiB", "PASV\r\n", "227 (10,2,0,11,1," + String(repeating: "0", count: 1380) + "2\r\n"),
  ])
  func nobodyIsExpected(name: String, request: String, answer: String) throws {
    let session = try Session()
    session.says(request)
    if name.hasPrefix("zeros") {
      // Their text is replaced, and much shorter then.
      let start = answer.firstIndex(of: "(")!
      let end = answer.firstIndex(of: ")").map { String(answer[$0...]) } ?? "\r\n"
      return _ = session.answers(answer, seen: "\(answer[...start])10,1,0,100,1,2\(end)")
    }
    session.answers(answer)
    #expect(session.expected == [], "\(name)")
    session.director.verifyEmptyAfterExpiry()
  }

  /// As IPVS: a client may name whom it likes. It is the server's business to refuse, and it is the VIP that asks.
  @Test func othersMayBeNamed() throws {
    let session = try Session()
    session.says("PORT 172,16,9,9,156,100\r\n")
    #expect(session.expected == ["172.16.9.9:40036 10.1.0.100:20 10.2.0.11:2120"])
    #expect(session.opens(to: IPAddress("172.16.9.9")!, 40_036).outcome == .masqueradeReply)
    #expect(session.opens(to: Network.client(.ipv4), 40_036).outcome == .notOurs)
  }

  @Test func aSegmentSentAgainIsWhatItWas() throws {
    let session = try Session()
    session.says("PASV\r\n")
    let (text, seen) = ("227 x (10,2,0,11,195,80)\r\n", "227 x (10,1,0,100,195,80)\r\n")
    session.answers(text, seen: seen)
    session.answers(text, seen: seen, isRepeated: true)
    session.answers("150 ok\r\n")
    session.answers("150 ok\r\n", isRepeated: true)
    session.says("NOOP\r\n")
    #expect(session.expected.count == 1)
  }

  /// Two control connections: each has its own numbers, and its own question.
  @Test func sessionsDoNotMix() throws {
    let first = try Session()
    let second = Session(beside: first, port: 40_001)
    first.says("PASV\r\n")
    second.answers("227 x (10,2,0,11,195,80)\r\n")
    #expect(first.expected == [])
    first.answers("227 x (10,2,0,11,195,81)\r\n", seen: "227 x (10,1,0,100,195,81)\r\n")
    second.answers("200 ok\r\n")
    second.says("NOOP\r\n")
    first.says("NOOP\r\n")
    first.director.verifyEmptyAfterExpiry()
  }

  /// Switched off, the helper still keeps the connections in step that it has changed, and lets in whom it has announced.
  @Test func switchedOffItEndsWhatItBegan() throws {
    let session = try Session()
    session.says("PASV\r\n")
    session.answers("227 x (10,2,0,11,195,80)\r\n", seen: "227 x (10,1,0,100,195,80)\r\n")
    session.director.settings.ftpPorts = HelperPorts()
    session.director.hasHelped = true
    session.director.publish()
    session.answers("150 ok\r\n")
    session.says("NOOP\r\n")
    #expect(session.connects(to: 50_000, from: 41_000).outcome == .masqueradeRequest)
    let later = Session(beside: session, port: 40_001)
    later.says("PASV\r\n")
    later.answers("227 x (10,2,0,11,195,81)\r\n")
    #expect(session.expected == [])
    session.director.verifyEmptyAfterExpiry()
  }

  /// Off, or on for other ports: not a byte is changed.
  @Test(arguments: [[], [2121], [20, 22]] as [[UInt16]]) func otherPortsAreLeftAlone(ports: [UInt16]) throws {
    let session = try Session(ports: ports)
    session.says("PASV\r\n")
    session.answers("227 x (10,2,0,11,195,80)\r\n")
    #expect(session.connects(to: 50_000, from: 41_000).outcome == .notOurs)
    #expect(session.director.wideEntryCount == 0)
    session.director.verifyEmptyAfterExpiry()
  }

  /// Announcements without end fill the table and no more; the control connection goes on, and all of it is free again.
  @Test(arguments: families) func announcementsAreBounded(family: IPAddress.Family) throws {
    let session = try Session(family)
    for number in 0..<20_000 {
      let port = 1024 + number % 60_000
      session.says(
        family == .ipv4 ? "PORT 172,16,1,1,\(port >> 8),\(port & 255)\r\n" : "EPRT |2|2001:db8::5|\(port)|\r\n")
    }
    #expect(session.director.wideEntryCount <= 4096, "1024 connections were asked for")
    #expect(session.expected.count > 100)
    session.says("NOOP\r\n")
    session.answers("200 ok\r\n")
    session.director.verifyEmptyAfterExpiry()
    #expect(session.director.dataplane.shared.state.helpers.take() == 1, "the record is free again")
  }

  /// The same one again is no further one.
  @Test func oneAnnouncementAgainAndAgain() throws {
    let session = try Session()
    for _ in 0..<1000 { session.says("PORT 172,16,1,1,156,100\r\n") }
    #expect(session.expected.count == 1 && session.director.wideEntryCount == 4)
    session.director.verifyEmptyAfterExpiry()
  }

  /// While somebody is expected the control connection does not time out.
  @Test func dataConnectionsHoldTheirControlConnection() throws {
    let session = try Session()
    session.director.timeouts.set(tcp: 10, tcpFin: 10, udp: 10)
    session.director.publish()
    session.says("PORT 172,16,1,1,156,100\r\n")
    session.director.advance(seconds: 60)
    session.director.sweep()
    #expect(session.director.listed.map(\.stateName).sorted() == ["ESTABLISHED", "LISTEN"])
    session.director.verifyEmptyAfterExpiry()
  }

  /// Of all that a TCP checksum is about: right when it is all ones.
  private static func sum(of frame: [UInt8], _ family: IPAddress.Family) -> UInt16 {
    let (addresses, segment) = family == .ipv4 ? (26..<34, 34) : (22..<54, 54)
    let count = frame.count - segment
    return SampleFrame.fold(frame[addresses] + [0, 6, UInt8(count >> 8), UInt8(count & 255)] + frame[segment...])
  }

  /// Any text in an established session: whatever comes out has the right checksums, and every frame its outcome.
  @Test(arguments: families) func anyTextIsSafe(family: IPAddress.Family) throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("FTPControlTests: seed \(seed)")
    var random = SplitMix(seed: seed)
    let session = try Session(family)
    let texts = [
      "PASV\r\n", "EPSV\r\n", "EPSV 2\r\n", "PORT 172,16,1,1,156,100\r\n", "EPRT |2|2001:db8::5|40036|\r\n",
      "227 x (10,2,0,11,195,80)\r\n", "229 x (|||50000|)\r\n", "229 x (|2|fd00:2::11|50000|)\r\n",
      "229 x (|1|10.2.0.11|50000|)\r\n", "227 (0000010,2,0,11,0,0)\r\n",
    ]
    for _ in 0..<3000 {
      var text = Array(random.pick(texts).utf8)
      if random.next(below: 3) == 0 { text[random.next(below: text.count)] = UInt8(truncatingIfNeeded: random.next()) }
      if random.next(below: 8) == 0 { text.removeLast(random.next(below: text.count)) }
      if random.next(below: 8) == 0 { text += [UInt8](repeating: 0x30, count: random.next(below: 1400)) }
      let isRequest = random.next(below: 2) == 0
      var packet = isRequest ? TestPacket.request(session.service, TCP.ack) : TestPacket.reply(session.service, TCP.ack)
      packet.payload = text
      packet.sequence = UInt32(truncatingIfNeeded: random.next())
      packet.acknowledgement = UInt32(truncatingIfNeeded: random.next())
      let journey = isRequest ? session.director.fromClient(packet) : session.director.fromServer(packet)
      for sent in journey.sent {
        #expect(FTPControlTests.sum(of: sent.bytes, family) == 0xffff, "\(String(decoding: text, as: UTF8.self))")
      }
    }
    session.director.verifyEmptyAfterExpiry()
  }
}
