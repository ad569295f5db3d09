import Wire

/// What one real server has been sent, by one worker; a cache line.
public struct ServerCounters: Sendable {
  /// Connections scheduled.
  public var connections: UInt64 = 0
  /// Packets from clients.
  public var inPackets: UInt64 = 0
  /// Packets from the server, where lbd sees them (NAT, FULLNAT).
  public var outPackets: UInt64 = 0
  /// IP bytes from clients.
  public var inBytes: UInt64 = 0
  /// IP bytes from the server.
  public var outBytes: UInt64 = 0
  /// Connections of TCP that a SYN has opened.
  public var opened: UInt64 = 0
  /// Those whose SYN the server has answered; of DR and TUN, whose clients have.
  public var answered: UInt64 = 0
  /// Those whose SYN it has answered with RST, where lbd sees that (NAT, FULLNAT).
  public var refused: UInt64 = 0

  /// Counts a packet at a server's counters; at 8 bytes further on, those of the other direction.
  @inline(__always)
  static func count(at counters: UnsafeMutableRawPointer, byteCount: UInt64) {
    let packets = (counters + 8).assumingMemoryBound(to: UInt64.self)
    packets.pointee &+= 1
    packets[2] &+= byteCount
  }

  /// All zero.
  public init() {}

  /// Adds another worker's numbers.
  public mutating func add(_ other: ServerCounters) {
    connections &+= other.connections
    inPackets &+= other.inPackets
    outPackets &+= other.outPackets
    inBytes &+= other.inBytes
    outBytes &+= other.outBytes
    opened &+= other.opened
    answered &+= other.answered
    refused &+= other.refused
  }
}

/// A worker's own counters: plain integers in memory that only it writes and that control reads.
///
/// A reader may see a number that is a batch old, never one that is torn (aligned 64-bit stores). Nothing is added
/// atomically per packet; control sums the workers.
struct Counters: ~Copyable {
  static var outcomeCapacity: Int { 64 }

  /// Frames by outcome; index `received` and up are the totals below.
  let outcomes: UnsafeMutablePointer<UInt64>
  /// By real-server number.
  let servers: UnsafeMutablePointer<ServerCounters>

  enum Total: Int {
    case received
    case originated
    case expired
    case missed
    case unconveyed
  }
  let totals: UnsafeMutablePointer<UInt64>

  init(outcomes: UnsafeMutablePointer<UInt64>, servers: UnsafeMutablePointer<ServerCounters>) {
    self.outcomes = outcomes
    self.servers = servers
    totals = outcomes + Counters.outcomeCapacity
  }

  @inline(__always)
  func add(_ total: Total, _ amount: Int = 1) {
    totals[total.rawValue] &+= UInt64(truncatingIfNeeded: amount)
  }

  /// Counts a finished batch: every packet has exactly one outcome.
  func add(_ batch: Batch, packetCount: Int, extraCount: Int) {
    let results = UnsafeRawPointer(batch.outcomes)
    var index = 0
    while index < packetCount {
      let outcome = results.loadByte(at: index)
      assert(outcome != Outcome.pending.rawValue)
      // Most batches are of one kind: eight at a time, then.
      let eight = results.loadUnaligned(fromByteOffset: index, as: UInt64.self)
      let alike = eight == UInt64(outcome) &* 0x0101_0101_0101_0101 && index &+ 8 <= packetCount
      outcomes[Int(outcome)] &+= alike ? 8 : 1
      index &+= alike ? 8 : 1
    }
    add(.received, packetCount)
    add(.originated, extraCount)
  }
}
