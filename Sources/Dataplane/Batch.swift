import CShims
import Kernel

/// Up to 64 packets on their way through the stages.
///
/// Frames, outcomes and ways out are arrays, as rings and counters take them; everything else about a packet is its
/// `Packet` record. All lie in one block of memory at fixed distances: the batch is a few words, and passing it on costs
/// nothing.
///
/// Frames that lbd originates besides (fragments) are appended as extras: they have a port to leave by and nothing else.
///
/// A copy is a copy of the pointers: a stage's loop takes one, so that they stay in registers whatever it stores.
struct Batch {
  /// First byte of the memory that frames' addresses count from.
  private let base: UnsafeMutableRawPointer
  private let memory: UnsafeMutableRawPointer

  @inline(__always) private var packets: UnsafeMutablePointer<Packet> { column(0) }
  @inline(__always) var frames: UnsafeMutablePointer<FrameDescriptor> { column(64) }
  @inline(__always) var outcomes: UnsafeMutablePointer<Outcome> { column(80) }
  /// The port it came by.
  @inline(__always) var ingress: UnsafeMutablePointer<UInt8> { column(81) }
  /// The interface it leaves by.
  @inline(__always) var egress: UnsafeMutablePointer<UInt8> { column(82) }
  // Extras, of which there may be more.
  @inline(__always) var extraFrames: UnsafeMutablePointer<FrameDescriptor> { column(83) }
  @inline(__always) var extraEgress: UnsafeMutablePointer<UInt8> {
    (memory + Batch.extraEgressOffset).assumingMemoryBound(to: UInt8.self)
  }
  @inline(__always) var extraParents: UnsafeMutablePointer<UInt8> { extraEgress + Limits.extraCapacity }

  /// An array that lies behind others which have `byteCount` bytes a packet together.
  @inline(__always)
  private func column<Element>(_ byteCount: Int) -> UnsafeMutablePointer<Element> {
    (memory + byteCount &* Limits.batchCapacity).assumingMemoryBound(to: Element.self)
  }

  /// Bytes a packet, over all arrays.
  private static var byteCountPerPacket: Int { 83 }
  @inline(__always)
  private static var extraEgressOffset: Int { byteCountPerPacket * Limits.batchCapacity + 16 * Limits.extraCapacity }
  private static var byteCount: Int { extraEgressOffset + 2 * Limits.extraCapacity }

  /// `egress` of a frame that leaves by no interface.
  @inline(__always)
  static var noEgress: UInt8 { 0xff }

  /// `egress` of a frame that is for the host, and whose packet lies right behind its Ethernet header.
  @inline(__always)
  static var hostEgress: UInt8 { 0xfe }
  /// `extraParents` of a frame that no packet of the batch has caused, but time.
  static var noParent: UInt8 { 0xff }

  /// - Parameter base: of the frame memory.
  init(base: UnsafeMutableRawPointer) {
    self.base = base
    memory = .allocate(byteCount: Batch.byteCount, alignment: 64)
    memory.initializeMemory(as: UInt8.self, repeating: 0, count: Batch.byteCount)
    verifyLayout()
  }

  /// Every array ends before the next one begins: the distances above are written by hand.
  private func verifyLayout() {
    precondition(MemoryLayout<Packet>.stride == 64)
    precondition(end(packets) == UnsafeMutableRawPointer(frames))
    precondition(end(frames) == UnsafeMutableRawPointer(outcomes))
    precondition(end(outcomes) == UnsafeMutableRawPointer(ingress))
    precondition(end(ingress) == UnsafeMutableRawPointer(egress))
    precondition(end(egress) == UnsafeMutableRawPointer(extraFrames))
    precondition(UnsafeMutableRawPointer(extraFrames + Limits.extraCapacity) == UnsafeMutableRawPointer(extraEgress))
    precondition(UnsafeMutableRawPointer(extraParents + Limits.extraCapacity) == memory + Batch.byteCount)
  }

  private func end<Element>(_ column: UnsafeMutablePointer<Element>) -> UnsafeMutableRawPointer {
    UnsafeMutableRawPointer(column + Limits.batchCapacity)
  }

  /// The owner's last word.
  func deallocate() { memory.deallocate() }

  /// The record of a packet.
  @inline(__always)
  func packet(_ index: Int) -> UnsafeMutablePointer<Packet> { packets + index }

  /// Which packet a record is of.
  @inline(__always)
  func index(of packet: UnsafeMutablePointer<Packet>) -> Int { packet - packets }

  /// The first byte of a frame.
  @inline(__always)
  func bytes(of frame: UnsafeMutablePointer<FrameDescriptor>) -> UnsafeMutableRawPointer {
    base + Int(truncatingIfNeeded: frame.pointee.address)
  }

  /// The first byte of a frame.
  @inline(__always)
  func bytes(_ index: Int) -> UnsafeMutableRawPointer {
    bytes(of: frames + index)
  }

  /// Brings the first lines of some frames nearer.
  @inline(__always)
  func prefetch(_ piece: Range<Int>) {
    for index in piece { lbd_prefetch(bytes(index)) }
  }

  /// Where the frames that came by the same port as this one end. A turn serves each port once, so they are a run.
  @inline(__always)
  func endOfIngress(from first: Int, limit: Int) -> Int {
    let port = ingress[first]
    var end = limit
    while ingress[end &- 1] != port { end &-= 1 }
    return end
  }

  /// Where the frames that leave by the same interface as this one end.
  @inline(__always)
  func endOfRun(from first: Int, limit: Int) -> Int {
    let bytes = UnsafeRawPointer(egress)
    let alike = UInt64(egress[first]) &* 0x0101_0101_0101_0101
    var end = first
    // Eight at a time; behind the last packet there is more memory of the batch.
    while end < limit {
      let difference = bytes.loadUnaligned(fromByteOffset: end, as: UInt64.self) ^ alike
      if difference != 0 { return min(end &+ difference.trailingZeroBitCount >> 3, limit) }
      end &+= 8
    }
    return limit
  }

  /// Ends a packet's journey without forwarding it. The frame is cut to the packet (RFC 894 padding ends here).
  @inline(never)
  func finish(_ index: Int, _ outcome: Outcome) {
    outcomes[index] = outcome
    egress[index] = Batch.noEgress
    let packet = packet(index)
    packet.pointee.form = .finished
    guard packet.pointee.byteCount != 0 else { return }
    let end = packet.pointee.network + Int(packet.pointee.byteCount)
    frames[index].byteCount = UInt32(truncatingIfNeeded: end - bytes(index))
  }

  /// The frame is now what lies at `start`.
  @inline(__always)
  func setFrame(_ index: Int, start: UnsafeMutableRawPointer, byteCount: Int) {
    frames[index].address = UInt64(truncatingIfNeeded: start - base)
    frames[index].byteCount = UInt32(truncatingIfNeeded: byteCount)
  }
}
