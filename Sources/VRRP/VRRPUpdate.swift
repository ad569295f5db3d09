// A new configuration while instances run. An instance is the one it was when it has the same number, family, interface
// and group (or, for unicast, the same own address), whatever it is called; then it goes on as what it is. Others end as
// if they were stopped, and new ones begin.

extension VRRPEngine {
  /// Replaces all instances and groups; the first call begins. Of several instances with one name or one identity the
  /// first is taken.
  ///
  /// - Parameter withNewAddresses: names of instances for which something is to be set that was not.
  public mutating func update(
    to definitions: [InstanceDefinition], groups wantedGroups: [SyncGroupDefinition] = [],
    withNewAddresses: Set<String> = [], at now: Microseconds
  ) -> [VRRPAction] {
    let wanted = VRRPEngine.distinct(definitions)
    var former: [InstanceIdentity: InstanceMachine] = [:]
    for machine in machines { former[machine.definition.identity] = machine }
    end(Set(former.keys).subtracting(wanted.map(\.identity)), at: now)
    let masters = Set(machines.filter { $0.state == .master }.map(\.definition.identity))
    let states = Dictionary(groups.map { ($0.definition.name, $0.state) }, uniquingKeysWith: { first, _ in first })

    arrange(wanted, wantedGroups, states)
    for place in machines.indices {
      let definition = machines[place].definition
      if var machine = former[definition.identity] {
        machine.isGrouped = groupOf[place] != nil
        let isNew = withNewAddresses.contains(definition.name)
        let done = machine.update(to: definition, hasNewAddresses: isNew, at: now)
        machines[place] = machine
        record(done, of: place)
      } else {
        machines[place].isGrouped = groupOf[place] != nil
        record(machines[place].handle(.start, at: now), of: place)
      }
    }
    for number in groups.indices {
      join(number, where: masters, at: now)
      settle(number, at: now)
    }
    return takeActions()
  }

  private static func distinct(_ definitions: [InstanceDefinition]) -> [InstanceDefinition] {
    var names: Set<String> = []
    var identities: Set<InstanceIdentity> = []
    return definitions.filter { names.insert($0.name).inserted && identities.insert($0.identity).inserted }
  }

  private mutating func end(_ identities: Set<InstanceIdentity>, at now: Microseconds) {
    for place in machines.indices where identities.contains(machines[place].definition.identity) {
      record(machines[place].handle(.end(.deleted), at: now), of: place)
    }
  }

  /// Fresh machines for all definitions, and where to find them. An instance belongs to the first group that names it.
  private mutating func arrange(
    _ wanted: [InstanceDefinition], _ wantedGroups: [SyncGroupDefinition], _ states: [String: InstanceState]
  ) {
    places = Dictionary(uniqueKeysWithValues: wanted.enumerated().map { ($1.name, $0) })
    groupOf = wanted.map { _ in nil }
    groups = []
    var tracked = wanted.map(\.tracked)
    for definition in wantedGroups {
      let members = definition.members.compactMap { places[$0] }.filter { groupOf[$0] == nil }
      guard !members.isEmpty else { continue }
      for place in members {
        groupOf[place] = groups.count
        let all = tracked[place] + definition.tracked
        tracked[place] = definition.usesTrackingWeight ? all : all.compactMap(\.withoutWeight)
      }
      groups.append(
        SyncGroup(definition: definition, members: members, state: states[definition.name] ?? .initial))
    }
    machines = zip(wanted, tracked).map { definition, tracked in
      var definition = definition
      definition.tracked = tracked
      return InstanceMachine(definition)
    }
    routes = [:]
    for (place, definition) in wanted.enumerated() {
      let route = Route(
        interface: definition.interface, family: definition.family, virtualRouter: definition.virtualRouter)
      routes[route, default: []].append(place)
    }
  }

  /// New members of a group that was master become master with it; else they would end it.
  private mutating func join(_ number: Int, where masters: Set<InstanceIdentity>, at now: Microseconds) {
    let members = groups[number].members
    guard
      members.contains(where: { masters.contains(machines[$0].definition.identity) && machines[$0].state == .master }),
      members.allSatisfy({ machines[$0].faultReason == nil })
    else { return }
    for place in members { record(machines[place].follow(.master, at: now), of: place) }
  }
}
