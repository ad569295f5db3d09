import Synchronization

// Sets of servers (lblcr): a chain of nodes for each destination, the newest member first.
//
// A node is a server's identity and the next node's number, 0 at the end. Nodes that are not in use hang on one chain,
// whose head carries a count of all changes so that no worker mistakes a head that has come back for one that stayed; those
// never used so far are handed out in order. Chains are changed by whoever has locked the bucket. Those who read do not
// lock, and may stray into another chain: they take no more steps than the set has members, from numbers within
// bounds, and whatever identity they meet is looked for in the service's own list.

extension DestinationCache {
  /// Position of the member with the smallest overhead for its weight among those that are eligible, or -1.
  func leastLoaded(at place: Place, servers: RealServerSet) -> Int {
    var best = -1
    var bestOverhead: UInt64 = 0
    var bestWeight: UInt64 = 1
    forEachMember(of: place) { _, identity in
      let position = servers.position(ofIdentity: identity)
      guard position >= 0, servers.isEligible(at: position) else { return }
      let overhead = servers.overhead(at: position)
      let weight = UInt64(truncatingIfNeeded: servers.weights[position])
      if best < 0 || WeightedLeastConnection.isProduct(bestOverhead, weight, greaterThan: overhead, bestWeight) {
        best = position
        bestOverhead = overhead
        bestWeight = weight
      }
    }
    return best
  }

  /// Takes the member with the largest overhead for its weight out of the set.
  /// - Parameter place: afterwards as if read anew.
  func removeMostLoaded(at place: inout Place, servers: RealServerSet, seconds: UInt32) {
    guard let version = place.version, lock(place) else { return place.version = nil }
    let worst = mostLoaded(at: place, servers: servers)
    if worst != 0 {
      place.content = removed(worst, from: place.content)
      entry(place.bucket, place.way, .content).pointee.store(place.content, ordering: .relaxed)
      entry(place.bucket, place.way, .modified).pointee.store(UInt64(seconds), ordering: .relaxed)
    }
    unlock(place)
    place.version = version &+ 2
  }

  /// Node of the member with the largest overhead for its weight, overloaded or not; 0 when all are quiescent.
  private func mostLoaded(at place: Place, servers: RealServerSet) -> UInt32 {
    var worst: UInt32 = 0
    var worstOverhead: UInt64 = 0
    var worstWeight: UInt64 = 1
    forEachMember(of: place) { node, identity in
      let position = servers.position(ofIdentity: identity)
      guard position >= 0, servers.weights[position] > 0 else { return }
      let overhead = servers.overhead(at: position)
      let weight = UInt64(truncatingIfNeeded: servers.weights[position])
      if worst == 0 || WeightedLeastConnection.isProduct(overhead, worstWeight, greaterThan: worstOverhead, weight) {
        worst = node
        worstOverhead = overhead
        worstWeight = weight
      }
    }
    return worst
  }

  /// Adds a server to a destination's set, which begins with it if there is none; one that is in the set stays.
  func join(_ identity: UInt64, at place: Place, flow: ScheduledFlow, servers: RealServerSet) {
    var isMember = false
    var stranger: UInt32 = 0
    guard lock(place) else { return }
    defer { unlock(place) }
    if place.isFound {
      forEachMember(of: place) { node, member in
        if member == identity { isMember = true }
        if stranger == 0 && servers.position(ofIdentity: member) < 0 { stranger = node }
      }
      if isMember { return }
    }
    var content = place.isFound ? place.content : 0
    // Servers that have left keep their place, for they may come back; but a set is no larger than the list.
    if place.memberCount >= servers.count && stranger != 0 { content = removed(stranger, from: content) }
    let node = takeNode()
    if node != 0 {
      self.node(node, .identity).pointee.store(identity, ordering: .relaxed)
      self.node(node, .next).pointee.store(content & 0xffff_ffff, ordering: .relaxed)
      write((content >> 32 &+ 1) << 32 | UInt64(node), at: place, flow: flow)
    } else if place.isFound {
      entry(place.bucket, place.way, .content).pointee.store(content, ordering: .relaxed)
    }
  }

  /// The identities of a set, first to last; for tests.
  func members(at place: Place) -> [UInt64] {
    var members: [UInt64] = []
    forEachMember(of: place) { members.append($1) }
    return members
  }

  // MARK: - Chains

  enum NodePart: Int {
    case identity
    case next
  }

  @inline(__always)
  private func node(_ number: UInt32, _ part: NodePart) -> Word {
    word(at: DestinationCache.nodesOffset + (Int(number) - 1) * 16 + part.rawValue * 8)
  }

  /// The number of the node behind another; 0 at the end and for what cannot be one.
  @inline(__always)
  private func next(_ number: UInt32) -> UInt32 {
    let next = node(number, .next).pointee.load(ordering: .relaxed)
    return next <= UInt64(DestinationCache.nodeCapacity) ? UInt32(next) : 0
  }

  @inline(__always)
  private func forEachMember(of place: Place, _ body: (UInt32, UInt64) -> Void) {
    guard holdsSets, place.firstNode <= UInt32(DestinationCache.nodeCapacity) else { return }
    var number = place.firstNode
    for _ in 0..<place.memberCount {
      if number == 0 { return }
      body(number, node(number, .identity).pointee.load(ordering: .relaxed))
      number = next(number)
    }
  }

  /// The content of an entry without one of its nodes, which is freed.
  private func removed(_ target: UInt32, from content: UInt64) -> UInt64 {
    let rest = (content >> 32 &- 1) << 32
    var number = UInt32(truncatingIfNeeded: content)
    if number == target {
      let first = UInt64(next(target))
      free(first: target, last: target)
      return rest | first
    }
    for _ in 0..<content >> 32 where number != 0 {
      let following = next(number)
      if following == target {
        node(number, .next).pointee.store(UInt64(next(target)), ordering: .relaxed)
        free(first: target, last: target)
        return rest | content & 0xffff_ffff
      }
      number = following
    }
    return content
  }

  /// Frees all nodes of a set.
  func freeSet(_ content: UInt64) {
    let first = UInt32(truncatingIfNeeded: content)
    var last = first
    guard first != 0 else { return }
    for _ in 1..<max(2, content >> 32) where next(last) != 0 { last = next(last) }
    free(first: first, last: last)
  }

  private func free(first: UInt32, last: UInt32) {
    let head = word(.freeNodes)
    var old = head.pointee.load(ordering: .relaxed)
    while true {
      node(last, .next).pointee.store(old & 0xffff_ffff, ordering: .relaxed)
      let new = (old >> 32 &+ 1) << 32 | UInt64(first)
      let result = head.pointee.compareExchange(expected: old, desired: new, ordering: .releasing)
      if result.exchanged { return }
      old = result.original
    }
  }

  /// A node that nobody uses; 0 when there is none.
  private func takeNode() -> UInt32 {
    let head = word(.freeNodes)
    var old = head.pointee.load(ordering: .acquiring)
    while old & 0xffff_ffff != 0 {
      let number = UInt32(truncatingIfNeeded: old)
      let new = (old >> 32 &+ 1) << 32 | UInt64(next(number))
      let result = head.pointee.compareExchange(expected: old, desired: new, ordering: .acquiring)
      if result.exchanged { return number }
      old = result.original
    }
    let fresh = word(.freshNodes)
    guard fresh.pointee.load(ordering: .relaxed) < UInt64(DestinationCache.nodeCapacity) else { return 0 }
    let number = fresh.pointee.wrappingAdd(1, ordering: .relaxed).newValue
    return number <= UInt64(DestinationCache.nodeCapacity) ? UInt32(number) : 0
  }
}
