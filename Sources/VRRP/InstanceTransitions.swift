// From one state to the next, and what is done on the way. The order of the actions is the order on the wire: a new
// master's advert comes first, for it ends the search of the others; then the addresses, then the news of them.

extension InstanceMachine {
  /// Out of the start or a fault: the owner of the addresses takes them at once, all others listen first.
  mutating func begin(at now: Microseconds) {
    if basePriority == 255, now >= startupEnd, !isGrouped { return enterMaster(follows: false, at: now) }
    let isFirst = state == .initial
    become(.backup, follows: false, at: now)
    if isFirst {
      replaceNews(.entering(.backup, reason: nil), with: .beginning(.backup, reason: nil))
    }
    if basePriority == 255 { due = max(now, startupEnd) }
  }

  mutating func enterMaster(follows: Bool, at now: Microseconds) {
    times.masterInterval = definition.interval
    preemptStart = nil
    become(.master, follows: follows, at: now) { machine in
      machine.counters.becameMaster += 1
      machine.sendAdvert(at: now)
      machine.tell(.settingAddresses)
      machine.actions.append(.addAddresses)
      machine.actions.append(.announce(times: machine.announcements.start(at: now)))
    }
  }

  mutating func enterBackup(follows: Bool, at now: Microseconds) {
    become(.backup, follows: follows, at: now) { machine in machine.leaveMaster() }
  }

  mutating func enterFault(at now: Microseconds) {
    let reason = faultReason
    let isFirst = state == .initial
    if state == .master { resign(at: now) }
    if isFirst { actions.append(.removeAddresses) }
    become(.fault, follows: reason == nil, at: now) { machine in machine.leaveMaster() }
    replaceNews(
      .entering(.fault, reason: nil),
      with: isFirst ? .beginning(.fault, reason: reason) : .entering(.fault, reason: reason))
  }

  /// Master no more, whatever comes next.
  mutating func leaveMaster() {
    guard announcements.isRunning else { return }
    announcements.stop()
    counters.releasedMaster += 1
    lastSent = nil
    tell(.removingAddresses)
    actions.append(.removeAddresses)
  }

  private mutating func become(
    _ new: InstanceState, follows: Bool, at now: Microseconds, _ work: (inout InstanceMachine) -> Void = { _ in }
  ) {
    state = new
    since = now
    wantsMaster = false
    hasListenedAgain = false
    tell(.entering(new, reason: nil))
    work(&self)
    switch new {
    case .backup: wait(at: now)
    case .initial, .fault: due = nil
    case .master: break
    }
    actions.append(.entered(new, follows: follows))
  }

  private mutating func replaceNews(_ old: InstanceNews, with new: InstanceNews) {
    if let index = actions.lastIndex(of: .tell(old)) { actions[index] = .tell(new) }
  }

  /// A backup waits for the time that a master may be silent.
  mutating func wait(at now: Microseconds) {
    due = max(now, startupEnd).adding(times.masterDown(priority))
  }

  /// Sends an advert, and the next one an interval later.
  mutating func sendAdvert(at now: Microseconds) {
    counters.sent += 1
    lastSent = now
    due = now.adding(definition.interval)
    for advert in writer.adverts(of: definition, priority: priority) { actions.append(.send(advert)) }
  }

  /// An advert that somebody else's has provoked: none if one has just been sent.
  mutating func answer(at now: Microseconds) {
    if let lastSent, now < lastSent.adding(definition.interval / 2) { return }
    sendAdvert(at: now)
  }

  /// Tells the others that they need not wait.
  mutating func resign(at now: Microseconds) {
    counters.sent += 1
    counters.zeroSent += 1
    for advert in writer.adverts(of: definition, priority: 0) { actions.append(.send(advert)) }
    tell(.sentResignation)
  }
}
