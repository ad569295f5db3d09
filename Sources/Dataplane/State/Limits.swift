/// Sizes that are fixed when the program is built, and the bounds of those set at start.
///
/// Each number is here once; what depends on another is asserted against it in `verify()`, at start.
public enum Limits {
  /// Packets in one batch: enough for prefetching to hide a memory access, few enough for the batch to stay in L1.
  public static let batchCapacity = 64
  /// Packets of a piece of a batch: as many misses overlap, and as many frames stay in the nearest cache.
  static let pieceCapacity = 32
  /// Frames that one batch may send besides its own (fragments beyond the first of each packet).
  public static let extraCapacity = 1024
  /// Ports (interface queues) of one worker.
  public static let portCapacity = 16
  /// IPv6 extension headers followed before a packet counts as malformed.
  public static let extensionHeaders = 8
  /// Real servers and endpoints have 16-bit numbers; the last endpoint number marks a continuation slot.
  public static let serverCapacity = 65_536
  /// See `serverCapacity`.
  public static let endpointCapacity = 65_535
  /// Local addresses of one FULLNAT service: six bits of the connection's value.
  public static let localAddressCapacity = 64
  /// Local ports tried for a new FULLNAT connection before it is refused.
  public static let localPortAttempts = 64
  /// How long a local port rests after a connection that was closed in good order: TIME_WAIT on Linux, in seconds.
  static let localPortRestSeconds: UInt64 = 60
  /// Lines looked at beyond the home line before an insert gives up.
  public static let probeLineLimit = 32
  /// Parts of the fragment pool, for each family.
  static let fragmentShards = 8
  /// Blocks of 512 bytes that fragments lie in, for each part: 8 MiB for each family.
  static let fragmentBlocks = 2048
  /// Datagrams that may wait at the same time, for each part.
  static let fragmentDatagrams = 1024
  /// Fragments of one datagram: enough for the largest in pieces of 256 bytes.
  static let fragmentsPerDatagram = 256
  /// How long a datagram waits for its last fragment, in seconds (as in Linux).
  public static let fragmentSeconds = (ipv4: 30, ipv6: 60)
  /// Datagrams that are given up in one turn, for each part.
  static let fragmentExpiries = 64
  /// Bytes of an Ethernet header with two tags, the longest there is.
  static let frameHeaderByteCount = 22
  /// What an Ethernet link takes unless somebody has made it larger.
  static let usualMTU = 1500
  /// Bytes from an IPv4 header to the end of the buffer that Linux receives a packet into.
  static let fragmentTail = 1708
  /// Smallest, default and largest size of the connection table, in connections.
  public static let connections = (least: 1024, usual: 1_048_576, most: 67_108_864)

  /// The least that a path to a tunnel's server is taken to carry, whatever routers say.
  public static let leastPathMTU = (ipv4: 552, ipv6: 1280)
  /// How long what a router says of a path is believed, in seconds (RFC 1191 section 6.3).
  public static let pathMTUSeconds: UInt64 = 600

  /// Requests for a neighbour's MAC address a worker makes in one second.
  public static let noticesPerSecond = 1000

  /// How often a packet looks for its template again when others change it at that moment.
  static let templateAttempts = 8

  /// Calls (SIP) that templates may be for at once: one in four connections, 84 MB of memory at most, used as they come.
  static func calls(forConnections count: Int) -> Int { min(max(count / 4, 256), 262_144) }

  /// Changes of timeouts that are remembered for connections that have had no packet since.
  static let formerTimeouts = 8

  /// FTP control connections that the helper keeps a record of; further ones go without.
  static let helperCapacity = 65_535

  /// Asserts what these numbers presume of each other.
  static func verify() {
    precondition(batchCapacity.nonzeroBitCount == 1 && batchCapacity <= 64)
    precondition(fragmentShards.nonzeroBitCount == 1 && fragmentDatagrams.nonzeroBitCount == 1)
    precondition(MemoryLayout<NextHop>.stride == 32)
    precondition(MemoryLayout<ServerRecord>.stride == 256)
    precondition(Outcome.allCases.count <= Counters.outcomeCapacity)
  }
}
