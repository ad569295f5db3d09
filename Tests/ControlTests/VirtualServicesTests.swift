import Config
import Scheduler
import Testing
import Wire

@testable import Control

/// Numbers stay with their thing, edits are refused in ipvsadm's words, and reclaiming frees what nobody uses.
struct VirtualServicesTests {
  static let key = Samples.tcp("10.1.0.100:80")
  static let start = """
    -A -t 10.1.0.100:80 -s rr
    -a -t 10.1.0.100:80 -r 10.2.0.11:80 -m
    -a -t 10.1.0.100:80 -r 10.2.0.12:80 -m
    """

  @Test func listHasTheNewestServerFirst() {
    let services = Samples.services(VirtualServicesTests.start)
    let endpoints = services.numbers(VirtualServicesTests.key).map { services.servers[$0]?.spec.endpoint.description }
    #expect(endpoints == ["10.2.0.12:80", "10.2.0.11:80"])
  }

  @Test func serverDeletedAndAddedKeepsItsNumbers() throws {
    var services = Samples.services(VirtualServicesTests.start)
    let before = services.servers
    _ = services.takeChanges()
    try services.run("-d -t 10.1.0.100:80 -r 10.2.0.11:80")
    #expect(services.servers.values.filter { !$0.isAvailable }.count == 1)
    try services.run("-a -t 10.1.0.100:80 -r 10.2.0.11:80 -m -w 7")
    let numbers = services.numbers(VirtualServicesTests.key)
    #expect(Set(numbers) == Set(before.keys))
    #expect(services.servers[numbers[0]]?.spec.weight == 7)
    #expect(services.servers[numbers[0]]?.forms[0].endpoint == before[numbers[0]]?.forms[0].endpoint)
    // Its connections are still counted, so its counters must not be.
    #expect(services.takeChanges().renewed.isEmpty)
  }

  /// What is refused for want of an endpoint's number takes no other number with it.
  @Test func endpointsRunOut() throws {
    var services = VirtualServices(endpointCount: 2, count: 2)
    try services.run("-A -t 10.1.0.100:80 -s rr")
    try services.run("-a -t 10.1.0.100:80 -r 10.2.0.11:80 -m")
    for refused in ["-a -t 10.1.0.100:80 -r 10.2.0.12:80 -m", "-A -t 10.1.0.100:81 -s rr"] {
      for _ in 0..<3 { #expect(throws: EditError.tooMany) { try services.run(refused) } }
    }
    _ = services.takeChanges()
    try services.run("-a -t 10.1.0.100:80 -r 10.2.0.12:80 -g")
    #expect(services.servers.count == 2 && services.takeChanges().renewed.count == 1)
  }

  @Test func lastWeightOutlivesQuiescenceButNotAdding() throws {
    var services = Samples.services(VirtualServicesTests.start)
    func lastWeight() -> Int32? {
      services.servers.values.first { $0.spec.endpoint == Samples.endpoint("10.2.0.11:80") }?.lastWeight
    }
    #expect(lastWeight() == 1)
    try services.run("-e -t 10.1.0.100:80 -r 10.2.0.11:80 -m -w 5")
    #expect(lastWeight() == 5)
    try services.run("-e -t 10.1.0.100:80 -r 10.2.0.11:80 -m -w 0")
    #expect(lastWeight() == 5)
    try services.run("-d -t 10.1.0.100:80 -r 10.2.0.11:80")
    try services.run("-a -t 10.1.0.100:80 -r 10.2.0.11:80 -m -w 0")
    #expect(lastWeight() == 0, "the same server, revived, but added with 0")
  }

  @Test func serviceDeletedAndAddedKeepsItsNumbers() throws {
    var services = Samples.services(VirtualServicesTests.start)
    let before = try #require(services.service(VirtualServicesTests.key))
    try services.run("-D -t 10.1.0.100:80")
    #expect(services.service(VirtualServicesTests.key) == nil && services.services[before.number]?.isActive == false)
    try services.run("-A -t 10.1.0.100:80 -s wlc")
    let after = try #require(services.service(VirtualServicesTests.key))
    #expect(after.number == before.number && after.endpoint == before.endpoint)
    #expect(after.scheduler == .weightedLeastConnection && after.servers.isEmpty)
    try services.run("-a -t 10.1.0.100:80 -r 10.2.0.12:80 -m")
    #expect(services.numbers(VirtualServicesTests.key) == [before.servers[0]])
  }

  @Test func servicesShareTheEndpointOfANATServer() throws {
    var services = Samples.services(VirtualServicesTests.start)
    for line in [
      "-A -t 10.1.0.101:80", "-a -t 10.1.0.101:80 -r 10.2.0.11:80 -m", "-a -t 10.1.0.101:80 -r 10.2.0.13:80",
    ] {
      try services.run(line)
    }
    func endpoints(_ text: String) -> Set<UInt16> {
      Set(services.servers.values.filter { $0.spec.endpoint == Samples.endpoint(text) }.map(\.forms[0].endpoint))
    }
    #expect(endpoints("10.2.0.11:80").count == 1)
    #expect(endpoints("10.2.0.11:80").isDisjoint(with: endpoints("10.2.0.12:80")))
    // Direct routing has no replies to recognise.
    #expect(endpoints("10.2.0.13:80") == [0])
    let shared = try #require(endpoints("10.2.0.11:80").first)
    // One user goes: the other keeps the endpoint. Both go: the number is free, and used last.
    try services.run("-D -t 10.1.0.100:80")
    services.reclaim { _ in true }
    #expect(endpoints("10.2.0.11:80") == [shared])
    try services.run("-D -t 10.1.0.101:80")
    services.reclaim { _ in true }
    #expect(services.servers.isEmpty && services.services.isEmpty)
    try services.run("-A -t 10.1.0.101:80")
    try services.run("-a -t 10.1.0.101:80 -r 10.2.0.11:80 -m")
    #expect(!endpoints("10.2.0.11:80").contains(shared))
  }

  @Test func methodMayBeEditedToOneThatNeedsAnEndpoint() throws {
    var services = Samples.services("-A -t 10.1.0.100:80\n-a -t 10.1.0.100:80 -r 10.2.0.11:80 -g")
    let number = services.numbers(VirtualServicesTests.key)[0]
    try services.run("-e -t 10.1.0.100:80 -r 10.2.0.11:80 -m")
    #expect(services.servers[number]?.forms.map { $0.endpoint != 0 } == [true, false])
    // Connections made before may still need it.
    try services.run("-e -t 10.1.0.100:80 -r 10.2.0.11:80 -g")
    #expect(services.servers[number]?.forms.map { $0.endpoint != 0 } == [false, true])
  }

  @Test func usedNumbersAreNotReclaimed() throws {
    var services = Samples.services(VirtualServicesTests.start)
    let numbers = services.numbers(VirtualServicesTests.key)
    services.reclaim { _ in true }
    #expect(services.servers.count == 2, "what is active stays")
    try services.run("-D -t 10.1.0.100:80")
    services.reclaim { $0 == numbers[0] }
    #expect(services.servers.keys.sorted() == [numbers[1]])
    #expect(services.services.count == 1, "a server's service stays")
    services.reclaim { _ in true }
    #expect(services.servers.isEmpty && services.services.isEmpty)
    _ = services.takeChanges()
    // Same key, but nothing is left of what it was: fresh numbers, counters from zero.
    try services.run("-A -t 10.1.0.100:80 -s rr")
    try services.run("-a -t 10.1.0.100:80 -r 10.2.0.11:80 -m")
    #expect(!numbers.contains(services.numbers(VirtualServicesTests.key)[0]))
    #expect(services.takeChanges().renewed == services.numbers(VirtualServicesTests.key))
  }

  @Test func numbersComeBackLast() {
    var pool = NumberPool(range: 3...5)
    #expect([pool.take(), pool.take()] == [3, 4])
    pool.give(3)
    #expect([pool.take(), pool.take(), pool.take()] == [5, 3, nil])
  }

  /// A line that is refused after `start`, and why.
  static let refused: [(line: String, error: EditError)] = [
    ("-A -t 10.1.0.100:80 -s wlc", .serviceExists),
    ("-A -t 10.1.0.100:81 -s nosuch", .noScheduler("nosuch")),
    ("-E -t 10.1.0.100:80 -s nosuch", .noScheduler("nosuch")),
    ("-E -t 10.1.0.100:81 -s rr", .noService),
    ("-E -u 10.1.0.100:80 -s rr", .noService),
    ("-D -t 10.1.0.100:81", .noService),
    ("-a -t 10.1.0.100:81 -r 10.2.0.11:80", .serviceNotDefined),
    ("-e -t 10.1.0.100:81 -r 10.2.0.11:80", .serviceNotDefined),
    ("-d -t 10.1.0.100:81 -r 10.2.0.11:80", .serviceNotDefined),
    ("-a -t 10.1.0.100:80 -r 10.2.0.11:80 -m", .serverExists),
    ("-e -t 10.1.0.100:80 -r 10.2.0.13:80 -m", .noServer),
    ("-e -t 10.1.0.100:80 -r 10.2.0.11:81 -m", .noServer),
    ("-d -t 10.1.0.100:80 -r 10.2.0.13:80", .noServer),
  ]

  @Test(arguments: refused.indices) func refusedEditChangesNothing(row: Int) throws {
    var services = Samples.services(VirtualServicesTests.start)
    _ = services.takeChanges()
    let (line, error) = VirtualServicesTests.refused[row]
    #expect(throws: error, "\(line)") { try services.run(line) }
    #expect(services.listed.map(\.spec.key) == [VirtualServicesTests.key])
    #expect(services.servers.count == 2 && services.takeChanges().changes.isEmpty)
  }

  /// The words of ipvsadm.
  static let words: [(EditError, String)] = [
    (.serviceExists, "Service already exists"), (.noService, "No such service"),
    (.serviceNotDefined, "Service not defined"), (.serverExists, "Destination already exists"),
    (.noServer, "No such destination"),
  ]

  @Test func errorsAreInTheWordsOfIpvsadm() {
    for (error, text) in VirtualServicesTests.words { #expect(error.description == text) }
    #expect(EditError.noScheduler("x").description.hasPrefix("Scheduler or persistence engine not found"))
    #expect(EditError.tooMany.description.hasPrefix("too many"))
  }

  /// Several changes published at once: weighted round robin is told the pace of the list after each.
  @Test func schedulersHearEachChangeWithItsPace() throws {
    var services = Samples.services(VirtualServicesTests.start.replacing("-s rr", with: "-s wrr"))
    let numbers = services.numbers(VirtualServicesTests.key)
    try services.run("-e -t 10.1.0.100:80 -r 10.2.0.11:80 -m -w 3")
    try services.run("-E -t 10.1.0.100:80 -s rr -b flag-3")
    try services.run("-d -t 10.1.0.100:80 -r 10.2.0.11:80")
    try services.run("-E -t 10.1.0.100:80 -s wrr")
    let heard = services.takeChanges().changes
    #expect(
      heard.map(\.change) == [
        .bound, .added(identifier: numbers[1]), .added(identifier: numbers[0]), .edited, .bound,
        .removed(identifier: numbers[1], predecessor: numbers[0]), .bound,
      ])
    #expect(heard.map(\.pace.maximum) == [0, 1, 1, 3, 0, 0, 1], "round robin has no pace")
    #expect(heard.map(\.pace.step) == [1, 1, 1, 1, 1, 1, 1])
    #expect(heard.last?.scheduler == .weightedRoundRobin)
    #expect(services.takeChanges().changes.isEmpty, "told once")
  }

  @Test func clearDeletesEverything() throws {
    var services = Samples.services(VirtualServicesTests.start + "\n-A -u 10.1.0.100:53")
    try services.run("-C")
    #expect(services.listed.isEmpty)
    services.reclaim { _ in true }
    #expect(services.services.isEmpty && services.servers.isEmpty)
  }

  @Test func localAddressesKeepTheirIndex() {
    var services = Samples.services("-A -t 10.1.0.100:80")
    let texts = ["10.2.0.21", "10.2.0.22", "10.2.0.23"].map(Samples.address)
    services.setLocalAddresses(Array(texts[...1]), of: VirtualServicesTests.key)
    services.setLocalAddresses([texts[2], texts[1]], of: VirtualServicesTests.key)
    let list = services.service(VirtualServicesTests.key)?.localAddresses ?? []
    #expect(list.map(\.address) == texts)
    #expect(list.map(\.isActive) == [false, true, true])
    services.setLocalAddresses(texts, of: VirtualServicesTests.key)
    #expect(services.service(VirtualServicesTests.key)?.localAddresses.map(\.isActive) == [true, true, true])
  }
}
