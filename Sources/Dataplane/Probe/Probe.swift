import Kernel
import Wire

/// Sends frames through the very pipeline, over an image of the state: so it can say what would become of them, and nothing
/// of the state changes.
///
/// On control's thread. The snapshot is the latest, which is what a worker takes up before its next batch; what a worker
/// remembers by itself is asked of it between two batches. Not foreseen can be what others do between the question and the
/// packet, and whether there is room then: in a ring, in the host's stack, among the frames.
final class Probe {
  /// Why it cannot be said.
  enum Failure: Error, CustomStringConvertible {
    case noWorker(Int, of: Int)
    case silentWorker(Int)
    case tooLong(Int, limit: Int)
    case unsettled

    var description: String {
      switch self {
      case .noWorker(let number, let count): "there is no worker \(number) (0 to \(count - 1))"
      case .silentWorker(let number): "worker \(number) does not answer"
      case .tooLong(let byteCount, let limit): "a frame of \(byteCount) bytes does not fit: \(limit) at most"
      case .unsettled: "too much of the table would have to be looked at"
      }
    }
  }

  let interfaces: [EthernetAddress]
  private let image: StateImage
  private var generation: UInt64
  private let pipeline: MemoryPipeline
  private unowned let dataplane: Dataplane
  private let worker: Worker
  /// What a worker that has done nothing yet remembers.
  private let fresh = WorkerMemory()
  /// Connections opened on each server, so far in this pass.
  private var opened: [UInt16: UInt64] = [:]

  private static let frameCount = 1280
  private static let chunkByteCount = 4096

  init(_ dataplane: Dataplane, interfaces: [EthernetAddress]) throws {
    self.interfaces = interfaces
    self.dataplane = dataplane
    let snapshot = dataplane.latest
    let image = try StateImage(of: dataplane.shared, snapshot)
    let worker = try Worker(number: 0)
    pipeline = try MemoryPipeline(
      interfaceCount: interfaces.count, frameCount: Probe.frameCount, chunkByteCount: Probe.chunkByteCount
    ) { pool, ports in
      Forwarder(
        state: WorkerState(
          pool: pool, counters: worker.counters, shared: image.shared, snapshot: image.imageView,
          notices: worker.notices.writer, seed: dataplane.seed, worker: 0, workerCount: 1),
        ports: ports, portInterfaces: Array(interfaces.indices), interfaceAddresses: interfaces.map(\.number),
        host: AnsweringHost(), mailbox: worker.mailbox)
    }
    self.image = image
    self.worker = worker
    generation = snapshot.generation
    fresh.take(from: pipeline.forwarder.state)
  }

  /// What becomes of frames that come one after the other.
  func journeys(of frames: [ProbeFrame], over snapshot: Snapshot, worker number: Int) throws -> [PacketJourney] {
    guard dataplane.workers.indices.contains(number) || number == 0 else {
      throw Failure.noWorker(number, of: max(1, dataplane.workers.count))
    }
    for frame in frames where frame.bytes.count > pipeline.packetByteCountLimit {
      throw Failure.tooLong(frame.bytes.count, limit: pipeline.packetByteCountLimit)
    }
    if snapshot.generation != generation { try image.follow(snapshot) }
    generation = snapshot.generation
    let memory = try memory(of: number)
    pipeline.forwarder.state.snapshot = image.imageView
    pipeline.forwarder.state.states.isSecure = snapshot.view.pointee.settings.secureTCP.isInEffect
    pipeline.forwarder.host.isOpen = dataplane.isHostReachable
    var journeys: [PacketJourney] = []
    let isSettled = try image.settle {
      begin(memory, worker: number)
      journeys = frames.map { journey(of: $0) }
    }
    _ = worker.notices.drain()
    guard isSettled else { throw Failure.unsettled }
    return journeys
  }

  private func memory(of number: Int) throws -> WorkerMemory {
    // Before there are workers, one of them would begin like this.
    guard dataplane.workers.indices.contains(number) else { return fresh }
    guard let memory = dataplane.workers[number].remembered() else { throw Failure.silentWorker(number) }
    return memory
  }

  /// As the worker is now.
  private func begin(_ memory: WorkerMemory, worker number: Int) {
    let count = max(1, dataplane.workers.count)
    pipeline.forwarder.state.errorBudget.deallocate()
    pipeline.forwarder.state.errorBudget = ErrorBudget(
      secret: HashSecret(seed: dataplane.seed &+ UInt64(number)), workerCount: count)
    memory.give(to: &pipeline.forwarder.state)
    for server in opened.keys { worker.servers[Int(server)] = ServerCounters() }
    opened = [:]
  }

  private func journey(of frame: ProbeFrame) -> PacketJourney {
    pipeline.setClock(nanoseconds: frame.nanoseconds)
    var journey = PacketJourney()
    guard interfaces.indices.contains(frame.interface),
      frame.bytes.withUnsafeBytes({ pipeline.offer($0, interface: frame.interface) })
    else { return journey }
    pipeline.forwarder.receive()
    pipeline.forwarder.state.foresee(&journey, opened: &opened, addresses: pipeline.forwarder.addresses)
    pipeline.forwarder.transmit()
    journey.outcome = pipeline.outcome(of: 0)
    pipeline.forEachTransmitted { sent in
      journey.sent.append(PacketJourney.Sent(interface: sent.interface, bytes: Array(sent.bytes)))
    }
    return journey
  }
}
