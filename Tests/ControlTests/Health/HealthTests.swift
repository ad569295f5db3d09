import Config
@testable import HealthCheck
import Testing
import Wire

@testable import Control

/// From a configuration and reports to what is told, and to services as a reload compares them.
struct HealthTests {
  private static let text = """
    virtual_server_group g { 
    10.0.0.1-2 80
    }
    virtual_server group g {
    protocol TCP
    lb_algo rr
    lb_kind NAT
    quorum 2
    hysteresis 1
    sorry_server 10.9.9.9 80
    real_server 10.1.0.1 80 { 
    weight 2
    TCP_CHECK { 
    }
    }
    real_server 10.1.0.2 80 { 
    inhibit_on_failure
    TCP_CHECK {
    }
    PING_CHECK {
    }
    }
    }
    virtual_server 10.0.0.9 53 {
    protocol UDP
    lb_algo rr
    lb_kind NAT
    real_server 10.1.0.1 53 {
    }
    }
    """

  private static func configuration(_ text: String = text) throws -> Configuration {
    let (configuration, findings) = parseConfiguration(bytes: Array(text.utf8), file: "t")
    try #require(findings.filter { $0.severity >= .error }.isEmpty, "\(findings)")
    return configuration
  }

  private static func report(_ health: Health, _ check: Int, _ verdict: CheckVerdict) -> CheckReport {
    let named = health.checks[check]
    return CheckReport(
      id: named.id, definition: named.definition, event: .verdict(isFirst: false, failures: verdict == .well ? 0 : 1),
      verdict: verdict, weight: nil, error: nil, atNanoseconds: 0, nextNanoseconds: nil)
  }

  private static func servers(_ health: Health) -> [String] {
    health.pictures.map { picture in
      "\(picture.spec.key): "
        + picture.servers.map { "\($0.spec.endpoint.address)=\($0.spec.weight)" }.joined(separator: " ")
    }
  }

  @Test func aGroupsServicesShareTheirChecks() throws {
    let health = Health(try HealthTests.configuration())
    #expect(
      health.checks.map { "\($0.id): \($0.definition.kind.name)" } == [
        "[10.1.0.1]:tcp:80 of [g]:80, check 0: TCP_CHECK", "[10.1.0.2]:tcp:80 of [g]:80, check 0: TCP_CHECK",
        "[10.1.0.2]:tcp:80 of [g]:80, check 1: PING_CHECK",
      ])
    #expect(health.units.count == 2 && health.pictures.count == 3)
    #expect(
      health.beginning.flatMap(\.lines) == [
        "Gained quorum 2+1=3 <= 3 for VS [g]:80", "Removing sorry server [10.9.9.9]:tcp:80 from VS [g]:80",
        "Adding alive servers to the pool for VS [g]:80", "Gained quorum 1+0=1 <= 1 for VS [10.0.0.9]:udp:53",
      ])
  }

  @Test func whatFailsIsToldAndLeaves() throws {
    var health = Health(try HealthTests.configuration())
    var lines = health.apply(HealthTests.report(health, 1, .failed)).flatMap(\.lines)
    #expect(lines == ["Disabling service [10.1.0.2]:tcp:80 of VS [g]:80"])
    #expect(
      HealthTests.servers(health) == [
        "TCP 10.0.0.1:80: 10.1.0.1=2 10.1.0.2=0", "TCP 10.0.0.2:80: 10.1.0.1=2 10.1.0.2=0",
        "UDP 10.0.0.9:53: 10.1.0.1=1",
      ])
    lines = health.apply(HealthTests.report(health, 0, .failed)).flatMap(\.lines)
    #expect(
      lines == [
        "Removing service [10.1.0.1]:tcp:80 from VS [g]:80", "Lost quorum 2-1=1 > 0 for VS [g]:80",
        "Adding sorry server [10.9.9.9]:tcp:80 to VS [g]:80",
        "Removing alive servers from the pool for VS [g]:80",
      ])
    #expect(HealthTests.servers(health)[1] == "TCP 10.0.0.2:80: 10.1.0.2=0 10.9.9.9=1")
    lines = health.apply(HealthTests.report(health, 0, .well)).flatMap(\.lines)
    #expect(lines == ["Adding service [10.1.0.1]:tcp:80 to VS [g]:80"])
    // Weight 2 is not yet quorum and hysteresis.
    #expect(HealthTests.servers(health)[0] == "TCP 10.0.0.1:80: 10.1.0.2=0 10.9.9.9=1")
  }

  @Test func reportsOfChecksThatAreNoMoreAreDropped() throws {
    var health = Health(try HealthTests.configuration())
    let stale = HealthTests.report(health, 1, .failed)
    health = Health(
      try HealthTests.configuration(
        HealthTests.text.replacing("TCP_CHECK {\n}\nPING_CHECK", with: "TCP_CHECK {\nconnect_port 81\n}\nPING_CHECK")))
    #expect(health.unit(of: stale) == nil && health.apply(stale).isEmpty)
  }

  @Test func aReloadKnowsWhoWasDown() throws {
    var old = Health(try HealthTests.configuration())
    _ = old.apply(HealthTests.report(old, 0, .failed))
    var new = Health(try HealthTests.configuration(HealthTests.text.replacing("quorum 2", with: "quorum 1")))
    // Weight 1 is less than quorum 2 - hysteresis 1? No: it is just that, so the quorum is still there.
    #expect(new.takeUp(old).flatMap(\.lines).isEmpty)
    #expect(HealthTests.servers(new)[0] == "TCP 10.0.0.1:80: 10.1.0.2=1")
  }

  /// What changes is told to workers as commands of ipvsadm; what ipvsadm has changed itself stays.
  @Test func changesBecomeAPlan() throws {
    let configuration = try HealthTests.configuration()
    var health = Health(configuration)
    var services = VirtualServices()
    try services.load(configuration, health: health)
    let key = ServiceKey.address(.tcp, Endpoint(address: try #require(IPAddress("10.0.0.1")), port: 80))
    let former = health.pictures(of: 0)
    _ = health.apply(HealthTests.report(health, 0, .failed))
    let pairs = zip(former, health.pictures(of: 0)).map { (former: $0, new: $1) }
    let plan = ReloadPlan(from: services, changing: pairs)
    #expect(plan.lines == ["-d -t 10.0.0.1:80 -r 10.1.0.1:80", "-d -t 10.0.0.2:80 -r 10.1.0.1:80"])
    try services.apply(plan, localPorts: configuration.settings.localPorts)
    #expect(services.service(key)?.servers.count == 1)
    #expect(ReloadPlan(from: services, changing: pairs).isEmpty)
  }

  @Test func withoutChecksEverybodyIsUp() throws {
    let health = Health(try HealthTests.configuration(HealthTests.text + "\n"), runsChecks: false)
    #expect(health.checks.isEmpty)
    #expect(HealthTests.servers(health)[0] == "TCP 10.0.0.1:80: 10.1.0.1=2 10.1.0.2=1")
  }
}
