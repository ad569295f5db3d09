import CShims
import Kernel

/// A packet's journey, top to bottom.
///
/// A forwarder is one worker: one pinned thread that owns one queue of every port (several queues when there are
/// more queues than workers). All its ports share one block of frames, so a packet received on one port leaves by another
/// without being copied. `turnAtClock` is the whole of it: each line is a file of that name, no stage calls a later
/// one. What happens to a packet is data: a stage gives it an `Outcome`, the next ones skip it.
///
/// A batch is taken in two strides. The first goes as far as one can get without the connection table: headers,
/// service, hash; it ends by asking for the table's line. The second does the rest with that line at hand. A stride
/// takes a packet through its stages before it takes the next one, so that what a stage has found is still in a register
/// for the one after it (`docs/decisions/0009`). And it goes in pieces: the first stride over one piece, then the second
/// over the piece before, whose lines have arrived meanwhile, and whose frames are still in the nearest cache.
struct Forwarder<P: Port & ~Copyable, H: HostStack & ~Copyable>: ~Copyable {
  var state: WorkerState
  /// The queues this worker owns.
  let ports: UnsafeMutablePointer<P>
  let portCount: Int
  /// By port: the interface it belongs to.
  let interfaces: UnsafeMutablePointer<UInt8>
  /// By port: its own MAC address as it stands in memory, in the upper 48 bits.
  let addresses: UnsafeMutablePointer<UInt64>
  /// By interface: the port that frames leave by.
  let transmitPorts: UnsafeMutablePointer<UInt8>
  var host: H
  let mailbox: Mailbox
  private(set) var isStopped = false
  /// The port that is served first in the next turn, so that a busy one cannot starve the others.
  var nextPort = 0

  /// One turn of the worker: what came in, what becomes of it, what goes out.
  /// - Returns: how many frames came in.
  @discardableResult
  mutating func turn() -> Int {
    state.clock.tickNow()
    return turnAtClock()
  }

  /// A turn at the time the clock shows: replay sets it from the capture.
  @inline(__always)
  mutating func turnAtClock() -> Int {
    if mailbox.hasMail { readMail() }
    receive()
    state.journey(addresses: addresses)
    if _slowPath(state.isOwnTraffic) { state.sendOwnTraffic() }
    state.expireFragmentsDue()
    transmit()
    state.counters.add(
      state.batch, packetCount: state.packetCount, extraCount: max(state.extraCount &- state.returnedCount, 0))
    state.sweepDue(isBusy: state.packetCount != 0)
    state.sweepCachesDue()
    if _slowPath(state.snapshot.pointee.settings.dropEntry.isInEffect) {
      state.dropEntriesDue(isBusy: state.packetCount != 0)
    }
    return state.packetCount
  }

  /// Control speaks here, and only here, between two batches.
  @inline(never)
  mutating func readMail() {
    while let message = mailbox.take() {
      switch message {
      case .snapshot(let view):
        state.snapshot = view
        state.states.isSecure = view.pointee.settings.secureTCP.isInEffect
        state.cacheSweep = CacheSweepState()
        mailbox.report(generation: view.pointee.generation)
      case .remember:
        mailbox.memory.take(from: state)
        mailbox.reportMemory()
      case .stop:
        isStopped = true
      }
    }
  }

  /// Takes over ports that are ready to use.
  /// - Parameters:
  ///   - ports: initialised; the forwarder owns them from here on.
  ///   - portInterfaces: by port, the index of its interface.
  ///   - interfaceAddresses: by interface, its MAC address.
  init(
    state: consuming WorkerState, ports: UnsafeMutablePointer<P>, portInterfaces: [Int], interfaceAddresses: [UInt64],
    host: consuming H, mailbox: Mailbox
  ) {
    precondition(portInterfaces.count <= Limits.portCapacity && interfaceAddresses.count < Int(Batch.noEgress))
    self.state = state
    self.ports = ports
    portCount = portInterfaces.count
    interfaces = .allocate(capacity: max(portCount, 1))
    addresses = .allocate(capacity: max(portCount, 1))
    transmitPorts = .allocate(capacity: max(interfaceAddresses.count, 1))
    transmitPorts.initialize(repeating: 0, count: interfaceAddresses.count)
    for (port, interface) in portInterfaces.enumerated().reversed() {
      interfaces[port] = UInt8(interface)
      addresses[port] = (interfaceAddresses[interface] << 16).bigEndian << 16
      transmitPorts[interface] = UInt8(port)
    }
    self.host = host
    self.mailbox = mailbox
    self.state.interfaces = UnsafePointer(interfaces)
  }

  deinit {
    ports.deinitialize(count: portCount)
    ports.deallocate()
    interfaces.deallocate()
    addresses.deallocate()
    transmitPorts.deallocate()
  }
}

extension WorkerState {
  /// The two strides, piece by piece.
  @inline(__always)
  mutating func journey(addresses: UnsafePointer<UInt64>) {
    let count = packetCount
    var ahead = 0
    var behind = 0
    batch.prefetch(0..<min(Limits.pieceCapacity, count))
    while behind < count {
      let first = ahead
      ahead = min(first &+ Limits.pieceCapacity, count)
      batch.prefetch(ahead..<min(ahead &+ Limits.pieceCapacity, count))
      look(first..<ahead, addresses: addresses)
      // Once all have been looked at, nothing is to be waited for any more.
      let ready = ahead == count ? count : first
      act(behind..<ready)
      behind = ready
    }
  }

  /// The first stride: parse, classify.
  @inline(never)
  mutating func look(_ piece: Range<Int>, addresses: UnsafePointer<UInt64>) {
    var first = piece.lowerBound
    while first < piece.upperBound {
      let end = batch.endOfIngress(from: first, limit: piece.upperBound)
      look(first, before: end, ownAddress: addresses[Int(batch.ingress[first])])
      first = end
    }
  }

  /// At frames that came by one port.
  @inline(__always)
  private mutating func look(_ first: Int, before end: Int, ownAddress address: UInt64) {
    let batch = batch
    let classify = Classify(self)
    var frame = batch.frames + first
    var packet = batch.packet(first)
    let last = batch.packet(end)
    while packet < last {
      let bytes = batch.bytes(of: frame)
      let byteCount = Int(truncatingIfNeeded: frame.pointee.byteCount)
      if let ends = Parse.plainIPv4(packet, bytes, byteCount: byteCount, ownAddress: address) {
        if _slowPath(!classify.ipv4(packet, ends)) { lookElsewhere(batch.index(of: packet), ends) }
      } else if let ends = Parse.plainIPv6(packet, bytes, byteCount: byteCount, ownAddress: address) {
        if _slowPath(!classify.ipv6(packet, ends)) { lookElsewhere(batch.index(of: packet), ends) }
      } else {
        lookClosely(batch.index(of: packet), ownAddress: address.bigEndian)
      }
      packet += 1
      frame += 1
    }
  }

  /// At a plain frame that belongs to no service's address and port.
  @inline(never)
  private mutating func lookElsewhere(_ index: Int, _ ends: PacketEnds) {
    let packet = batch.packet(index)
    packet.pointee.transportOffset = packet.pointee.isIPv6 ? 40 : 20
    if snapshot.pointee.hasCheckWays, !isOwnTraffic, takeCheckAnswer(index, ends) { return }
    let outcome = Classify(self).wide(packet, ends)
    if outcome != .pending { batch.finish(index, outcome) }
  }

  /// At a frame that is not plain, not ours, or not as it should be.
  @inline(never)
  private mutating func lookClosely(_ index: Int, ownAddress: UInt64) {
    let packet = batch.packet(index)
    let byteCount = Int(truncatingIfNeeded: batch.frames[index].byteCount)
    var ends = PacketEnds(source: 0, destination: 0)
    var outcome = Parse.packet(
      packet, batch.bytes(index), byteCount: byteCount, ownAddress: ownAddress, ends: &ends)
    if packet.pointee.flags.contains(.fragment), outcome == .pending {
      // Its datagram is put together in its turn.
      packet.pointee.form = PacketForm(isIPv6: packet.pointee.isIPv6, isReply: false).odd
      return
    }
    if outcome == .pending { outcome = Classify(self).packet(packet, ends) }
    if outcome != .pending { batch.finish(index, outcome) }
  }

  /// The second: schedule, rewrite. Packets of one form together, each form with its own code.
  @inline(__always)
  mutating func act(_ piece: Range<Int>) {
    var index = piece.lowerBound
    while index < piece.upperBound {
      let form = batch.packet(index).pointee.form
      if form.isFinished {
        index &+= 1
      } else if form.isOdd {
        actOddly(index)
        index &+= 1
      } else if form.isIPv6 {
        index = form.isReply ? repliesV6(index, piece.upperBound) : requestsV6(index, piece.upperBound)
      } else {
        index = form.isReply ? repliesV4(index, piece.upperBound) : requestsV4(index, piece.upperBound)
      }
    }
  }

  /// On a packet that is not a plain one.
  @inline(never)
  private mutating func actOddly(_ index: Int) {
    batch.packet(index).pointee.flags.contains(.fragment) ? gather(index) : forwardOddly(index)
  }

  /// A packet, or a datagram that was put together.
  mutating func forwardOddly(_ index: Int) {
    if batch.packet(index).pointee.flags.contains(.icmpError) {
      batch.outcomes[index] = .pending
      relayError(index)
    } else if schedule(index) {
      rewrite(index)
    }
  }

  @inline(never)
  private mutating func requestsV4(_ first: Int, _ end: Int) -> Int {
    act(first, before: end, PacketForm(isIPv6: false, isReply: false))
  }

  @inline(never)
  private mutating func repliesV4(_ first: Int, _ end: Int) -> Int {
    act(first, before: end, PacketForm(isIPv6: false, isReply: true))
  }

  @inline(never)
  private mutating func requestsV6(_ first: Int, _ end: Int) -> Int {
    act(first, before: end, PacketForm(isIPv6: true, isReply: false))
  }

  @inline(never)
  private mutating func repliesV6(_ first: Int, _ end: Int) -> Int {
    act(first, before: end, PacketForm(isIPv6: true, isReply: true))
  }

  /// - Returns: the first packet that is of another form, or `end`.
  @inline(__always)
  private mutating func act(_ first: Int, before end: Int, _ form: PacketForm) -> Int {
    let batch = batch
    let steady = Steady(self)
    var index = first
    while index < end {
      let packet = batch.packet(index)
      guard _fastPath(packet.pointee.form.rawValue == form.rawValue) else { return index }
      if let server = steady.server(of: packet, form) {
        let departure = rewrite(index, packet, form, server: server, isReady: true)
        if let hop = departure.hop { batch.depart(index, departure, over: hop) }
      } else if schedule(index) {
        rewrite(index)
      }
      index &+= 1
    }
    return end
  }
}
