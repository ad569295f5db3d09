@testable import VRRP

// How long things may take once nothing happens any more, derived from the timers.
//
//     I   the longest interval between adverts            D   the longest way through the network
//     k   adverts that may be missing                     S   startup delay
//     W   (k + 1) I: the longest wait of a backup,        P   preemption delay
//         for the skew is less than an interval
//
// Somebody is master. Let the last disturbance be at 0. What was on its way arrives by D, and may be the last advert of a
// master that is gone; it starts a backup's timer, which ends by S + D + W. A backup that stood still wakes with a timer
// that is late; it listens for an interval and its skew, less than 2 I, instead. So at S + D + W + 2 I at the latest, one
// whose timer has ended is master, or has heard one. Two owners that have heard each other are both backups and wait W
// anew, for each network of a group.
//
// Nobody else is. Of two masters, one loses by priority or address. The other one advertises within I, which arrives within
// D, and the loser gives way. With sequence numbers the loser may be ahead and refuse it: then the winner hears the
// loser's within I + D, goes ahead of it, and its next advert, within another I + D, is taken. A better backup that
// leaves a worse master alone for P begins to count at the first advert it hears, accepts the last one P later, and then
// waits W: with P there is another P + W.
//
// The clocks' drift is far below a hundredth, which is added.

/// The bounds of one scene.
struct Bounds {
  let interval: Microseconds
  let delay: Microseconds
  /// The longest wait of a backup.
  let wait: Microseconds
  /// Until somebody is master.
  let someone: Microseconds
  /// Until nobody else is, and who is stays.
  let settled: Microseconds

  init(_ scene: Scene, delay: Microseconds) {
    let rules = scene.definitions[0][0].effectiveElection
    interval = scene.interval
    self.delay = delay
    wait = (rules.downTimerAdverts + 1) * interval
    let owners = scene.hasTwoOwners ? wait * UInt64(scene.definitions[0].count) : 0
    let first = rules.startupDelay + delay + wait + 2 * interval + owners
    let preemption = rules.preemptDelay == 0 ? 0 : rules.preemptDelay + wait
    someone = Bounds.withDrift(first)
    settled = Bounds.withDrift(first + 2 * (interval + delay) + preemption)
  }

  /// After a master is gone without a word: its last advert is at most on its way still.
  func takeover(_ machine: InstanceMachine) -> Microseconds {
    Bounds.withDrift(delay + machine.times.masterDown(machine.priority))
  }

  /// After a resignation.
  func succession(_ machine: InstanceMachine) -> Microseconds {
    Bounds.withDrift(delay + machine.times.skew(machine.priority))
  }

  static func withDrift(_ time: Microseconds) -> Microseconds { time + time / 100 + 10 }
}
