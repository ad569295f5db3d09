import Kernel
import Wire

/// The very pipeline of a worker over frames in memory, driven from outside: under `lbd replay`, tests and benchmarks.
///
/// The driver sets the clock, offers frames, and takes a turn; then it may look at every frame of the batch: its
/// outcome, what left, and by which interface. No thread, no socket, no privilege.
public final class MemoryPipeline {
  /// A frame on its way out.
  public struct Transmitted {
    /// Which frame of the batch caused it.
    public let input: Int
    /// Index of the interface it leaves by.
    public let interface: Int
    /// The bytes, valid until the next turn.
    public let bytes: UnsafeRawBufferPointer
  }

  // Only ever touched by the one driver; the check would be a runtime call in every turn.
  @exclusivity(unchecked) var forwarder: Forwarder<MemoryPort, AnsweringHost>
  private let ports: UnsafeMutablePointer<MemoryPort>
  private let memory: MappedMemory

  /// - Parameters:
  ///   - interfaces: MAC addresses; one port for each.
  ///   - frameCount: frames of `chunkByteCount` bytes.
  ///   - worker: number of this pipeline among the `workerCount` that share the dataplane.
  public init(
    _ dataplane: Dataplane, interfaces: [EthernetAddress], frameCount: Int = 1024, chunkByteCount: Int = 4096,
    worker number: Int = 0, workerCount: Int = 1
  ) throws {
    self.chunkByteCount = chunkByteCount
    memory = try MappedMemory(byteCount: frameCount * chunkByteCount, hugePages: .preferred)
    ports = .allocate(capacity: max(interfaces.count, 1))
    for index in interfaces.indices { (ports + index).initialize(to: MemoryPort(capacity: frameCount)) }
    let worker = try Worker(number: number)
    forwarder = dataplane.makeForwarder(
      worker: worker, workerCount: workerCount,
      pool: FramePool(base: memory.base, chunkByteCount: chunkByteCount, frameCount: frameCount), ports: ports,
      portInterfaces: Array(interfaces.indices), interfaceAddresses: interfaces.map(\.number), host: AnsweringHost())
    dataplane.adopt(worker)
    worker.readMail = { [unowned self] in forwarder.readMail() }
  }

  /// A pipeline of its own, over a state that is nobody else's (`Probe`).
  /// - Parameter forwarder: made over the frames and ports it is given.
  init(
    interfaceCount: Int, frameCount: Int, chunkByteCount: Int,
    _ forwarder: (consuming FramePool, UnsafeMutablePointer<MemoryPort>) -> Forwarder<MemoryPort, AnsweringHost>
  ) throws {
    self.chunkByteCount = chunkByteCount
    memory = try MappedMemory(byteCount: frameCount * chunkByteCount, hugePages: .never)
    ports = .allocate(capacity: max(interfaceCount, 1))
    for index in 0..<interfaceCount { (ports + index).initialize(to: MemoryPort(capacity: frameCount)) }
    self.forwarder = forwarder(
      FramePool(base: memory.base, chunkByteCount: chunkByteCount, frameCount: frameCount), ports)
  }

  /// The frames' memory, for those who want to know what is done to it.
  var base: UnsafeRawPointer { UnsafeRawPointer(memory.base) }
  var byteCount: Int { memory.byteCount }
  let chunkByteCount: Int

  /// Longest packet a frame holds.
  public var packetByteCountLimit: Int { forwarder.state.pool.packetByteCountLimit }

  /// Frames that are in no ring and no batch: after an empty turn as many as there were at first.
  public var freeFrameCount: Int { forwarder.state.pool.freeCount }

  /// Sets the time of the next turn.
  public func setClock(nanoseconds: UInt64) { forwarder.state.clock.set(nanoseconds: nanoseconds) }

  /// Lets the expiry hand go once around the whole table, and schedulers forget what is due.
  public func sweep() {
    forwarder.state.sweepAll()
    forwarder.state.sweepAllCaches()
  }

  /// True when there may be connection templates.
  public var hasTemplates: Bool { forwarder.state.hasWideEntries }

  /// Queues a frame as arrived by `interface`; false when it is too long or no frame is free.
  public func offer(_ bytes: UnsafeRawBufferPointer, interface: Int) -> Bool {
    guard let frame = stage(bytes) else { return false }
    if arrive(frame, interface: interface) { return true }
    forwarder.state.pool.give(frame.address - UInt64(FramePool.headroomByteCount))
    return false
  }

  /// Copies a packet into a free frame, which is the caller's until it arrives; nil when the packet is too long or no frame
  /// is free.
  public func stage(_ bytes: UnsafeRawBufferPointer) -> FrameDescriptor? {
    guard bytes.count <= packetByteCountLimit, let base = bytes.baseAddress,
      let chunk = forwarder.state.pool.take()
    else { return nil }
    let address = chunk + UInt64(FramePool.headroomByteCount)
    (forwarder.state.pool.base + Int(address)).copyMemory(from: base, byteCount: bytes.count)
    return FrameDescriptor(address: address, byteCount: UInt32(bytes.count))
  }

  /// Queues a staged frame as arrived by `interface`; false when its queue is full.
  @inline(__always)
  public func arrive(_ frame: FrameDescriptor, interface: Int) -> Bool { ports[interface].offer(frame) }

  /// Takes up to 64 offered frames through the pipeline.
  /// - Returns: how many there were.
  @discardableResult
  public func turn() -> Int { forwarder.turnAtClock() }

  /// The same with the time read from the system's monotonic clock, as a worker's thread does.
  @discardableResult
  public func turnNow() -> Int { forwarder.turn() }

  /// True when real servers on the host itself may have something to say, by the newest snapshot.
  public var hasLocalServers: Bool {
    if forwarder.mailbox.hasMail { forwarder.readMail() }
    return forwarder.state.snapshot.pointee.hasLocalServers
  }

  /// From the next turn on the host answers what it is given: as if nobody listened there.
  public func letHostAnswer() { forwarder.host.isAnswering = hasLocalServers }

  /// True when a turn would take what the host has sent, sooner or later.
  public var hasHostAnswers: Bool { hasLocalServers && !forwarder.host.answers.isEmpty }

  /// Lets the host send an IP packet, as a real server that it is itself.
  func hostSends(_ packet: [UInt8]) { forwarder.host.send(packet) }

  /// The outcome of a frame of the last batch.
  public func outcome(of input: Int) -> Outcome { forwarder.state.batch.outcomes[input] }

  /// The bytes of a frame of the last batch as it was left, for one that was passed.
  public func bytes(of input: Int) -> UnsafeRawBufferPointer {
    let frame = forwarder.state.batch.frames[input]
    return UnsafeRawBufferPointer(
      start: forwarder.state.pool.base + Int(frame.address), count: Int(frame.byteCount))
  }

  /// What the last batch sent, in order of the frames that caused it.
  public func forEachTransmitted(_ body: (Transmitted) -> Void) {
    for index in 0..<forwarder.state.packetCount {
      let interface = forwarder.state.batch.egress[index]
      if interface < Batch.hostEgress {
        body(Transmitted(input: index, interface: Int(interface), bytes: bytes(of: index)))
      }
      forEachExtra(of: UInt8(truncatingIfNeeded: index)) { body($0) }
    }
  }

  /// What the last turn sent because time had passed, and no frame of its batch.
  public func forEachTimed(_ body: (Transmitted) -> Void) { forEachExtra(of: Batch.noParent, body) }

  private func forEachExtra(of parent: UInt8, _ body: (Transmitted) -> Void) {
    for extra in 0..<forwarder.state.extraCount
    where forwarder.state.batch.extraParents[extra] == parent
      && forwarder.state.batch.extraEgress[extra] != Batch.hostEgress
    {
      let frame = forwarder.state.batch.extraFrames[extra]
      body(
        Transmitted(
          input: Int(parent), interface: Int(forwarder.state.batch.extraEgress[extra]),
          bytes: UnsafeRawBufferPointer(
            start: forwarder.state.pool.base + Int(frame.address), count: Int(frame.byteCount))))
    }
  }
}
