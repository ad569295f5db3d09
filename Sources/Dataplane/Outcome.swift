/// What became of a frame. Every received frame has exactly one outcome, so that
/// `received = forwarded + passed + each drop by name` holds to the frame.
///
/// A new way for a packet to end gets a name here; there is no "other". Frames that lbd itself originates (ICMP errors,
/// the further pieces of a fragmented packet) are counted apart, as `originated`. Fragments that wait for others are
/// `held`, and move on to what becomes of their datagram.
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
  case drainedReset
  case errorToServer
  case errorToClient
  case localReply
  case ownTraffic
  case checkRequest
  case fullNATReply

  // Left to the host's own stack.
  case notOurs
  case localServer
  case errorToLocalServer
  case noConnection
  case noReplyConnection
  case privilegedSource
  case icmp
  case checkAnswer

  // Neither yet.
  case fragmentHeld

  // Dropped.
  case malformed
  case badHeaderChecksum
  case otherHost
  case fragmentTimedOut
  case fragmentDuplicate
  case fragmentOverlap
  case fragmentContradictory
  case fragmentsTooMany
  case fragmentPoolFull
  case notTranslatable
  case serverRemoved
  case drained
  case serverLocal
  case noServerAvailable
  case tableFull
  case localPortsExhausted
  case droppedInDefence
  case noCallIdentifier
  case timeExceeded
  case tooBig
  case tunnelTooNarrow
  case tunnelErrorEnded
  case badErrorChecksum
  case errorHopsUsedUp
  case errorTooBig
  case unknownReply
  case noRoute
  case neighbourUnresolved
  case noFrame
  case transmitRingFull
  case hostRefused

  /// The ways to account for a frame.
  public enum Fate: String, Sendable {
    case forwarded
    case passed
    /// Waiting; later it counts as what has become of it.
    case held
    case dropped
  }

  /// True for the outcomes of forwarded frames; one comparison, for the hot path.
  @inline(__always)
  var isForwarded: Bool { rawValue >= Outcome.directRouting.rawValue && rawValue <= Outcome.fullNATReply.rawValue }

  /// True for the outcomes of frames left to the host.
  @inline(__always)
  var isPassed: Bool { rawValue >= Outcome.notOurs.rawValue && rawValue <= Outcome.checkAnswer.rawValue }

  /// True where addresses and ports are replaced.
  var isTranslated: Bool {
    switch self {
    case .masqueradeRequest, .masqueradeReply, .fullNATRequest, .fullNATReply, .errorToServer, .errorToClient: true
    default: false
    }
  }

  /// Which of them this outcome is.
  public var fate: Fate {
    if isForwarded { return .forwarded }
    if self == .fragmentHeld { return .held }
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
    case .drainedReset: "of a connection whose real server has drained: sent on as a reset, and answered by one"
    case .errorToServer: "an ICMP error about a connection, sent to its real server"
    case .errorToClient: "an ICMP error about a connection, sent to its client"
    case .localReply: "an answer of a real server on the director itself, sent on unchanged (DR, TUN)"
    case .ownTraffic: "the host's own and of no connection, sent on unchanged"
    case .checkRequest: "a health check, sent to its real server as clients' packets are (through_vip)"
    case .checkAnswer: "the answer to such a check, from the VIP: back to the host as from the real server"
    case .fullNATReply: "a real server's answer, given back the client's and the VIP's addresses (FULLNAT)"
    case .notOurs: "no virtual service has this address, protocol and port"
    case .localServer: "for a real server that is the director itself"
    case .errorToLocalServer: "an ICMP error about a connection, for a real server that is the director itself"
    case .noConnection: "no connection, and the packet cannot open one (not a SYN, or AH or ESP)"
    case .noReplyConnection: "from a real server's service port, but of no connection"
    case .privilegedSource: "client port 20 is never scheduled, as in IPVS"
    case .icmp: "an ICMP message that is not an error about a connection"
    case .malformed: "a header that is cut short or contradicts the length of the frame"
    case .badHeaderChecksum: "IPv4 header checksum is wrong"
    case .otherHost: "addressed to another station's MAC address"
    case .fragmentHeld: "a fragment that waits for the others of its datagram"
    case .fragmentTimedOut: "the other fragments of its datagram did not come in time"
    case .fragmentDuplicate: "a fragment that brings nothing new"
    case .fragmentOverlap: "fragments that overlap; all of their datagram is dropped"
    case .fragmentContradictory: "fragments that contradict each other, or add up to no datagram"
    case .fragmentsTooMany: "a datagram in too many fragments"
    case .fragmentPoolFull: "a fragment that had to make room for younger ones"
    case .notTranslatable: "AH, ESP, a source route, or an ICMP error without a word in the other IP family (FULLNAT)"
    case .serverRemoved: "the connection's real server has been removed"
    case .drained: "of a connection whose real server has drained, and no segment that a reset can be made of"
    case .serverLocal: "the real server is this host itself, and cannot be: FULLNAT, or NAT to a loopback address"
    case .noServerAvailable: "no real server can take it; answered with ICMP port unreachable"
    case .tableFull: "the connection table has no room"
    case .localPortsExhausted: "no local address and port is free towards this real server (FULLNAT)"
    case .droppedInDefence: "would have opened a connection, but drop_packet is in effect"
    case .noCallIdentifier: "no SIP Call-ID in it, which its service's persistence goes by"
    case .timeExceeded: "TTL or hop limit used up; answered with ICMP time exceeded"
    case .tooBig: "larger than the path takes and not to be fragmented; answered with ICMP"
    case .tunnelTooNarrow: "the path to the real server takes less than a tunnel needs (outer MTU)"
    case .badErrorChecksum: "an ICMP error about a connection whose checksum is wrong"
    case .errorHopsUsedUp: "an ICMP error about a connection, TTL or hop limit used up; never answered"
    case .errorTooBig: "an ICMP error about a connection, larger than the path takes; never answered"
    case .unknownReply: "a real server's packet of no connection; answered with ICMP port unreachable (nat_icmp_send)"
    case .tunnelErrorEnded: "an ICMP error about a tunnel packet, of which the client is not to know"
    case .noRoute: "the kernel has no route to the next hop"
    case .neighbourUnresolved: "the next hop does not answer ARP or neighbour discovery"
    case .noFrame: "no free frame for a fragment"
    case .transmitRingFull: "the interface's transmit ring is full"
    case .hostRefused: "meant for the host's own stack, which did not take it"
    }
  }
}
