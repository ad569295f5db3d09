import CShims
import Glibc

/// An AF_XDP socket: one queue of one interface, over a worker's frame memory.
///
/// The first socket over a UMEM uses the fill and completion rings the memory was registered with; every further one
/// shares the memory (XDP_SHARED_UMEM) and has rings of its own, since each interface queue needs them. The kernel
/// gives sharing sockets the mode of the first: all zero copy, or all copy. libxdp loads no program of its own; ours
/// redirects into an XSKMAP, and `insert(intoMap:)` puts the socket there.
///
/// Sockets over one UMEM are opened by one thread, then used by one (the worker's).
public struct XDPSocket: ~Copyable, @unchecked Sendable {
  /// How frames get from the driver into the frame memory.
  public enum Transfer: Sendable {
    /// By the device itself where the driver can, else by a copy.
    case zeroCopyPreferred
    /// By a copy: what a program attached in generic mode needs.
    case copy
  }

  /// What the kernel counted since the socket was opened.
  public struct Statistics: Sendable, Equatable {
    /// Packets lost for want of a free frame, or too long for one.
    public var receiveDropped: UInt64 = 0
    /// Packets lost because the receive ring was full.
    public var receiveRingFull: UInt64 = 0
    /// How often the kernel found no frame in the fill ring; in copy mode each is in `receiveDropped` too.
    public var fillRingEmpty: UInt64 = 0
    /// Fill ring entries that are no frame's address.
    public var fillInvalid: UInt64 = 0
    /// Transmit ring entries that are no packet in the frame memory.
    public var transmitInvalid: UInt64 = 0
    /// How often the kernel found nothing to send.
    public var transmitRingEmpty: UInt64 = 0
  }

  /// The interface's name.
  public let interface: String
  /// The queue.
  public let queue: Int
  /// Whether frames are moved by the device, without a copy.
  public let isZeroCopy: Bool
  /// The socket, to be polled.
  public let descriptor: Int32
  /// Packets that have arrived.
  public let receive: ConsumerRing
  /// Packets to be sent.
  public let transmit: ProducerRing
  /// Free frames offered to the device.
  public let fill: ProducerRing
  /// Frames that have been sent.
  public let completion: ConsumerRing
  /// The frame memory.
  public let umem: UMEM

  private let handle: OpaquePointer
  private let rings: QueueRings

  /// Opens and binds a socket to a queue of an interface of the caller's network namespace.
  public init(umem: UMEM, interface: String, queue: Int, transfer: Transfer = .zeroCopyPreferred) throws {
    let rings = umem.ringsForNextSocket()
    let handle = try XDPSocket.open(umem, rings, interface, queue, transfer)
    umem.firstSocketOpened()
    let descriptor = xsk_socket__fd(handle)
    var flags: UInt32 = 0
    let isKnown = lbd_xdp_options(descriptor, &flags) == 0
    // Copy mode sends 32 packets per system call unless told otherwise (Linux 6.17); older kernels refuse.
    var budget: Int32 = 256
    setsockopt(descriptor, SOL_XDP, LBD_XDP_MAX_TX_SKB_BUDGET, &budget, socklen_t(MemoryLayout<Int32>.size))
    self.interface = interface
    self.queue = queue
    isZeroCopy = isKnown && flags & UInt32(XDP_OPTIONS_ZEROCOPY) != 0
    self.descriptor = descriptor
    receive = ConsumerRing(rings.receive)
    transmit = ProducerRing(rings.transmit)
    fill = ProducerRing(rings.fill)
    completion = ConsumerRing(rings.completion)
    self.umem = umem
    self.handle = handle
    self.rings = rings
  }

  deinit {
    xsk_socket__delete(handle)
  }

  /// Registers the socket in an XSKMAP under its queue's number: from then on packets arrive.
  public func insert(intoMap map: Int32) throws {
    let error = lbd_xdp_map_insert(map, UInt32(queue), descriptor)
    guard error == 0 else {
      throw SystemError(
        "enter AF_XDP socket of \(interface) queue \(queue) into the program's map", errno: error,
        remedy: error == E2BIG ? "the map has fewer entries than the interface has queues" : nil)
    }
  }

  /// What came of having the kernel look at the transmit ring.
  public enum Kick: Sendable {
    /// It looked.
    case accepted
    /// It sent some or none and can be asked again.
    case again
    /// The interface is down, or the socket is unusable.
    case refused
  }

  /// Has the kernel look at the transmit ring; in copy mode that is when it sends.
  @inline(never)
  public func kick() -> Kick {
    switch lbd_xdp_kick(descriptor) {
    case 0: .accepted
    case EAGAIN, EBUSY, ENOBUFS, EINTR: .again
    default: .refused
    }
  }

  /// Has the kernel look at the fill ring.
  @inline(never)
  public func wakeFill() {
    lbd_xdp_wake_fill(descriptor)
  }

  /// What the kernel counted; all zero if it does not tell.
  public func statistics() -> Statistics {
    var raw = xdp_statistics()
    guard lbd_xdp_statistics(descriptor, &raw) == 0 else { return Statistics() }
    return Statistics(
      receiveDropped: raw.rx_dropped, receiveRingFull: raw.rx_ring_full,
      fillRingEmpty: raw.rx_fill_ring_empty_descs, fillInvalid: raw.rx_invalid_descs,
      transmitInvalid: raw.tx_invalid_descs, transmitRingEmpty: raw.tx_ring_empty_descs)
  }

  private static func open(
    _ umem: UMEM, _ rings: QueueRings, _ interface: String, _ queue: Int, _ transfer: Transfer
  ) throws -> OpaquePointer {
    var flags: [UInt32] = [UInt32(XDP_COPY)]
    // A sharing socket's flags are those of the first one, whatever is asked for.
    if transfer == .zeroCopyPreferred, !umem.isFirstSocketOpen { flags.insert(UInt32(XDP_ZEROCOPY), at: 0) }
    var error: Int32 = 0
    for mode in flags {
      switch create(umem, rings, interface, queue, bindFlags: mode | UInt32(XDP_USE_NEED_WAKEUP)) {
      case .success(let handle): return handle
      case .failure(let failure): error = failure.number
      }
      guard error == EOPNOTSUPP || error == EINVAL else { break }
    }
    throw SystemError(
      "bind AF_XDP socket to \(interface) queue \(queue)", errno: error,
      remedy: remedy(error, isSharing: umem.isFirstSocketOpen))
  }

  /// A queue whose former owner has just gone stays busy for some hundred milliseconds.
  private static func create(
    _ umem: UMEM, _ rings: QueueRings, _ interface: String, _ queue: Int, bindFlags: UInt32
  ) -> Result<OpaquePointer, SystemError> {
    var configuration = xsk_socket_config()
    configuration.rx_size = UInt32(umem.ringSizes.receive)
    configuration.tx_size = UInt32(umem.ringSizes.transmit)
    configuration.libxdp_flags = UInt32(XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD)
    configuration.bind_flags = UInt16(bindFlags)
    let deadline = MonotonicClock.nanoseconds() + 1_000_000_000
    while true {
      var created: OpaquePointer?
      let error = xsk_socket__create_shared(
        &created, interface, UInt32(clamping: queue), umem.handle, rings.receive, rings.transmit, rings.fill,
        rings.completion, &configuration)
      if error == 0, let created { return .success(created) }
      guard error == -EBUSY, MonotonicClock.nanoseconds() < deadline else {
        return .failure(SystemError("bind AF_XDP socket", errno: error))
      }
      usleep(20_000)
    }
  }

  private static func remedy(_ error: Int32, isSharing: Bool) -> String? {
    switch error {
    case EBUSY: "another program owns this queue"
    case ENODEV: "there is no such interface"
    case ENETDOWN: "set the interface up first"
    case EPERM: "needs CAP_NET_RAW and CAP_BPF"
    case EINVAL: "does the interface have this queue?"
    case EOPNOTSUPP where isSharing: "its driver cannot do zero copy as the worker's first interface does; use copy"
    default: nil
    }
  }
}
