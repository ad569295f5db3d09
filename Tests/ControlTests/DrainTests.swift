import Config
import Dataplane
import Testing
import Wire

@testable import Control

/// How long connections of a server that takes no new ones go on.
struct DrainTests {
  private static let text = """
    virtual_server 10.1.0.100 80 {
      protocol TCP
      lb_algo rr
      lb_kind DR
      drain_timeout 30
      real_server 10.2.0.11 80 { weight 1 }
      real_server 10.2.0.12 80 {
        weight 1
        drain_timeout 0
      }
    }
    """
  private static let key = Samples.tcp("10.1.0.100:80")
  private static let second: UInt64 = 1_000_000_000

  private static func services() throws -> VirtualServices {
    var services = VirtualServices()
    try services.load(try ReloadPlanTests.configuration(text))
    services.noteDrains(atNanoseconds: second)
    return services
  }

  /// What workers hear.
  private static func assembled(_ services: VirtualServices) -> SnapshotDescription {
    SnapshotAssembler(
      services: services, topology: Samples.network, ports: Samples.ports, timeouts: ConnectionTimeouts()
    ).assemble().description
  }

  private static func drain(_ services: VirtualServices, _ address: String) -> Drain? {
    services.servers.values.first { "\($0.spec.endpoint.address)" == address }?.drain
  }

  /// A server has another number as long as there are connections by a former method.
  @Test func aDrainIsThatOfAllNumbersOfAServer() throws {
    var services = try DrainTests.services()
    let endpoint = Endpoint(address: try #require(IPAddress("10.2.0.11")), port: 80)
    try services.run("-e -t 10.1.0.100:80 -r 10.2.0.11:80 -b -w 0")
    services.setOwn(ServicePicture.OwnSettings(drainSeconds: 5), of: endpoint, in: DrainTests.key)
    services.noteDrains(atNanoseconds: DrainTests.second)
    let server = try #require(services.known(endpoint, of: DrainTests.key))
    #expect(server.forms.count == 2 && server.drain?.endNanoseconds == 6 * DrainTests.second)
    var records = DrainTests.assembled(services).servers
    records.removeAll { $0.owner != server.number }
    #expect(records.map(\.number).sorted() == services.numbers(of: server).sorted())
    #expect(records.allSatisfy { $0.draining == .going && $0.weight == 0 })
  }

  struct Row: Sendable, CustomTestStringConvertible {
    let testDescription: String
    var lines: [String]
    var address = "10.2.0.11"
    var state: Draining?
    /// 29 s, and 31 s later.
    var later: Draining?
    var over: Draining?
  }

  static let rows = [
    Row(testDescription: "nothing", lines: []),
    Row(
      testDescription: "quiesced", lines: ["-e -t 10.1.0.100:80 -r 10.2.0.11:80 -w 0"], state: .going, later: .going,
      over: .over),
    Row(
      testDescription: "removed", lines: ["-d -t 10.1.0.100:80 -r 10.2.0.11:80"], state: .going, later: .going,
      over: .over),
    Row(
      testDescription: "its service deleted", lines: ["-D -t 10.1.0.100:80"], state: .going, later: .going, over: .over),
    Row(
      testDescription: "removed, at once", lines: ["-d -t 10.1.0.100:80 -r 10.2.0.12:80"], address: "10.2.0.12",
      state: .over, later: .over, over: .over),
    Row(
      testDescription: "removed and back",
      lines: ["-d -t 10.1.0.100:80 -r 10.2.0.11:80", "-a -t 10.1.0.100:80 -r 10.2.0.11:80"]),
    Row(
      testDescription: "of a command",
      lines: ["-a -t 10.1.0.100:80 -r 10.2.0.13:80", "-d -t 10.1.0.100:80 -r 10.2.0.13:80"],
      address: "10.2.0.13"),
  ]

  @Test(arguments: rows) func itDrains(row: Row) throws {
    var services = try DrainTests.services()
    for line in row.lines { try services.run(line) }
    for (seconds, state) in [(2, row.state), (31, row.later), (33, row.over)] as [(UInt64, Draining?)] {
      services.noteDrains(atNanoseconds: seconds * DrainTests.second)
      #expect(DrainTests.drain(services, row.address)?.state == state, "after \(seconds) s")
      let end = DrainTests.drain(services, row.address).flatMap { $0.isOver ? nil : $0.endNanoseconds }
      #expect(services.nextDrainEnd == end)
    }
  }

  @Test func aServerThatComesBackTakesConnectionsAgain() throws {
    var services = try DrainTests.services()
    try services.run("-e -t 10.1.0.100:80 -r 10.2.0.11:80 -w 0")
    services.noteDrains(atNanoseconds: 2 * DrainTests.second)
    try services.run("-e -t 10.1.0.100:80 -r 10.2.0.11:80 -w 1")
    services.noteDrains(atNanoseconds: 3 * DrainTests.second)
    #expect(DrainTests.drain(services, "10.2.0.11") == nil && services.nextDrainEnd == nil)
    try services.run("-e -t 10.1.0.100:80 -r 10.2.0.11:80 -w 0")
    services.noteDrains(atNanoseconds: 4 * DrainTests.second)
    let drain = try #require(DrainTests.drain(services, "10.2.0.11"))
    #expect(drain.secondsLeft(atNanoseconds: 4 * DrainTests.second) == 30, "anew")
    #expect(drain.text(atNanoseconds: 5 * DrainTests.second) == "drains: 29 s left")
    #expect(drain.text(atNanoseconds: 50 * DrainTests.second).hasPrefix("has drained"))
  }

  /// What `expire_nodest_conn` ends at once goes on where there is a `drain_timeout`.
  @Test func aDrainIsNotForgotten() throws {
    var services = try DrainTests.services()
    services.forgetsConnections = true
    try services.run("-a -t 10.1.0.100:80 -r 10.2.0.13:80")
    try services.run("-D -t 10.1.0.100:80")
    services.noteDrains(atNanoseconds: 2 * DrainTests.second)
    let forgotten = services.servers.values.filter { services.isForgotten($0) }.map { "\($0.spec.endpoint)" }
    #expect(forgotten == ["10.2.0.13:80"])
  }

  @Test func listingsTellOfIt() throws {
    var services = try DrainTests.services()
    try services.run("-d -t 10.1.0.100:80 -r 10.2.0.11:80")
    try services.run("-e -t 10.1.0.100:80 -r 10.2.0.12:80 -w 0")
    services.noteDrains(atNanoseconds: 2 * DrainTests.second)
    let dataplane = try Dataplane(connections: 1024, bothDirections: false, seed: 1)
    var request = IpvsadmListing()
    request.isJSON = true
    let text = try Listing(services: services, dataplane: dataplane).text(
      request, timeouts: ConnectionTimeouts(), nowNanoseconds: 12 * DrainTests.second)
    let removed =
      #"{"service":"TCP 10.1.0.100:80","address":"10.2.0.11","port":80,"removed":true,"drain_seconds_left":20"#
    #expect(text.contains(removed), "\(text)")
    #expect(text.contains(#""removed":false,"drain_seconds_left":0"#))
    #expect(text.contains(#""persistent_conns":0,"drain_seconds_left":0"#), "and where the server is listed")
    let before = try Listing(services: try DrainTests.services(), dataplane: dataplane).text(
      request, timeouts: ConnectionTimeouts(), nowNanoseconds: 12 * DrainTests.second)
    #expect(!before.contains("drain"))
  }

  @Test func workersHearOfIt() throws {
    var services = try DrainTests.services()
    try services.run("-d -t 10.1.0.100:80 -r 10.2.0.11:80")
    services.noteDrains(atNanoseconds: 2 * DrainTests.second)
    let description = DrainTests.assembled(services)
    #expect(Set(description.servers.map { "\($0.address) \($0.draining)" }) == ["10.2.0.11 going", "10.2.0.12 none"])
  }
}
