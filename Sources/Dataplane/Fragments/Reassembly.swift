import Kernel
import Wire

/// Fragments become datagrams again before anything is decided about them, as in IPVS: only a whole datagram has ports,
/// and a checksum that can be made right. What leaves is cut again, see `Refragmentation`.
///
/// A fragment that does not complete its datagram is copied into the pool, and its frame is free. Until its datagram is
/// complete or given up it counts as held; then all of its fragments are counted as what became of the datagram.
extension WorkerState {
  /// A fragment's second stride: everything that becomes of it.
  @inline(never)
  mutating func gather(_ index: Int) {
    let packet = batch.packet(index)
    batch.outcomes[index] = .pending
    if !packet.pointee.isIPv6, isPassingWithoutHops(index) {
      packet.pointee.form = PacketForm(isIPv6: false, isReply: true).odd
      answer(index, .timeExceeded)
      batch.outcomes[index] = .timeExceeded
      return
    }
    let fragment = Fragment(packet.pointee)
    let frameHeader = UnsafeRawPointer(batch.bytes(index))
    let frameHeaderByteCount = packet.pointee.network - batch.bytes(index)
    if packet.pointee.isIPv6, fragment.offset == 0, fragment.isLast {
      let byteCount = whole.take(
        packet.pointee.network, byteCount: fragment.packetByteCount, headerByteCount: fragment.headerByteCount,
        frameHeader: frameHeader, count: frameHeaderByteCount)
      forwardWhole(index, byteCount: byteCount)
      if isLeft(index), isOwnTraffic { sendOwnWhole(index, fragment, byteCount: byteCount) }
      return
    }
    guard fragment.end + fragment.headerByteCount <= 65_535 else { return batch.finish(index, .fragmentContradictory) }
    let (verdict, shard) = shared.fragments.keep(fragment, packet.pointee.network, now: clock.nanoseconds)
    settle(verdict.ended, as: verdict.outcome)
    settle(verdict.evicted, as: .fragmentPoolFull)
    guard verdict.outcome == .pending else { return batch.finish(index, verdict.outcome) }
    let datagram = shard.pointee.datagrams[Int(verdict.datagram)]
    let others = Int(datagram.fragmentCount) - 1
    if let byteCount = whole.assemble(datagram, in: shard, frameHeader: frameHeader, count: frameHeaderByteCount) {
      forwardWhole(index, byteCount: byteCount)
      if isLeft(index) {
        if isOwnTraffic { sendOwnWhole(index, fragment, byteCount: byteCount) }
        passOthers(index, datagram, in: shard, except: fragment.offset)
      }
    } else {
      batch.finish(index, .fragmentContradictory)
    }
    settle(others, as: batch.outcomes[index])
    returnedCount += others
    shared.fragments.release(verdict.datagram, shard)
  }

  /// True for what is the host's.
  private func isLeft(_ index: Int) -> Bool {
    batch.outcomes[index].isPassed && batch.egress[index] == Batch.noEgress
  }

  /// Fragments that were held have come to their end.
  private func settle(_ count: Int, as outcome: Outcome) {
    guard count != 0 else { return }
    let amount = UInt64(truncatingIfNeeded: count)
    counters.outcomes[Int(Outcome.fragmentHeld.rawValue)] &-= amount
    counters.outcomes[Int(outcome.rawValue)] &+= amount
  }

  /// An IPv4 fragment that the host would forward, and whose time is over: a router looks at that before anything else.
  private mutating func isPassingWithoutHops(_ index: Int) -> Bool {
    let packet = batch.packet(index).pointee
    guard WorkerState.hopsLeft(packet.network, PacketForm(isIPv6: false, isReply: false)) <= 1 else { return false }
    let low = packet.destinationAddress.low
    return routedHop(high: 0, low: low, isIPv6: false).pointee.state != .local && !hasMarkService(fragment: index)
  }

  private mutating func isForHost(_ packet: Packet) -> Bool {
    let (high, low) = packet.destinationAddress
    return snapshot.pointee.hasWide || routedHop(high: high, low: low, isIPv6: packet.isIPv6).pointee.state == .local
  }

  /// Takes the datagram in the worker's buffer through the stages, in the place of the frame that completed it.
  private mutating func forwardWhole(_ index: Int, byteCount: Int) {
    let packet = batch.packet(index)
    let fragment = packet.pointee
    let frame = batch.frames[index]
    var ends = PacketEnds(source: 0, destination: 0)
    let ownAddress = UnsafeRawPointer(whole.frame).loadBigEndian64(at: 0) >> 16
    var outcome = Parse.packet(
      packet, whole.frame, byteCount: whole.frameHeaderByteCount + byteCount, ownAddress: ownAddress, ends: &ends)
    // A fragment of a fragment: RFC 8200 knows only one fragment header.
    if outcome == .pending, packet.pointee.flags.contains(.fragment) { outcome = .malformed }
    if outcome == .pending { outcome = Classify(self).packet(packet, ends) }
    if outcome == .pending {
      packet.pointee.form = packet.pointee.form.odd
      packet.pointee.flags.insert(.reassembled)
      forwardOddly(index)
    } else {
      batch.finish(index, outcome)
    }
    guard batch.egress[index] == Batch.noEgress else { return }
    // The fragment itself is what ends here, not the buffer.
    batch.frames[index] = frame
    packet.pointee.network = fragment.network
    packet.pointee.byteCount = fragment.byteCount
    batch.finish(index, batch.outcomes[index])
  }

  /// The datagram is the host's: it gets the fragments that were held too, as they came. Those that it has sent itself go
  /// where the one does that completed the datagram.
  private mutating func passOthers(
    _ index: Int, _ datagram: Datagram, in shard: UnsafeMutablePointer<FragmentShard>, except offset: Int
  ) {
    let isOwn = isOwnTraffic
    if isOwn, batch.egress[index] == Batch.noEgress { return }
    let (high, low) = batch.packet(index).pointee.destinationAddress
    var fragment = datagram.first
    while fragment != 0 {
      let link = shard.pointee.links[Int(fragment)]
      if Int(link.offset) != offset {
        guard extraCount < Limits.extraCapacity, let chunk = pool.take() else { return }
        let address = chunk + UInt64(FramePool.headroomByteCount)
        let count = Int(link.packetByteCount)
        let frame = pool.base + Int(address)
        var headerByteCount = 14
        if isOwn {
          let hop = routedHop(high: high, low: low, isIPv6: datagram.key.isIPv6)
          hop.pointee.writeHeader(frame, type: NextHop.type(isIPv6: datagram.key.isIPv6))
          headerByteCount = hop.pointee.headerByteCount
        } else {
          frame.copyMemory(from: whole.frame, byteCount: 12)
          frame.storeBigEndian16(datagram.key.isIPv6 ? EtherType.ipv6 : EtherType.ipv4, at: 12)
        }
        shard.pointee.copy(fragment, from: 0, count: count, to: frame + headerByteCount)
        if isOwn {
          WorkerState.takeHop(frame + headerByteCount, PacketForm(isIPv6: datagram.key.isIPv6, isReply: true))
        }
        batch.extraFrames[extraCount] = FrameDescriptor(address: address, byteCount: UInt32(headerByteCount + count))
        batch.extraEgress[extraCount] = isOwn ? batch.egress[index] : Batch.hostEgress
        batch.extraParents[extraCount] = UInt8(truncatingIfNeeded: index)
        extraCount += 1
      }
      fragment = link.following
    }
  }

  // MARK: - Datagrams that never become complete

  /// Looks for them when it is time.
  @inline(__always)
  mutating func expireFragmentsDue() {
    if _slowPath(clock.nanoseconds >= nextFragmentExpiry) { expireFragments() }
  }

  /// Each worker looks after its own shards, a bounded number of datagrams at a time.
  @inline(never)
  private mutating func expireFragments() {
    nextFragmentExpiry = clock.nanoseconds &+ 100_000_000
    var index = worker
    while index < FragmentPool.shardCount {
      let shard = shared.fragments.shard(index)
      var left = Limits.fragmentExpiries
      while left > 0, let number = shared.fragments.takeExpired(shard, now: clock.nanoseconds) {
        let datagram = shard.pointee.datagrams[Int(number)]
        settle(Int(datagram.fragmentCount), as: .fragmentTimedOut)
        answerIncomplete(datagram, in: shard)
        shared.fragments.release(number, shard)
        left -= 1
      }
      if left == 0 { nextFragmentExpiry = clock.nanoseconds }
      index += workerCount
    }
  }

  /// Tells the sender, if the first fragment is there to be quoted (RFC 792, RFC 8200 section 4.5).
  private mutating func answerIncomplete(_ datagram: Datagram, in shard: UnsafeMutablePointer<FragmentShard>) {
    let link = shard.pointee.links[Int(datagram.first)]
    guard link.offset == 0, extraCount < Limits.extraCapacity, let chunk = pool.take() else { return }
    let network = pool.base + Int(chunk) + FramePool.headroomByteCount
    let count = min(Int(link.packetByteCount), pool.packetByteCountLimit)
    shard.pointee.copy(datagram.first, from: 0, count: count, to: network)
    var packet = batch.packet(0).pointee
    packet.network = network
    packet.byteCount = UInt16(truncatingIfNeeded: count)
    packet.flags = datagram.key.isIPv6 ? .ipv6 : []
    let isForHost = isForHost(packet)
    packet.form = PacketForm(isIPv6: datagram.key.isIPv6, isReply: !isForHost)
    if !isForHost, !datagram.key.isIPv6 { WorkerState.takeHop(network, packet.form) }
    guard let error = writeError(packet, .reassemblyTimeExceeded) else { return pool.give(chunk) }
    let start = error.header - error.hop.pointee.headerByteCount
    error.hop.pointee.writeHeader(start, type: NextHop.type(isIPv6: datagram.key.isIPv6))
    batch.extraFrames[extraCount] = FrameDescriptor(
      address: UInt64(start - pool.base), byteCount: UInt32(error.byteCount + error.hop.pointee.headerByteCount))
    batch.extraEgress[extraCount] = error.hop.pointee.interface
    batch.extraParents[extraCount] = Batch.noParent
    extraCount += 1
  }
}

extension Fragment {
  /// From a packet that parse has found to be one; its lengths have been checked.
  init(_ packet: Packet) {
    let header = UnsafeRawPointer(packet.network)
    headerByteCount = Int(packet.transportOffset)
    packetByteCount = Int(packet.byteCount)
    var data = packetByteCount - headerByteCount
    key = DatagramKey(
      source: packet.sourceAddress, destination: packet.destinationAddress, identification: 0, protocolNumber: 0,
      isIPv6: packet.isIPv6)
    let codepoint: UInt8
    if packet.isIPv6 {
      let field = header.loadBigEndian16(at: headerByteCount - 6)
      offset = Int(field & 0xfff8)
      isLast = field & 1 == 0
      mustNotBeCut = false
      key.identification = header.loadBigEndian32(at: headerByteCount - 4)
      codepoint = header.loadByte(at: 1) >> 4 & 3
    } else {
      let field = header.loadBigEndian16(at: IPv4.fragmentOffset)
      offset = Int(field & 0x1fff) * 8
      isLast = field & 0x2000 == 0
      if !isLast { data &= ~7 }
      mustNotBeCut = field & 0x4000 != 0
      key.identification = UInt32(header.loadBigEndian16(at: IPv4.identificationOffset))
      key.protocolNumber = packet.protocolNumber
      codepoint = header.loadByte(at: IPv4.serviceOffset) & 3
    }
    byteCount = data
    congestion = 1 << codepoint
  }
}
