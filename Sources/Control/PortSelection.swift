import CShims
import Config
import Dataplane
import Glibc
import Kernel
import Logging
import Wire

/// Opens the ports: which interfaces, XDP or AF_PACKET, how many workers, and says in one line what it chose and why.
///
/// `auto` takes native XDP where the driver has it, generic XDP otherwise, and AF_PACKET where the kernel has neither.
/// The order matters for live traffic: what is ours is in the program's map before the program is attached, and the program
/// drops what is ours until a socket is there, so the host's own stack never answers for the VIP meanwhile.
final class PortSelection {
  /// Which kind is in use.
  enum Kind: String {
    case xdp
    case packet
  }

  private(set) var kind = Kind.xdp
  /// The interfaces, in the dataplane's order.
  let links: [Topology.Link]
  private let dataplane: Dataplane
  private let log: Logger
  private var hooks: [Hook] = []
  private var locks: [Lock] = []
  private var answers: LocalAnswers?

  /// Keeps another lbd off an interface.
  private final class Lock {
    let lock: InterfaceLock
    init(_ interface: String) throws { lock = try InterfaceLock(interface: interface) }
  }

  /// What is attached to an interface, with the program's maps; detached when this goes.
  private final class Hook {
    let object: BPFObject
    let ours: OursMap
    var xdp: XDPAttachment?
    var guardProgram: TrafficControlAttachment?

    init(_ object: consuming BPFObject) throws {
      ours = OursMap(try object.map("lb_ours"))
      self.object = object
    }
  }

  init(links: [Topology.Link], dataplane: Dataplane, log: Logger) {
    self.links = links
    self.dataplane = dataplane
    self.log = log
  }

  /// The dataplane's numbering of the interfaces.
  var portMap: PortMap { PortMap(links: links.map(\.index)) }

  /// Opens ports of the wanted kind and starts the workers.
  func open(_ wanted: LbdSettings.PortKind, workers: Int?, ours: [SnapshotAssembler.Ours]) throws {
    locks = try links.map { try Lock($0.name) }
    if wanted == .packet { return try openPacket(workers: workers, ours: ours, reason: "as configured") }
    do {
      try openXDP(workers: workers, ours: ours, reason: wanted == .auto ? "the best that works" : "as configured")
    } catch {
      guard wanted == .auto else { throw error }
      dataplane.stop()
      hooks = []
      try openPacket(workers: workers, ours: ours, reason: "XDP is not to be had: \(error)")
    }
  }

  /// Tells the programs what is ours now.
  func update(ours: [SnapshotAssembler.Ours]) throws {
    let entries = PortSelection.entries(ours)
    for hook in hooks { try hook.ours.synchronize(to: entries) }
  }

  /// Tells the way out which answers are those of real servers on this host.
  func update(answers wanted: [SnapshotAssembler.Ours]) throws {
    let entries = PortSelection.entries(wanted)
    if let answers { return try answers.update(entries) }
    guard !entries.isEmpty, let device = dataplane.hostDeviceIndex else { return }
    answers = try LocalAnswers(links: links, device: device, entries: entries)
  }

  /// Once a second: lbd is still there.
  func confirmAnswers() throws { try answers?.confirm() }

  /// Detaches everything.
  func close() {
    answers = nil
    hooks = []
    locks = []
  }

  // MARK: - XDP

  private func openXDP(workers wanted: Int?, ours: [SnapshotAssembler.Ours], reason: String) throws {
    let chunk = try chunkByteCount()
    let queueCounts = links.map { PortSelection.queueCount($0.name) }
    var isGeneric: [Bool] = []
    var maps: [Int32] = []
    for link in links {
      let hook = try Hook(try BPFObject.director(.xdp))
      try hook.ours.synchronize(to: PortSelection.entries(ours))
      let program = try hook.object.programDescriptor("lb_director")
      do {
        hook.xdp = try XDPAttachment(
          interfaceIndex: UInt32(link.index), interfaceName: link.name, program: program, mode: .native)
        isGeneric.append(false)
      } catch let error as SystemError where error.number == EOPNOTSUPP {
        hook.xdp = try XDPAttachment(
          interfaceIndex: UInt32(link.index), interfaceName: link.name, program: program, mode: .generic)
        isGeneric.append(true)
      }
      maps.append(try hook.object.map("lb_sockets").descriptor)
      hooks.append(hook)
    }
    let count = min(wanted ?? .max, queueCounts.min() ?? 1, max(1, PortSelection.cores.count - 1))
    var zeroCopy = 0
    for worker in 0..<count {
      let queues = links.indices.flatMap { interface in
        (0..<queueCounts[interface]).filter { $0 % count == worker }.map {
          Dataplane.Queue(
            interface: interface, name: links[interface].name, number: $0, isGeneric: isGeneric[interface])
        }
      }
      let results = try dataplane.startXDPWorker(plan(worker, of: count, queues, chunk), socketMaps: maps)
      zeroCopy += results.filter { $0 }.count
    }
    let modes = links.indices.map { "\(links[$0].name) \(isGeneric[$0] ? "generic" : "native")" }
    let total = queueCounts.reduce(0, +)
    log.info(
      "port xdp: \(modes.joined(separator: ", ")); \(total) queues, \(zeroCopy) zero-copy, \(count) workers (\(reason))"
    )
  }

  // MARK: - AF_PACKET

  private func openPacket(workers wanted: Int?, ours: [SnapshotAssembler.Ours], reason: String) throws {
    kind = .packet
    let chunk = try chunkByteCount()
    var filters: [Int32] = []
    for link in links {
      let hook = try Hook(try BPFObject.director(.packet))
      try hook.ours.synchronize(to: PortSelection.entries(ours))
      let program = try hook.object.programDescriptor("lb_guard")
      hook.guardProgram = try TrafficControlAttachment(
        interfaceIndex: UInt32(link.index), interfaceName: link.name, program: program, direction: .ingress)
      filters.append(try hook.object.programDescriptor("lb_filter"))
      hooks.append(hook)
    }
    let count = max(1, min(wanted ?? 1, PortSelection.cores.count))
    for worker in 0..<count {
      let queues = links.indices.map { Dataplane.Queue(interface: $0, name: links[$0].name, number: 0) }
      try dataplane.startPacketWorker(
        plan(worker, of: count, queues, chunk), filters: filters,
        fanoutGroup: count == 1 ? nil : UInt16(truncatingIfNeeded: getpid()))
    }
    let names = links.map(\.name).joined(separator: ", ")
    log.info("port packet: \(names); \(count) workers; the kernel's stack is kept from answering (\(reason))")
  }

  // MARK: - Sizes

  private func plan(
    _ worker: Int, of count: Int, _ queues: [Dataplane.Queue], _ chunk: Int
  ) -> Dataplane.WorkerPlan {
    let cores = PortSelection.cores
    // Workers take the last cores; control and interrupts stay on the first.
    return Dataplane.WorkerPlan(
      number: worker, workerCount: count, queues: queues, addresses: links.map(\.address), chunkByteCount: chunk,
      core: cores.count > count ? cores[cores.count - 1 - worker] : nil)
  }

  private func chunkByteCount() throws -> Int {
    // Ethernet header with two tags; what is put in front goes into the headroom.
    let largest = (links.map(\.mtu).max() ?? 1500) + 22
    if largest <= 2048 - FramePool.headroomByteCount { return 2048 }
    if largest <= 4096 - FramePool.headroomByteCount { return 4096 }
    let link = links.first { $0.mtu + 22 == largest }
    throw SystemError(
      "use \(link?.name ?? "interface") with MTU \(largest - 22)", errno: EMSGSIZE,
      remedy: "lbd's frames hold packets of \(4096 - FramePool.headroomByteCount - 22) bytes; lower the MTU")
  }

  private static let cores = Thread.availableCores()

  /// Receive queues that exist now, as sysfs shows them.
  private static func queueCount(_ name: String) -> Int {
    guard let directory = opendir("/sys/class/net/\(name)/queues") else { return 1 }
    defer { closedir(directory) }
    var count = 0
    while let entry = readdir(directory) {
      let isReceive = withUnsafeBytes(of: entry.pointee.d_name) { $0.starts(with: Array("rx-".utf8)) }
      if isReceive { count += 1 }
    }
    return max(1, count)
  }

  private static func entries(_ ours: [SnapshotAssembler.Ours]) -> [OursEntry] {
    var entries: [OursEntry] = []
    for item in ours {
      let side: OursEntry.Side = item.side == .destination ? .destination : .source
      if item.isTunnel {
        entries.append(OursEntry(address: item.address, side: side, flags: UInt32(LB_OURS_TUNNEL)))
        continue
      }
      if let ports = item.localPorts {
        entries.append(
          OursEntry(
            address: item.address, side: side, flags: UInt32(LB_OURS_FRAGMENTS | LB_OURS_LOCAL_PORTS),
            portFirst: ports.lowerBound,
            portLast: ports.upperBound))
        continue
      }
      entries.append(
        OursEntry(
          address: item.address, port: item.port, protocolNumber: item.transport.rawValue, side: side,
          flags: UInt32(item.isAnyPort ? LB_OURS_ANY_PORT : LB_OURS_ENDPOINT)))
      entries.append(OursEntry(address: item.address, side: side, flags: UInt32(LB_OURS_FRAGMENTS)))
    }
    return entries
  }
}
