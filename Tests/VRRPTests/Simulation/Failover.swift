import Wire

@testable import VRRP

extension History {
  private enum Loss: CaseIterable {
    case killed
    case stopped
    case faulty
  }

  /// A master is gone: the best backup takes over in time and nobody else even tries. Then it comes back, and is master
  /// again if it may preempt; and again nobody else tries.
  mutating func loseMaster() {
    guard let component = world.components.first(where: { $0.count > 1 }),
      let master = world.masters(of: component, lan: 0).first
    else { return }
    let others = component.filter { $0 != master }.sorted {
      world.directors[$0].priority > world.directors[$1].priority
    }
    let heir = others[0]
    let machine = world.directors[heir].engine.machines[0]
    let loss = world.chance.pick(Loss.allCases)
    // A resignation that overtakes the advert before it would go unheeded.
    if loss != .killed, let sent = world.directors[master].lastSent[0], world.now < sent + bounds.delay {
      run(for: bounds.delay)
    }
    var before = entries
    lose(master, by: loss)

    run(for: loss == .killed ? bounds.takeover(machine) : bounds.succession(machine))
    let isClear = others.count == 1 || world.directors[others[1]].priority + 12 <= machine.priority
    if isClear {
      for lan in world.lans where world.directors[heir].state(lan) != .master {
        fail("director \(heir) has not taken over from \(master), which was \(loss)")
      }
      before[heir] += world.lans.count
    }
    run(for: bounds.wait + 3 * bounds.interval)
    if isClear, entries != before { fail("more than director \(heir) became master: \(before), then \(entries)") }
    expectOneMaster("after \(master) was \(loss)")
    guard failure == nil else { return }
    bringBack(master, from: loss, among: others)
  }

  private mutating func lose(_ master: Int, by loss: Loss) {
    switch loss {
    case .killed: world.directors[master].die()
    case .stopped: stop(master)
    case .faulty: setCondition(true, master)
    }
  }

  private mutating func setCondition(_ holds: Bool, _ number: Int) {
    let now = world.directors[number].local(world.now)
    for definition in world.directors[number].definitions {
      let done = world.directors[number].engine.handle(.condition("broken", holds: holds), of: definition.name, at: now)
      world.send(world.directors[number].carryOut(done, at: world.now), from: number)
    }
  }

  private mutating func bringBack(_ former: Int, from loss: Loss, among others: [Int]) {
    guard let master = world.masters(of: others, lan: 0).first else { return }
    var expected = entries
    if loss == .faulty { setCondition(false, former) } else { boot(former) }
    let director = world.directors[former]
    let isOwner = director.engine.machines[0].basePriority == 255
    let isBetter = director.priority > world.directors[master].priority
    let preempts = isBetter && !director.definitions[0].effectiveElection.nopreempt
    run(for: bounds.settled + bounds.interval)
    expectOneMaster("after \(former) came back")
    // An owner takes over without having listened; its first sequence number may be refused, and then it is master twice.
    if isOwner, scene.usesHeader || scene.hasTwoOwners { return }
    // By the first start already, for an owner that did not wait.
    if preempts { expected[former] = max(expected[former] + world.lans.count, 0) }
    if entries != expected { fail("director \(former) came back: \(expected) expected, but \(entries) became master") }
  }

  /// A backup stands still for a while, and may have heard nothing of it: it does not become master when it goes on.
  mutating func pauseBackup() {
    guard !scene.hasTwoOwners, let component = world.components.first(where: { $0.count > 1 }),
      let backup = component.first(where: { world.directors[$0].state(0) == .backup })
    else { return }
    let before = entries
    world.directors[backup].power = .paused(losesDatagrams: world.chance.percent(60))
    run(for: world.chance.below(3 * bounds.wait))
    resume(backup)
    run(for: bounds.wait + 3 * bounds.interval)
    expectOneMaster("after \(backup) stood still")
    if entries != before { fail("director \(backup) stood still: \(before), then \(entries) became master") }
  }
}
