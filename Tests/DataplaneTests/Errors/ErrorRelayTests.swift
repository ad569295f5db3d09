import Testing
import Wire

@testable import Dataplane

/// ICMP errors about connections, byte for byte: whom they reach and what they say.
@Suite struct ErrorRelayTests {
  static let methods = [Forwarding.directRouting, .masquerading, .tunnelling, .fullNAT]
  static let services = methods.flatMap { method in
    [IPAddress.Family.ipv4, .ipv6].flatMap { family in
      [TransportProtocol.tcp, .udp].map { TestService(method: method, family: family, transport: $0) }
    }
  }

  /// An ICMP message from `source` to `destination` about a packet, of which it quotes so many bytes behind the IP header.
  struct Message {
    var source: IPAddress
    var destination: IPAddress
    var quoted: TestPacket
    var count = 8
    var type: (v4: UInt8, v6: UInt8) = (3, 1)
    var code: (v4: UInt8, v6: UInt8) = (3, 4)
    var rest: UInt32 = 0
    var timeToLive: UInt8 = 64
    /// Instead of the quoted packet's bytes behind the ports.
    var tail: [UInt8]?

    func with(_ change: (inout Message) -> Void) -> Message {
      var copy = self
      change(&copy)
      return copy
    }

    var quote: [UInt8] {
      let isV4 = quoted.source.family == .ipv4
      let header = isV4 ? 20 + quoted.options.count : 40 + quoted.extensions.reduce(0) { $0 + $1.body.count + 1 }
      let whole = quoted.packet
      var bytes = Array(whole.prefix(max(header + count, 0)))
      if let tail, bytes.count > header + 4 { bytes = Array(bytes.prefix(header + 4)) + tail.prefix(count - 4) }
      return bytes
    }

    func frame(from: EthernetAddress, to: EthernetAddress) -> [UInt8] {
      let isV4 = source.family == .ipv4
      return FrameBuilder(from: from, to: to).ip(from: source, to: destination, timeToLive: timeToLive)
        .icmp(type: isV4 ? type.v4 : type.v6, code: isV4 ? code.v4 : code.v6, rest: rest).payload(quote).frame
    }
  }

  /// What a client got of a connection.
  static func answer(_ service: TestService, port: UInt16 = 40_000) -> TestPacket {
    TestPacket(
      source: Network.virtual(service.family), destination: Network.client(service.family), sourcePort: service.port,
      destinationPort: port, transport: service.transport, flags: TCP.syn | TCP.ack, timeToLive: 60,
      payload: [1, 2, 3, 4, 5])
  }

  /// The client reports about it.
  static func fromClient(_ service: TestService) -> Message {
    Message(
      source: Network.client(service.family), destination: Network.virtual(service.family), quoted: answer(service))
  }

  /// Behind the ports a packet stays what it is.
  private static func tail(_ packet: TestPacket) -> [UInt8] {
    Array(packet.packet.dropFirst((packet.source.family == .ipv4 ? 20 : 40) + 4))
  }

  /// The same as it arrives at the first server. A tunnel's identification is taken from what was sent.
  private static func atServer(
    _ message: Message, _ service: TestService, _ director: Director, _ journey: Journey
  ) -> [UInt8] {
    let (from, to) = (Network.inside, Network.station(0))
    switch service.method {
    case .directRouting:
      return message.with { $0.timeToLive -= 1 }.frame(from: from, to: to)
    case .tunnelling:
      let inner = Array(message.with { $0.timeToLive -= 1 }.frame(from: from, to: to).dropFirst(14))
      let sent = journey.sent.first?.bytes ?? []
      let builder = FrameBuilder(from: from, to: to)
      let (source, target) = (Network.inner(service.family), Network.server(service.family, 0))
      let outer =
        service.family == .ipv4
        ? builder.ipv4(
          from: source, to: target, timeToLive: 63,
          identification: sent.count > 20 ? UInt16(sent[18]) << 8 | UInt16(sent[19]) : 0, protocolNumber: 4)
        : builder.ipv6(from: source, to: target, hopLimit: 63, protocolNumber: 41)
      return outer.payload(inner).frame
    case .masquerading, .fullNAT:
      let isFull = service.method == .fullNAT
      let local = director.listed.first?.local
      return message.with {
        $0.timeToLive -= 1
        $0.destination = Network.server(service.family, 0)
        if !isFull { $0.tail = tail($0.quoted) }
        $0.quoted.source = Network.server(service.family, 0)
        $0.quoted.sourcePort = service.targetPort
        if isFull {
          $0.source = Network.local(service.family)
          $0.quoted.destination = Network.local(service.family)
          $0.quoted.destinationPort = local?.port ?? 0
        }
      }.frame(from: from, to: to)
    }
  }

  @Test(arguments: services)
  func clientsErrorReachesTheServer(service: TestService) throws {
    let director = try Director(service)
    _ = director.fromClient(.request(service))
    for count in [4, 8, 20, 100] where service.transport == .tcp || count != 20 {
      for (type, code, rest) in [((UInt8(3), UInt8(1)), (UInt8(3), UInt8(4)), UInt32(0)), ((3, 2), (4, 0), 1300)] {
        let message = Self.fromClient(service).with {
          ($0.count, $0.type, $0.code, $0.rest) = (count, type, code, rest)
        }
        let journey = director.send([message.frame(from: Network.router, to: Network.outside)])[0]
        #expect(journey == .toServer(.errorToServer, Self.atServer(message, service, director, journey)), "\(count)")
      }
    }
    #expect(director.connections(0, 0).reduce(0, +) == 1)
    director.verifyEmptyAfterExpiry()
  }

  /// A router on the way reports: the client's own address is not the sender's.
  @Test(arguments: services.filter { $0.method != .tunnelling })
  func routersErrorReachesTheServer(service: TestService) throws {
    let director = try Director(service)
    _ = director.fromClient(.request(service))
    let router = IPAddress(service.family == .ipv4 ? "172.16.9.9" : "2001:db8:9::9")!
    let message = Self.fromClient(service).with { ($0.source, $0.type, $0.code) = (router, (11, 3), (0, 0)) }
    let journey = director.send([message.frame(from: Network.router, to: Network.outside)])[0]
    #expect(journey == .toServer(.errorToServer, Self.atServer(message, service, director, journey)))
    director.verify()
  }

  static let translating = services.filter { $0.method == .masquerading || $0.method == .fullNAT }

  @Test(arguments: translating)
  func serversErrorReachesTheClient(service: TestService) throws {
    let director = try Director(service)
    _ = director.fromClient(.request(service))
    let isFull = service.method == .fullNAT
    let local = try #require(isFull ? director.listed.first?.local?.port : 40_000)
    let near = isFull ? Network.local(service.family) : Network.client(service.family)
    let question = TestPacket(
      source: near, destination: Network.server(service.family, 0), sourcePort: local,
      destinationPort: service.targetPort, transport: service.transport, timeToLive: 60, payload: [1, 2, 3])
    let routers = IPAddress(service.family == .ipv4 ? "10.2.0.99" : "fd00:2::99")!
    for source in [Network.server(service.family, 0), routers] {
      for count in [4, 8, 20, 100] where service.transport == .tcp || count != 20 {
        let message = Message(source: source, destination: near, quoted: question, count: count)
        let journey = director.send(
          [message.frame(from: Network.station(0), to: Network.inside)], interface: 1)[0]
        let expected = message.with {
          $0.timeToLive -= 1
          $0.source = Network.virtual(service.family)
          $0.destination = Network.client(service.family)
          if !isFull { $0.tail = Self.tail(question) }
          ($0.quoted.source, $0.quoted.sourcePort) = (Network.client(service.family), 40_000)
          ($0.quoted.destination, $0.quoted.destinationPort) = (Network.virtual(service.family), service.port)
        }
        #expect(
          journey == .toClient(.errorToClient, expected.frame(from: Network.outside, to: Network.router)),
          "\(source) \(count)")
      }
    }
    director.verifyEmptyAfterExpiry()
  }

  /// What is not about a connection is the host's, untouched.
  @Test(arguments: services)
  func theRestIsTheHosts(service: TestService) throws {
    let director = try Director(service)
    _ = director.fromClient(.request(service))
    let error = Self.fromClient(service)
    let messages: [(String, Message)] = [
      ("echo", error.with { $0.type = (8, 128) }), ("echo reply", error.with { $0.type = (0, 129) }),
      ("another client", error.with { $0.quoted.destinationPort = 40_001 }),
      ("another port", error.with { $0.quoted.sourcePort = 79 }),
      ("another transport", error.with { $0.quoted.transport = service.transport == .tcp ? .udp : .tcp }),
      ("half a port", error.with { $0.count = 3 }), ("no ports", error.with { $0.count = 0 }),
      ("cut header", error.with { $0.count = -10 }), ("nothing quoted", error.with { $0.count = -40 }),
    ]
    for (name, message) in messages {
      let journey = director.send([message.frame(from: Network.router, to: Network.outside)])[0]
      #expect(journey == Journey(.icmp), "\(name)")
    }
    director.verify()
  }

  /// Such an error may be a lie, and cannot be answered by another one.
  @Test(arguments: services)
  func dropped(service: TestService) throws {
    let director = try Director(service)
    _ = director.fromClient(.request(service))
    let old = Self.fromClient(service).with { $0.timeToLive = 1 }
    #expect(director.send([old.frame(from: Network.router, to: Network.outside)])[0] == Journey(.errorHopsUsedUp))
    var bent = Self.fromClient(service).frame(from: Network.router, to: Network.outside)
    bent[service.family == .ipv4 ? 36 : 56] ^= 1
    let journey = director.send([bent])[0]
    // As IPVS, which does not look at ICMPv6's checksum on the way to a server.
    #expect(journey.outcome == (service.family == .ipv4 ? .badErrorChecksum : .errorToServer))
    director.verify()
  }

  @Test(arguments: services)
  func optionsInTheQuotedPacket(service: TestService) throws {
    let director = try Director(service)
    _ = director.fromClient(.request(service))
    let message = Self.fromClient(service).with {
      if service.family == .ipv4 {
        $0.quoted.options = [7, 7, 4, 0, 0, 0, 0, 1]
      } else {
        $0.quoted.extensions = [(0, [0, 1, 4, 0, 0, 0, 0]), (60, [0, 1, 4, 0, 0, 0, 0])]
      }
      $0.count = 4
    }
    let journey = director.send([message.frame(from: Network.router, to: Network.outside)])[0]
    #expect(journey == .toServer(.errorToServer, Self.atServer(message, service, director, journey)))
    director.verify()
  }

  /// schedule_icmp: only with the setting, and only for what a service is there.
  @Test(arguments: services)
  func opensAConnection(service: TestService) throws {
    let director = try Director(service)
    let message = Self.fromClient(service)
    let frame = message.frame(from: Network.router, to: Network.outside)
    #expect(director.send([frame])[0] == Journey(.icmp))
    #expect(director.listed.isEmpty)
    director.settings.schedulesICMP = true
    director.publish()
    let journey = director.send([frame])[0]
    #expect(journey == .toServer(.errorToServer, Self.atServer(message, service, director, journey)))
    #expect(director.listed.map(\.client.port) == [40_000])
    #expect(director.connections(0, 0) == [0, 1])
    #expect(director.fromClient(.request(service)).outcome.isForwarded)
    #expect(director.listed.count == 1)
    director.services[0].weights = [0]
    director.publish()
    let other = message.with { $0.quoted.destinationPort = 40_001 }
    #expect(
      director.send([other.frame(from: Network.router, to: Network.outside)])[0] == Journey(.noServerAvailable))
    director.verifyEmptyAfterExpiry()
  }

  /// nat_icmp_send.
  @Test(arguments: services.filter { $0.method == .masquerading })
  func strayRepliesAreAnswered(service: TestService) throws {
    let director = try Director(service)
    let stray = TestPacket.reply(service)
    #expect(director.fromServer(stray) == Journey(.noReplyConnection))
    director.settings.sendsICMPToUnknown = true
    director.publish()
    let journey = director.fromServer(stray)
    let expected = ReplyTests.error(
      .portUnreachable, about: stray.hopped, sent: journey, source: Network.inner(service.family),
      from: Network.inside, to: Network.station(0))
    // To whom the packet came from.
    #expect(journey == Journey(.unknownReply, [Sent(interface: 1, bytes: expected)]))
    if service.transport == .tcp {
      #expect(director.fromServer(stray.with { $0.flags = TCP.rst }) == Journey(.noReplyConnection))
    }
    // The host would not forward it, and says so itself.
    director.clientMTU = 1400
    director.publish()
    let big = stray.with {
      $0.fragment = 0x4000
      $0.payload = [UInt8](repeating: 1, count: 1390)
    }
    #expect(director.fromServer(big) == Journey(.noReplyConnection))
    director.verify()
  }
}
