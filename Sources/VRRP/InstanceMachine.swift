import Wire

// The state machine of a virtual router (RFC 9568 section 6.4, and what keepalived adds to it): a value, an event and the
// time give a value and what is to be done. It knows no clock and no socket; time is the monotonic clock's, so nothing
// that happens to the time of day can reach it.
//
//     initial ──> backup <──> master          initial, backup, master ──> fault ──> backup
//
// What is not keepalived's:
// - A master's timer is started again by its own adverts only. In keepalived any datagram for the virtual router does
//   that, so adverts that are refused, sent often enough, silence a master and every backup takes over.
// - One resignation is sent on a fault, not two.
// - Adverts that are provoked keep half an interval's distance from the last one: an advert of lower priority costs its
//   sender as much as it costs us.
// - A resignation counts when it comes from the master that was last heard, and it never makes a backup wait longer.
// - Silence that was not listened to is not silence. A backup looks at the clock twice in an interval; when more than a
//   whole one has passed, it did not run, and listens for an interval and its skew before it takes over.

/// One virtual router on this machine.
public struct InstanceMachine: Sendable {
  /// What it is.
  public internal(set) var definition: InstanceDefinition
  /// What it is now.
  public internal(set) var state = InstanceState.initial
  /// When it came to be that.
  public internal(set) var since: Microseconds = 0
  /// The configured priority, or 254 when there was another owner.
  public internal(set) var basePriority: UInt8
  /// With what watched things add to it.
  public internal(set) var priority: UInt8
  /// What it has counted.
  public internal(set) var counters = InstanceCounters()
  /// The master that was heard last, and its priority.
  public internal(set) var lastMaster: (address: IPAddress, priority: UInt8)?
  /// The advert that was refused last: why, whose, when.
  public internal(set) var lastRejection: (reason: Rejection, source: IPAddress, at: Microseconds)?
  /// It would be master, if only its group were.
  public internal(set) var wantsMaster = false

  /// All members of its group become master together.
  var isGrouped = false
  /// Another member of its group is faulty.
  var hasGroupFault = false
  var isRunning = false
  var startupEnd: Microseconds = 0
  /// The next advert of a master; when a backup takes over.
  var due: Microseconds?
  var preemptStart: Microseconds?
  /// When it last did anything: it was awake then.
  var awake: Microseconds = 0
  var hasListenedAgain = false
  var lastSent: Microseconds?
  var tracking = Tracking()
  var conditions: [String] = []
  var times: AdvertTimes
  var rules: InstanceDefinition.Election
  var checks: ReceiveChecks
  var writer = AdvertWriter()
  var announcements: AnnouncementSchedule
  var limit = NewsLimit()
  /// What is to be done after this event.
  var actions: [InstanceAction] = []

  /// An instance that has not begun.
  public init(_ definition: InstanceDefinition) {
    self.definition = definition
    basePriority = max(definition.priority, 1)
    times = AdvertTimes(definition)
    rules = definition.effectiveElection
    checks = ReceiveChecks(definition)
    announcements = AnnouncementSchedule(definition.announcement)
    priority = basePriority
    tracking.watch(watched)
    priority = tracking.priority(base: basePriority)
  }

  /// When it wants its timer event; nil for never.
  public var nextMicroseconds: Microseconds? {
    let glance = state == .backup ? awake.adding(times.masterInterval / 2) : nil
    return [due, announcements.next, glance].compactMap(\.self).min()
  }

  /// Something of its own keeps it from taking part, not only its group.
  public var faultReason: String? {
    conditions.first ?? tracking.fault?.faultPhrase
  }

  /// Takes an event.
  /// - Returns: what is to be done, in order.
  public mutating func handle(_ event: InstanceEvent, at now: Microseconds) -> [InstanceAction] {
    wake(at: now)
    switch event {
    case .start: start(at: now)
    case .timer: fire(at: now)
    case .advert(let advert): hear(advert, at: now)
    case .observed(let name, let observation):
      if tracking.observe(name, observation) { judge(at: now) }
    case .condition(let reason, let holds):
      conditions.removeAll { $0 == reason }
      if holds { conditions.append(reason) }
      judge(at: now)
    case .lostAddress(let address): lose(address, at: now)
    case .end(let reason): end(reason, at: now)
    }
    return takeActions()
  }

  /// Takes a datagram for this virtual router.
  /// - Returns: what is to be done, in order.
  public mutating func receive(_ datagram: Datagram, at now: Microseconds) -> [InstanceAction] {
    guard state == .backup || state == .master else { return [] }
    wake(at: now)
    counters.received += 1
    let isKnown = state == .backup && lastMaster?.address == datagram.source
    switch checks.check(
      datagram, skipsAddresses: isKnown && definition.reception.skipsAddressCheck, &writer)
    {
    case .success(let advert):
      hear(advert, at: now)
    case .failure(let error):
      counters.count(error.reason)
      lastRejection = (error.reason, datagram.source, now)
      if limit.admits(.rejection(error.reason), every: NewsLimit.minute, at: now) {
        let times = counters.rejected(error.reason)
        tell(.rejected(error.reason, from: datagram.source, times: times))
      }
    }
    return takeActions()
  }

  mutating func takeActions() -> [InstanceAction] {
    defer { actions = [] }
    return actions
  }

  mutating func tell(_ news: InstanceNews) { actions.append(.tell(news)) }

  /// What is watched, as far as weights make sense here.
  var watched: [TrackedObject] {
    definition.priority == 255 ? definition.tracked.compactMap(\.withoutWeight) : definition.tracked
  }
}

extension InstanceMachine {
  private mutating func start(at now: Microseconds) {
    guard !isRunning else { return }
    isRunning = true
    since = now
    startupEnd = now.adding(rules.startupDelay)
    judge(at: now)
  }

  private mutating func fire(at now: Microseconds) {
    if let times = announcements.take(at: now) { actions.append(.announce(times: times)) }
    guard let due, due <= now else { return }
    switch state {
    case .master: sendAdvert(at: now)
    case .backup: expire(at: now)
    case .initial, .fault: self.due = nil
    }
  }

  /// Notices a time in which nothing was done: then silence means nothing. Once only until a master is heard, or a machine
  /// that is always slow would never take over.
  private mutating func wake(at now: Microseconds) {
    let gap = now - min(awake, now)
    awake = now
    guard state == .backup, let due, gap > times.masterInterval, !hasListenedAgain else { return }
    hasListenedAgain = true
    counters.lateTimers += 1
    let soonest = now.adding(times.masterInterval + times.skew(priority))
    guard due < soonest else { return }
    self.due = soonest
    tell(.late(gap))
  }

  /// Nobody has been heard for long enough.
  private mutating func expire(at now: Microseconds) {
    tell(.receiveTimeout)
    wantsMaster = true
    if isGrouped { wait(at: now) } else { enterMaster(follows: false, at: now) }
  }

  private mutating func lose(_ address: IPAddress, at now: Microseconds) {
    guard state == .master else { return }
    tell(.lostAddress(address))
    resign(at: now)
    enterBackup(follows: false, at: now)
  }

  private mutating func end(_ reason: EndReason, at now: Microseconds) {
    guard isRunning else { return }
    isRunning = false
    if state == .master {
      resign(at: now)
      leaveMaster()
    }
    state = .initial
    since = now
    due = nil
    wantsMaster = false
    actions.append(.ended(reason))
  }

  /// Watched things or conditions have changed: priority first, then whether it can take part at all.
  mutating func judge(at now: Microseconds) {
    changePriority(at: now)
    guard isRunning else { return }
    if faultReason != nil || hasGroupFault {
      if state != .fault { enterFault(at: now) }
    } else if state == .fault {
      if definition.isUnicast { actions.append(.announceSource) }
      begin(at: now)
    } else if state == .initial, !tracking.isUndecided {
      actions.append(.removeAddresses)
      begin(at: now)
    }
  }

  /// A backup's timer is moved by what the priority makes of the time that it waits: a raise can fire earlier.
  mutating func changePriority(at now: Microseconds) {
    let new = tracking.priority(base: basePriority)
    guard new != priority else { return }
    let old = priority
    priority = new
    tell(.priority(from: old, to: new))
    if state == .backup || state == .master { actions.append(.changedPriority(Int(new))) }
    guard state == .backup else { return }
    moveTimer(from: times.masterDown(old), at: now)
  }

  /// The time that a backup waits was `before`, and is another now.
  mutating func moveTimer(from before: Microseconds, at now: Microseconds) {
    guard state == .backup, let due else { return }
    let after = times.masterDown(priority)
    self.due = max(after > before ? due.adding(after - before) : due - min(due, before - after), now)
  }
}
