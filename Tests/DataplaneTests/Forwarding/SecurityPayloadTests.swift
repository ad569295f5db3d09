import Testing
import Wire

@testable import Dataplane

/// AH and ESP go where the client's key exchange goes, and nowhere without one.
@Suite struct SecurityPayloadTests {
  static let services = [Forwarding.directRouting, .masquerading, .tunnelling].flatMap { method in
    [IPAddress.Family.ipv4, .ipv6].map {
      TestService(method: method, family: $0, transport: .udp, port: 500, serverPort: 500, weights: [1, 1])
    }
  }

  private static let payload: [UInt8] = [0, 0, 1, 2, 0, 0, 0, 9, 1, 2, 3]

  private static func packet(
    from source: IPAddress, to destination: IPAddress, timeToLive: UInt8 = 64, number: UInt8 = IPProtocol.esp,
    on builder: FrameBuilder
  ) -> [UInt8] {
    let layers =
      source.family == .ipv4
      ? builder.ipv4(from: source, to: destination, timeToLive: timeToLive, protocolNumber: number)
      : builder.ipv6(from: source, to: destination, hopLimit: timeToLive, protocolNumber: number)
    return layers.payload(payload).frame
  }

  private static func fromClient(_ service: TestService, number: UInt8 = IPProtocol.esp) -> [UInt8] {
    packet(
      from: Network.client(service.family), to: Network.virtual(service.family), number: number,
      on: FrameBuilder(from: Network.router, to: Network.outside))
  }

  @Test(arguments: services) func followsTheKeyExchange(service: TestService) throws {
    let director = try Director(service)
    #expect(director.send([Self.fromClient(service)])[0] == Journey(.noConnection), "there is none yet")
    let key = director.fromClient(.request(service, port: 500))
    let journey = director.send([Self.fromClient(service)])[0]
    #expect(journey.outcome == key.outcome && director.station(of: journey) == director.station(of: key))
    let server = try #require(director.station(of: key))
    let isNAT = service.method == .masquerading
    let target = isNAT ? Network.server(service.family, server) : Network.virtual(service.family)
    if service.method != .tunnelling {
      let expected = Self.packet(
        from: Network.client(service.family), to: target, timeToLive: 63,
        on: FrameBuilder(from: Network.inside, to: Network.station(server)))
      #expect(journey.sent == [Sent(interface: 1, bytes: expected)])
    }
    #expect(director.dataplane.counters(ofServer: Director.serverNumber(0, server)).inPackets == 2)
    // Another port, another client: no key exchange.
    let other = TestService(method: service.method, family: service.family, transport: .udp, port: 500)
    let stranger = try Director(other)
    _ = stranger.fromClient(.request(other, port: 501))
    #expect(stranger.send([Self.fromClient(other)])[0] == Journey(.noConnection))
    director.verifyEmptyAfterExpiry()
  }

  @Test(arguments: services.filter { $0.method == .masquerading }) func answersGetTheVirtualAddress(
    service: TestService
  ) throws {
    let director = try Director(service)
    let server = try #require(director.station(of: director.fromClient(.request(service, port: 500))))
    let answer = Self.packet(
      from: Network.server(service.family, server), to: Network.client(service.family),
      on: FrameBuilder(from: Network.station(server), to: Network.inside))
    let expected = Self.packet(
      from: Network.virtual(service.family), to: Network.client(service.family), timeToLive: 63,
      on: FrameBuilder(from: Network.outside, to: Network.router))
    #expect(director.send([answer], interface: 1)[0] == .toClient(.masqueradeReply, expected))
    director.verifyEmptyAfterExpiry()
  }

  /// AH is an extension header to IPVS where there are such.
  @Test func authenticationHeader() throws {
    for service in Self.services {
      let director = try Director(service)
      _ = director.fromClient(.request(service, port: 500))
      let journey = director.send([Self.fromClient(service, number: IPProtocol.authentication)])[0]
      #expect(journey.outcome.isForwarded == (service.family == .ipv4))
    }
  }

  @Test func fullNATCannot() throws {
    for family in [IPAddress.Family.ipv4, .ipv6] {
      let service = TestService(method: .fullNAT, family: family, transport: .udp, port: 500, serverPort: 500)
      let director = try Director(service)
      _ = director.fromClient(.request(service, port: 500))
      #expect(director.send([Self.fromClient(service)])[0] == Journey(.notTranslatable))
      director.verifyEmptyAfterExpiry()
    }
  }

  /// However short: there is nothing in it that is looked at.
  @Test func withoutPayload() throws {
    let service = Self.services[0]
    let director = try Director(service)
    _ = director.fromClient(.request(service, port: 500))
    let empty = FrameBuilder(from: Network.router, to: Network.outside)
      .ipv4(from: Network.client(.ipv4), to: Network.virtual(.ipv4), protocolNumber: IPProtocol.esp).frame
    #expect(director.send([empty])[0].outcome == .directRouting)
    director.verifyEmptyAfterExpiry()
  }
}
