import CShims
import Kernel
import Scheduler
import Wire

/// The dataplane as control sees it: publish what shall be, read what is.
///
/// Owns the shared memory, the snapshots and the workers. All functions are for the one control thread.
public final class Dataplane {
  let shared: SharedMemory
  private(set) var workers: [Worker] = []
  private var current: Snapshot
  private var retired: [Snapshot] = []
  /// By service number: what schedulers remember of destinations.
  private var caches: [UInt16: ServiceCache] = [:]
  private var timeouts = Timeouts()
  /// Before former changes, the latest first, and when each changed.
  private var former: [(timeouts: Timeouts, nanoseconds: UInt64)] = []
  let seed: UInt64
  private var tun: TunDevice?
  private var probe: Probe?

  /// - Parameters:
  ///   - connections: room in the connection table (`Limits.connections`).
  ///   - bothDirections: true when NAT or FULLNAT is (or may be) used, whose connections have two entries.
  ///   - seed: of the table's hash and everything else that is drawn by lot; nil draws one.
  public init(connections: Int, bothDirections: Bool, seed: UInt64? = nil) throws {
    self.seed = seed ?? UInt64.random(in: .min ... .max)
    shared = try SharedMemory(connectionCapacity: connections, bothDirections: bothDirections, seed: self.seed)
    current = Snapshot(SnapshotDescription(), generation: 1, shared: shared.state)
  }

  deinit {
    stop()
  }

  /// The latest snapshot.
  var latest: Snapshot { current }

  /// Counts up with every snapshot that is published.
  public var snapshotNumber: UInt64 { current.generation }

  /// What it says.
  var snapshot: UnsafePointer<SnapshotView> { UnsafePointer(current.view) }

  /// Says what would become of frames, one after the other, if they came now: nothing is sent, counted or remembered.
  /// - Parameters:
  ///   - interfaces: their MAC addresses, in the dataplane's order.
  ///   - number: the worker whose queue they come by; only what it remembers by itself depends on it.
  public func foresee(
    _ frames: [ProbeFrame], interfaces: [EthernetAddress], worker number: Int = 0
  ) throws -> [PacketJourney] {
    let probe: Probe
    if let old = self.probe, old.interfaces == interfaces {
      probe = old
    } else {
      probe = try Probe(self, interfaces: interfaces)
      self.probe = probe
    }
    return try probe.journeys(of: frames, over: current, worker: number)
  }

  /// Workers there are.
  public var workerCount: Int { workers.count }

  /// True when frames for the host's own stack can be handed over.
  var isHostReachable: Bool { tun != nil || workers.contains { $0.readMail != nil } }

  // MARK: - Publishing

  /// Makes the workers use a new snapshot from their next batch on.
  /// - Parameter now: the workers' time, where that is not the system's.
  public func publish(_ description: SnapshotDescription, atNanoseconds now: UInt64? = nil) {
    if description.timeouts != timeouts {
      var clock = Clock()
      clock.tickNow()
      noteFormerTimeouts(at: now ?? clock.nanoseconds)
      timeouts = description.timeouts
    }
    caches = ServiceCache.caches(for: description, keeping: caches, seed: seed)
    let next = Snapshot(
      description, generation: current.generation + 1, shared: shared.state, caches: caches, former: former)
    retired.append(current)
    current = next
    for worker in workers { worker.post(.snapshot(UnsafePointer(next.view))) }
    reclaim()
  }

  /// A change of the timeouts concerns the connections that have lived by the former ones since then.
  private func noteFormerTimeouts(at now: UInt64) {
    let all = [(timeouts: timeouts, nanoseconds: now)] + former
    let longest = UInt64(all.map(\.timeouts.longest).max() ?? 0) * 1_000_000_000
    former = Array(all.filter { now &- $0.nanoseconds <= longest }.prefix(Limits.formerTimeouts))
  }

  /// Frees snapshots that no worker uses any more.
  public func reclaim() {
    let oldest = workers.map(\.mailbox.reportedGeneration).min() ?? current.generation
    retired.removeAll { $0.generation < oldest }
  }

  /// True when every worker uses the latest snapshot.
  public var isSettled: Bool { workers.allSatisfy { $0.mailbox.reportedGeneration == current.generation } }

  /// Tells a service's scheduler what happened to its list; call it after publishing the list.
  /// - Parameter pace: of the list right after this change; of several changes published at once each has its own.
  public func serversChanged(
    service number: UInt16, scheduler: Scheduler, pace: (step: UInt32, maximum: UInt32), _ change: ServerListChange
  ) {
    let word = shared.state.schedulerStates + Int(number)
    let service = current.view.pointee.service(number).pointee
    let set = RealServerSet(
      count: 0, identifiers: service.servers.identifiers, weights: service.servers.weights,
      connections: UnsafePointer(shared.state.connectionCounts), overloaded: UnsafePointer(shared.state.overloaded),
      step: pace.step, maximum: pace.maximum)
    if change == .bound { caches[number]?.cache.clear() }
    let chance = HashSecret(seed: seed).mix(~UInt64(number))
    while true {
      let old = lbd_load_relaxed(word)
      let before = SchedulerState(word: change == .bound ? chance : old)
      let new = scheduler.serversChanged(before, servers: set, change: change)
      if new.word == old || lbd_compare_exchange(word, old, new.word) { return }
    }
  }

  // MARK: - Reading

  /// Active and inactive connections of a server.
  public func connections(ofServer number: UInt16) -> (active: UInt32, inactive: UInt32) {
    let word = lbd_load_relaxed(shared.state.connectionCounts + Int(number))
    return (UInt32(truncatingIfNeeded: word >> 32), UInt32(truncatingIfNeeded: word))
  }

  /// Templates that lead to a server (persistence).
  public func templates(ofServer number: UInt16) -> Int {
    Int(lbd_load_relaxed(shared.state.templateCounts + Int(number)))
  }

  /// What a server has been sent, over all workers.
  public func counters(ofServer number: UInt16) -> ServerCounters {
    var sum = ServerCounters()
    for worker in workers { sum.add(worker.servers[Int(number)]) }
    return sum
  }

  /// Sets a server's counters to zero, when its number is given to another server.
  public func resetCounters(ofServer number: UInt16) {
    for worker in workers { worker.servers[Int(number)] = ServerCounters() }
    lbd_store_relaxed(shared.state.connectionCounts + Int(number), 0)
    lbd_store_relaxed(shared.state.templateCounts + Int(number), 0)
    shared.state.overloaded[Int(number)] = 0
  }

  /// Frames by outcome, and the totals, over all workers.
  public func statistics() -> Statistics {
    var statistics = Statistics()
    for worker in workers {
      let totals = worker.counters
      for outcome in Outcome.allCases where outcome != .pending {
        // What one worker holds another may have let go.
        statistics.outcomes[outcome, default: 0] &+= worker.outcomes[Int(outcome.rawValue)]
      }
      statistics.received += totals.totals[Counters.Total.received.rawValue]
      statistics.originated += totals.totals[Counters.Total.originated.rawValue]
      statistics.expired += totals.totals[Counters.Total.expired.rawValue]
      statistics.missed += totals.totals[Counters.Total.missed.rawValue]
      statistics.unconveyed += totals.totals[Counters.Total.unconveyed.rawValue]
    }
    return statistics
  }

  /// What each worker has done.
  public var workerNumbers: [WorkerNumbers] {
    workers.map { worker in
      let totals = worker.counters.totals
      return WorkerNumbers(
        received: totals[Counters.Total.received.rawValue], missed: totals[Counters.Total.missed.rawValue],
        refused: worker.outcomes[Int(Outcome.transmitRingFull.rawValue)], busyNanoseconds: worker.busyNanoseconds)
    }
  }

  /// Entries in the connection tables: two for a connection whose replies pass here.
  public var entryCounts: (ipv4: Int, ipv6: Int) {
    (
      Int(lbd_load_relaxed(shared.state.entryCounts)), Int(lbd_load_relaxed(shared.state.entryCounts + 8))
    )
  }

  /// Room in the connection table, in connections, and whether it lies on huge pages.
  public var tableDescription: (connections: Int, usesHugePages: Bool) {
    (shared.connectionCapacity, shared.usesHugePages)
  }

  /// How much of the connection table's room is in use, 0 to 1: of the one of its parts that has the least left.
  public var tableFill: Double {
    let indices = [
      SharedState.entryIndex(KeyV4.self), SharedState.entryIndex(KeyV6.self), SharedState.entryIndex(KeyWide.self),
    ]
    let most = indices.map { lbd_load_relaxed(shared.state.entryCounts + $0) }.max() ?? 0
    return Double(most) / Double(shared.connectionCapacity * (shared.hasReplies ? 2 : 1))
  }

  /// Descriptors that become readable when a worker needs a neighbour.
  public var noticeDescriptors: [Int32] { workers.map(\.notices.descriptor) }

  /// Addresses that packets could not be sent to for want of a MAC address.
  public func drainNotices() -> [IPAddress] { workers.flatMap { $0.notices.drain() } }

  /// Lets a server take connections again, until one that comes finds it full.
  public func relieve(server number: UInt16) { shared.state.overloaded[Int(number)] = 0 }

  // MARK: - Workers

  /// Starts a worker on ports that are ready to use.
  func start<P: Port & ~Copyable>(
    _ type: P.Type, number: Int, workerCount: Int, pool: consuming FramePool, memory: AnyObject,
    ports: UnsafeMutablePointer<P>, portInterfaces: [Int], interfaceAddresses: [UInt64], core: Int?
  ) throws {
    let worker = try Worker(number: number)
    worker.frameMemory = memory
    let forwarder = makeForwarder(
      worker: worker, workerCount: workerCount, pool: pool, ports: ports, portInterfaces: portInterfaces,
      interfaceAddresses: interfaceAddresses, host: TunHost(descriptor: tun?.descriptor ?? -1))
    workers.append(worker)
    try worker.start(forwarder, core: core)
  }

  /// A forwarder over ports, reporting to `worker`.
  func makeForwarder<P: Port & ~Copyable, H: HostStack & ~Copyable>(
    worker: Worker, workerCount: Int, pool: consuming FramePool, ports: UnsafeMutablePointer<P>,
    portInterfaces: [Int], interfaceAddresses: [UInt64], host: consuming H
  ) -> Forwarder<P, H> {
    let state = WorkerState(
      pool: pool, counters: worker.counters, shared: shared.state, snapshot: UnsafePointer(current.view),
      notices: worker.notices.writer, seed: seed, worker: worker.number, workerCount: workerCount)
    worker.mailbox.report(generation: current.generation)
    return Forwarder(
      state: state, ports: ports, portInterfaces: portInterfaces, interfaceAddresses: interfaceAddresses, host: host,
      mailbox: worker.mailbox)
  }

  /// A worker without a thread, for replay and benchmarks: whoever has the forwarder drives it.
  func adopt(_ worker: Worker) { workers.append(worker) }

  /// Opens the way back to the host's stack.
  /// - Throws: when there is no TUN device to be had; frames for the host are then dropped by name.
  public func openHostPath(deviceName: String) throws -> Bool {
    let device = try TunDevice(name: deviceName)
    let isFiltered = device.isFilteredByDefault
    tun = consume device
    return isFiltered
  }

  /// Index of the device behind which the host's stack is; nil without one.
  public var hostDeviceIndex: UInt32? { tun?.index }

  /// Ends all workers and waits for them.
  public func stop() {
    for worker in workers { worker.stop() }
  }
}

/// What one worker has done.
public struct WorkerNumbers: Sendable, Hashable {
  /// Frames taken from its ports.
  public var received: UInt64
  /// Frames that were lost before it saw them, as of when it last went to sleep.
  public var missed: UInt64
  /// Frames for which there was no room in a transmit ring.
  public var refused: UInt64
  /// Time that its thread has had a processor; 0 for one without a thread.
  public var busyNanoseconds: UInt64
}

/// What the workers have done.
public struct Statistics: Sendable, Equatable {
  /// Frames by outcome.
  public var outcomes: [Outcome: UInt64] = [:]
  /// Frames taken from the ports.
  public var received: UInt64 = 0
  /// Frames that lbd originated besides (fragments).
  public var originated: UInt64 = 0
  /// Connections that timed out.
  public var expired: UInt64 = 0
  /// Frames that the kernel or a device lost before lbd saw them.
  public var missed: UInt64 = 0
  /// Segments that should have said who the client is, and had no room for it (TOA, PROXY protocol).
  public var unconveyed: UInt64 = 0

  /// Frames with the given fate.
  public func sum(_ fate: Outcome.Fate) -> UInt64 {
    outcomes.reduce(0) { $1.key.fate == fate ? $0 &+ $1.value : $0 }
  }

  /// received = forwarded + passed + dropped + held, to the frame.
  public var isBalanced: Bool { received == sum(.forwarded) &+ sum(.passed) &+ sum(.dropped) &+ sum(.held) }
}
