// Instances that are master together or not at all (`vrrp_sync_group`): the two sides of a NAT director, say, where one
// address here and the other there would serve nobody.
//
// A member whose time has come only wishes to be master; when all wish it, all become it. One that is not master any more,
// or is faulty, takes the others along. A member that has no fault of its own comes back when none of the others has one.

/// A `vrrp_sync_group`.
public struct SyncGroupDefinition: Hashable, Sendable {
  /// The name in logs.
  public var name: String
  /// Its instances, by name; one that does not exist is nobody.
  public var members: [String]
  /// What all of them watch.
  public var tracked: [TrackedObject] = []
  /// Members keep the weights of what they watch.
  public var usesTrackingWeight = false

  /// A group.
  public init(name: String, members: [String]) {
    self.name = name
    self.members = members
  }
}

/// What a group wants done.
public enum SyncGroupAction: Hashable, Sendable {
  /// It is something else now: all members are, or one of them is faulty.
  case entered(InstanceState)
  /// Members are taken along: a line for the log.
  case syncing(InstanceState)

  /// keepalived's words for the log, for the group of this name.
  public func line(_ name: String) -> String {
    switch self {
    case .entered(let state): "VRRP_Group(\(name)) Entering \(state.name) STATE"
    case .syncing(let state): "VRRP_Group(\(name)) Syncing instances to \(state.name) state"
    }
  }
}

/// A group and what it is.
struct SyncGroup: Sendable {
  /// What a member is, as far as the group cares.
  struct Member {
    var state: InstanceState
    var wantsMaster: Bool
    var isFaulty: Bool
  }

  let definition: SyncGroupDefinition
  /// Places in the engine's list.
  var members: [Int]
  var state = InstanceState.initial

  /// Where members have to go that are not there yet; nil when all is well.
  static func goal(of members: [Member]) -> InstanceState? {
    if members.contains(where: \.isFaulty) {
      return members.contains { $0.state != .fault && $0.state != .initial } ? .fault : nil
    }
    let masters = members.count { $0.state == .master }
    if masters == members.count { return nil }
    if members.allSatisfy({ $0.state == .master || $0.state == .backup && $0.wantsMaster }) { return .master }
    return masters > 0 ? .backup : nil
  }

  /// What the members together are.
  static func state(of members: [Member]) -> InstanceState {
    if members.contains(where: { $0.isFaulty || $0.state == .fault }) { return .fault }
    if members.contains(where: { $0.state == .initial }) { return .initial }
    return members.allSatisfy { $0.state == .master } ? .master : .backup
  }
}
