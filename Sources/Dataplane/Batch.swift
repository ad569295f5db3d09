import Kernel
import Wire

/// What a packet is, as `Parse` found it.
struct PacketFlags: OptionSet {
  let rawValue: UInt8
  static var ipv6: PacketFlags { PacketFlags(rawValue: 1) }
  /// A piece of a datagram (first or later).
  static var fragment: PacketFlags { PacketFlags(rawValue: 2) }
  /// A later piece: it has no transport header.
  static var laterFragment: PacketFlags { PacketFlags(rawValue: 4) }
  /// IPv4: must not be fragmented.
  static var dontFragment: PacketFlags { PacketFlags(rawValue: 8) }
}

/// From whom the packet comes.
enum Direction: UInt8 {
  /// From a client to a VIP.
  case request
  /// From a real server to a client (NAT) or to a local address (FULLNAT).
  case reply
}

/// Up to 64 packets on their way through the stages, held as struct-of-arrays: a stage that looks at one property walks
/// one array. Columns are filled by the stage named beside them and read by later ones.
///
/// All columns lie in one block of memory at fixed distances, so that a column is the block's address plus a constant:
/// the batch is three words, and passing it on costs nothing.
///
/// Frames that lbd originates besides (fragments) are appended as extras: they have a port to leave by and nothing else.
struct Batch: ~Copyable {
  /// Packets in the batch.
  var count = 0
  /// Frames originated.
  var extraCount = 0
  private let memory: UnsafeMutableRawPointer

  // receive
  @inline(__always) var frames: UnsafeMutablePointer<FrameDescriptor> { column(0) }
  @inline(__always) var packets: UnsafeMutablePointer<UnsafeMutableRawPointer> { column(16) }
  @inline(__always) var ingress: UnsafeMutablePointer<UInt8> { column(24) }
  // parse
  @inline(__always) var outcomes: UnsafeMutablePointer<Outcome> { column(25) }
  @inline(__always) var flags: UnsafeMutablePointer<PacketFlags> { column(26) }
  @inline(__always) var protocols: UnsafeMutablePointer<UInt8> { column(27) }
  /// FIN, SYN, RST, PSH, ACK of a TCP segment (RFC 9293 section 3.1); `noSegment` for anything else.
  @inline(__always) var segments: UnsafeMutablePointer<UInt8> { column(28) }
  @inline(__always) var networkOffsets: UnsafeMutablePointer<UInt16> { column(29) }
  @inline(__always) var transportOffsets: UnsafeMutablePointer<UInt16> { column(31) }
  @inline(__always) var networkByteCounts: UnsafeMutablePointer<UInt16> { column(33) }
  /// Both ends, as a connection's key has the far one: IPv4 address << 32 | port << 16; of IPv6 the port only.
  @inline(__always) var sources: UnsafeMutablePointer<UInt64> { column(35) }
  @inline(__always) var destinations: UnsafeMutablePointer<UInt64> { column(43) }
  // classify
  @inline(__always) var directions: UnsafeMutablePointer<Direction> { column(51) }
  /// First word of the connection's key; with the generation of its slot once that is found.
  @inline(__always) var heads: UnsafeMutablePointer<UInt64> { column(52) }
  @inline(__always) var hashes: UnsafeMutablePointer<UInt64> { column(60) }
  @inline(__always) var slots: UnsafeMutablePointer<UnsafeMutablePointer<UInt64>?> { column(68) }
  // schedule
  @inline(__always) var connections: UnsafeMutablePointer<Connection> { column(76) }
  // rewrite
  @inline(__always) var egress: UnsafeMutablePointer<UInt8> { column(84) }
  // Extras.
  @inline(__always) var extraFrames: UnsafeMutablePointer<FrameDescriptor> { column(85) }
  @inline(__always) var extraEgress: UnsafeMutablePointer<UInt8> { column(101) }
  @inline(__always) var extraParents: UnsafeMutablePointer<UInt8> { column(102) }

  /// A column that lies behind others which have `byteCount` bytes a packet together.
  @inline(__always)
  private func column<Element>(_ byteCount: Int) -> UnsafeMutablePointer<Element> {
    (memory + byteCount &* Limits.batchCapacity).assumingMemoryBound(to: Element.self)
  }

  /// Bytes a packet, over all columns.
  private static var byteCountPerPacket: Int { 103 }

  /// `egress` of a frame that leaves by no interface.
  @inline(__always)
  static var noEgress: UInt8 { 0xff }

  /// `segments` of a packet without a TCP header in it: no event for the state machine.
  @inline(__always)
  static var noSegment: UInt8 { 0x20 }

  init() {
    let byteCount = Batch.byteCountPerPacket * Limits.batchCapacity
    memory = .allocate(byteCount: byteCount, alignment: 64)
    memory.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
    precondition(Limits.extraCapacity <= Limits.batchCapacity)
    verifyLayout()
  }

  /// Every column ends before the next one begins: the distances above are written by hand.
  private func verifyLayout() {
    precondition(end(frames) == UnsafeMutableRawPointer(packets))
    precondition(end(packets) == UnsafeMutableRawPointer(ingress))
    precondition(end(ingress) == UnsafeMutableRawPointer(outcomes))
    precondition(end(outcomes) == UnsafeMutableRawPointer(flags))
    precondition(end(flags) == UnsafeMutableRawPointer(protocols))
    precondition(end(protocols) == UnsafeMutableRawPointer(segments))
    precondition(end(segments) == UnsafeMutableRawPointer(networkOffsets))
    precondition(end(networkOffsets) == UnsafeMutableRawPointer(transportOffsets))
    precondition(end(transportOffsets) == UnsafeMutableRawPointer(networkByteCounts))
    precondition(end(networkByteCounts) == UnsafeMutableRawPointer(sources))
    precondition(end(sources) == UnsafeMutableRawPointer(destinations))
    precondition(end(destinations) == UnsafeMutableRawPointer(directions))
    precondition(end(directions) == UnsafeMutableRawPointer(heads))
    precondition(end(heads) == UnsafeMutableRawPointer(hashes))
    precondition(end(hashes) == UnsafeMutableRawPointer(slots))
    precondition(end(slots) == UnsafeMutableRawPointer(connections))
    precondition(end(connections) == UnsafeMutableRawPointer(egress))
    precondition(end(egress) == UnsafeMutableRawPointer(extraFrames))
    precondition(end(extraFrames) == UnsafeMutableRawPointer(extraEgress))
    precondition(end(extraEgress) == UnsafeMutableRawPointer(extraParents))
    precondition(end(extraParents) == memory + Batch.byteCountPerPacket * Limits.batchCapacity)
  }

  private func end<Element>(_ column: UnsafeMutablePointer<Element>) -> UnsafeMutableRawPointer {
    UnsafeMutableRawPointer(column + Limits.batchCapacity)
  }

  deinit {
    memory.deallocate()
  }

  /// The packet's network header.
  @inline(__always)
  func network(_ index: Int) -> UnsafeMutableRawPointer { packets[index] + Int(networkOffsets[index]) }

  /// The packet's transport header.
  @inline(__always)
  func transport(_ index: Int) -> UnsafeMutableRawPointer { packets[index] + Int(transportOffsets[index]) }

  /// The sender's address in two words, IPv4 in the low half of `low`, as it stands in the packet.
  @inline(__always)
  func sourceAddress(_ index: Int) -> (high: UInt64, low: UInt64) {
    guard flags[index].contains(.ipv6) else { return (0, sources[index] >> 32) }
    let header = UnsafeRawPointer(network(index))
    return (header.loadBigEndian64(at: IPv6.sourceOffset), header.loadBigEndian64(at: IPv6.sourceOffset + 8))
  }

  /// The receiver's, likewise.
  @inline(__always)
  func destinationAddress(_ index: Int) -> (high: UInt64, low: UInt64) {
    guard flags[index].contains(.ipv6) else { return (0, destinations[index] >> 32) }
    let header = UnsafeRawPointer(network(index))
    return (
      header.loadBigEndian64(at: IPv6.destinationOffset), header.loadBigEndian64(at: IPv6.destinationOffset + 8)
    )
  }

  @inline(__always)
  func sourcePort(_ index: Int) -> UInt16 { UInt16(truncatingIfNeeded: sources[index] >> 16) }

  @inline(__always)
  func destinationPort(_ index: Int) -> UInt16 { UInt16(truncatingIfNeeded: destinations[index] >> 16) }

  /// Ends a packet's journey without forwarding it.
  @inline(__always)
  func finish(_ index: Int, _ outcome: Outcome) {
    outcomes[index] = outcome
    egress[index] = Batch.noEgress
  }
}
