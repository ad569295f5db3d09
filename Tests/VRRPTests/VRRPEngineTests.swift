import Testing
import Wire

@testable import VRRP

/// Several instances: whose datagram it is, groups, and a new configuration.
@Suite struct VRRPEngineTests {
  struct Scene {
    var engine = VRRPEngine()
    var now: Microseconds = 0
    var done: [String] = []

    mutating func note(_ actions: [VRRPAction]) {
      for action in actions {
        switch action {
        case .instance(_, .tell): break
        case .instance(let name, let action): done.append("\(name) \(Stage.word(action))")
        case .group(let name, let action): done.append(action.line(name))
        }
      }
    }

    mutating func update(
      _ definitions: [InstanceDefinition], _ groups: [SyncGroupDefinition] = [], new: Set<String> = []
    ) {
      note(engine.update(to: definitions, groups: groups, withNewAddresses: new, at: now))
    }

    mutating func run(until end: Microseconds) {
      while let next = engine.nextMicroseconds, next <= end {
        now = max(now, next)
        note(engine.fire(at: now))
      }
      now = end
    }

    mutating func handle(_ event: InstanceEvent, _ name: String) { note(engine.handle(event, of: name, at: now)) }

    mutating func take() -> [String] {
      defer { done = [] }
      return done
    }

    func states() -> [InstanceState] { engine.machines.map(\.state) }
  }

  static func definition(
    _ name: String, _ virtualRouter: UInt8, interface: String = "eth0", priority: UInt8 = 100
  ) -> InstanceDefinition {
    var definition = Stage.definition(priority: priority)
    definition.name = name
    definition.virtualRouter = virtualRouter
    definition.interface = interface
    return definition
  }

  private static let pair = [definition("A", 1), definition("B", 2, interface: "eth1")]
  private static let group = [SyncGroupDefinition(name: "VG", members: ["A", "B", "nobody"])]

  private func advert(_ definition: InstanceDefinition, _ priority: UInt8, from source: IPAddress) -> [UInt8] {
    var writer = AdvertWriter()
    var definition = definition
    definition.source = source
    return writer.adverts(of: definition, priority: priority)[0].bytes
  }

  @Test func findsTheInstance() {
    var scene = Scene()
    var one = Self.definition("U1", 7)
    one.destination = .peers([.init(Stage.lower)], hopLimit: 255)
    var two = Self.definition("U2", 7)
    two.source = IPAddress("10.99.0.22")!
    two.destination = .peers([.init(Stage.higher)], hopLimit: 255)
    scene.update([Self.definition("A", 1), one, two])
    let sent: [(InstanceDefinition, IPAddress, String)] = [
      (Self.definition("A", 1), Stage.lower, "eth0"), (Self.definition("A", 1), Stage.lower, "eth1"),
      (Self.definition("A", 9), Stage.lower, "eth0"), (one, Stage.lower, "eth0"), (two, Stage.higher, "eth0"),
    ]
    for (definition, source, interface) in sent {
      let now = scene.now
      let actions = advert(definition, 200, from: source).withUnsafeBytes { bytes in
        Datagram(ipv4: bytes).map { scene.engine.receive($0, interface: interface, at: now) } ?? []
      }
      scene.note(actions)
    }
    #expect(scene.engine.unknownRouters == 2)
    #expect(scene.engine.machines.map { $0.counters.received } == [1, 1, 1])
    #expect(scene.engine.machine("U2")?.lastMaster?.address == Stage.higher)
    #expect(scene.engine.machine("nobody") == nil)
  }

  @Test func groupBecomesMasterTogether() {
    var scene = Scene()
    scene.update(Self.pair, Self.group)
    #expect(
      scene.take() == ["A remove", "A BACKUP", "B remove", "B BACKUP", "VRRP_Group(VG) Entering BACKUP STATE"])
    scene.handle(.advert(Advert(source: Stage.lower, priority: 200)), "B")
    scene.run(until: 3_000_000)
    scene.handle(.advert(Advert(source: Stage.lower, priority: 200)), "B")
    scene.run(until: 6_609_374)
    // A's time is over, but B has heard a master.
    #expect(scene.states() == [.backup, .backup])
    #expect(scene.engine.machine("A")?.wantsMaster == true)
    scene.run(until: 6_609_375)
    #expect(
      scene.take() == [
        "VRRP_Group(VG) Syncing instances to MASTER state", "A send 100", "A add", "A announce 5", "A MASTER",
        "B send 100", "B add", "B announce 5", "B MASTER", "VRRP_Group(VG) Entering MASTER STATE",
      ])
    #expect(scene.engine.groupStates.map(\.state) == [.master])
  }

  private func masters() -> Scene {
    var scene = Scene()
    scene.update(Self.pair, Self.group)
    scene.run(until: 20_000_000)
    _ = scene.take()
    return scene
  }

  @Test func groupGivesWayTogether() {
    var scene = masters()
    scene.handle(.advert(Advert(source: Stage.lower, priority: 200)), "A")
    #expect(
      scene.take() == [
        "A remove", "A BACKUP", "VRRP_Group(VG) Syncing instances to BACKUP state", "B remove",
        "B BACKUP (follows)", "VRRP_Group(VG) Entering BACKUP STATE",
      ])
  }

  @Test func groupIsFaultyTogether() {
    var scene = masters()
    scene.handle(.condition("interface eth1 down", holds: true), "B")
    #expect(
      scene.take() == [
        "B send 0", "B remove", "B FAULT", "VRRP_Group(VG) Syncing instances to FAULT state", "A send 0", "A remove",
        "A FAULT (follows)", "VRRP_Group(VG) Entering FAULT STATE",
      ])
    scene.handle(.condition("x", holds: true), "A")
    scene.handle(.condition("interface eth1 down", holds: false), "B")
    #expect(scene.states() == [.fault, .fault])
    scene.handle(.condition("x", holds: false), "A")
    #expect(scene.states() == [.backup, .backup])
    scene.run(until: 30_000_000)
    #expect(scene.states() == [.master, .master])
  }

  @Test func membersAnnounceEachOthersConflicts() {
    var scene = masters()
    scene.handle(.advert(Advert(source: Stage.lower, priority: 50)), "A")
    #expect(scene.take().filter { $0.contains("announce") } == ["A announce 5", "B announce 5"])
  }

  /// Members must not outbid each other; what is a fault stays one.
  @Test(arguments: [false, true]) func groupWeights(keeps: Bool) {
    var scene = Scene()
    var definitions = Self.pair
    definitions[0].tracked = [TrackedObject(.script, "own", weight: -20)]
    var group = Self.group[0]
    group.tracked = [TrackedObject(.interface, "eth2", weight: -30)]
    group.usesTrackingWeight = keeps
    scene.update(definitions, [group])
    scene.note(scene.engine.observe(.init(.interface, "eth2"), .well(true), at: 0))
    scene.note(scene.engine.observe(.init(.script, "own"), .well(false), at: 0))
    #expect(scene.engine.machines.map(\.priority) == (keeps ? [80, 100] : [100, 100]))
    scene.note(scene.engine.observe(.init(.interface, "eth2"), .well(false), at: 0))
    #expect(scene.engine.machines.map(\.priority) == (keeps ? [50, 70] : [100, 100]))
    #expect(scene.states() == (keeps ? [.backup, .backup] : [.fault, .fault]))
  }

  /// Of two owners, one that gives up does so on all networks.
  @Test func groupGivesUpOwnership() {
    var scene = Scene()
    scene.update(
      [Self.definition("A", 1, priority: 255), Self.definition("B", 2, interface: "eth1", priority: 255)], Self.group)
    scene.run(until: 10_000_000)
    scene.handle(.advert(Advert(source: Stage.higher, priority: 255)), "A")
    #expect(scene.engine.machines.map(\.priority) == [254, 254])
    #expect(scene.states() == [.backup, .backup])
  }

  @Test func stopResigns() {
    var scene = masters()
    scene.note(scene.engine.end(at: scene.now))
    #expect(scene.take() == ["A send 0", "A remove", "A end stop", "B send 0", "B remove", "B end stop"])
    #expect(scene.engine.nextMicroseconds == nil)
  }

  // MARK: - A new configuration

  @Test func reloadKeepsMasters() {
    var scene = masters()
    var renamed = Self.pair
    renamed[0].name = "renamed"
    renamed[1].priority = 120
    let counters = scene.engine.machines[0].counters
    scene.update(renamed, [SyncGroupDefinition(name: "VG", members: ["renamed", "B"])])
    #expect(
      scene.take() == [
        "renamed refresh", "renamed send 100", "B priority 120", "B refresh", "B send 120",
      ])
    #expect(scene.engine.machine("renamed")?.counters.becameMaster == counters.becameMaster)
  }

  @Test func reloadAnnouncesNewAddresses() {
    var scene = masters()
    var definitions = Self.pair
    definitions[0].addresses.append(IPAddress("10.99.0.101")!)
    scene.update(definitions, Self.group)
    #expect(scene.take() == ["A refresh", "A send 100", "A announce 5", "B refresh", "B send 100"])
    scene.update(definitions, Self.group, new: ["B"])
    #expect(scene.take() == ["A refresh", "A send 100", "B refresh", "B send 100", "B announce 5"])
    definitions[0].addresses.removeFirst()
    scene.update(definitions, Self.group)
    #expect(scene.take() == ["A refresh", "A send 100", "B refresh", "B send 100"])
  }

  @Test func reloadEndsWhatIsGone() {
    var scene = masters()
    scene.update([Self.pair[0]])
    #expect(scene.take() == ["B send 0", "B remove", "B end deleted", "A refresh", "A send 100"])
    #expect(scene.states() == [.master])
  }

  /// A new member of a master's group is master with it.
  @Test func reloadAddsToAGroup() {
    var scene = masters()
    let third = Self.definition("C", 3)
    scene.update(Self.pair + [third], [SyncGroupDefinition(name: "VG", members: ["A", "B", "C"])])
    #expect(scene.states() == [.master, .master, .master])
  }

  /// A backup that waits goes on waiting, by the difference of the priorities.
  @Test func reloadMovesTimers() {
    var scene = Scene()
    scene.update([Self.pair[0]])
    scene.run(until: 1_000_000)
    scene.update([Self.definition("A", 1, priority: 200)])
    #expect(scene.engine.machines[0].due == 3_218_750)
    var slower = Self.definition("A", 1, priority: 200)
    slower.configuredInterval = 2_000_000
    scene.update([slower])
    #expect(scene.engine.machines[0].due == 6_218_750)
  }

  /// In version 3 it goes on with the interval that it has heard.
  @Test func reloadKeepsTheMastersInterval() {
    var scene = Scene()
    var definition = Self.definition("A", 1)
    definition.version = .three
    scene.update([definition])
    scene.handle(.advert(Advert(source: Stage.lower, priority: 200, interval: 100_000)), "A")
    definition.priority = 90
    scene.update([definition])
    #expect(scene.engine.machines[0].times.masterInterval == 100_000)
    #expect(scene.engine.machines[0].due == 364_843)
  }

  @Test func sequenceSurvivesAReload() {
    var scene = Scene()
    var definition = Self.definition("A", 1)
    definition.configuredAuthentication = .header(AuthenticationKey("secret12".utf8))
    scene.update([definition])
    scene.run(until: 10_000_000)
    let last = scene.engine.machines[0].writer.sequence.last
    #expect(last == 7)
    definition.priority = 120
    scene.update([definition])
    #expect(scene.engine.machines[0].writer.sequence.last == last + 1)
  }

  @Test func doublesAreLeftOut() {
    var scene = Scene()
    scene.update([Self.definition("A", 1), Self.definition("A", 2), Self.definition("B", 1)])
    #expect(scene.engine.machines.map(\.definition.name) == ["A"])
  }
}
