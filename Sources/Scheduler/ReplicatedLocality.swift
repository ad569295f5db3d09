// Locality-based least connection with replication (lblcr): packets to the same address go to a few servers, as many as
// it takes.
//
// A cache remembers a set of servers for each destination address. The least loaded of the set is used while it is not
// crowded; otherwise the server that `wlc` picks is used and joins the set. A set that has not changed for a day gives
// up its most loaded member, so that a destination no longer in demand shrinks back to one server. (The pick is made
// before: the member that goes may serve a last connection.)
//
// Without a cache, and for a destination that is being changed by another worker at this very moment, this is plain
// `wlc`.

/// Locality-based least connection with replication.
public enum ReplicatedLocality {
  /// The least loaded of the destination's servers, or one that joins them, or -1.
  static func pick(from servers: RealServerSet, flow: ScheduledFlow) -> Int {
    guard let cache = servers.cache else { return WeightedLeastConnection.pick(from: servers) }
    var place = cache.find(flow)
    if place.isFound {
      cache.touch(place, seconds: flow.seconds)
      let survey = cache.survey(at: &place, servers: servers)
      if place.memberCount > 1 && UInt64(flow.seconds) > place.modified &+ cache.expirationSeconds {
        cache.removeMostLoaded(at: &place, servers: servers, seconds: flow.seconds)
      }
      let position = survey.leastLoaded
      if position >= 0 && !isCrowded(position, survey, servers) { return position }
      // Nobody is left to join.
      if survey.coversList && place.memberCount == servers.count {
        return WeightedLeastConnection.pick(from: servers)
      }
    }
    let position = WeightedLeastConnection.pick(from: servers)
    if position >= 0 { cache.join(position, at: place, flow: flow, servers: servers) }
    return position
  }

  /// `RealServerSet.isCrowded`: the rest of the list is not asked when a member has room, or when there is no rest.
  private static func isCrowded(_ position: Int, _ survey: DestinationCache.Survey, _ servers: RealServerSet) -> Bool {
    guard servers.isFilled(at: position) else { return false }
    return survey.hasRoom || !survey.coversList && servers.hasRoom
  }
}
