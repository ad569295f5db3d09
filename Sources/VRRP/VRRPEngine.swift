import Wire

// All virtual routers of this machine and their groups: who a datagram is for, whose timer has come, and what one
// instance's change means to the others. Like the machines it holds, it is a value that is handed the time.

/// What is to be done, and for whom.
public enum VRRPAction: Hashable, Sendable {
  /// For an instance, by its name.
  case instance(String, InstanceAction)
  /// For a group, by its name.
  case group(String, SyncGroupAction)
}

/// All instances.
public struct VRRPEngine: Sendable {
  /// Where datagrams find their instance.
  struct Route: Hashable {
    let interface: String
    let family: IPAddress.Family
    let virtualRouter: UInt8
  }

  /// The instances, in the configuration's order.
  public internal(set) var machines: [InstanceMachine] = []
  /// Datagrams whose virtual router is nobody's.
  public private(set) var unknownRouters: UInt64 = 0
  var groups: [SyncGroup] = []
  /// The group of each instance.
  var groupOf: [Int?] = []
  var places: [String: Int] = [:]
  var routes: [Route: [Int]] = [:]
  var actions: [VRRPAction] = []

  /// An engine without instances.
  public init() {}

  /// When the first timer comes; nil for never.
  public var nextMicroseconds: Microseconds? { machines.compactMap(\.nextMicroseconds).min() }

  /// The instance of this name.
  public func machine(_ name: String) -> InstanceMachine? { places[name].map { machines[$0] } }

  /// The groups and what they are.
  public var groupStates: [(name: String, state: InstanceState)] { groups.map { ($0.definition.name, $0.state) } }

  /// Fires every timer that has come. Datagrams that were waiting have been handed over before.
  public mutating func fire(at now: Microseconds) -> [VRRPAction] {
    for place in machines.indices {
      guard let due = machines[place].nextMicroseconds, due <= now else { continue }
      apply(machines[place].handle(.timer, at: now), of: place, at: now)
    }
    return takeActions()
  }

  /// Takes a datagram that came in by `interface`. Of several unicast instances of one number, the one with its sender
  /// among the peers has it.
  public mutating func receive(_ datagram: Datagram, interface: String, at now: Microseconds) -> [VRRPAction] {
    let route = Route(
      interface: interface, family: datagram.source.family, virtualRouter: datagram.head.virtualRouter)
    guard let candidates = routes[route], let first = candidates.first else {
      unknownRouters += 1
      return []
    }
    let place = candidates.first { machines[$0].definition.isPeer(datagram.source) } ?? first
    apply(machines[place].receive(datagram, at: now), of: place, at: now)
    return takeActions()
  }

  /// Tells an instance what has happened to it.
  public mutating func handle(_ event: InstanceEvent, of name: String, at now: Microseconds) -> [VRRPAction] {
    guard let place = places[name] else { return [] }
    apply(machines[place].handle(event, at: now), of: place, at: now)
    return takeActions()
  }

  /// Tells every instance that watches a thing how it is.
  public mutating func observe(
    _ name: TrackedObject.Name, _ observation: TrackedObject.Observation, at now: Microseconds
  ) -> [VRRPAction] {
    for place in machines.indices {
      apply(machines[place].handle(.observed(name, observation), at: now), of: place, at: now)
    }
    return takeActions()
  }

  /// Ends all instances: masters resign.
  public mutating func end(at now: Microseconds) -> [VRRPAction] {
    for place in machines.indices {
      record(machines[place].handle(.end(.stop), at: now), of: place)
    }
    return takeActions()
  }

  mutating func takeActions() -> [VRRPAction] {
    defer { actions = [] }
    return actions
  }

  func record(_ done: [InstanceAction], of place: Int, into list: inout [VRRPAction]) {
    for action in done { list.append(.instance(machines[place].definition.name, action)) }
  }

  mutating func record(_ done: [InstanceAction], of place: Int) { record(done, of: place, into: &actions) }

  /// Notes what an instance wants done, and lets its group follow.
  mutating func apply(_ done: [InstanceAction], of place: Int, at now: Microseconds) {
    record(done, of: place)
    guard let number = groupOf[place] else { return }
    if done.contains(.heardLowerPriority) {
      for other in groups[number].members where other != place {
        record(machines[other].followConflict(at: now), of: other)
      }
    }
    if machines[place].hasGivenUpOwnership {
      for other in groups[number].members where other != place {
        record(machines[other].giveUpOwnership(at: now), of: other)
      }
    }
    settle(number, at: now)
  }
}

extension VRRPEngine {
  private func members(of number: Int) -> [SyncGroup.Member] {
    groups[number].members.map {
      SyncGroup.Member(
        state: machines[$0].state, wantsMaster: machines[$0].wantsMaster, isFaulty: machines[$0].faultReason != nil)
    }
  }

  /// Takes the members of a group to where they have to be. Few, and each goes one step at most, so there is an end.
  mutating func settle(_ number: Int, at now: Microseconds) {
    let name = groups[number].definition.name
    let goal = SyncGroup.goal(of: members(of: number))
    if let goal { actions.append(.group(name, .syncing(goal))) }
    let isFaulty = members(of: number).contains(where: \.isFaulty)
    for place in groups[number].members {
      let hasOwn = machines[place].faultReason != nil
      record(machines[place].setGroupFault(isFaulty && !hasOwn, at: now), of: place)
      if let goal, goal != .fault { record(machines[place].follow(goal, at: now), of: place) }
    }
    let state = SyncGroup.state(of: members(of: number))
    if state != groups[number].state {
      groups[number].state = state
      if state != .initial { actions.append(.group(name, .entered(state))) }
    }
  }
}

extension InstanceDefinition {
  /// Adverts go to this address.
  func isPeer(_ address: IPAddress) -> Bool {
    guard case .peers(let peers, _) = destination else { return false }
    return peers.contains { $0.address == address }
  }
}
