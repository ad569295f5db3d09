/// What became of a frame. Every received frame has exactly one outcome, so that
/// `received = forwarded + passed + each drop by name` holds to the frame.
///
/// A new way for a packet to end gets a name here; there is no "other". Frames that lbd itself originates (ICMP errors,
/// the further pieces of a fragmented packet) are counted apart, as `originated`.
public enum Outcome: UInt8, CaseIterable, Sendable {
  /// Not decided yet; never counted.
  case pending

  // Forwarded.
  case directRouting
  case masqueradeRequest
  case masqueradeReply
  case tunnel
  case fullNATRequest
  case bypassed
  case fullNATReply

  // Left to the host's own stack.
  case notOurs
  case noConnection
  case noReplyConnection
  case privilegedSource
  case icmp

  // Dropped.
  case malformed
  case badHeaderChecksum
  case otherHost
  case fragmentWithoutFirst
  case fragmentTableFull
  case serverRemoved
  case serverLocal
  case noServerAvailable
  case tableFull
  case localPortsExhausted
  case droppedInDefence
  case noCallIdentifier
  case timeExceeded
  case tooBig
  case noRoute
  case neighbourUnresolved
  case noFrame
  case transmitRingFull
  case hostRefused

  /// The three ways to account for a frame.
  public enum Fate: String, Sendable {
    case forwarded
    case passed
    case dropped
  }

  /// True for the outcomes of forwarded frames; one comparison, for the hot path.
  @inline(__always)
  var isForwarded: Bool { rawValue >= Outcome.directRouting.rawValue && rawValue <= Outcome.fullNATReply.rawValue }

  /// True for the outcomes of frames left to the host.
  @inline(__always)
  var isPassed: Bool { rawValue >= Outcome.notOurs.rawValue && rawValue <= Outcome.icmp.rawValue }

  /// Which of the three this outcome is.
  public var fate: Fate {
    if isForwarded { return .forwarded }
    return isPassed ? .passed : .dropped
  }

  /// `forwarded.directRouting`: the name in reports and metrics.
  public var name: String { "\(fate.rawValue).\(self)" }

  /// What it means, for people.
  public var explanation: String {
    switch self {
    case .pending: "not decided"
    case .directRouting: "sent to the real server with its MAC address, the packet unchanged (DR)"
    case .masqueradeRequest: "sent to the real server with its address and port (NAT)"
    case .masqueradeReply: "a real server's answer, given back the VIP's address and port (NAT)"
    case .tunnel: "sent to the real server inside a tunnel (TUN)"
    case .fullNATRequest: "sent to the real server from a local address (FULLNAT)"
    case .bypassed: "sent on to its own destination, as no cache is left (cache_bypass)"
    case .fullNATReply: "a real server's answer, given back the client's and the VIP's addresses (FULLNAT)"
    case .notOurs: "no virtual service has this address, protocol and port"
    case .noConnection: "no connection, and the segment cannot open one (not a SYN)"
    case .noReplyConnection: "from a real server's service port, but of no connection"
    case .privilegedSource: "client port 20 is never scheduled, as in IPVS"
    case .icmp: "an ICMP message"
    case .malformed: "a header that is cut short or contradicts the length of the frame"
    case .badHeaderChecksum: "IPv4 header checksum is wrong"
    case .otherHost: "addressed to another station's MAC address"
    case .fragmentWithoutFirst: "a later fragment whose first one has not been seen"
    case .fragmentTableFull: "too many fragmented datagrams at once"
    case .serverRemoved: "the connection's real server has been removed"
    case .serverLocal: "the real server is this host itself"
    case .noServerAvailable: "no real server can take it; answered with ICMP port unreachable"
    case .tableFull: "the connection table has no room"
    case .localPortsExhausted: "no local address and port is free towards this real server (FULLNAT)"
    case .droppedInDefence: "would have opened a connection, but drop_packet is in effect"
    case .noCallIdentifier: "no SIP Call-ID in it, which its service's persistence goes by"
    case .timeExceeded: "TTL or hop limit used up; answered with ICMP time exceeded"
    case .tooBig: "larger than the path takes and not to be fragmented; answered with ICMP"
    case .noRoute: "the kernel has no route to the next hop"
    case .neighbourUnresolved: "the next hop does not answer ARP or neighbour discovery"
    case .noFrame: "no free frame for a fragment"
    case .transmitRingFull: "the interface's transmit ring is full"
    case .hostRefused: "meant for the host's own stack, which did not take it"
    }
  }
}
