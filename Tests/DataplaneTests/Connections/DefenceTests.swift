import Scheduler
import Testing
import Wire

@testable import Dataplane

/// What goes when `drop_entry` acts, what stays, and how fast; `drop_packet`.
@Suite struct DefenceTests {
  private static let client = IPAddress("172.16.5.1")!

  /// Lets idle turns pass.
  private static func rest(_ director: Director, seconds: Double, step: Double = 0.5) {
    for _ in 0..<Int(seconds / step) {
      director.advance(seconds: step)
      #expect(director.send([]).isEmpty)
    }
  }

  private static func open(_ director: Director, _ service: TestService, ports: Range<UInt16>) {
    for port in ports { #expect(director.fromClient(.request(service, port: port)).outcome.isForwarded) }
  }

  private static func establish(_ director: Director, _ service: TestService, ports: Range<UInt16>) {
    open(director, service, ports: ports)
    for port in ports {
      if service.method == .masquerading {
        _ = director.fromServer(.reply(service, port: port, TCP.syn | TCP.ack))
      }
      #expect(director.fromClient(.request(service, port: port, TCP.ack)).outcome.isForwarded)
    }
  }

  private static func states(_ director: Director) -> [String: Int] {
    director.listed.reduce(into: [:]) { $0[$1.stateName, default: 0] += 1 }
  }

  static let services = [IPAddress.Family.ipv4, .ipv6].flatMap { family in
    [Forwarding.directRouting, .masquerading].map { TestService(method: $0, family: family) }
  }

  /// One line in 32 a second: of 600 after 32 seconds 1/e, 221, are left; all established ones are.
  @Test(arguments: services) func halfOpenGoesEstablishedStays(service: TestService) throws {
    let director = try Director(service, connections: 2048)
    Self.establish(director, service, ports: 1000..<1200)
    Self.open(director, service, ports: 2000..<2600)
    director.settings.dropEntry = .always
    director.publish()
    Self.rest(director, seconds: 32.5)
    let states = Self.states(director)
    #expect(states["ESTABLISHED"] == 200)
    let left = states["SYN_RECV"] ?? 0
    #expect((160...290).contains(left), "\(left) left")
    #expect(director.dataplane.statistics().expired == UInt64(600 - left))
    #expect(director.connections().reduce(0, +) == UInt32(200 + left), "what went is counted out")
    let perConnection: UInt64 = service.method == .masquerading ? 2 : 1
    #expect(director.entryCounts.reduce(0, +) == UInt64(200 + left) * perConnection, "with the entry of its replies")
    director.verifyEmptyAfterExpiry()
  }

  @Test(
    arguments: [
      (IPVSSettings.Defence.off, false), (.automatic, false), (.automaticActive, true), (.always, true),
    ])
  func actsOnlyWhenInEffect(mode: IPVSSettings.Defence, acts: Bool) throws {
    let service = TestService()
    let director = try Director(service)
    Self.open(director, service, ports: 2000..<2200)
    director.settings.dropEntry = mode
    director.publish()
    Self.rest(director, seconds: 20)
    #expect((director.connections() != [200, 0]) == acts)
    director.verify()
  }

  /// UDP that has been idle for a minute: of what is drawn one in eight. What has packets stays.
  @Test func idleUDPGoesByLot() throws {
    let service = TestService(transport: .udp)
    let director = try Director(service)
    director.settings.dropEntry = .always
    director.timeouts.set(tcp: 0, tcpFin: 0, udp: 10_000)
    director.publish()
    Self.open(director, service, ports: 2000..<2400)
    Self.rest(director, seconds: 59)
    #expect(director.connections() == [0, 400], "not idle for long enough")
    let busy: Range<UInt16> = 2000..<2050
    // 256 seconds: 1/e of 350 are left, 129.
    for _ in 0..<8 {
      Self.open(director, service, ports: busy)
      Self.rest(director, seconds: 32)
    }
    let ports = Set(director.listed.map(\.client.port))
    #expect(busy.allSatisfy(ports.contains))
    #expect((95...165).contains(ports.count - busy.count), "\(ports.count - busy.count) left")
    director.verifyEmptyAfterExpiry(after: 20_000)
  }

  /// Templates go with the half-open connections that opened them; those that an established one has vouched for stay,
  /// and so do all that are held by connections.
  @Test func templatesWithoutVouchersGo() throws {
    let service = TestService(persistence: .init(seconds: 3600))
    let director = try Director(service, connections: 1024)
    let from = { (number: UInt32) in IPAddress(v4: 0xac10_0500 + number) }
    for number in 0..<300 as Range<UInt32> {
      let request = TestPacket.request(service).with { $0.source = from(number) }
      #expect(director.fromClient(request).outcome.isForwarded)
      if number < 60 { _ = director.fromClient(request.with { $0.flags = TCP.ack }) }
      // Reset: it will have timed out in ten seconds, its template has not.
      if number < 30 || (60..<90).contains(number) {
        _ = director.fromClient(request.with { $0.flags = TCP.rst | TCP.ack })
      }
    }
    #expect(director.dataplane.templates(ofServer: 1) == 300)
    director.settings.dropEntry = .always
    director.publish()
    Self.rest(director, seconds: 55)
    director.sweep()
    let states = Self.states(director)
    let halfOpen = states["SYN_RECV"] ?? 0
    #expect(states["ESTABLISHED"] == 30 && (20...80).contains(halfOpen), "\(states)")
    // Those of half-open connections go with them; some that nobody holds are still to be drawn.
    let templates = director.dataplane.templates(ofServer: 1)
    #expect((60 + halfOpen..<90 + halfOpen).contains(templates), "\(templates) for \(halfOpen)")
    for number in 0..<60 as Range<UInt32> {
      #expect(director.listed.contains { $0.client == Endpoint(address: from(number), port: 0) }, "\(number)")
    }
    Self.rest(director, seconds: 300)
    #expect(director.dataplane.templates(ofServer: 1) == 60, "the others went")
    director.verify()
  }

  /// While packets come a turn looks at a part of what is due, at the most.
  @Test func busyTurnsStaySmall() throws {
    let service = TestService()
    let director = try Director(service, connections: 65_536)
    Self.establish(director, service, ports: 1000..<1001)
    Self.open(director, service, ports: 2000..<22_000)
    director.settings.dropEntry = .always
    director.publish()
    let before = director.entryCounts[0]
    // Of 65,536 lines 1,024 are due in half a second; 256 are looked at, with some 80 connections.
    director.advance(seconds: 0.5)
    #expect(director.fromClient(.request(service, port: 1000, TCP.ack)).outcome.isForwarded)
    let gone = before - director.entryCounts[0]
    #expect((20..<256).contains(gone), "\(gone)")
  }

  @Test(arguments: [(1, 0), (2, 50), (4, 75), (100, 99)] as [(UInt32, Int)])
  func oneInSoManyNewPacketsIsDropped(rate: UInt32, opened: Int) throws {
    let service = TestService()
    let director = try Director(service)
    Self.establish(director, service, ports: 1000..<1001)
    director.settings.dropPacket = .always
    director.settings.dropRate = rate
    director.publish()
    let outcomes = (UInt16(2000)..<2100).map { director.fromClient(.request(service, port: $0)).outcome }
    let forwarded = outcomes.filter { $0 == .directRouting }.count
    #expect(abs(forwarded - opened) <= 1 && forwarded + outcomes.filter { $0 == .droppedInDefence }.count == 100)
    for _ in 0..<10 {
      #expect(director.fromClient(.request(service, port: 1000, TCP.ack)).outcome == .directRouting)
    }
    #expect(director.connections() == [UInt32(1 + forwarded), 0])
    director.verify()
  }
}
