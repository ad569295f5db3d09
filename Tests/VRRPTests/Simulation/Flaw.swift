import Testing
import Wire

@testable import VRRP

// Machines that are broken on purpose. Each flaw is what a plausible mistake in the machine would do, put on from outside:
// before an event, after it, or on what it wants done. The simulation must find every one of them; one that it does not
// find is a hole in its invariants.

/// A mistake.
enum Flaw: String, CaseIterable, CustomTestStringConvertible {
  /// All backups wait equally long.
  case noSkew
  /// Silence is waited for twice as long.
  case slowTimer
  /// One missing advert is a dead master.
  case hastyTimer
  /// A master takes no notice of one of equal priority and higher address.
  case noTieBreak
  /// A master gives way to everybody.
  case yieldsToAll
  /// A backup leaves a master of lower priority alone.
  case neverPreempts
  /// Resignations are not heard.
  case deafToResignation
  /// Nobody resigns.
  case neverResigns
  /// Resigns twice, as keepalived 2.2.7 does on a fault.
  case resignsTwice
  /// Adverts that are refused start the master's timer again, as in keepalived.
  case silencedByJunk
  /// A master sends one advert of five.
  case mumbles
  /// A backup's timer is not started by adverts.
  case deafBackup
  /// Addresses stay when a master gives way.
  case keepsAddresses
  /// Adverts of the others do not move the sequence number on.
  case ownSequence
  /// Takes over at the start, without listening.
  case noListening
  /// Silence counts even when nobody listened.
  case trustsLateTimers
  /// A backup of version 3 counts with its own interval, whatever the master's is.
  case ownInterval
  /// The network is told of the addresses once and never again.
  case quietWinner

  var testDescription: String { rawValue }

  enum Moment {
    case boot
    case timer
    case datagram(lan: Int, before: InstanceMachine)
  }

  /// Before a datagram.
  /// - Returns: false for one that is not to be heard.
  func prepare(_ engine: inout VRRPEngine, for datagram: Datagram, lan: Int) -> Bool {
    let machine = engine.machines[lan]
    let head = datagram.head
    switch self {
    case .noTieBreak:
      return
        !(machine.state == .master && head.priority == machine.priority && datagram.source > machine.definition.source)
    case .yieldsToAll:
      if machine.state == .master, head.priority != 0 { engine.machines[lan].priority = 1 }
    case .deafToResignation:
      return head.priority != 0
    case .deafBackup:
      return machine.state != .backup || head.priority == 0
    case .neverPreempts:
      engine.machines[lan].rules.nopreempt = true
    default: break
    }
    return true
  }

  func change(_ engine: inout VRRPEngine, after moment: Moment, at now: Microseconds) {
    for lan in engine.machines.indices { change(&engine.machines[lan], lan, after: moment, at: now) }
  }

  private func change(_ machine: inout InstanceMachine, _ lan: Int, after moment: Moment, at now: Microseconds) {
    var before: InstanceMachine?
    if case .datagram(lan, let machine) = moment { before = machine }
    switch self {
    case .noSkew: retime(&machine, before, at: now) { $0.times.masterDown($0.priority) - $0.times.skew($0.priority) }
    case .slowTimer: retime(&machine, before, at: now) { 2 * $0.times.masterDown($0.priority) }
    case .hastyTimer:
      retime(&machine, before, at: now) { $0.times.masterInterval + $0.times.skew($0.priority) }
    case .yieldsToAll:
      if let before { machine.priority = before.priority }
    case .silencedByJunk:
      if let before, machine.state == .master, machine.lastRejection?.at == now, before.state == .master {
        machine.due = now + machine.definition.interval
      }
    case .ownSequence:
      if let before { machine.writer.sequence = before.writer.sequence }
    case .noListening:
      if case .boot = moment, machine.state == .backup { machine.due = now }
    case .ownInterval:
      if machine.state == .backup {
        let before = machine.times.masterDown(machine.priority)
        machine.times.masterInterval = machine.definition.interval
        machine.moveTimer(from: before, at: now)
      }
    case .trustsLateTimers:
      machine.hasListenedAgain = true
    default: break
    }
  }

  /// A backup whose timer has just been started waits as long as `wait` says.
  private func retime(
    _ machine: inout InstanceMachine, _ before: InstanceMachine?, at now: Microseconds,
    _ wait: (InstanceMachine) -> Microseconds
  ) {
    guard machine.state == .backup, machine.due == now + machine.times.masterDown(machine.priority) else { return }
    machine.due = now + wait(machine)
  }

  /// Of what is to be done, what is done.
  func altered(_ actions: [VRRPAction], turn: UInt64) -> [VRRPAction] {
    switch self {
    case .neverResigns:
      return actions.filter { Flaw.priority($0) != 0 }
    case .resignsTwice:
      return actions.flatMap { Flaw.priority($0) == 0 ? [$0, $0] : [$0] }
    case .mumbles:
      return actions.filter { Flaw.priority($0) == nil || turn % 5 == 1 }
    case .keepsAddresses:
      return actions.filter { action in
        if case .instance(_, .removeAddresses) = action { return false }
        return true
      }
    case .quietWinner:
      let isNew = actions.contains { if case .instance(_, .addAddresses) = $0 { true } else { false } }
      return actions.filter { action in
        if case .instance(_, .announce) = action { return isNew }
        return true
      }
    default: return actions
    }
  }

  private static func priority(_ action: VRRPAction) -> UInt8? {
    if case .instance(_, .send(let advert)) = action { return advert.priority }
    return nil
  }
}
