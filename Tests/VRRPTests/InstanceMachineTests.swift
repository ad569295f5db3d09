import Testing
import Wire

@testable import VRRP

/// Start, timers, faults and the end of one instance.
@Suite struct InstanceMachineTests {
  @Test func listensFirst() {
    var stage = Stage.started(Stage.definition())
    #expect(stage.lines == ["(VI_1) Entering BACKUP STATE (init)"])
    #expect(stage.take() == ["remove", "BACKUP"])
    stage.run(until: 3_609_374)
    #expect(stage.machine.state == .backup)
    stage.run(until: 3_609_375)
    #expect(
      stage.lines == [
        "(VI_1) Receive advertisement timeout", "(VI_1) Entering MASTER STATE", "(VI_1) setting VIPs.",
      ])
    #expect(stage.take() == ["send 100", "add", "announce 5", "MASTER"])
    #expect(stage.machine.since == 3_609_375)
  }

  @Test func ownerTakesAtOnce() {
    var stage = Stage.started(Stage.definition(priority: 255))
    #expect(stage.take() == ["remove", "send 255", "add", "announce 5", "MASTER"])
    #expect(stage.machine.counters.becameMaster == 1)
  }

  @Test func startupDelay() {
    var definition = Stage.definition()
    definition.election.startupDelay = 20_000_000
    var stage = Stage.started(definition)
    #expect(stage.machine.due == 23_609_375)
    stage.run(until: 1_000_000)
    stage.hear(200)
    #expect(stage.machine.due == 23_609_375)
    stage.hear(0)
    #expect(stage.machine.due == 20_609_375)
    definition.priority = 255
    stage = Stage.started(definition)
    #expect(stage.machine.state == .backup)
    stage.run(until: 20_000_000)
    #expect(stage.machine.state == .master)
  }

  @Test func sendsEveryInterval() {
    var stage = Stage.master(Stage.definition())
    let sent = stage.machine.counters.sent
    stage.run(until: 20_000_000)
    #expect(stage.machine.counters.sent == sent + 10)
    #expect(stage.take() == [String](repeating: "send 100", count: 10))
  }

  /// A turn that is late is not made up for.
  @Test func lateMasterSendsOnce() {
    var stage = Stage.master(Stage.definition())
    stage.now = 17_300_000
    stage.handle(.timer)
    #expect(stage.take() == ["send 100"])
    #expect(stage.machine.due == 18_300_000)
  }

  @Test func announcesAgainAndRefreshes() {
    var definition = Stage.definition()
    definition.announcement.refresh = 4_000_000
    definition.announcement.refreshRepeat = 2
    var stage = Stage.started(definition)
    var bursts: [(Microseconds, String)] = []
    while let next = stage.machine.nextMicroseconds, next < 17_000_000 {
      stage.run(until: next)
      bursts += stage.take().filter { $0.hasPrefix("announce") }.map { (next, $0) }
    }
    #expect(bursts.map(\.0) == [3_609_375, 7_609_375, 8_609_375, 11_609_375, 15_609_375])
    #expect(bursts.map(\.1) == ["announce 5", "announce 2", "announce 5", "announce 2", "announce 2"])
  }

  @Test func silenceThatWasNotHeardIsNone() {
    var stage = Stage.started(Stage.definition())
    stage.run(until: 500_000)
    stage.take()
    // It stands still, and goes on a little before its time.
    stage.now = 3_600_000
    stage.handle(.timer)
    #expect(stage.lines.count == 1)
    #expect(stage.lines[0].contains("nothing ran for 3.100000 seconds"))
    #expect(stage.machine.due == 3_600_000 + 1_609_375)
    // Once only.
    stage.now = 9_000_000
    stage.handle(.timer)
    #expect(stage.machine.state == .master)
    #expect(stage.machine.counters.lateTimers == 1)
  }

  @Test func aShortSleepIsNone() {
    var stage = Stage.started(Stage.definition())
    stage.run(until: 3_000_000)
    stage.now = 3_900_000
    stage.handle(.timer)
    #expect(stage.machine.state == .master)
  }

  /// Datagrams that have waited are heard first: after them there was no silence.
  @Test func advertsThatHaveWaited() {
    var stage = Stage.started(Stage.definition())
    stage.now = 60_000_000
    stage.hear(200)
    stage.handle(.timer)
    #expect(stage.machine.state == .backup)
    #expect(stage.machine.due == 63_609_375)
  }

  @Test func faultResignsOnce() {
    var stage = Stage.master(Stage.definition())
    stage.handle(.condition("no IPv4 address for interface", holds: true))
    #expect(
      stage.lines == [
        "(VI_1) sent 0 priority", "(VI_1) Entering FAULT STATE (no IPv4 address for interface)",
        "(VI_1) removing VIPs.",
      ])
    #expect(stage.take() == ["send 0", "remove", "FAULT"])
    #expect(stage.machine.nextMicroseconds == nil)
    stage.hear(0)
    stage.run(until: 40_000_000)
    #expect(stage.take() == [])
    stage.handle(.condition("no IPv4 address for interface", holds: false))
    #expect(stage.take() == ["BACKUP"])
    #expect(stage.machine.due == 43_609_375)
  }

  @Test func backupFaultsInSilence() {
    var stage = Stage.started(Stage.definition())
    stage.take()
    stage.handle(.condition("a", holds: true))
    stage.handle(.condition("b", holds: true))
    #expect(stage.take() == ["FAULT"])
    stage.handle(.condition("a", holds: false))
    #expect(stage.take() == [])
    stage.handle(.condition("b", holds: false))
    #expect(stage.take() == ["BACKUP"])
  }

  @Test func faultBeforeTheStart() {
    var stage = Stage(Stage.definition())
    stage.handle(.condition("interface eth0 down", holds: true))
    #expect(stage.take() == [])
    stage.handle(.start)
    #expect(stage.lines == ["(VI_1) entering FAULT state (interface eth0 down)"])
    #expect(stage.take() == ["remove", "FAULT"])
  }

  @Test func ownerComesBackFromAFaultAsMaster() {
    var stage = Stage.started(Stage.definition(priority: 255))
    stage.handle(.condition("x", holds: true))
    stage.take()
    stage.handle(.condition("x", holds: false))
    #expect(stage.take() == ["send 255", "add", "announce 5", "MASTER"])
  }

  @Test func unicastTellsItsSourceAfterAFault() {
    var definition = Stage.definition()
    definition.destination = .peers([.init(Stage.lower), .init(Stage.higher)], hopLimit: 64)
    var stage = Stage.master(definition)
    stage.handle(.condition("x", holds: true))
    #expect(stage.take() == ["send 0", "send 0", "remove", "FAULT"])
    stage.handle(.condition("x", holds: false))
    #expect(stage.take() == ["announce source", "BACKUP"])
  }

  @Test(arguments: [EndReason.stop, .deleted]) func ends(reason: EndReason) {
    var stage = Stage.master(Stage.definition())
    stage.handle(.end(reason))
    #expect(stage.take() == ["send 0", "remove", "end \(reason)"])
    stage.handle(.end(reason))
    stage.handle(.condition("x", holds: true))
    stage.hear(200)
    stage.run(until: 60_000_000)
    #expect(stage.take() == [])
    stage = Stage.started(Stage.definition())
    stage.take()
    stage.handle(.end(reason))
    #expect(stage.take() == ["end \(reason)"])
  }

  @Test func lostAddress() {
    var stage = Stage.master(Stage.definition())
    stage.handle(.lostAddress(IPAddress("10.99.0.100")!))
    #expect(stage.take() == ["send 0", "remove", "BACKUP"])
    stage.handle(.lostAddress(IPAddress("10.99.0.100")!))
    #expect(stage.take() == [])
  }

  @Test func scriptsHoldTheStart() {
    var definition = Stage.definition()
    definition.tracked = [TrackedObject(.script, "chk"), TrackedObject(.script, "other", weight: -10)]
    var stage = Stage.started(definition)
    #expect(stage.machine.state == .initial)
    #expect(stage.machine.nextMicroseconds == nil)
    stage.run(until: 2_000_000)
    stage.handle(.observed(.init(.script, "chk"), .well(true)))
    #expect(stage.take() == ["remove", "BACKUP"])
    stage.handle(.observed(.init(.script, "chk"), .well(false)))
    #expect(stage.lines.last == "(VI_1) Entering FAULT STATE (script chk failed)")
    #expect(stage.machine.state == .fault)
  }

  /// A raise can fire earlier, a drop later, each by the difference of the skews.
  @Test func priorityMovesTheTimer() {
    var definition = Stage.definition(priority: 100)
    definition.tracked = [TrackedObject(.script, "up", weight: 50), TrackedObject(.interface, "eth1", weight: -60)]
    var stage = Stage.started(definition)
    stage.take()
    stage.handle(.observed(.init(.script, "up"), .well(true)))
    #expect(stage.lines == ["(VI_1) Changing effective priority from 100 to 150"])
    #expect(stage.take() == ["priority 150"])
    #expect(stage.machine.due == 3_414_062)
    stage.handle(.observed(.init(.interface, "eth1"), .well(false)))
    #expect(stage.machine.priority == 90)
    #expect(stage.machine.due == 3_648_437)
    stage.run(until: 3_600_000)
    stage.handle(.observed(.init(.interface, "eth1"), .well(true)))
    #expect(stage.machine.due == 3_600_000)
  }

  @Test func masterAdvertisesItsNewPriority() {
    var definition = Stage.definition(priority: 100)
    definition.tracked = [TrackedObject(.script, "chk", weight: -60)]
    var stage = Stage.master(definition)
    stage.handle(.observed(.init(.script, "chk"), .well(false)))
    #expect(stage.take() == ["priority 40"])
    stage.run(until: 10_700_000)
    #expect(stage.take() == ["send 40"])
  }
}
