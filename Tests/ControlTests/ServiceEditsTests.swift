import Config
import Dataplane
import Testing
import Wire

@testable import Control

/// A reload disturbs only what changed.
struct ServiceEditsTests {
  static let text = """
    local_address_group near {
      10.2.0.21
      10.2.0.22
      fd00:2::21
    }
    virtual_server 10.1.0.100 80 {
      protocol TCP
      lb_algo rr
      lb_kind NAT
      real_server 10.2.0.11 80 { weight 1 }
      real_server 10.2.0.12 80 { weight 2 }
    }
    virtual_server 10.1.0.101 80 {
      protocol TCP
      lb_algo wlc
      lb_kind FNAT
      laddr_group_name near
      real_server 10.2.0.11 80 { weight 1 }
    }
    """
  static let first = Samples.tcp("10.1.0.100:80")
  static let second = Samples.tcp("10.1.0.101:80")

  private static func configuration(_ text: String) throws -> Configuration {
    let (configuration, diagnostics) = parseConfiguration(bytes: Array(text.utf8), file: "test.conf")
    try #require(diagnostics.filter { $0.severity == .error }.isEmpty, "\(diagnostics)")
    return configuration
  }

  /// What a reload with the edited text disturbs.
  struct Row: Sendable, CustomTestStringConvertible {
    let testDescription: String
    var replace = ""
    var with = ""
    /// Changes that schedulers hear.
    var changes = 0
    /// Numbers of servers that start anew: of new servers, and of what goes on by another method.
    var renewed = 0
  }

  static let rows = [
    Row(testDescription: "same text"),
    Row(testDescription: "moved by a line", replace: "local_address_group", with: "\n# moved\nlocal_address_group"),
    Row(testDescription: "another weight", replace: "weight 2", with: "weight 3", changes: 1),
    Row(testDescription: "another method", replace: "lb_kind NAT", with: "lb_kind DR", changes: 2, renewed: 2),
    Row(testDescription: "another scheduler", replace: "lb_algo rr", with: "lb_algo wrr", changes: 1),
    Row(
      testDescription: "a server more", replace: "  lb_kind NAT\n",
      with: "  lb_kind NAT\n  real_server 10.2.0.13 80 { }\n",
      changes: 1, renewed: 1),
    Row(
      testDescription: "a server less", replace: "  real_server 10.2.0.12 80 { weight 2 }\n", with: "", changes: 1),
    Row(testDescription: "another local address", replace: "  10.2.0.22\n", with: "  10.2.0.23\n"),
  ]

  @Test(arguments: rows) func reloadDisturbsOnlyWhatChanged(row: Row) throws {
    var services = VirtualServices()
    try services.load(try ServiceEditsTests.configuration(ServiceEditsTests.text))
    _ = services.takeChanges()
    let before = services
    let text =
      row.replace.isEmpty
      ? ServiceEditsTests.text
      : ServiceEditsTests.text.split(separator: row.replace, omittingEmptySubsequences: false).joined(
        separator: row.with)
    #expect(row.replace.isEmpty || text != ServiceEditsTests.text)
    try services.load(try ServiceEditsTests.configuration(text))
    let news = services.takeChanges()
    #expect(news.changes.count == row.changes)
    #expect(news.renewed.count == row.renewed)
    for key in [ServiceEditsTests.first, ServiceEditsTests.second] {
      #expect(services.service(key)?.number == before.service(key)?.number)
      #expect(services.service(key)?.endpoint == before.service(key)?.endpoint)
      let kept = Set(services.numbers(key)).intersection(before.numbers(key))
      for number in kept {
        #expect(services.servers[number]?.spec.endpoint == before.servers[number]?.spec.endpoint)
      }
    }
    #expect(services.numbers(ServiceEditsTests.second) == before.numbers(ServiceEditsTests.second))
  }

  @Test func serviceLeftOutIsDeleted() throws {
    var services = VirtualServices()
    var configuration = try ServiceEditsTests.configuration(ServiceEditsTests.text)
    try services.load(configuration)
    configuration.services.removeFirst()
    try services.load(configuration)
    #expect(services.listed.map(\.spec.key) == [ServiceEditsTests.second])
    try services.load(Configuration())
    #expect(services.listed.isEmpty && services.services.count == 2, "connections still have their service")
  }

  @Test func localAddressesFollowTheGroup() throws {
    var services = VirtualServices()
    var configuration = try ServiceEditsTests.configuration(ServiceEditsTests.text)
    try services.load(configuration)
    func active() -> [String] {
      (services.service(ServiceEditsTests.second)?.localAddresses ?? []).filter(\.isActive).map { "\($0.address)" }
    }
    #expect(active() == ["10.2.0.21", "10.2.0.22"], "those of the service's family")
    configuration.services[1].localAddressGroup = nil
    try services.load(configuration)
    #expect(active() == [])
    #expect(services.service(ServiceEditsTests.second)?.localAddresses.count == 2, "indices stay")
  }

  /// A service that comes again has the local addresses that it is given then.
  @Test func localAddressesGoWithTheService() throws {
    var services = VirtualServices()
    let configuration = try ServiceEditsTests.configuration(ServiceEditsTests.text)
    try services.load(configuration)
    try services.run("-D -t 10.1.0.101:80")
    try services.run("-A -t 10.1.0.101:80 -s rr")
    #expect(services.service(ServiceEditsTests.second)?.localAddresses.map(\.isActive) == [false, false])
    try services.run("-D -t 10.1.0.101:80")
    try services.load(configuration)
    #expect(services.service(ServiceEditsTests.second)?.localAddresses.map(\.isActive) == [true, true])
  }

  /// What servers are told is for new connections; what the wide table may hold, it may hold from then on.
  @Test func conveyanceFollowsTheConfiguration() throws {
    var services = VirtualServices()
    let text = ServiceEditsTests.text.replacingOnce("laddr_group_name near", with: "laddr_group_name near\n  toa")
    try services.load(try ServiceEditsTests.configuration(text))
    func described(_ key: ServiceKey) throws -> SnapshotDescription.Service {
      let assembler = SnapshotAssembler(
        services: services, topology: Samples.network, ports: Samples.ports, timeouts: ConnectionTimeouts())
      let number = try #require(services.service(key)?.number)
      return try #require(assembler.assemble().description.services.first { $0.number == number })
    }
    #expect(try described(Self.second).conveyance == .option && described(Self.second).opensWide)
    #expect(try described(Self.first).conveyance == .none && !described(Self.first).opensWide)
    try services.run("-E -t 10.1.0.101:80 -s rr")
    #expect(try described(Self.second).conveyance == .option, "ipvsadm has no word for it, so it stays")
    try services.load(try ServiceEditsTests.configuration(ServiceEditsTests.text))
    #expect(try described(Self.second).conveyance == .none && described(Self.second).opensWide)
  }

  /// Servers of the other family are sent to from addresses of theirs.
  @Test func localAddressesAreOfTheServersFamily() throws {
    var services = VirtualServices()
    let text = ServiceEditsTests.text.replacingOnce(
      "laddr_group_name near\n  real_server 10.2.0.11", with: "laddr_group_name near\n  real_server fd00:2::11")
    try services.load(try ServiceEditsTests.configuration(text))
    let service = try #require(services.service(ServiceEditsTests.second))
    #expect(service.localAddresses.map { "\($0.address)" } == ["fd00:2::21"])
    #expect(service.hasOpenedWide)
  }

  @Test func refusedReloadChangesNothing() throws {
    var services = VirtualServices()
    var configuration = try ServiceEditsTests.configuration(ServiceEditsTests.text)
    try services.load(configuration)
    _ = services.takeChanges()
    configuration.services.removeFirst()
    configuration.services[0].schedulerName = "nosuch"
    #expect(throws: EditError.noScheduler("nosuch")) { try services.load(configuration) }
    #expect(services.listed.count == 2)
    #expect(services.takeChanges().changes.isEmpty)
  }
}

extension String {
  /// With `part`, which must be there, replaced.
  func replacingOnce(_ part: String, with other: String) -> String {
    let pieces = split(separator: part, maxSplits: 1, omittingEmptySubsequences: false)
    #expect(pieces.count == 2)
    return pieces.joined(separator: other)
  }
}
