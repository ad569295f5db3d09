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
      let position = cache.leastLoaded(at: place, servers: servers)
      if place.memberCount > 1 && UInt64(flow.seconds) > place.modified &+ cache.expirationSeconds {
        cache.removeMostLoaded(at: &place, servers: servers, seconds: flow.seconds)
      }
      if position >= 0 && !servers.isCrowded(at: position) { return position }
    }
    let position = WeightedLeastConnection.pick(from: servers)
    if position >= 0 { cache.join(position, at: place, flow: flow, servers: servers) }
    return position
  }
}
