import Wire

@testable import VRRP

extension History {
  /// Nothing happens any more: a master within the first bound, one alone within the second.
  mutating func settle() {
    // Delays were longer until now, and what is on its way still has them.
    let late = world.weather.maxDelay
    calm()
    let start = world.now
    let rivals = world.directors.indices.filter { world.directors[$0].state(0) == .master }
    run(for: late + bounds.someone)
    for component in world.components {
      for lan in world.lans where world.masters(of: component, lan: lan).isEmpty {
        fail("nobody of \(component) is master on lan \(lan), \(bounds.someone) µs after \(start)")
      }
    }
    run(for: bounds.settled - bounds.someone)
    expectOneMaster("\(bounds.settled) µs after \(start)")
    expectTheBest()
    expectLastWord(rivals)
  }

  /// Each component has one master on each network, the same one for a group.
  mutating func expectOneMaster(_ when: String) {
    for component in world.components {
      for lan in world.lans {
        let masters = world.masters(of: component, lan: lan)
        if masters.count != 1 { fail("\(masters) of \(component) are master on lan \(lan), \(when)") }
      }
    }
  }

  /// Where everyone preempts, nobody has a higher priority than the master.
  private mutating func expectTheBest() {
    // Of two owners that are groups, each may have given up its claim on another network.
    guard scene.alwaysPreempts, !(scene.hasTwoOwners && world.lans.count > 1) else { return }
    for component in world.components {
      guard let master = world.masters(of: component, lan: 0).first else { continue }
      let best = component.map { world.directors[$0].priority }.max() ?? 0
      if world.directors[master].priority < best {
        fail("director \(master) of priority \(world.directors[master].priority) is master, but \(best) is there")
      }
    }
  }

  /// Who was master too believed itself to be, and has said so to the network; the winner must have said it later. It
  /// learns of the other one only if that one advertises once more before it gives way.
  private mutating func expectLastWord(_ rivals: [Int]) {
    guard scene.definitions[0][0].election.higherPrioritySendAdvert, !scene.usesHeader, rivals.count > 1 else { return }
    run(for: max(7 * bounds.interval, 2 * AnnouncementSchedule.conflictSpacing))
    for component in world.components {
      guard let master = world.masters(of: component, lan: 0).first else { continue }
      let last = world.directors[master].lastAnnounced[0] ?? 0
      for rival in rivals where rival != master && component.contains(rival) {
        if let other = world.directors[rival].lastAnnounced[0], other > last {
          fail("director \(rival) has announced the addresses after director \(master), which is master")
        }
      }
    }
  }

  /// For ten intervals every second advert may be lost, others come twice, and junk comes more often than adverts: nobody
  /// changes, and the masters advertise in time.
  mutating func endure() {
    let before = entries
    // A former owner's skew, of 254, is less than the network's delay: one lost advert may be one too many.
    world.weather.loss = scene.hasTwoOwners ? 0 : 30
    world.weather.sparesSecond = true
    world.weather.duplicates = 20
    world.junkInterval = bounds.interval / 4 + 1
    for _ in 0..<20 {
      run(for: bounds.interval / 2)
      for component in world.components {
        for lan in world.lans {
          for master in world.masters(of: component, lan: lan) {
            let silence = world.now - (world.directors[master].lastSent[lan] ?? 0)
            let most = world.directors[master].definitions[lan].interval
            if silence > most + most / 5 { fail("master \(master) has sent nothing for \(silence) µs") }
          }
        }
      }
    }
    world.weather = World.Weather(maxDelay: bounds.delay)
    world.junkInterval = 0
    expectOneMaster("in peace")
    if entries != before { fail("somebody became master in peace: \(before), then \(entries)") }
    // Whoever has missed the last adverts hears the next one.
    run(for: bounds.interval + bounds.delay)
  }

  /// How often each director has become master.
  var entries: [Int] { world.directors.map { $0.entriesAsMaster.reduce(0, +) } }
}
