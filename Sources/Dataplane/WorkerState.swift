import CShims
import Kernel

/// Everything a worker's stages work on, whatever kind of port it has: the batch, the clock, the tables, the counters.
///
/// The stages are extensions of this type, one file each (`Schedule`, `Rewrite`, `Reply`, `ConnectionExpiry`). No class, closure,
/// array or existential is reachable from here: nothing in a turn allocates or counts references.
struct WorkerState: ~Copyable {
  var clock = Clock()
  let batch: Batch
  /// Packets in the batch.
  var packetCount = 0
  /// Frames originated besides.
  var extraCount = 0
  /// How many of these are not originated, but fragments that were held, or in place of them.
  var returnedCount = 0
  var pool: FramePool
  let counters: Counters
  let shared: SharedState
  var snapshot: UnsafePointer<SnapshotView>
  /// Where a datagram is put together, see `Reassembly`.
  var whole = WholeDatagram()
  /// By port: the interface it belongs to; the forwarder's.
  var interfaces: UnsafePointer<UInt8>?
  var states = ConnectionState()
  /// This worker among `workerCount`.
  let worker: Int
  let workerCount: Int

  /// Distinguishes lives of one slot (IPv6); odd upper bit so that it is never 0.
  var generation: UInt64
  /// Identification of packets that lbd originates; unpredictable start, then counted.
  var identification: UInt32
  /// ICMP errors that may be originated.
  var errorBudget: ErrorBudget
  /// Neighbours to ask for.
  let notices: Notices.Writer
  var noticeBudget = SecondBudget(Limits.noticesPerSecond)
  var sweep = SweepState()
  var defence = DefenceState()
  var cacheSweep = CacheSweepState()
  /// What is at hand comes from the host's own stack, see `OwnTraffic`.
  var isOwnTraffic = false
  /// When incomplete datagrams are looked at again.
  var nextFragmentExpiry: UInt64 = 0
  /// The connection that the packet at hand has put an end to, by beginning anew.
  var replaced: Connection?
  /// The call of the packet at hand.
  let call = CallRecord()

  init(
    pool: consuming FramePool, counters: consuming Counters, shared: SharedState,
    snapshot: UnsafePointer<SnapshotView>, notices: Notices.Writer, seed: UInt64, worker: Int, workerCount: Int
  ) {
    batch = Batch(base: pool.base)
    self.pool = pool
    self.counters = counters
    self.shared = shared
    self.snapshot = snapshot
    self.notices = notices
    self.worker = worker
    self.workerCount = workerCount
    let secret = HashSecret(seed: seed &+ UInt64(worker))
    errorBudget = ErrorBudget(secret: secret, workerCount: workerCount)
    states.isSecure = snapshot.pointee.settings.secureTCP.isInEffect
    defence.lot = DefenceState.Lot(seed: secret.mix(~seed))
    generation = 1 << 31 | UInt64(worker) << 24
    identification = UInt32(truncatingIfNeeded: secret.mix(seed))
  }

  deinit {
    batch.deallocate()
    errorBudget.deallocate()
    whole.deallocate()
    call.deallocate()
  }

  /// The next generation of a slot.
  @inline(__always)
  mutating func nextGeneration() -> UInt64 {
    generation = generation & ~0xff_ffff | (generation &+ 1) & 0xff_ffff
    return generation
  }

  @inline(__always)
  mutating func server(_ number: UInt16) -> UnsafePointer<ServerRecord> {
    snapshot.pointee.server(number)
  }

  @inline(__always)
  mutating func service(_ number: UInt16) -> UnsafePointer<ServiceRecord> {
    snapshot.pointee.service(number)
  }

  @inline(__always)
  mutating func nextHop(_ number: UInt32) -> UnsafePointer<NextHop> {
    UnsafePointer(snapshot.pointee.nextHops + Int(number))
  }
}

/// How often something may still be done in this second: notices to control.
struct SecondBudget {
  private let limit: Int
  private var second: UInt64 = 0
  private var left: Int

  init(_ limit: Int) {
    self.limit = limit
    left = limit
  }

  /// Takes one, if there is one.
  mutating func take(now nanoseconds: UInt64) -> Bool {
    let current = nanoseconds / 1_000_000_000
    if current != second {
      second = current
      left = limit
    }
    guard left > 0 else { return false }
    left -= 1
    return true
  }
}
