import Testing
import Wire

@testable import VRRP

/// What adverts do to an instance.
@Suite struct InstanceHearingTests {
  struct BackupRow: CustomTestStringConvertible {
    let name: String
    var nopreempt = false
    var preemptDelay: Microseconds = 0
    let heard: UInt8
    /// When it takes over after an advert at second 2.
    let due: Microseconds
    var testDescription: String { name }
  }

  static let backupRows = [
    BackupRow(name: "higher", heard: 101, due: 5_609_375),
    BackupRow(name: "equal", heard: 100, due: 5_609_375),
    BackupRow(name: "lower", heard: 99, due: 3_609_375),
    BackupRow(name: "lower, nopreempt", nopreempt: true, heard: 1, due: 5_609_375),
    BackupRow(name: "lower, preempt_delay", preemptDelay: 5_000_000, heard: 1, due: 5_609_375),
    BackupRow(name: "resignation", heard: 0, due: 2_609_375),
    BackupRow(name: "resignation, nopreempt", nopreempt: true, heard: 0, due: 2_609_375),
  ]

  @Test(arguments: backupRows) func backup(row: BackupRow) {
    var definition = Stage.definition()
    definition.election.nopreempt = row.nopreempt
    definition.election.preemptDelay = row.preemptDelay
    var stage = Stage.started(definition)
    stage.take()
    stage.run(until: 2_000_000)
    stage.hear(row.heard)
    #expect(stage.machine.due == row.due)
    #expect(stage.take() == [])
  }

  @Test func saysWhatItDiscards() {
    var stage = Stage.started(Stage.definition())
    stage.take()
    for _ in 0..<50 { stage.hear(50) }
    #expect(stage.lines == ["(VI_1) received lower priority (50) advert from 10.99.0.11 - discarding"])
  }

  /// keepalived takes over 8.4 s after the first advert with a delay of 5 s.
  @Test func preemptDelay() {
    var definition = Stage.definition()
    definition.election.preemptDelay = 5_000_000
    var stage = Stage.started(definition)
    for second in 1...20 where stage.machine.state == .backup {
      stage.run(until: UInt64(second) * 1_000_000)
      if stage.machine.state == .backup { stage.hear(50) }
    }
    // Heard from 1 s on; the last one that counts is at 5 s.
    #expect(stage.machine.since == 5_000_000 + 3_609_375)
  }

  @Test func betterMasterEndsThePreemptDelay() {
    var definition = Stage.definition()
    definition.election.preemptDelay = 2_000_000
    var stage = Stage.started(definition)
    stage.hear(50)
    stage.run(until: 1_900_000)
    stage.hear(150)
    stage.run(until: 2_500_000)
    stage.hear(50)
    #expect(stage.machine.due == 2_500_000 + 3_609_375)
    stage.run(until: 4_499_999)
    stage.hear(50)
    #expect(stage.machine.due == 4_499_999 + 3_609_375)
    stage.run(until: 4_500_000)
    stage.hear(50)
    #expect(stage.machine.due == 4_499_999 + 3_609_375)
  }

  @Test func takesTheMastersIntervalInVersion3() {
    var stage = Stage.started(Stage.definition(version: .three))
    stage.hear(200, interval: 100_000)
    #expect(stage.machine.due == 360_937)
    stage = Stage.started(Stage.definition(version: .two))
    stage.hear(200, interval: 100_000)
    #expect(stage.machine.due == 3_609_375)
  }

  /// Never later than it was to be, however often somebody resigns; and only the master that was heard can.
  @Test func resignationsDoNotSilenceABackup() {
    var stage = Stage.started(Stage.definition())
    stage.hear(200, from: Stage.higher)
    for step in 1...100 where stage.machine.state == .backup {
      stage.run(until: UInt64(step) * 300_000)
      stage.hear(0, from: Stage.lower)
    }
    #expect(stage.machine.since == 3_609_375)
    stage = Stage.started(Stage.definition())
    stage.hear(200, from: Stage.higher)
    for step in 1...100 where stage.machine.state == .backup {
      stage.run(until: UInt64(step) * 300_000)
      stage.hear(0, from: Stage.higher)
    }
    #expect(stage.machine.since == 909_375)
  }

  struct MasterRow: CustomTestStringConvertible {
    let name: String
    let heard: UInt8
    var source = Stage.lower
    var lowerNoAdvert = false
    var higherSend = false
    let done: [String]
    var testDescription: String { name }
  }

  static let masterRows = [
    MasterRow(name: "resignation", heard: 0, done: ["send 100"]),
    MasterRow(name: "lower", heard: 99, done: ["heard lower", "send 100", "announce 5"]),
    MasterRow(name: "lower, no advert", heard: 99, lowerNoAdvert: true, done: ["heard lower", "announce 5"]),
    MasterRow(name: "equal, lower address", heard: 100, done: ["heard lower", "send 100", "announce 5"]),
    MasterRow(name: "equal, higher address", heard: 100, source: Stage.higher, done: ["remove", "BACKUP"]),
    MasterRow(name: "higher", heard: 101, done: ["remove", "BACKUP"]),
    MasterRow(name: "higher, one more", heard: 101, higherSend: true, done: ["send 100", "remove", "BACKUP"]),
  ]

  @Test(arguments: masterRows) func master(row: MasterRow) {
    var definition = Stage.definition()
    definition.election.lowerPriorityNoAdvert = row.lowerNoAdvert
    definition.election.higherPrioritySendAdvert = row.higherSend
    var stage = Stage.master(definition)
    // The last advert was at 9.6 s: an answer to this one keeps its distance.
    stage.now += 200_000
    stage.hear(row.heard, from: row.source)
    #expect(stage.take() == row.done)
    if row.done.last == "BACKUP" { #expect(stage.machine.due == stage.now + 3_609_375) }
  }

  @Test func words() {
    var stage = Stage.master(Stage.definition())
    stage.hear(50)
    #expect(
      stage.lines == [
        "(VI_1) Received advert from 10.99.0.11 with lower priority 50, ours 100, forcing new election"
      ])
    stage.take()
    stage.hear(150)
    #expect(
      stage.lines == [
        "(VI_1) Master received advert from 10.99.0.11 with higher priority 150, ours 100",
        "(VI_1) Entering BACKUP STATE", "(VI_1) removing VIPs.",
      ])
  }

  /// 100,000 adverts of lower priority in a second: the adverts go on in time, answers and bursts stay few.
  @Test func floodOfLowerPriority() {
    var stage = Stage.master(Stage.definition())
    for step in 1...100_000 {
      stage.run(until: 10_000_000 + UInt64(step) * 10)
      stage.hear(99)
    }
    let done = stage.take()
    #expect((2...3).contains(done.count { $0 == "send 100" }))
    #expect(done.count { $0.hasPrefix("announce") } <= 2)
    #expect(done.count { $0 == "heard lower" } <= 2)
    #expect(stage.lines.count == 0)
    // What was put off comes.
    stage.run(until: 30_000_000)
    #expect(stage.take().contains("announce 5"))
  }

  @Test func twoOwners() {
    var stage = Stage.started(Stage.definition(priority: 255))
    stage.take()
    stage.hear(255, from: Stage.lower)
    #expect(stage.machine.basePriority == 254)
    #expect(stage.take() == ["priority 254", "remove", "BACKUP"])
    var definition = Stage.definition(priority: 255)
    definition.election.ownerIgnoresAdverts = true
    stage = Stage.started(definition)
    stage.take()
    stage.hear(255, from: Stage.higher)
    #expect(stage.take() == [])
    #expect(stage.machine.basePriority == 255)
  }

  /// The next number is above what the other one may send meanwhile.
  @Test func sequenceAfterAConflict() {
    var definition = Stage.definition()
    definition.configuredAuthentication = .header(AuthenticationKey("secret12".utf8))
    var stage = Stage.master(definition)
    stage.now += 600_000
    stage.handle(.advert(Advert(source: Stage.lower, priority: 50, sequence: 500)))
    #expect(stage.machine.writer.sequence.last == 502)
  }

  @Test func faultyOnesHearNothing() {
    var stage = Stage.started(Stage.definition())
    stage.handle(.condition("x", holds: true))
    let datagram = try? Capture("v2_noauth_3vip").frames[0].payload
    stage.receive(datagram ?? [])
    #expect(stage.machine.counters.received == 0)
  }
}
