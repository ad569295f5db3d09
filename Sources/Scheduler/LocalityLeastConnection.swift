// Locality-based least connection (lblc): packets to the same address go to the same server as long as it can cope.
//
// A cache remembers the server of each destination address. It is used again while it is in the list, not quiescent and
// not crowded; otherwise the destination moves to the server that `wlc` picks. The upper threshold is not looked at on
// the way through the cache, as in IPVS: where a page is cached is worth more than a connection too many.
//
// Without a cache (no memory was to be had for it), and for a destination that is being changed by another worker at
// this very moment, this is plain `wlc`.

/// Locality-based least connection.
public enum LocalityLeastConnection {
  /// The destination's server, or the one that becomes it, or -1.
  static func pick(from servers: RealServerSet, flow: ScheduledFlow) -> Int {
    guard let cache = servers.cache else { return WeightedLeastConnection.pick(from: servers) }
    let place = cache.find(flow)
    if place.isFound {
      cache.touch(place, seconds: flow.seconds)
      let position = servers.position(ofIdentity: place.content)
      if position >= 0 && servers.weights[position] > 0 && !servers.isCrowded(at: position) { return position }
    }
    let position = WeightedLeastConnection.pick(from: servers)
    if position >= 0, let identities = servers.identities {
      cache.remember(identities[position], at: place, flow: flow)
    }
    return position
  }
}

extension RealServerSet {
  /// True when a server has more active connections than it weighs while another has not half as many.
  @inline(__always)
  func isCrowded(at position: Int) -> Bool { isFilled(at: position) && hasRoom }

  /// True when a server has more active connections than it weighs.
  @inline(__always)
  func isFilled(at position: Int) -> Bool { Int64(activeCount(at: position)) > Int64(weights[position]) }

  /// True when a server has not half as many active connections as it weighs.
  @inline(__always)
  var hasRoom: Bool { (0..<count).contains { Int64(activeCount(at: $0)) &* 2 < Int64(weights[$0]) } }
}
