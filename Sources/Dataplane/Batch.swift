import Kernel

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
/// Frames that lbd originates besides (fragments) are appended as extras: they have a port to leave by and nothing else.
struct Batch: ~Copyable {
  /// Packets in the batch.
  var count = 0
  /// Frames originated.
  var extraCount = 0

  // receive
  let frames: UnsafeMutablePointer<FrameDescriptor>
  let packets: UnsafeMutablePointer<UnsafeMutableRawPointer>
  let ingress: UnsafeMutablePointer<UInt8>
  // parse
  let outcomes: UnsafeMutablePointer<Outcome>
  let flags: UnsafeMutablePointer<PacketFlags>
  let protocols: UnsafeMutablePointer<UInt8>
  let tcpFlags: UnsafeMutablePointer<UInt8>
  let networkOffsets: UnsafeMutablePointer<UInt16>
  let transportOffsets: UnsafeMutablePointer<UInt16>
  let networkByteCounts: UnsafeMutablePointer<UInt16>
  let sourcePorts: UnsafeMutablePointer<UInt16>
  let destinationPorts: UnsafeMutablePointer<UInt16>
  let sourceHigh: UnsafeMutablePointer<UInt64>
  let sourceLow: UnsafeMutablePointer<UInt64>
  let destinationHigh: UnsafeMutablePointer<UInt64>
  let destinationLow: UnsafeMutablePointer<UInt64>
  // classify
  let directions: UnsafeMutablePointer<Direction>
  let endpoints: UnsafeMutablePointer<UInt16>
  let hashes: UnsafeMutablePointer<UInt64>
  let slots: UnsafeMutablePointer<UnsafeMutablePointer<UInt64>?>
  // schedule
  let connections: UnsafeMutablePointer<Connection>
  // rewrite
  let egress: UnsafeMutablePointer<UInt8>

  // Extras.
  let extraFrames: UnsafeMutablePointer<FrameDescriptor>
  let extraEgress: UnsafeMutablePointer<UInt8>
  let extraParents: UnsafeMutablePointer<UInt8>

  /// `egress` of a frame that leaves by no interface.
  static var noEgress: UInt8 { 0xff }

  private let memory: UnsafeMutableRawPointer

  init() {
    let capacity = Limits.batchCapacity
    memory = .allocate(byteCount: capacity * 256, alignment: 64)
    var next = memory
    func column<Element>(_ type: Element.Type) -> UnsafeMutablePointer<Element> {
      let column = next.bindMemory(to: type, capacity: capacity)
      next += (capacity * MemoryLayout<Element>.stride + 63) & ~63
      return column
    }
    frames = column(FrameDescriptor.self)
    packets = column(UnsafeMutableRawPointer.self)
    ingress = column(UInt8.self)
    outcomes = column(Outcome.self)
    flags = column(PacketFlags.self)
    protocols = column(UInt8.self)
    tcpFlags = column(UInt8.self)
    networkOffsets = column(UInt16.self)
    transportOffsets = column(UInt16.self)
    networkByteCounts = column(UInt16.self)
    sourcePorts = column(UInt16.self)
    destinationPorts = column(UInt16.self)
    sourceHigh = column(UInt64.self)
    sourceLow = column(UInt64.self)
    destinationHigh = column(UInt64.self)
    destinationLow = column(UInt64.self)
    directions = column(Direction.self)
    endpoints = column(UInt16.self)
    hashes = column(UInt64.self)
    slots = column(UnsafeMutablePointer<UInt64>?.self)
    connections = column(Connection.self)
    egress = column(UInt8.self)
    extraFrames = column(FrameDescriptor.self)
    extraEgress = column(UInt8.self)
    extraParents = column(UInt8.self)
    precondition(next - memory <= capacity * 256, "the columns outgrew the batch's memory")
    precondition(Limits.extraCapacity <= capacity)
  }

  deinit {
    memory.deallocate()
  }

  /// The packet's address of a side, as two words.
  @inline(__always)
  func network(_ index: Int) -> UnsafeMutableRawPointer { packets[index] + Int(networkOffsets[index]) }

  @inline(__always)
  func transport(_ index: Int) -> UnsafeMutableRawPointer { packets[index] + Int(transportOffsets[index]) }

  /// Ends a packet's journey without forwarding it.
  @inline(__always)
  func finish(_ index: Int, _ outcome: Outcome) {
    outcomes[index] = outcome
    egress[index] = Batch.noEgress
  }
}
