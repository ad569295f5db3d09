import Testing

@testable import VRRP

@Suite struct AnnouncementScheduleTests {
  @Test func nothingUntilItStarts() {
    var schedule = AnnouncementSchedule(.init())
    #expect(schedule.next == nil)
    #expect(schedule.take(at: .max) == nil)
    #expect(schedule.hearConflict(at: 5) == nil)
  }

  @Test func twoBurstsOnly() {
    var schedule = AnnouncementSchedule(.init())
    #expect(schedule.start(at: 100) == 5)
    #expect(schedule.next == 5_000_100)
    #expect(schedule.take(at: 5_000_099) == nil)
    #expect(schedule.take(at: 5_000_100) == 5)
    #expect(schedule.next == nil)
  }

  @Test func noDelayNoSecondBurst() {
    var settings = InstanceDefinition.Announcement()
    settings.masterDelay = 0
    settings.masterRepeat = 1
    var schedule = AnnouncementSchedule(settings)
    #expect(schedule.start(at: 0) == 1)
    #expect(schedule.next == nil)
    #expect(schedule.hearConflict(at: 0) == 1)
    #expect(schedule.next == nil)
  }

  /// A conflict's own repeats and delay; one that comes too soon is put off.
  @Test func conflicts() {
    var settings = InstanceDefinition.Announcement()
    settings.masterDelay = 0
    settings.conflictDelay = 3_000_000
    settings.conflictRepeat = 2
    var schedule = AnnouncementSchedule(settings)
    _ = schedule.start(at: 0)
    #expect(schedule.hearConflict(at: 10) == 2)
    #expect(schedule.next == 3_000_010)
    #expect(schedule.hearConflict(at: 500_000) == nil)
    #expect(schedule.next == 1_000_010)
    #expect(schedule.take(at: 1_000_010) == 2)
    #expect(schedule.next == nil)
    #expect(schedule.hearConflict(at: 2_000_010) == 2)
    #expect(schedule.next == 5_000_010)
  }

  @Test func stopForgets() {
    var settings = InstanceDefinition.Announcement()
    settings.refresh = 10
    var schedule = AnnouncementSchedule(settings)
    _ = schedule.start(at: 0)
    _ = schedule.hearConflict(at: 0)
    schedule.stop()
    #expect(schedule.next == nil)
  }

  @Test func settingsChange() {
    var schedule = AnnouncementSchedule(.init())
    _ = schedule.start(at: 0)
    var settings = InstanceDefinition.Announcement()
    settings.refresh = 2_000_000
    settings.refreshRepeat = 3
    schedule.change(to: settings, at: 1_000_000)
    #expect(schedule.next == 3_000_000)
    #expect(schedule.take(at: 3_000_000) == 3)
    #expect(schedule.next == 5_000_000)
    settings.refresh = 0
    schedule.change(to: settings, at: 3_500_000)
    #expect(schedule.take(at: 5_000_000) == 5)
    #expect(schedule.next == nil)
  }
}
