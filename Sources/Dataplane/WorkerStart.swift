import Kernel
import Wire

/// Opening ports and starting workers on them. Here and not in control, because a forwarder is generic over its kind of
/// port: this module makes the concrete ones, so that the compiler specialises them.
extension Dataplane {
  /// One queue of one interface.
  public struct Queue: Sendable {
    /// Index of the interface among the dataplane's.
    public var interface: Int
    public var name: String
    public var number: Int
    /// True when the XDP program runs in generic mode there: frames are then copied.
    public var isGeneric: Bool

    /// A queue.
    public init(interface: Int, name: String, number: Int, isGeneric: Bool = false) {
      self.interface = interface
      self.name = name
      self.number = number
      self.isGeneric = isGeneric
    }
  }

  /// What a worker is to be made of.
  public struct WorkerPlan: Sendable {
    public var number: Int
    public var workerCount: Int
    public var queues: [Queue]
    /// By interface.
    public var addresses: [EthernetAddress]
    /// Bytes per frame.
    public var chunkByteCount: Int
    /// Core to pin the thread to, or nil.
    public var core: Int?

    /// A plan.
    public init(
      number: Int, workerCount: Int, queues: [Queue], addresses: [EthernetAddress], chunkByteCount: Int, core: Int?
    ) {
      self.number = number
      self.workerCount = workerCount
      self.queues = queues
      self.addresses = addresses
      self.chunkByteCount = chunkByteCount
      self.core = core
    }
  }

  /// Opens an AF_XDP socket per queue over one frame memory, and starts a worker on them.
  /// - Parameter socketMaps: by interface, descriptor of the XDP program's map of sockets.
  /// - Returns: by queue, whether frames go without a copy.
  public func startXDPWorker(_ plan: WorkerPlan, socketMaps: [Int32]) throws -> [Bool] {
    let sizes = RingSizes()
    let umem = try UMEM(
      frameCount: plan.queues.count * (sizes.receive + sizes.transmit) + 1024, chunkByteCount: plan.chunkByteCount,
      ringSizes: sizes)
    var pool = umem.makePool()
    let ports = UnsafeMutablePointer<XDPPort>.allocate(capacity: plan.queues.count)
    var opened = 0
    do {
      for queue in plan.queues {
        let socket = try XDPSocket(
          umem: umem, interface: queue.name, queue: queue.number,
          transfer: queue.isGeneric ? .copy : .zeroCopyPreferred)
        (ports + opened).initialize(to: XDPPort(socket: socket, fillTarget: sizes.receive, pool: &pool))
        opened += 1
      }
      for (index, queue) in plan.queues.enumerated() {
        try ports[index].socket.insert(intoMap: socketMaps[queue.interface])
      }
    } catch {
      ports.deinitialize(count: opened)
      ports.deallocate()
      throw error
    }
    let isZeroCopy = plan.queues.indices.map { ports[$0].socket.isZeroCopy }
    try start(
      XDPPort.self, number: plan.number, workerCount: plan.workerCount, pool: pool, memory: umem, ports: ports,
      portInterfaces: plan.queues.map(\.interface), interfaceAddresses: plan.addresses.map(\.number), core: plan.core)
    return isZeroCopy
  }

  /// Opens AF_PACKET rings on the interfaces and starts a worker on them.
  /// - Parameters:
  ///   - filters: by interface, descriptor of the socket filter that lets through what is ours.
  ///   - fanoutGroup: shared by the workers of one process on one interface; nil for a single worker.
  public func startPacketWorker(_ plan: WorkerPlan, filters: [Int32], fanoutGroup: UInt16?) throws {
    let frameCount = 4096
    let memory = try MappedMemory(byteCount: frameCount * plan.chunkByteCount, hugePages: .preferred, prefault: true)
    let pool = FramePool(base: memory.base, chunkByteCount: plan.chunkByteCount, frameCount: frameCount)
    let ports = UnsafeMutablePointer<PacketPort>.allocate(capacity: plan.queues.count)
    var opened = 0
    do {
      for queue in plan.queues {
        let fanout = fanoutGroup.map { PacketRing.Fanout(group: $0 &+ UInt16(truncatingIfNeeded: queue.interface)) }
        (ports + opened).initialize(
          to: try PacketPort(
            interface: queue.name, frameByteCount: plan.chunkByteCount, filter: filters[queue.interface], fanout: fanout))
        opened += 1
      }
    } catch {
      ports.deinitialize(count: opened)
      ports.deallocate()
      throw error
    }
    try start(
      PacketPort.self, number: plan.number, workerCount: plan.workerCount, pool: pool,
      memory: FrameMemory(memory), ports: ports, portInterfaces: plan.queues.map(\.interface),
      interfaceAddresses: plan.addresses.map(\.number), core: plan.core)
  }
}

/// Keeps frame memory alive for as long as a worker has frames in it.
final class FrameMemory: Sendable {
  private let memory: MappedMemory

  init(_ memory: consuming MappedMemory) { self.memory = memory }
}
