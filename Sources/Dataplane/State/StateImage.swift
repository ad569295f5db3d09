import Kernel
import Scheduler

/// A private image of all that workers share, made as it is touched (`MemoryImage`): tables, counts, the schedulers' words,
/// fragments, what schedulers remember of destinations.
///
/// With it goes the snapshot, whose records point to some of these: those records are copied, everything else of a snapshot
/// never changes and is used as it is.
final class StateImage {
  let shared: SharedState
  private let images: [MemoryImage]
  private let fragmentRecords: UnsafeMutableRawPointer
  private let original: SharedState
  private let view: UnsafeMutablePointer<SnapshotView>
  private var snapshot: Snapshot
  private var services: [ServiceRecord] = []
  private var records: UnsafeMutablePointer<ServiceRecord>
  private var servers: UnsafeMutablePointer<ServerRecord>
  private var caches: [UInt16: (original: UnsafeMutableRawPointer, image: MemoryImage)] = [:]

  init(of memory: SharedMemory, _ snapshot: Snapshot) throws {
    let blocks = memory.blocks
    let sizes = memory.layout.byteCounts
    let pool = memory.state.fragments
    var shards = MemoryImage.Units(byteCount: FragmentShard.byteCount)
    shards.hold = { pool.shard($0).pointee.acquire() }
    shards.release = { pool.shard($0).pointee.unlock() }
    shards.prepare = { FragmentShard.prepare($1) }
    shards.amend = FragmentShard.unlock(copy:)
    let tables = try MemoryImage(of: blocks.tables, byteCount: sizes.tables)
    let counts = try MemoryImage(of: blocks.counts, byteCount: sizes.counts)
    let paths = try MemoryImage(of: blocks.paths, byteCount: sizes.paths)
    let fragments = try MemoryImage(
      of: blocks.fragments, byteCount: FragmentPool.shardCount * FragmentShard.byteCount, units: shards)
    let calls = try MemoryImage(of: blocks.calls, byteCount: sizes.calls)
    let helpers = try MemoryImage(of: blocks.helpers, byteCount: sizes.helpers)
    images = [tables, counts, paths, fragments, calls, helpers]
    fragmentRecords = .allocate(byteCount: FragmentPool.recordByteCount, alignment: 64)
    shared = memory.layout.state(
      in: SharedLayout.Blocks(
        tables: tables.base, counts: counts.base, paths: paths.base, fragments: fragments.base, calls: calls.base,
        helpers: helpers.base),
      fragments: FragmentPool(memory: fragments.base, records: fragmentRecords, secret: memory.layout.secret),
      checkPorts: memory.state.checkPorts)
    original = memory.state
    self.snapshot = snapshot
    view = .allocate(capacity: 1)
    view.initialize(to: snapshot.view.pointee)
    records = .allocate(capacity: 1)
    servers = .allocate(capacity: 1)
    try follow(snapshot)
  }

  deinit {
    view.deallocate()
    records.deallocate()
    servers.deallocate()
    fragmentRecords.deallocate()
  }

  /// The snapshot, over the image.
  var imageView: UnsafePointer<SnapshotView> { UnsafePointer(view) }

  /// Goes over to another snapshot.
  func follow(_ snapshot: Snapshot) throws {
    self.snapshot = snapshot
    let source = snapshot.view.pointee
    var images: [UInt16: (original: UnsafeMutableRawPointer, image: MemoryImage)] = [:]
    for (number, cache) in snapshot.caches {
      let block = cache.block
      let known = caches[number].flatMap { $0.original == block.base ? $0.image : nil }
      images[number] = (
        block.base, try known ?? MemoryImage(of: block.base, byteCount: block.byteCount)
      )
    }
    caches = images
    let serviceCount = Int(source.serviceLimit) + 1
    let serverCount = Int(source.serverLimit) + 1
    records.deallocate()
    servers.deallocate()
    records = .allocate(capacity: serviceCount)
    servers = .allocate(capacity: serverCount)
    records.initialize(from: source.services, count: serviceCount)
    servers.initialize(from: source.servers, count: serverCount)
    for number in 0..<serviceCount { records[number].servers = moved(records[number].servers, number) }
    let rooms = original.paths.room(ofServer: 0)
    for number in 0..<serverCount {
      let place = servers[number].pathRoom - rooms
      servers[number].pathRoom = shared.paths.room(ofServer: 0) + place
    }
    view.pointee = source
    view.pointee.services = records
    view.pointee.servers = servers
    // Nothing is swept here.
    view.pointee.cacheCount = 0
  }

  private func moved(_ set: RealServerSet, _ number: Int) -> RealServerSet {
    let image = UInt16(exactly: number).flatMap { caches[$0]?.image }
    return RealServerSet(
      count: set.count, identifiers: set.identifiers, weights: set.weights,
      connections: UnsafePointer(shared.connectionCounts), overloaded: UnsafePointer(shared.overloaded),
      table: set.table, tableCount: set.tableCount, step: set.step, maximum: set.maximum,
      identities: set.identities, cache: image.flatMap { image in set.cache?.moved(to: image.base) })
  }

  /// How often what was tried may find something more to copy. Each time it comes at least one step further.
  private static let attempts = 512

  /// Does something to the image, again and again until all that it touches is there.
  /// - Returns: false when there was no end to it.
  func settle(_ body: () throws -> Void) throws -> Bool {
    let all = images + caches.values.map(\.image)
    defer { for image in all { image.forget() } }
    for _ in 0..<StateImage.attempts {
      for image in all { image.restore() }
      try body()
      var hasNew = false
      for image in all { hasNew = try image.takeTouched() || hasNew }
      if !hasNew { return true }
    }
    return false
  }
}
