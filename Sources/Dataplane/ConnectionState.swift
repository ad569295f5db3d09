import Wire

/// The TCP state machine of IPVS: three directions, four events, eleven states, one byte each.
///
/// It sees only one side of most conversations (DR and TUN replies go past the director), so it is not RFC 9293's: it
/// is what decides a connection's timeout and whether it counts as active. A segment's event is the first that
/// applies of RST, SYN, FIN, ACK; one without any of the four closes the entry.
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

  /// Which table: requests, requests of a connection whose replies are not seen, replies.
  enum Row: Int {
    case input
    case inputOnly
    case output
  }

  /// [row][what the segment says][state]: the event is decided when the table is made, so that a packet costs one
  /// load. A packet without a segment (`Packet.noSegment`) changes nothing; nothing leads to the state of a dead entry,
  /// so that one is never mistaken for a connection that goes on as it was.
  let transitions: UnsafeMutablePointer<UInt8>
  private static var stateStride: Int { 16 }
  private static var segmentStride: Int { 64 }

  init() {
    let rowStride = ConnectionState.segmentStride * ConnectionState.stateStride
    transitions = .allocate(capacity: 3 * rowStride)
    transitions.initialize(repeating: TCP.close.rawValue, count: 3 * rowStride)
    for row in [Row.input, .inputOnly, .output] {
      for segment in 0..<ConnectionState.segmentStride {
        let line = transitions + row.rawValue * rowStride + segment * ConnectionState.stateStride
        let states = ConnectionState.table(row)[ConnectionState.event(of: UInt8(segment))]
        for state in TCP.allCases.indices {
          line[state] = segment & Int(Packet.noSegment) != 0 ? UInt8(state) : states[state].rawValue
        }
      }
    }
  }

  /// The first that applies of RST, SYN, FIN, ACK; else one that closes.
  private static func event(of flags: UInt8) -> Int {
    if flags & 0x04 != 0 { return 3 }
    if flags & 0x02 != 0 { return 0 }
    if flags & 0x01 != 0 { return 1 }
    return flags & 0x10 != 0 ? 2 : 4
  }

  private static func table(_ row: Row) -> [[TCP]] {
    // A segment with none of the flags has no line of its own: it closes.
    let events = row == .input ? input : row == .output ? output : inputOnly
    return events + [[TCP](repeating: .close, count: TCP.allCases.count)]
  }

  deinit {
    transitions.deallocate()
  }

  /// The state after a packet.
  /// - Parameter segment: as in `Packet.segment`.
  @inline(__always)
  func next(_ state: UInt8, row: Row, segment: UInt8) -> UInt8 {
    transitions[ConnectionState.index(state: Int(state), row: row.rawValue, segment: Int(segment))]
  }

  /// Where in `transitions` the next state stands.
  @inline(__always)
  static func index(state: Int, row: Int, segment: Int) -> Int {
    (row &* segmentStride &+ segment) &* stateStride &+ state
  }

  /// True for the states that count as active: ESTABLISHED, SYN_SENT, SYN_RECV, SYNACK.
  @inline(__always)
  static func isActive(_ state: UInt8, protocolNumber: UInt8) -> Bool {
    protocolNumber == TransportProtocol.tcp.rawValue && (0b100_0000_1110 >> UInt16(state)) & 1 != 0
  }

  // Rows by event: SYN, FIN, ACK, RST; columns by state from NONE to SYNACK.

  private static let input: [[TCP]] = [
    [
      .synReceived, .established, .established, .synReceived, .synReceived, .synReceived, .synReceived, .synReceived,
      .synReceived, .synReceived, .synReceived,
    ],
    [
      .close, .closeWait, .synSent, .timeWait, .timeWait, .timeWait, .close, .closeWait, .lastAck, .listen, .timeWait,
    ],
    [
      .established, .established, .synSent, .established, .finWait, .timeWait, .close, .closeWait, .close, .listen,
      .established,
    ],
    [.close, .close, .close, .synReceived, .close, .close, .close, .close, .lastAck, .listen, .synReceived],
  ]

  private static let output: [[TCP]] = [
    [
      .synSent, .established, .synSent, .synReceived, .synSent, .synSent, .synSent, .synSent, .synSent, .listen,
      .synReceived,
    ],
    [
      .timeWait, .finWait, .synSent, .timeWait, .finWait, .timeWait, .close, .timeWait, .lastAck, .listen, .timeWait,
    ],
    [
      .established, .established, .synSent, .established, .finWait, .timeWait, .close, .closeWait, .lastAck,
      .established, .established,
    ],
    [.close, .close, .synSent, .close, .close, .timeWait, .close, .close, .close, .close, .close],
  ]

  private static let inputOnly: [[TCP]] = [
    [
      .synReceived, .established, .established, .synReceived, .synReceived, .synReceived, .synReceived, .synReceived,
      .synReceived, .synReceived, .synReceived,
    ],
    [.close, .finWait, .synSent, .timeWait, .finWait, .timeWait, .close, .closeWait, .lastAck, .listen, .timeWait],
    [
      .established, .established, .synSent, .established, .finWait, .timeWait, .close, .closeWait, .close, .listen,
      .established,
    ],
    [.close, .close, .close, .synReceived, .close, .close, .close, .close, .lastAck, .listen, .close],
  ]
}
