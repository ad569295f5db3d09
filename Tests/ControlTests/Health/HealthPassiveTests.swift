import Config
import Dataplane
import Testing
import Wire

@testable import Control
@testable import HealthCheck

/// What passive detection makes of services: lists, words, mails, and what becomes of it with a reload.
struct HealthPassiveTests {
  private static func text(
    _ lines: String = "", servers: [Int] = [1, 2, 3], check: String = "TCP_CHECK {\n}"
  ) -> String {
    """
    virtual_server_group g {
    10.0.0.1-2 80
    }
    virtual_server group g {
    protocol TCP
    lb_algo rr
    lb_kind NAT
    \(lines)
    \(servers.map { "real_server 10.1.0.\($0) 80 {\nweight 4\n\(check)\n}" }.joined(separator: "\n"))
    }
    """
  }
  private static let passive = "passive_check {\nminimum 20\n}\n"

  private static func health(_ text: String) throws -> Health {
    let (configuration, findings) = parseConfiguration(bytes: Array(text.utf8), file: "t")
    try #require(findings.filter { $0.severity >= .error }.isEmpty, "\(findings)")
    return Health(configuration)
  }

  private static let second: UInt64 = 1_000_000_000

  /// Runs traffic of ten connections a second over both services; `dead` answers none of them.
  private static func run(
    _ health: inout Health, _ seconds: ClosedRange<UInt64>, dead: String = "10.1.0.2"
  ) -> [PassiveFinding] {
    seconds.flatMap { elapsed in
      let now = (100 + elapsed) * second
      let decisions = health.look(at: 0, atNanoseconds: now) { _, server in
        var sums = PassiveWatch.Sums(opened: elapsed * 5, answered: elapsed * 5, refused: 0, numbers: [1])
        if server.endpoint.address == IPAddress(dead) { sums.answered = 0 }
        return sums
      }
      return health.carryOut(decisions, for: 0, atNanoseconds: now)
    }
  }

  private static func servers(_ health: Health) -> [String] {
    health.pictures.map { picture in
      picture.servers.map { "\($0.spec.endpoint.address)=\($0.spec.weight)" }.joined(separator: " ")
    }
  }

  @Test func itLeavesBothServicesAndSaysWhy() throws {
    var health = try Self.health(Self.text(Self.passive))
    let findings = Self.run(&health, 1...5)
    try #require(findings.count == 1)
    #expect(
      findings[0].line
        == "Passive check on service [10.1.0.2]:tcp:80 of VS [g]:80 failed: of 20 connections in 10 s 20 were not answered."
    )
    #expect(findings[0].changes.flatMap(\.lines) == ["Removing service [10.1.0.2]:tcp:80 from VS [g]:80"])
    #expect(findings[0].checks == [CheckID(service: "[g]:80", server: "[10.1.0.2]:tcp:80", number: 0)])
    #expect(Self.servers(health) == ["10.1.0.1=4 10.1.0.3=4", "10.1.0.1=4 10.1.0.3=4"])
    #expect(health.awaitedChecks.map(\.id) == findings[0].checks)
    let notices = HealthNotices(globals: GlobalSettings()).notices(of: findings[0])
    #expect(notices.count == 1 && notices.first?.event == .down)
    #expect(notices.first?.detail?.hasSuffix("of 20 connections in 10 s 20 were not answered") == true)
  }

  /// What workers count by all of a server's numbers is the server's; one that is not in the list has nothing.
  @Test func sumsAreOfAllNumbers() throws {
    let (configuration, _) = parseConfiguration(bytes: Array(Self.text(Self.passive).utf8), file: "t")
    var services = VirtualServices()
    try services.load(configuration, health: Health(configuration))
    let service = try #require(configuration.services.first)
    let endpoint = service.realServers[1].endpoint
    var server = try #require(services.known(endpoint, of: service.key))
    var other = server.forms[0]
    other.number = 7000
    server.forms.append(other)
    let sums = PassiveWatch.Sums(server) { number in
      var counters = ServerCounters()
      (counters.opened, counters.answered, counters.refused) = number == 7000 ? (100, 20, 3) : (1, 1, 1)
      return counters
    }
    #expect(sums == PassiveWatch.Sums(opened: 101, answered: 21, refused: 4, numbers: [server.number, 7000]))
    #expect(PassiveWatch.Sums(nil) { _ in ServerCounters() } == PassiveWatch.Sums())
  }

  @Test func withoutTheKeywordNobodyIsWatched() throws {
    var health = try Self.health(Self.text())
    #expect(health.watchedUnits == [] && Self.run(&health, 1...30).isEmpty)
    let configuration = parseConfiguration(bytes: Array(Self.text(Self.passive).utf8), file: "t").0
    #expect(Health(configuration, runsChecks: false).watchedUnits == [])
  }

  @Test func inhibitedItKeepsItsPlace() throws {
    var health = try Self.health(Self.text(Self.passive + "inhibit_on_failure"))
    let findings = Self.run(&health, 1...5)
    #expect(findings.flatMap(\.changes).flatMap(\.lines) == ["Disabling service [10.1.0.2]:tcp:80 of VS [g]:80"])
    #expect(Self.servers(health)[1] == "10.1.0.1=4 10.1.0.2=0 10.1.0.3=4")
  }

  @Test func theQuorumGoesByIt() throws {
    var health = try Self.health(Self.text(Self.passive + "quorum 9\nsorry_server 10.9.9.9 80"))
    #expect(
      Self.run(&health, 1...5).flatMap(\.changes).flatMap(\.lines) == [
        "Removing service [10.1.0.2]:tcp:80 from VS [g]:80", "Lost quorum 9-0=9 > 8 for VS [g]:80",
        "Adding sorry server [10.9.9.9]:tcp:80 to VS [g]:80", "Removing alive servers from the pool for VS [g]:80",
      ])
    #expect(Self.servers(health)[0] == "10.9.9.9=1")
  }

  private static func report(_ health: Health, _ check: Int, confirms: Bool) -> CheckReport {
    let named = health.checks[check]
    var report = CheckReport(
      id: named.id, definition: named.definition, event: .confirmed, verdict: .well, weight: nil, error: nil,
      atNanoseconds: 0, nextNanoseconds: nil)
    report.confirms = confirms
    return report
  }

  @Test func itComesBackByItsCheck() throws {
    var health = try Self.health(Self.text(Self.passive + "warmup_weight 4"))
    _ = Self.run(&health, 1...5)
    // Another server's check, and one that began before.
    #expect(health.apply(Self.report(health, 0, confirms: true)).isEmpty)
    #expect(health.apply(Self.report(health, 1, confirms: false)).isEmpty)
    #expect(Self.run(&health, 6...60).isEmpty)
    #expect(health.apply(Self.report(health, 1, confirms: true)).isEmpty, "that is decided by the clock")
    let findings = Self.run(&health, 61...61)
    #expect(findings.map(\.line) == ["Passive check on service [10.1.0.2]:tcp:80 of VS [g]:80 lets it come back."])
    #expect(findings.flatMap(\.changes).flatMap(\.lines) == ["Adding service [10.1.0.2]:tcp:80 to VS [g]:80"])
    #expect(Self.servers(health)[0] == "10.1.0.1=4 10.1.0.2=1 10.1.0.3=4", "its weight rises as after any return")
    #expect(HealthNotices(globals: GlobalSettings()).notices(of: findings[0]).first?.event == .up)
    #expect(health.awaitedChecks.isEmpty)
  }

  /// Checks that wait for changes never tell that a server is back.
  @Test func checksThatDoNotAskAreNotWaitedFor() throws {
    let text =
      "track_file f {\nfile /none\n}\n" + Self.text(Self.passive, check: "FILE_CHECK {\ntrack_file f\n}")
    var health = try Self.health(text)
    #expect(health.checks.count == 3)
    let findings = Self.run(&health, 1...5)
    #expect(findings.map(\.checks) == [[]])
    #expect(Self.run(&health, 6...36).map(\.reason) == [nil])
  }

  @Test func aReload() throws {
    var old = try Self.health(Self.text(Self.passive))
    _ = Self.run(&old, 1...5)
    var same = try Self.health(Self.text(Self.passive + "quorum 2", servers: [4, 3, 2, 1]))
    #expect(same.takeUp(old).flatMap(\.lines).isEmpty)
    #expect(Self.servers(same)[1] == "10.1.0.4=4 10.1.0.3=4 10.1.0.1=4")
    #expect(same.awaitedChecks.map(\.id.server) == ["[10.1.0.2]:tcp:80"])
    #expect(same.awaitedChecks.map(\.sinceNanoseconds) == old.awaitedChecks.map(\.sinceNanoseconds))
    var other = try Self.health(Self.text())
    #expect(other.takeUp(old).flatMap(\.lines) == ["Adding service [10.1.0.2]:tcp:80 to VS [g]:80"])
    #expect(Self.servers(other)[0] == "10.1.0.1=4 10.1.0.2=4 10.1.0.3=4")
  }

  @Test func theListingSaysWhy() throws {
    var health = try Self.health(Self.text(Self.passive, check: ""))
    _ = Self.run(&health, 1...5)
    let listing = HealthListing(health, [], nowNanoseconds: 112 * Self.second)
    let lines = listing.text(only: nil).split(separator: "\n")
    let line = try #require(lines.first { $0.contains("10.1.0.2") })
    #expect(line.hasSuffix("of 20 connections in 10 s 20 were not answered"))
    #expect(line.contains("down") && line.contains("8s") && line.contains("unchecked"))
    #expect(listing.json().contains("\"passively_removed\":true"))
    let servers = listing.summaries[0].servers
    #expect(servers.map(\.isSuspect) == [false, true, false] && servers.map(\.passiveRemovals) == [0, 1, 0])
    #expect(servers.map(\.isUp) == [true, false, true])
  }
}
