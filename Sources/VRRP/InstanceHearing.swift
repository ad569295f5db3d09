import Wire

// What an advert does to an instance.

extension InstanceMachine {
  mutating func hear(_ advert: Advert, at now: Microseconds) {
    guard state == .backup || state == .master else { return }
    if let mismatch = advert.mismatch {
      counters.addressMismatches += 1
      if limit.admits(.mismatch, every: NewsLimit.minute, at: now) {
        tell(.addressMismatch(mismatch, from: advert.source, virtualRouter: definition.virtualRouter))
      }
    }
    if advert.priority == 0 { counters.zeroReceived += 1 }
    if state == .master { hearAsMaster(advert, at: now) } else { hearAsBackup(advert, at: now) }
  }

  private mutating func hearAsBackup(_ advert: Advert, at now: Microseconds) {
    if advert.priority == 0 { return hearResignation(of: advert.source, at: now) }
    let isLower = advert.priority < priority
    if !isLower {
      preemptStart = nil
    } else if rules.preemptDelay > 0, preemptStart == nil {
      preemptStart = now
    }
    if isLower, !rules.nopreempt, !isDelaying(at: now) {
      if limit.admits(.discarded, every: NewsLimit.second, at: now) {
        tell(.discarded(from: advert.source, priority: advert.priority))
      }
      return
    }
    accept(advert, at: now)
  }

  /// A master of lower priority is left alone for now.
  private func isDelaying(at now: Microseconds) -> Bool {
    guard rules.preemptDelay > 0, let preemptStart else { return false }
    return now < preemptStart.adding(rules.preemptDelay)
  }

  /// There is a master, and it is not us.
  private mutating func accept(_ advert: Advert, at now: Microseconds) {
    if definition.version == .three { times.masterInterval = advert.interval }
    lastMaster = (advert.source, advert.priority)
    wantsMaster = false
    hasListenedAgain = false
    wait(at: now)
  }

  private mutating func hearResignation(of source: IPAddress, at now: Microseconds) {
    if limit.admits(.resignation, every: NewsLimit.second, at: now) { tell(.heardResignation) }
    guard lastMaster == nil || lastMaster?.address == source, let due else { return }
    self.due = min(due, max(now, startupEnd).adding(times.skew(priority)))
  }

  private mutating func hearAsMaster(_ advert: Advert, at now: Microseconds) {
    if advert.priority == 0 { return answer(at: now) }
    if advert.priority == 255, basePriority == 255 {
      if rules.ownerIgnoresAdverts { return }
      tell(.twoOwners(from: advert.source))
      basePriority = 254
      changePriority(at: now)
    }
    let isHigher =
      advert.priority > priority || advert.priority == priority && advert.source > definition.source
    if isHigher { yield(to: advert, at: now) } else { insist(against: advert, at: now) }
  }

  /// The other one is to be master.
  private mutating func yield(to advert: Advert, at now: Microseconds) {
    if rules.higherPrioritySendAdvert { sendAdvert(at: now) }
    tell(.higherPriority(from: advert.source, theirs: advert.priority, ours: priority))
    enterBackup(follows: false, at: now)
    accept(advert, at: now)
  }

  /// We are: the other one must hear of it, and so must whoever believed it.
  private mutating func insist(against advert: Advert, at now: Microseconds) {
    if let sequence = advert.sequence { writer.sequence.pass(sequence) }
    if limit.admits(.lowerPriority, every: NewsLimit.second, at: now) {
      tell(.lowerPriority(from: advert.source, theirs: advert.priority, ours: priority))
      actions.append(.heardLowerPriority)
    }
    if !rules.lowerPriorityNoAdvert { answer(at: now) }
    announceConflict(at: now)
  }

  /// Another master was heard, by this instance or one of its group.
  mutating func announceConflict(at now: Microseconds) {
    if let times = announcements.hearConflict(at: now) { actions.append(.announce(times: times)) }
  }
}
