// When a master tells the network where its addresses are: at once and again after a while, then perhaps regularly; and
// whenever another master has been heard, because whoever believed that one must learn better.
//
// Two masters that hear each other do so at every advert, and anyone can send adverts. So bursts about conflicts keep a
// second's distance: one that comes too soon is not dropped but put off, for the last word must be ours.

/// The bursts of one instance.
struct AnnouncementSchedule: Sendable {
  /// Between two bursts about conflicts.
  static let conflictSpacing: Microseconds = 1_000_000

  private var settings: InstanceDefinition.Announcement
  private(set) var isRunning = false
  private var second: Microseconds?
  private var refresh: Microseconds?
  private var conflict: Microseconds?
  private var lastConflict: Microseconds?

  init(_ settings: InstanceDefinition.Announcement) { self.settings = settings }

  /// When the next burst is due.
  var next: Microseconds? { [second, refresh, conflict].compactMap(\.self).min() }

  /// A new master, or new addresses.
  /// - Returns: how often to tell of each address now.
  mutating func start(at now: Microseconds) -> Int {
    isRunning = true
    second = settings.masterDelay == 0 ? nil : now.adding(settings.masterDelay)
    refresh = settings.refresh == 0 ? nil : now.adding(settings.refresh)
    return settings.masterRepeat
  }

  /// Master no more.
  mutating func stop() {
    isRunning = false
    second = nil
    refresh = nil
    conflict = nil
  }

  /// Another master has been heard.
  /// - Returns: how often to tell of each address now; nil when that has just been done, and will be again.
  mutating func hearConflict(at now: Microseconds) -> Int? {
    guard isRunning else { return nil }
    if let last = lastConflict, now < last.adding(AnnouncementSchedule.conflictSpacing) {
      let soonest = last.adding(AnnouncementSchedule.conflictSpacing)
      conflict = min(conflict ?? soonest, soonest)
      return nil
    }
    lastConflict = now
    let delay = settings.conflictDelay ?? settings.masterDelay
    if conflict == nil, delay > 0 { conflict = now.adding(delay) }
    return settings.conflictRepeat ?? settings.masterRepeat
  }

  /// Takes the bursts that are due.
  /// - Returns: how often to tell of each address now; nil when none is due.
  mutating func take(at now: Microseconds) -> Int? {
    var count: Int?
    if let due = second, due <= now {
      second = nil
      count = settings.masterRepeat
    }
    if let due = conflict, due <= now {
      conflict = nil
      lastConflict = now
      count = max(count ?? 0, settings.conflictRepeat ?? settings.masterRepeat)
    }
    if let due = refresh, due <= now {
      refresh = settings.refresh == 0 ? nil : now.adding(settings.refresh)
      count = max(count ?? 0, settings.refreshRepeat)
    }
    return count
  }

  /// New settings; what is due stays due.
  mutating func change(to settings: InstanceDefinition.Announcement, at now: Microseconds) {
    let hadRefresh = self.settings.refresh
    self.settings = settings
    if isRunning, settings.refresh != hadRefresh {
      refresh = settings.refresh == 0 ? nil : now.adding(settings.refresh)
    }
  }
}
