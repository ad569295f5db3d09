import CShims
import Kernel
import Scheduler

/// What all workers share and change: the connection tables, connection counts, scheduler states.
///
/// Everything here is changed with atomic operations on single words, and only when a connection opens, closes or
/// changes state, never per packet. The value is a handful of pointers that a worker copies, so that its loop touches no
/// reference-counted object; `SharedMemory` owns what they point to.
struct SharedState: @unchecked Sendable {
  let tableV4: ConnectionTable<KeyV4>
  let tableV6: ConnectionTable<KeyV6>
  /// Connections of services that are not one address and port, and templates.
  let tableWide: ConnectionTable<KeyWide>
  /// By server number: active << 32 | inactive. What another form of a server has counts as its owner's besides.
  let connectionCounts: UnsafeMutablePointer<UInt64>
  /// By server number: 1 while its upper threshold is reached.
  let overloaded: UnsafeMutablePointer<UInt8>
  /// By service number: the scheduler's word.
  let schedulerStates: UnsafeMutablePointer<UInt64>
  /// By server number: templates that lead to it.
  let templateCounts: UnsafeMutablePointer<UInt64>
  /// Entries per table, to let the expiry hand rest when there are none: see `entryIndex`.
  let entryCounts: UnsafeMutablePointer<UInt64>
  /// What the paths to tunnels' servers take.
  let paths: PathMTUs
  /// Fragments that wait for others; the one thing here that has locks.
  let fragments: FragmentPool
  /// The Call-IDs of templates.
  let calls: CallTable
  /// FTP's control connections.
  let helpers: HelperTable
  /// Local ports of checks.
  let checkPorts: CheckPorts
  static var activeUnit: UInt64 { 1 << 32 }

  /// Where in `entryCounts` a table's count stands.
  @inline(__always)
  static func entryIndex<Key: ConnectionKey>(_ key: Key.Type) -> Int {
    Key.wordsPerSlot == 2 ? 0 : Key.wordsPerSlot == 4 ? 8 : 12
  }

  /// Counts a new connection and looks at the upper threshold (`ipvs`: a server is overloaded from there on).
  @inline(__always)
  func bind(_ server: UInt16, record: UnsafePointer<ServerRecord>, active: Bool) {
    let owner = record.pointee.owner
    let before = count(server, owner: owner, active ? SharedState.activeUnit : 1)
    let upper = UInt64(record.pointee.upperThreshold)
    if _slowPath(upper != 0), SharedState.total(before) + 1 >= upper { overloaded[Int(owner)] = 1 }
  }

  /// A server that has as many connections as its upper threshold says takes nothing new. Templates do not count, but
  /// one that comes is an occasion to look.
  @inline(__always)
  func checkUpperThreshold(_ server: UInt16, record: UnsafePointer<ServerRecord>) {
    let upper = UInt64(record.pointee.upperThreshold)
    guard upper != 0, SharedState.total(lbd_load_relaxed(connectionCounts + Int(server))) >= upper else { return }
    overloaded[Int(server)] = 1
  }

  /// Counts a connection out and looks at the lower threshold.
  func unbind(_ server: UInt16, record: UnsafePointer<ServerRecord>, active: Bool) {
    let owner = record.pointee.owner
    _ = count(server, owner: owner, 0 &- (active ? SharedState.activeUnit : 1))
    checkLowerThreshold(owner, record: record)
  }

  /// Adds to what a server has, and to what one of its forms has.
  /// - Returns: what the server had.
  @inline(__always)
  private func count(_ server: UInt16, owner: UInt16, _ amount: UInt64) -> UInt64 {
    if _slowPath(owner != server) { _ = lbd_fetch_add(connectionCounts + Int(server), amount) }
    return lbd_fetch_add(connectionCounts + Int(owner), amount)
  }

  /// One that has become fewer takes new ones again.
  func checkLowerThreshold(_ server: UInt16, record: UnsafePointer<ServerRecord>) {
    guard overloaded[Int(server)] != 0 else { return }
    let total = SharedState.total(lbd_load_relaxed(connectionCounts + Int(server)))
    let lower = UInt64(record.pointee.lowerThreshold)
    let upper = UInt64(record.pointee.upperThreshold)
    let relieved = lower != 0 ? total < lower : upper == 0 || total * 4 < upper * 3
    if relieved { overloaded[Int(server)] = 0 }
  }

  /// Moves a connection between active and inactive.
  @inline(__always)
  func move(_ server: UInt16, record: UnsafePointer<ServerRecord>, toActive: Bool) {
    let amount = SharedState.activeUnit &- 1
    _ = count(server, owner: record.pointee.owner, toActive ? amount : 0 &- amount)
  }

  static func total(_ word: UInt64) -> UInt64 { (word >> 32) + (word & 0xffff_ffff) }
}

/// Owner of the memory behind `SharedState`; lives as long as any worker runs.
final class SharedMemory: @unchecked Sendable {
  let state: SharedState
  /// Connections the tables were sized for.
  let connectionCapacity: Int
  /// True when there is room for the entries of replies too.
  let hasReplies: Bool
  /// True when the tables lie on huge pages.
  let usesHugePages: Bool
  let layout: SharedLayout
  let blocks: SharedLayout.Blocks

  private let memory: MappedMemory
  private let counts: MappedMemory
  private let paths: MappedMemory
  private let fragments: MappedMemory
  private let callMemory: MappedMemory
  private let helperMemory: MappedMemory
  private let checkPorts: MappedMemory

  /// - Parameters:
  ///   - connectionCapacity: connections to make room for (see `Limits.connections`).
  ///   - bothDirections: true when connections also need an entry for replies (NAT, FULLNAT).
  ///   - seed: secret of the hash; random in production, fixed in replay.
  init(connectionCapacity: Int, bothDirections: Bool, seed: UInt64) throws {
    Limits.verify()
    precondition((Limits.connections.least...Limits.connections.most).contains(connectionCapacity))
    let layout = SharedLayout(connectionCapacity: connectionCapacity, bothDirections: bothDirections, seed: seed)
    let sizes = layout.byteCounts
    let memory = try MappedMemory(byteCount: sizes.tables, hugePages: .preferred)
    let counts = try MappedMemory(byteCount: sizes.counts, hugePages: .never)
    let paths = try MappedMemory(byteCount: sizes.paths, hugePages: .never)
    let fragments = try MappedMemory(byteCount: sizes.fragments, hugePages: .never)
    let callMemory = try MappedMemory(byteCount: sizes.calls, hugePages: .never)
    let helperMemory = try MappedMemory(byteCount: sizes.helpers, hugePages: .never)
    let blocks = SharedLayout.Blocks(
      tables: memory.base, counts: counts.base, paths: paths.base, fragments: fragments.base, calls: callMemory.base,
      helpers: helperMemory.base)
    let pool = FragmentPool(memory: fragments.base, secret: HashSecret(seed: seed))
    let checkPorts = try MappedMemory(byteCount: CheckPorts.byteCount, hugePages: .never)
    state = layout.state(in: blocks, fragments: pool, checkPorts: CheckPorts(memory: checkPorts.base))
    self.layout = layout
    self.blocks = blocks
    usesHugePages = memory.usesHugePages
    self.connectionCapacity = connectionCapacity
    hasReplies = bothDirections
    self.memory = memory
    self.counts = counts
    self.paths = paths
    self.fragments = fragments
    self.callMemory = callMemory
    self.helperMemory = helperMemory
    self.checkPorts = checkPorts
  }
}
