// A new definition of the same virtual router, while it runs. What it is, what it has counted, the sequence number and
// what is known of watched things go on; a master says so at once, and nobody takes over because of it.

extension InstanceMachine {
  /// Takes a new definition.
  /// - Parameter hasNewAddresses: something is to be set that was not, excluded addresses included.
  /// - Returns: what is to be done, in order.
  public mutating func update(
    to new: InstanceDefinition, hasNewAddresses: Bool = false, at now: Microseconds
  ) -> [InstanceAction] {
    let old = definition
    let before = times.masterDown(priority)
    definition = new
    rules = new.effectiveElection
    checks = ReceiveChecks(new)
    announcements.change(to: new.announcement, at: now)
    renewTimes(from: old, before, at: now)
    if new.priority != old.priority { basePriority = max(new.priority, 1) }
    tracking.watch(watched)
    judge(at: now)
    if state == .master { confirm(hasNewAddresses || !Set(new.addresses).isSubset(of: old.addresses), at: now) }
    return takeActions()
  }

  /// A backup of version 3 goes on with the interval of the master that it has heard.
  private mutating func renewTimes(from old: InstanceDefinition, _ before: Microseconds, at now: Microseconds) {
    let heard = times.masterInterval
    times = AdvertTimes(definition)
    let hasHeard = state == .backup && lastMaster != nil
    if hasHeard, definition.version == .three, old.version == .three { times.masterInterval = heard }
    moveTimer(from: before, at: now)
  }

  private mutating func confirm(_ hasNewAddresses: Bool, at now: Microseconds) {
    actions.append(.refreshAddresses)
    sendAdvert(at: now)
    if hasNewAddresses { actions.append(.announce(times: announcements.start(at: now))) }
  }

  // MARK: - What the group decides

  /// Whether another member of the group is faulty.
  mutating func setGroupFault(_ isFaulty: Bool, at now: Microseconds) -> [InstanceAction] {
    if hasGroupFault != isFaulty {
      hasGroupFault = isFaulty
      judge(at: now)
    }
    return takeActions()
  }

  /// The group goes to this state, and this member with it.
  mutating func follow(_ wanted: InstanceState, at now: Microseconds) -> [InstanceAction] {
    if wanted == .master, state == .backup { enterMaster(follows: !wantsMaster, at: now) }
    if wanted == .backup, state == .master {
      if rules.higherPrioritySendAdvert { sendAdvert(at: now) }
      enterBackup(follows: true, at: now)
    }
    return takeActions()
  }

  /// There was another owner of the addresses.
  var hasGivenUpOwnership: Bool { definition.priority == 255 && basePriority != 255 }

  /// Another member has met another owner. Were this one to keep its claim, each router could win on one network and lose
  /// on the other, and no group would ever be master.
  mutating func giveUpOwnership(at now: Microseconds) -> [InstanceAction] {
    if basePriority == 255 {
      basePriority = 254
      changePriority(at: now)
    }
    return takeActions()
  }

  /// Another member has heard another master: the addresses of all members may have been believed there.
  mutating func followConflict(at now: Microseconds) -> [InstanceAction] {
    announceConflict(at: now)
    return takeActions()
  }
}
