import Synchronization

// A look at all members of a destination's set (lblcr).
//
// A set may have hundreds of members, and this is what a pick costs. So what does not change with traffic, a server's
// weight and number, stands in the set's nodes in the order in which it is looked at:
//
//     glance  63                               32 31              16 15               0
//             ┌──────────────────────────────────┬──────────────────┬─────────────────┐
//             │ weight; 0: nobody to pick        │        0         │ server's number │
//             └──────────────────────────────────┴──────────────────┴─────────────────┘
//
// Glances are those of one list: of that whose stamp (`RealServerSet.stamp`) the destination's entry has, with a 1 in the lowest
// bit if all members are in the list. A worker whose list has another stamp makes them anew.
//
// Two members at a time, whatever the processor: all multiplications are of 32 bits, and beside the last member stands nobody.
// Only a node in which somebody leads is looked at one by one.

extension DestinationCache {
  /// What a look at a set tells.
  struct Survey {
    /// Position of the member with the smallest overhead for its weight among those that are eligible, or -1.
    var leastLoaded = -1
    /// A member has not half as many active connections as it weighs.
    var hasRoom = false
    /// Every server of the list is a member.
    var coversList = false
  }

  /// Looks at a set's members.
  /// - Parameter place: afterwards as if read anew.
  func survey(at place: inout Place, servers: RealServerSet) -> Survey {
    guard holdsSets, place.firstNode <= UInt32(DestinationCache.nodeCapacity) else { return Survey() }
    if _slowPath(place.stamp & ~1 != servers.stamp), !renew(&place, servers: servers) {
      return surveyWithoutGlances(at: place, servers: servers)
    }
    let connections = UnsafeRawPointer(servers.connections)
    let low = SIMD2<UInt64>(repeating: 0xffff_ffff)
    var leader = Leader()
    var (balances, overheads) = (SIMD2<UInt64>.zero, SIMD2<UInt64>.zero)
    var number = place.firstNode
    for _ in 0..<place.memberCount {
      if number == 0 { break }
      let glances = Glances(node(number) + DestinationCache.glancesOffset)
      var leads = SIMD2<UInt64>.zero
      // Not a loop: only within one block of code does the compiler know that factors have 32 bits.
      func look(_ index: Int) {
        let (first, second) = (glances[index], index &+ 1 < DestinationCache.membersPerNode ? glances[index &+ 1] : 0)
        let weight = SIMD2(first, second) &>> 32
        let counts = SIMD2(Glances.counts(first, connections), Glances.counts(second, connections))
        let active = counts &>> 32
        let overhead = active &<< 8 &+ (counts & low)
        overheads |= overhead
        // Negative where more than half is free.
        balances |= active &+ active &- weight
        // Negative where the leader has more for its weight.
        leads |=
          (overhead & low) &* SIMD2(repeating: leader.weight & 0xffff_ffff) &- weight
          &* SIMD2(repeating: leader.overhead & 0xffff_ffff)
      }
      look(0)
      look(2)
      look(4)
      look(6)
      if (leads.x | leads.y) >> 63 != 0 { leader.look(at: glances, servers) }
      number = next(number)
    }
    if _slowPath((overheads.x | overheads.y) >= Leader.limit) {
      return surveyWithoutGlances(at: place, servers: servers)
    }
    return Survey(
      leastLoaded: leader.place.map { servers.position(ofMember: $0.member) } ?? -1,
      hasRoom: (balances.x | balances.y) >> 63 != 0,
      coversList: place.stamp & 1 != 0 && place.memberCount == servers.count)
  }

  /// A node's glances.
  private struct Glances {
    let base: UnsafePointer<Atomic<UInt64>>

    @inline(__always)
    init(_ base: UnsafeMutablePointer<Atomic<UInt64>>) { self.base = UnsafePointer(base) }

    @inline(__always)
    init(_ base: UnsafePointer<Atomic<UInt64>>) { self.base = base }

    @inline(__always)
    subscript(index: Int) -> UInt64 { (base + index).pointee.load(ordering: .relaxed) }

    /// The member whose glance is the first.
    var member: UInt64 { Glances(base - DestinationCache.glancesOffset)[0] }

    @inline(__always)
    static func identifier(_ glance: UInt64) -> Int { Int(truncatingIfNeeded: glance & 0xffff) }

    /// Active and inactive connections of the server.
    @inline(__always)
    static func counts(_ glance: UInt64, _ connections: UnsafeRawPointer) -> UInt64 {
      (connections + identifier(glance) &* 8).assumingMemoryBound(to: Atomic<UInt64>.self).pointee
        .load(ordering: .relaxed)
    }
  }

  /// The least loaded of the members that have been looked at.
  private struct Leader {
    /// What overheads must be below: products with weights, which have 31 bits, are compared by their difference's sign.
    static var limit: UInt64 { 1 << 31 }

    /// Of its glance.
    var place: Glances?
    var overhead = Leader.limit
    var weight: UInt64 = 1

    /// Somebody of these may take the lead.
    @inline(never)
    mutating func look(at glances: Glances, _ servers: RealServerSet) {
      for index in 0..<DestinationCache.membersPerNode {
        let glance = glances[index]
        let counts = Glances.counts(glance, UnsafeRawPointer(servers.connections))
        let (overhead, weight) = ((counts >> 32) << 8 &+ counts & 0xffff_ffff, glance >> 32)
        guard self.overhead &* weight > overhead &* self.weight,
          !servers.isOverloaded(identifier: Glances.identifier(glance))
        else { continue }
        (place, self.overhead, self.weight) = (Glances(glances.base + index), overhead, weight)
      }
    }
  }

  /// Makes a set's glances by the list as it is.
  /// - Returns: false when somebody else has changed the bucket meanwhile.
  @inline(never)
  private func renew(_ place: inout Place, servers: RealServerSet) -> Bool {
    guard let version = place.version, lock(place) else { return false }
    var stamp = servers.stamp | 1
    forEachMember(of: place) { member, word in
      let position = position(of: member, word, in: servers)
      if position < 0 { stamp = servers.stamp }
      glance(member).pointee.store(
        position < 0 ? RealServerSet.nobody : servers.glance(at: position), ordering: .relaxed)
    }
    place.stamp = stamp
    entry(place.bucket, place.way, .stamp).pointee.store(stamp, ordering: .relaxed)
    unlock(place)
    place.version = version &+ 2
    return true
  }

  /// The same by what the list says of each, at full width.
  @inline(never)
  private func surveyWithoutGlances(at place: Place, servers: RealServerSet) -> Survey {
    var contest = WeightedLeastConnection.Contest()
    var survey = Survey()
    forEachMember(of: place) { member, word in
      let position = position(of: member, word, in: servers)
      guard position >= 0 else { return }
      contest.enter(position, of: servers, atFullWidth: true)
      if Int64(servers.activeCount(at: position)) &* 2 < Int64(servers.weights[position]) { survey.hasRoom = true }
    }
    survey.leastLoaded = contest.winner
    return survey
  }
}
