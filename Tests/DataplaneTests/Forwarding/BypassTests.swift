import Testing
import Wire

@testable import Dataplane

/// cache_bypass: what a mark's packets do when no cache is left.
@Suite struct BypassTests {
  private static func director(
    _ family: IPAddress.Family, isOn: Bool = true, transport: TransportProtocol = .tcp, serverMTU: Int = 1500
  ) throws -> Director {
    let director = try Director(
      [TestService(method: .directRouting, family: family, transport: transport, weights: [0, 0], mark: 7)],
      serverMTU: serverMTU)
    director.settings.bypassesCache = isOn
    director.publish()
    return director
  }

  /// A host of the servers' network that is no real server: the origin.
  private static let origin = 3

  private static func request(
    _ family: IPAddress.Family, _ change: (inout TestPacket) -> Void = { _ in }
  )
    -> TestPacket
  {
    TestPacket(
      source: Network.client(family), destination: Network.server(family, origin), sourcePort: 40_000,
      destinationPort: 80
    ).with(change)
  }

  @Test(arguments: [IPAddress.Family.ipv4, .ipv6])
  func goesOnAsRouted(family: IPAddress.Family) throws {
    let director = try BypassTests.director(family)
    let syn = BypassTests.request(family)
    #expect(director.fromClient(syn) == .toServer(.bypassed, syn.hopped.leaving(toServer: BypassTests.origin)))
    let ack = syn.with { $0.flags = TCP.ack }
    #expect(director.fromClient(ack) == .toServer(.bypassed, ack.hopped.leaving(toServer: BypassTests.origin)))
    let listed = director.listed
    #expect(listed.count == 1)
    #expect(listed.first?.server.address == IPAddress(family == .ipv4 ? "0.0.0.0" : "::"))
    #expect(listed.first?.server.port == 0 && listed.first?.stateName == "ESTABLISHED")
    director.verifyEmptyAfterExpiry()
  }

  /// A flow stays on its way when a cache comes back; new ones go to the cache.
  @Test func staysOnItsWay() throws {
    let director = try BypassTests.director(.ipv4)
    _ = director.fromClient(BypassTests.request(.ipv4))
    director.services[0].weights = [1, 0]
    director.publish()
    let ack = BypassTests.request(.ipv4) { $0.flags = TCP.ack }
    #expect(director.fromClient(ack).outcome == .bypassed)
    #expect(director.fromClient(BypassTests.request(.ipv4) { $0.sourcePort = 40_001 }).outcome == .directRouting)
    #expect(director.connections(0, 0) == [1, 0])
    director.verifyEmptyAfterExpiry()
  }

  /// It is nobody's connection: `expire_nodest_conn` does not take it for one of a removed server.
  @Test func isNoOrphan() throws {
    let director = try BypassTests.director(.ipv4)
    director.settings.expiresConnectionsWithoutServer = true
    director.publish()
    _ = director.fromClient(BypassTests.request(.ipv4))
    director.sweep()
    #expect(director.listed.count == 1)
    #expect(director.fromClient(BypassTests.request(.ipv4) { $0.flags = TCP.ack }).outcome == .bypassed)
  }

  struct Row: Sendable, CustomTestStringConvertible {
    let testDescription: String
    var family = IPAddress.Family.ipv4
    var isOn = true
    var mark: UInt32 = 7
    var destination: String
    var outcome: Outcome
  }

  static let rows = [
    Row(testDescription: "off", isOn: false, destination: "10.2.0.14", outcome: .noServerAvailable),
    Row(testDescription: "to a group", destination: "224.0.0.9", outcome: .noServerAvailable),
    Row(testDescription: "to a group of IPv6", family: .ipv6, destination: "ff0e::9", outcome: .noServerAvailable),
    Row(testDescription: "to everybody", destination: "255.255.255.255", outcome: .noServerAvailable),
    Row(testDescription: "beyond the router", destination: "192.0.2.1", outcome: .bypassed),
    Row(testDescription: "a neighbour that is not known", destination: "10.2.0.99", outcome: .neighbourUnresolved),
    Row(testDescription: "no mark", mark: 0, destination: "10.1.0.100", outcome: .noServerAvailable),
  ]

  @Test(arguments: rows) func whoMay(row: Row) throws {
    let director = try Director(
      TestService(method: .directRouting, family: row.family, weights: [0], mark: row.mark))
    director.settings.bypassesCache = row.isOn
    director.publish()
    let packet = BypassTests.request(row.family) { $0.destination = IPAddress(row.destination)! }
    #expect(director.fromClient(packet).outcome == row.outcome)
    director.verify()
  }

  /// Like a router, but errors would have to come from an address that is not the director's: none.
  @Test func lastHopIsSilent() throws {
    let director = try BypassTests.director(.ipv4)
    #expect(director.fromClient(BypassTests.request(.ipv4) { $0.timeToLive = 1 }) == Journey(.timeExceeded))
    director.verify()
  }

  @Test func bigPacketsAreCutOrNot() throws {
    let director = try BypassTests.director(.ipv4, transport: .udp, serverMTU: 600)
    let big = BypassTests.request(.ipv4) {
      $0.transport = .udp
      $0.payload = [UInt8](repeating: 7, count: 1000)
    }
    let cut = director.fromClient(big)
    #expect(cut.outcome == .bypassed && cut.sent.count == 2)
    #expect(cut.sent.allSatisfy { $0.bytes.count <= 614 })
    let whole = director.fromClient(big.with { $0.fragment = 0x4000 })
    #expect(whole == Journey(.tooBig))
    director.verifyEmptyAfterExpiry()
  }

  /// A full table is full for these too.
  @Test func tableFull() throws {
    let director = try BypassTests.director(.ipv4)
    var outcomes: [Outcome: Int] = [:]
    for port in UInt16(1)..<5000 {
      outcomes[director.fromClient(BypassTests.request(.ipv4) { $0.sourcePort = 10_000 + port }).outcome, default: 0] +=
        1
    }
    #expect((outcomes[.bypassed] ?? 0) >= 1024)
    #expect(Set(outcomes.keys).isSubset(of: [.bypassed, .tableFull]))
    director.verifyEmptyAfterExpiry()
  }
}
