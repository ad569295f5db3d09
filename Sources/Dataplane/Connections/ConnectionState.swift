import Wire

/// The state machines of TCP and SCTP, ready for packets: one load says what a segment makes of a state.
///
/// A TCP segment's event is the first that applies of RST, SYN, FIN, ACK; one without any of the four closes the entry.
/// An SCTP packet's is its first chunk. What events do is in `StateTables`.
struct ConnectionState: ~Copyable {
  /// TCP states in IPVS's numbering.
  enum TCP: UInt8, CaseIterable, Sendable {
    case none
    case established
    case synSent
    case synReceived
    case finWait
    case timeWait
    case close
    case closeWait
    case lastAck
    case listen
    case synAck

    /// As `ipvsadm -Lc` prints it.
    var name: String {
      switch self {
      case .none: "NONE"
      case .established: "ESTABLISHED"
      case .synSent: "SYN_SENT"
      case .synReceived: "SYN_RECV"
      case .finWait: "FIN_WAIT"
      case .timeWait: "TIME_WAIT"
      case .close: "CLOSE"
      case .closeWait: "CLOSE_WAIT"
      case .lastAck: "LAST_ACK"
      case .listen: "LISTEN"
      case .synAck: "SYNACK"
      }
    }
  }

  /// SCTP states in IPVS's numbering.
  enum SCTP: UInt8, CaseIterable, Sendable {
    case none
    case init1
    case initiated
    case cookieSent
    case cookieReplied
    case cookieWait
    case cookie
    case cookieEchoed
    case established
    case shutdownSent
    case shutdownReceived
    case shutdownAckSent
    case rejected
    case closed

    /// As `ipvsadm -Lc` prints it.
    var name: String {
      switch self {
      case .none: "NONE"
      case .init1: "INIT1"
      case .initiated: "INIT"
      case .cookieSent: "C-SENT"
      case .cookieReplied: "C-REPLIED"
      case .cookieWait: "C-WAIT"
      case .cookie: "COOKIE"
      case .cookieEchoed: "C-ECHOED"
      case .established: "ESTABLISHED"
      case .shutdownSent: "S-SENT"
      case .shutdownReceived: "S-RECEIVED"
      case .shutdownAckSent: "S-ACK-SENT"
      case .rejected: "REJECTED"
      case .closed: "CLOSED"
      }
    }

    /// Seconds until an idle connection in this state is forgotten.
    var timeoutSeconds: UInt32 {
      switch self {
      case .none: 2
      case .init1, .rejected: 4
      case .established: 900
      default: 61
      }
    }
  }

  /// A persistent UDP connection that is waiting for its first reply, which its template has to hear of.
  @inline(__always) static var unanswered: UInt8 { 14 }

  /// Which table: requests, requests of a connection whose replies are not seen, replies.
  enum Row: Int {
    case input
    case inputOnly
    case output
  }

  /// [secure][row][what the segment says][state]: the event is decided when the table is made, so that a packet costs
  /// one load. A packet without a segment (`Packet.noSegment`) changes nothing; nothing leads to the state of a dead
  /// entry, so that one is never mistaken for a connection that goes on as it was.
  private let transitions: UnsafeMutablePointer<UInt8>
  /// [secure][segment]: the states that it leaves as they are, a bit each: of requests in the lower half (and, where
  /// replies are not seen, the 16 bits above), of replies in the upper. The bit of a dead entry is never set.
  private let steadyStates: UnsafeMutablePointer<UInt64>
  /// True while `secure_tcp` is in effect.
  var isSecure = false
  private static var stateStride: Int { 16 }
  private static var segmentStride: Int { 64 }
  private static var rowStride: Int { segmentStride * stateStride }

  init() {
    transitions = .allocate(capacity: 6 * ConnectionState.rowStride)
    transitions.initialize(repeating: TCP.close.rawValue, count: 6 * ConnectionState.rowStride)
    steadyStates = .allocate(capacity: 2 * ConnectionState.segmentStride)
    steadyStates.initialize(repeating: 0, count: 2 * ConnectionState.segmentStride)
    for (set, tcp) in [StateTables.tcp, StateTables.secureTCP].enumerated() {
      for row in [Row.input, .inputOnly, .output] {
        // A segment with none of the flags has no line of its own: it closes.
        let closes = [UInt8](repeating: TCP.close.rawValue, count: TCP.allCases.count)
        let events = tcp.rows(row, states: StateTables.tcpStates) + [closes]
        for segment in 0..<UInt8(32) { fill(set, row, segment, events[ConnectionState.event(of: segment)]) }
        fill(set, row, Packet.noSegment, (0..<14).map { UInt8($0) } + [row == .output ? 0 : ConnectionState.unanswered])
        for (event, states) in StateTables.sctp.rows(row, states: StateTables.sctpStates).enumerated() {
          fill(set, row, Packet.firstSCTPSegment + UInt8(event), states)
        }
      }
    }
  }

  private func fill(_ set: Int, _ row: Row, _ segment: UInt8, _ states: [UInt8]) {
    let line = transitions + (set * 3 + row.rawValue) * ConnectionState.rowStride
    for (state, next) in states.enumerated() {
      line[Int(segment) * ConnectionState.stateStride + state] = next
      // Whatever may begin a connection is looked at closely: it may begin another one.
      let isFirst = segment & 0x22 == 0x02 || segment == Packet.firstSCTPSegment + 1
      guard Int(next) == state, !isFirst else { continue }
      steadyStates[set * ConnectionState.segmentStride + Int(segment)] |= 1 << UInt64(row.rawValue * 16 + state)
    }
  }

  /// See `steadyStates`; by segment.
  @inline(__always)
  var steady: UnsafeMutablePointer<UInt64> { isSecure ? steadyStates + ConnectionState.segmentStride : steadyStates }

  /// The first that applies of RST, SYN, FIN, ACK; else one that closes.
  private static func event(of flags: UInt8) -> Int {
    if flags & 0x04 != 0 { return 3 }
    if flags & 0x02 != 0 { return 0 }
    if flags & 0x01 != 0 { return 1 }
    return flags & 0x10 != 0 ? 2 : 4
  }

  deinit {
    transitions.deallocate()
    steadyStates.deallocate()
  }

  /// The state after a packet.
  /// - Parameter segment: as in `Packet.segment`.
  @inline(__always)
  func next(_ state: UInt8, row: Row, segment: UInt8) -> UInt8 {
    let table = row.rawValue &+ (isSecure ? 3 : 0)
    let place = (table &* ConnectionState.segmentStride &+ Int(segment)) &* ConnectionState.stateStride
    return transitions[place &+ Int(state)]
  }

  /// As `ipvsadm -Lc` prints a state.
  static func name(of state: UInt8, _ transport: TransportProtocol) -> String {
    switch transport {
    case .tcp: TCP(rawValue: state)?.name ?? "NONE"
    case .udp: transport.name
    case .sctp: SCTP(rawValue: state)?.name ?? "NONE"
    }
  }

  /// True for the states that count as active: of TCP ESTABLISHED, SYN_SENT, SYN_RECV, SYNACK; of SCTP ESTABLISHED.
  @inline(__always)
  static func isActive(_ state: UInt8, protocolNumber: UInt8) -> Bool {
    if protocolNumber == TransportProtocol.tcp.rawValue { return (0b100_0000_1110 >> UInt16(state)) & 1 != 0 }
    return protocolNumber == TransportProtocol.sctp.rawValue && state == SCTP.established.rawValue
  }

  /// True for TCP's states between a SYN and ESTABLISHED: SYN_SENT, SYN_RECV, SYNACK.
  @inline(__always)
  static func isOpening(_ state: UInt8) -> Bool { (0b100_0000_1100 >> UInt16(state)) & 1 != 0 }

  /// True for ESTABLISHED of TCP and SCTP.
  @inline(__always)
  static func isEstablished(_ state: UInt8, protocolNumber: UInt8) -> Bool {
    protocolNumber == TransportProtocol.tcp.rawValue
      ? state == TCP.established.rawValue
      : protocolNumber == TransportProtocol.sctp.rawValue && state == SCTP.established.rawValue
  }
}
