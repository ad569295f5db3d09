import Synchronization

// Sets of servers (lblcr): a chain of nodes for each destination, the newest member first.
//
//     node    ┌──────────┬──────────┬─ … ─┬──────────┬──────┐     seven members, those missing at the front
//     128 B   │ member 0 │ member 1 │     │ member 6 │      │
//             ├──────────┼──────────┼─ … ─┼──────────┼──────┤     what a look at them needs (`SetSurvey.swift`);
//             │ glance 0 │ glance 1 │     │ glance 6 │ next │     the next node's number, 0 at the end
//             └──────────┴──────────┴─ … ─┴──────────┴──────┘
//
// A member is a server's identity, with the position where the server was found last in the bits that an identity leaves
// free.
//
// Nodes that are not in use hang on one chain, whose head carries a count of all changes so that no worker mistakes a head
// that has come back for one that stayed; those never used so far are handed out in order. Chains are changed by whoever
// has locked the bucket. Those who read do not lock, and may stray into another chain: they take no more steps than the
// set has members, from numbers within bounds, and whatever identity they meet is looked for in the service's own list.

extension DestinationCache {
  /// Takes the member with the largest overhead for its weight out of the set.
  /// - Parameter place: afterwards as if read anew.
  func removeMostLoaded(at place: inout Place, servers: RealServerSet, seconds: UInt32) {
    guard let version = place.version, lock(place) else { return place.version = nil }
    if let worst = mostLoaded(at: place, servers: servers) {
      place.content = removed(worst, from: place.content)
      entry(place.bucket, place.way, .content).pointee.store(place.content, ordering: .relaxed)
      entry(place.bucket, place.way, .modified).pointee.store(UInt64(seconds), ordering: .relaxed)
    }
    unlock(place)
    place.version = version &+ 2
  }

  /// The member with the largest overhead for its weight, overloaded or not; nil when all are quiescent.
  private func mostLoaded(at place: Place, servers: RealServerSet) -> Member? {
    var worst: Member?
    var worstOverhead: UInt64 = 0
    var worstWeight: UInt64 = 1
    forEachMember(of: place) { member, word in
      let position = servers.position(ofIdentity: word & ServerIdentity.mask)
      guard position >= 0, servers.weights[position] > 0 else { return }
      let overhead = servers.overhead(at: position)
      let weight = UInt64(truncatingIfNeeded: servers.weights[position])
      if worst == nil || WeightedLeastConnection.isProduct(overhead, worstWeight, greaterThan: worstOverhead, weight) {
        worst = member
        worstOverhead = overhead
        worstWeight = weight
      }
    }
    return worst
  }

  /// Adds a server to a destination's set, which begins with it if there is none; one that is in the set stays.
  func join(_ position: Int, at place: Place, flow: ScheduledFlow, servers: RealServerSet) {
    guard let identity = servers.identities?[position], lock(place) else { return }
    defer { unlock(place) }
    var content: UInt64 = 0
    if place.isFound {
      content = place.content
      // Servers that have left keep their place, for they may come back; but a set is no larger than the list, or a node.
      let isFull = place.memberCount >= max(servers.count, DestinationCache.membersPerNode)
      var isMember = false
      var stranger: Member?
      forEachMember(of: place) { member, word in
        if word & ServerIdentity.mask == identity { isMember = true }
        if isFull, stranger == nil, servers.position(ofIdentity: word & ServerIdentity.mask) < 0 { stranger = member }
      }
      if isMember { return }
      if let stranger { content = removed(stranger, from: content) }
    }
    if let joined = added(identity | UInt64(position), servers.glance(at: position), to: content) {
      write(joined, at: place, flow: flow)
    } else if place.isFound {
      entry(place.bucket, place.way, .content).pointee.store(content, ordering: .relaxed)
    }
  }

  /// The identities of a set, first to last; for tests.
  func members(at place: Place) -> [UInt64] {
    var members: [UInt64] = []
    forEachMember(of: place) { members.append($1 & ServerIdentity.mask) }
    return members
  }

  // MARK: - Chains

  static var nodeBytes: Int { 128 }
  static var membersPerNode: Int { 7 }
  /// In words.
  static var glancesOffset: Int { 8 }

  /// Where a member stands.
  struct Member {
    var node: UInt32
    var index: Int
  }

  /// A node's lines.
  @inline(__always)
  func node(_ number: UInt32) -> Word {
    word(at: DestinationCache.nodesOffset + (Int(number) - 1) * DestinationCache.nodeBytes)
  }

  @inline(__always)
  private func word(of member: Member) -> Word { node(member.node) + member.index }

  @inline(__always)
  func load(_ member: Member) -> UInt64 { word(of: member).pointee.load(ordering: .relaxed) }

  @inline(__always)
  private func store(_ member: Member, _ value: UInt64) { word(of: member).pointee.store(value, ordering: .relaxed) }

  /// What a look at a member needs.
  @inline(__always)
  func glance(_ member: Member) -> Word { word(of: member) + DestinationCache.glancesOffset }

  /// The last word of a node: the number of the next one.
  @inline(__always)
  private func link(_ number: UInt32) -> Word { node(number) + 15 }

  /// The number of the node behind another; 0 at the end and for what cannot be one.
  @inline(__always)
  func next(_ node: UInt32) -> UInt32 {
    let next = link(node).pointee.load(ordering: .relaxed)
    return next <= UInt64(DestinationCache.nodeCapacity) ? UInt32(next) : 0
  }

  /// All members of a set, first to last, with what stands there.
  func forEachMember(of place: Place, _ body: (Member, UInt64) -> Void) {
    guard holdsSets, place.firstNode <= UInt32(DestinationCache.nodeCapacity) else { return }
    var node = place.firstNode
    for _ in 0..<place.memberCount {
      if node == 0 { return }
      for index in 0..<DestinationCache.membersPerNode {
        let member = Member(node: node, index: index)
        let word = load(member)
        if word != 0 { body(member, word) }
      }
      node = next(node)
    }
  }

  /// Where a member's server stands in the list, or -1; the member remembers it.
  func position(of member: Member, _ word: UInt64, in servers: RealServerSet) -> Int {
    let position = servers.position(ofMember: word)
    // Without the lock, hence only if it is still the same member that stands there.
    if position >= 0, word & ~ServerIdentity.mask != UInt64(position) {
      _ = self.word(of: member).pointee.compareExchange(
        expected: word, desired: word & ServerIdentity.mask | UInt64(position), ordering: .relaxed)
    }
    return position
  }

  /// The content of an entry with one more member, in front of the others; nil when there is no node for it.
  private func added(_ word: UInt64, _ glance: UInt64, to content: UInt64) -> UInt64? {
    let first = UInt32(truncatingIfNeeded: content)
    let count = (content >> 32 &+ 1) << 32
    if first != 0, load(Member(node: first, index: 0)) == 0 {
      var place = 0
      while place + 1 < DestinationCache.membersPerNode, load(Member(node: first, index: place + 1)) == 0 { place += 1 }
      store(Member(node: first, index: place), word)
      self.glance(Member(node: first, index: place)).pointee.store(glance, ordering: .relaxed)
      return count | UInt64(first)
    }
    let node = takeNode()
    guard node != 0 else { return nil }
    let last = DestinationCache.membersPerNode - 1
    for index in 0...last {
      let member = Member(node: node, index: index)
      store(member, index == last ? word : 0)
      self.glance(member).pointee.store(index == last ? glance : RealServerSet.nobody, ordering: .relaxed)
    }
    link(node).pointee.store(UInt64(first), ordering: .relaxed)
    return count | UInt64(node)
  }

  /// The content of an entry without one of its members; a node that becomes empty by it is freed.
  private func removed(_ member: Member, from content: UInt64) -> UInt64 {
    let node = member.node
    for index in stride(from: member.index, to: 0, by: -1) {
      let (place, before) = (Member(node: node, index: index), Member(node: node, index: index - 1))
      store(place, load(before))
      glance(place).pointee.store(glance(before).pointee.load(ordering: .relaxed), ordering: .relaxed)
    }
    store(Member(node: node, index: 0), 0)
    glance(Member(node: node, index: 0)).pointee.store(RealServerSet.nobody, ordering: .relaxed)
    let count = (content >> 32 &- 1) << 32
    let first = UInt32(truncatingIfNeeded: content)
    let isEmpty = load(Member(node: node, index: DestinationCache.membersPerNode - 1)) == 0
    guard isEmpty else { return count | UInt64(first) }
    let following = UInt64(next(node))
    var previous = first
    if node != first {
      for _ in 0..<content >> 32 where next(previous) != node { previous = next(previous) }
      link(previous).pointee.store(following, ordering: .relaxed)
    }
    free(first: node, last: node)
    return count | (node == first ? following : UInt64(first))
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
      link(last).pointee.store(old & 0xffff_ffff, ordering: .relaxed)
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
