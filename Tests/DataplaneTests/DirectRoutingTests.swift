import Testing
import Wire

@testable import Dataplane

/// DR: the packet leaves as it came, one hop older, for the real server's station.
@Suite struct DirectRoutingTests {
  static let services: [TestService] = [
    TestService(), TestService(transport: .udp), TestService(family: .ipv6),
    TestService(family: .ipv6, transport: .udp),
  ]

  @Test(arguments: services)
  func packetIsUnchanged(service: TestService) throws {
    let director = try Director(service)
    let first = TestPacket.request(service).with { $0.payload = [1, 2, 3] }
    #expect(director.fromClient(first) == .toServer(.directRouting, first.hopped.leaving()))
    let second = TestPacket.request(service, TCP.ack | TCP.psh).with { $0.payload = .init(repeating: 7, count: 999) }
    #expect(director.fromClient(second) == .toServer(.directRouting, second.hopped.leaving()))
    #expect(director.entryCounts.reduce(0, +) == 1)
    director.verifyEmptyAfterExpiry()
  }

  @Test(arguments: services)
  func noChecksumStaysNone(service: TestService) throws {
    guard service.transport == .udp else { return }
    let director = try Director(service)
    let packet = TestPacket.request(service).with { $0.hasChecksum = false }
    #expect(director.fromClient(packet) == .toServer(.directRouting, packet.hopped.leaving()))
    director.verify()
  }

  @Test(arguments: services)
  func paddingIsCut(service: TestService) throws {
    let director = try Director(service)
    let packet = TestPacket.request(service)
    let frame = packet.arriving + [UInt8](repeating: 0xaa, count: 21)
    #expect(director.send([frame]) == [.toServer(.directRouting, packet.hopped.leaving())])
    director.verify()
  }

  struct Tags: Sendable, CustomTestStringConvertible {
    let name: String
    let arriving: [(UInt16, UInt16)]
    let leaving: UInt16
    var testDescription: String { name }
  }

  @Test(arguments: [
    Tags(name: "tagged to untagged", arriving: [(EtherType.vlan, 100)], leaving: 0),
    Tags(name: "untagged to tagged", arriving: [], leaving: 200),
    Tags(name: "tagged to tagged", arriving: [(EtherType.vlan, 100)], leaving: 200),
    Tags(name: "two tags to untagged", arriving: [(EtherType.serviceVLAN, 7), (EtherType.vlan, 100)], leaving: 0),
    Tags(name: "two tags to tagged", arriving: [(EtherType.serviceVLAN, 7), (EtherType.vlan, 100)], leaving: 200),
  ])
  func tags(row: Tags) throws {
    for service in Self.services {
      let director = try Director([service], serverVLAN: row.leaving)
      let packet = TestPacket.request(service)
      var arriving = FrameBuilder(from: Network.router, to: Network.outside)
      for (type, identifier) in row.arriving { arriving = arriving.vlan(identifier, type: type) }
      var leaving = FrameBuilder(from: Network.inside, to: Network.station(0))
      if row.leaving != 0 { leaving = leaving.vlan(row.leaving) }
      let journey = director.send([packet.layers(on: arriving).frame])
      #expect(journey == [.toServer(.directRouting, packet.hopped.layers(on: leaving).frame)])
      director.verify()
    }
  }

  @Test func optionsTravel() throws {
    let service = TestService()
    let director = try Director(service)
    let packet = TestPacket.request(service).with { $0.options = [7, 7, 4, 0, 0, 0, 0, 1] }
    #expect(director.fromClient(packet) == .toServer(.directRouting, packet.hopped.leaving()))
    director.verify()
  }

  static let chains: [[(number: UInt8, body: [UInt8])]] = [
    [(0, [0, 1, 4, 0, 0, 0, 0])],
    [(0, [0, 1, 4, 0, 0, 0, 0]), (60, [1] + [UInt8](repeating: 0, count: 14))],
    [(43, [0, 0, 0, 0, 0, 0, 0]), (60, [0, 1, 4, 0, 0, 0, 0])],
  ]

  @Test(arguments: chains.indices)
  func extensionHeadersTravel(row: Int) throws {
    for transport in [TransportProtocol.tcp, .udp] {
      let service = TestService(family: .ipv6, transport: transport)
      let director = try Director(service)
      let packet = TestPacket.request(service).with { $0.extensions = Self.chains[row] }
      #expect(director.fromClient(packet) == .toServer(.directRouting, packet.hopped.leaving()))
      director.verify()
    }
  }

  /// A fragment header of a packet in one piece (RFC 6946) is taken out, as the kernel does before IPVS sees the packet.
  @Test(arguments: [[], [(number: UInt8(0), body: [UInt8]([0, 1, 4, 0, 0, 0, 0]))]])
  func atomicFragmentLosesItsHeader(others: [(number: UInt8, body: [UInt8])]) throws {
    for transport in [TransportProtocol.tcp, .udp] {
      let service = TestService(family: .ipv6, transport: transport)
      let director = try Director(service)
      let whole = TestPacket.request(service).with { $0.extensions = others }
      let packet = whole.with { $0.extensions = others + [(44, [0, 0, 0, 1, 2, 3, 4])] }
      #expect(director.fromClient(packet) == .toServer(.directRouting, whole.hopped.leaving()))
      director.verify()
    }
  }

  @Test(arguments: services)
  func connectionStaysWithItsServer(service: TestService) throws {
    var service = service
    service.weights = [1, 1]
    let director = try Director(service)
    var targets: [UInt16: EthernetAddress?] = [:]
    for port in UInt16(40_000)..<40_010 {
      let journey = director.fromClient(.request(service, port: port))
      targets[port] = EthernetAddress(bytes: journey.sent[0].bytes[0..<6])
    }
    #expect(Set(targets.values).count == 2)
    for port in UInt16(40_000)..<40_010 {
      let journey = director.fromClient(.request(service, port: port, TCP.ack))
      #expect(targets[port] == EthernetAddress(bytes: journey.sent[0].bytes[0..<6]))
    }
    director.verifyEmptyAfterExpiry()
  }
}
