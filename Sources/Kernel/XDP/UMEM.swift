import CShims
import Glibc

/// Sizes of an AF_XDP socket's rings, in entries; powers of two.
public struct RingSizes: Sendable, Equatable {
  /// Packets that have arrived.
  public var receive: Int
  /// Packets to be sent.
  public var transmit: Int
  /// Free frames offered to the device.
  public var fill: Int
  /// Frames that have been sent.
  public var completion: Int

  /// The fill ring is twice the receive ring: a driver holds frames of its own while it waits for packets.
  public init(receive: Int = 2048, transmit: Int = 2048, fill: Int = 4096, completion: Int = 2048) {
    self.receive = receive
    self.transmit = transmit
    self.fill = fill
    self.completion = completion
  }

  var areValid: Bool {
    [receive, transmit, fill, completion].allSatisfy { $0 >= 16 && $0 <= 1 << 20 && $0 & ($0 - 1) == 0 }
  }
}

/// The rings that go between one interface queue and the frame memory, at addresses that libxdp may keep.
final class QueueRings {
  let fill = UnsafeMutablePointer<xsk_ring_prod>.allocate(capacity: 1)
  let completion = UnsafeMutablePointer<xsk_ring_cons>.allocate(capacity: 1)
  let receive = UnsafeMutablePointer<xsk_ring_cons>.allocate(capacity: 1)
  let transmit = UnsafeMutablePointer<xsk_ring_prod>.allocate(capacity: 1)

  init() {
    fill.initialize(to: xsk_ring_prod())
    completion.initialize(to: xsk_ring_cons())
    receive.initialize(to: xsk_ring_cons())
    transmit.initialize(to: xsk_ring_prod())
  }

  deinit {
    fill.deallocate()
    completion.deallocate()
    receive.deallocate()
    transmit.deallocate()
  }
}

/// The frame memory of a worker, registered with the kernel; all AF_XDP sockets of the worker share it.
///
/// A class because each socket keeps it alive: the kernel and libxdp refuse to let it go before the last of them, and
/// nothing touches the reference per packet. Packets are reached through the `FramePool`.
///
/// Where a packet lies: the kernel leaves XDP_PACKET_HEADROOM (256 bytes) free at the start of each chunk, in copy mode
/// and in zero copy mode, and an extra `headroom` on top if one is registered. We register none, so packets start at
/// byte 256, which is `FramePool.headroomByteCount`: room for what encapsulation puts in front (an XDP program's
/// metadata, a few bytes, lies there too). A chunk of 2048 bytes thus holds a packet of 1792: an MTU of 1500 with VLAN
/// tags, and what is prepended goes into the headroom, not behind. `packetByteCountLimit` says what fits, so that
/// the caller can refuse an interface whose MTU does not.
public final class UMEM: @unchecked Sendable {
  /// First byte of the frame memory.
  public let base: UnsafeMutableRawPointer
  /// Bytes per frame.
  public let chunkByteCount: Int
  /// Number of frames.
  public let frameCount: Int
  /// Whether the memory lies on huge pages.
  public let usesHugePages: Bool
  /// The ring sizes that all sockets over this memory have.
  public let ringSizes: RingSizes

  let handle: OpaquePointer
  private let memory: MappedMemory
  private var firstRings: QueueRings?
  private let retainedRings: QueueRings

  /// Maps and registers frame memory.
  /// - Parameter chunkByteCount: 2048 or 4096; the kernel takes no other.
  public init(
    frameCount: Int, chunkByteCount: Int = 2048, ringSizes: RingSizes = RingSizes(),
    hugePages: HugePages = .preferred
  ) throws {
    let step = "register \(frameCount) frames of \(chunkByteCount) bytes as AF_XDP memory"
    guard chunkByteCount == 2048 || chunkByteCount == 4096, frameCount > 0, frameCount <= 1 << 24 else {
      throw SystemError(step, errno: EINVAL, remedy: "frames are of 2048 or 4096 bytes, 1 to 16777216 of them")
    }
    guard ringSizes.areValid else {
      throw SystemError(step, errno: EINVAL, remedy: "ring sizes are powers of two from 16 to 1048576")
    }
    let memory = try MappedMemory(byteCount: frameCount * chunkByteCount, hugePages: hugePages, prefault: true)
    let rings = QueueRings()
    var configuration = xsk_umem_config(
      fill_size: UInt32(ringSizes.fill), comp_size: UInt32(ringSizes.completion),
      frame_size: UInt32(chunkByteCount), frame_headroom: 0, flags: 0)
    var created: OpaquePointer?
    let error = xsk_umem__create(
      &created, memory.base, UInt64(frameCount * chunkByteCount), rings.fill, rings.completion, &configuration)
    guard error == 0, let created else {
      let remedies = [
        -EPERM: "needs CAP_NET_RAW", -ENOBUFS: "raise the locked-memory limit or grant CAP_IPC_LOCK",
        -EAFNOSUPPORT: "the kernel has no AF_XDP",
      ]
      throw SystemError(step, errno: error, remedy: remedies[error])
    }
    base = memory.base
    self.chunkByteCount = chunkByteCount
    self.frameCount = frameCount
    usesHugePages = memory.usesHugePages
    self.ringSizes = ringSizes
    handle = created
    self.memory = memory
    firstRings = rings
    retainedRings = rings
  }

  deinit {
    xsk_umem__delete(handle)
  }

  /// Longest packet a frame holds behind its headroom.
  public var packetByteCountLimit: Int { chunkByteCount - FramePool.headroomByteCount }

  /// The pool of all frames. Make one, once: a second pool would hand out the same frames again.
  public func makePool() -> FramePool {
    FramePool(base: base, chunkByteCount: chunkByteCount, frameCount: frameCount)
  }

  /// The rings the memory was registered with belong to the first socket; later ones have their own.
  var isFirstSocketOpen: Bool { firstRings == nil }

  func ringsForNextSocket() -> QueueRings { firstRings ?? QueueRings() }

  func firstSocketOpened() { firstRings = nil }
}
