import Config
import Dataplane
import Kernel
import Wire

/// A capture through the loop of a worker, from memory, as fast as it goes, again and again.
///
/// Frames are copied into the pipeline's frames some thousands at a time, untimed, as a device puts them there; then the
/// turns over them are timed one by one. Between two passes every connection is made to expire, so that each pass meets
/// what the first one met.
public final class CaptureBench {
  /// What to do.
  public struct Options: Sendable {
    /// How long, in seconds; a pass that has begun is finished.
    public var seconds = 5.0
    /// Packets in a batch.
    public var batch = Limits.batchCapacity
    /// Where the worker runs; nil is the last core there is.
    public var core: Int?
    /// Room in the connection table; nil is what the configuration says.
    public var connections: Int?
    /// Of everything that is drawn by lot.
    public var seed: UInt64 = 1
    /// Size of the largest capture that is loaded; nil is half of the free memory.
    public var byteLimit: Int?

    /// The defaults.
    public init() {}
  }

  /// What the operator should know of the services and the network.
  public let notes: [String]

  private let options: Options
  private let path: String
  private let capture: LoadedCapture
  private let plan: BatchPlan
  private let dataplane: Dataplane
  private let pipeline: MemoryPipeline
  private let staged: UnsafeMutablePointer<FrameDescriptor>
  private let longestTimeout: UInt64
  private var clockOffset: UInt64 = 0
  private var tally = CaptureBenchTally()

  /// Frames that are put into place at a time: 8 MiB of them, as a busy worker's lie in memory.
  private static let stagedFrames = 4096
  /// For the pieces of packets that have to be fragmented.
  private static let spareFrames = 1024

  /// Loads everything.
  /// - Throws: when the services cannot be loaded, or the capture does not fit.
  public init(configuration: Configuration, topology: Topology, capture path: String, options: Options) throws {
    let ports = PortMap(links: topology.links.values.filter { $0.vlan == nil }.map(\.index).sorted())
    guard !ports.links.isEmpty else { throw ReplayError.noInterface }
    guard ports.links.count <= Limits.portCapacity else {
      throw LoadedCaptureError("the topology has more than \(Limits.portCapacity) interfaces; a worker takes no more")
    }
    self.options = options
    self.path = path
    let interfaces = ports.links.map { topology.links[$0]?.address ?? EthernetAddress(0) }
    capture = try LoadedCapture(path: path, interfaces: interfaces, byteLimit: options.byteLimit)
    plan = BatchPlan(capture.frames, capacity: min(max(options.batch, 1), Limits.batchCapacity))
    dataplane = try Dataplane(
      connections: options.connections ?? configuration.settings.connectionCapacity, bothDirections: true,
      seed: options.seed)
    pipeline = try MemoryPipeline(
      dataplane, interfaces: interfaces, frameCount: CaptureBench.stagedFrames + CaptureBench.spareFrames,
      chunkByteCount: capture.longest <= 1600 ? 2048 : 4096)
    guard capture.longest <= pipeline.packetByteCountLimit else {
      throw LoadedCaptureError(
        "capture \(path) has a frame of \(capture.longest) bytes, a frame holds \(pipeline.packetByteCountLimit)"
          + " (capture with segmentation offload off: ethtool -K IFACE gro off lro off tso off gso off)")
    }
    staged = .allocate(capacity: CaptureBench.stagedFrames)
    let timeouts = configuration.timeouts
    longestTimeout = UInt64(max(timeouts.tcpSeconds, timeouts.tcpFinSeconds, timeouts.udpSeconds, 120))
    var services = VirtualServices()
    try services.load(configuration)
    let assembled = SnapshotAssembler(services: services, topology: topology, ports: ports, timeouts: timeouts)
      .assemble()
    notes = assembled.notes
    dataplane.publish(assembled.description)
    dataplane.tell(services.takeChanges())
  }

  deinit { staged.deallocate() }

  /// Runs it. The calling thread stays on the core from here on.
  /// - Parameter progress: told now and then how many passes there have been.
  public func run(progress: (Int) -> Void = { _ in }) throws -> CaptureBenchResult {
    let core = try options.core ?? CaptureBench.lastCore()
    try Thread.pinCurrent(to: core)
    // Pages get their memory, the table its lines, the caches their contents: not what is asked.
    try playOnce()
    tally = CaptureBenchTally()
    let before = dataplane.statistics()
    let start = MonotonicClock.nanoseconds()
    let end = start + UInt64(min(max(options.seconds, 0), 1e6) * 1e9)
    var passes = 0
    repeat {
      try playOnce()
      passes += 1
      progress(passes)
    } while MonotonicClock.nanoseconds() < end
    return CaptureBenchResult(
      capture: path, frames: capture.frames.count, byteCount: capture.byteCount, passes: passes, core: core,
      batch: options.batch, elapsedNanoseconds: MonotonicClock.nanoseconds() - start, tally: tally,
      statistics: dataplane.statistics().since(before))
  }

  private static func lastCore() throws -> Int {
    guard let core = Thread.availableCores().last else {
      throw LoadedCaptureError("no core to run on (see taskset -p)")
    }
    return core
  }

  /// The whole capture, with an empty table at the start.
  private func playOnce() throws {
    forgetConnections()
    var batch = 0
    while batch < plan.ends.count {
      let first = batch == 0 ? 0 : plan.ends[batch - 1]
      var last = batch
      while last + 1 < plan.ends.count, plan.ends[last + 1] - first <= CaptureBench.stagedFrames { last += 1 }
      try stage(first..<plan.ends[last])
      try turns(batch...last, stagedFrom: first)
      batch = last + 1
    }
  }

  private func stage(_ range: Range<Int>) throws {
    // What the last turn sent is given back by the next one.
    pipeline.turn()
    for (position, index) in range.enumerated() {
      guard let frame = pipeline.stage(capture.bytes(of: capture.frames[Int(plan.order[index])])) else {
        throw LoadedCaptureError("no frame is free (frames were lost in the pipeline: this is a bug of lbd)")
      }
      staged[position] = frame
    }
  }

  /// Nothing here allocates.
  private func turns(_ batches: ClosedRange<Int>, stagedFrom origin: Int) throws {
    var start = batches.lowerBound == 0 ? 0 : plan.ends[batches.lowerBound - 1]
    for batch in batches {
      let end = plan.ends[batch]
      var isQueued = true
      for index in start..<end {
        let interface = Int(capture.frames[Int(plan.order[index])].interface)
        isQueued = pipeline.arrive(staged[index - origin], interface: interface) && isQueued
      }
      let before = MonotonicClock.nanoseconds()
      pipeline.setClock(nanoseconds: before &+ clockOffset)
      let count = pipeline.turn()
      let after = MonotonicClock.nanoseconds()
      guard isQueued, count == end - start else {
        throw LoadedCaptureError("a turn took \(count) of \(end - start) frames (this is a bug of lbd)")
      }
      tally.add(packets: count, nanoseconds: after &- before, isFull: count == options.batch)
      start = end
    }
  }

  /// Lets time pass until the table is empty. In steps, because an entry's clock wraps round after 18 hours.
  private func forgetConnections() {
    let step = min(longestTimeout + 2, 4 * 3600) * 1_000_000_000
    for _ in 0..<200 {
      clockOffset &+= step
      pipeline.setClock(nanoseconds: MonotonicClock.nanoseconds() &+ clockOffset)
      pipeline.sweep()
      if dataplane.entryCounts == (0, 0) { return }
    }
  }
}

/// What is counted while it runs.
struct CaptureBenchTally: ~Copyable {
  var packets: UInt64 = 0
  var nanoseconds: UInt64 = 0
  var batches: UInt64 = 0
  /// Of full batches; of all while there has been none.
  var histogram = LatencyHistogram()
  private var partial = LatencyHistogram()

  @inline(__always)
  mutating func add(packets count: Int, nanoseconds elapsed: UInt64, isFull: Bool) {
    packets &+= UInt64(count)
    nanoseconds &+= elapsed
    batches &+= 1
    if isFull { histogram.record(elapsed) } else { partial.record(elapsed) }
  }

  /// Nanoseconds a batch: of the full ones, or of the others when a capture has not got one full batch.
  var times: CaptureBenchResult.BatchTimes {
    histogram.count > 0 ? .init(histogram, areFull: true) : .init(partial, areFull: false)
  }
}

extension Statistics {
  /// What has been counted since an earlier reading.
  func since(_ earlier: Statistics) -> Statistics {
    var difference = self
    for (outcome, count) in earlier.outcomes { difference.outcomes[outcome, default: 0] -= count }
    difference.received -= earlier.received
    difference.originated -= earlier.originated
    difference.expired -= earlier.expired
    difference.missed -= earlier.missed
    return difference
  }
}
