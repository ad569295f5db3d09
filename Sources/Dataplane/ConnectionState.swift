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

  /// Which table: requests, replies, and requests of a connection whose replies are not seen.
  enum Row: Int {
    case input
    case output
    case inputOnly
  }

  /// [row][event][state]
  private let transitions: UnsafeMutablePointer<UInt8>
  private static var stateStride: Int { 16 }
  private static var eventStride: Int { 5 }

  init() {
    let count = 3 * ConnectionState.eventStride * ConnectionState.stateStride
    transitions = .allocate(capacity: count)
    transitions.initialize(repeating: TCP.close.rawValue, count: count)
    for (row, events) in ConnectionState.tables.enumerated() {
      for (event, states) in events.enumerated() {
        for (state, next) in states.enumerated() {
          transitions[(row * ConnectionState.eventStride + event) * ConnectionState.stateStride + state] = next.rawValue
        }
      }
    }
  }

  deinit {
    transitions.deallocate()
  }

  /// The state after a segment.
  /// - Parameters:
  ///   - flags: byte 13 of the TCP header.
  @inline(__always)
  func next(_ state: UInt8, row: Row, flags: UInt8) -> UInt8 {
    let event: Int
    if flags & 0x04 != 0 {
      event = 3
    } else if flags & 0x02 != 0 {
      event = 0
    } else if flags & 0x01 != 0 {
      event = 1
    } else {
      event = flags & 0x10 != 0 ? 2 : 4
    }
    let index = (row.rawValue &* ConnectionState.eventStride &+ event) &* ConnectionState.stateStride &+ Int(state)
    return transitions[index]
  }

  /// True for the states that count as active: ESTABLISHED, SYN_SENT, SYN_RECV, SYNACK.
  @inline(__always)
  static func isActive(_ state: UInt8, protocolNumber: UInt8) -> Bool {
    protocolNumber == TransportProtocol.tcp.rawValue && (0b100_0000_1110 >> UInt16(state)) & 1 != 0
  }

  // Rows by event: SYN, FIN, ACK, RST; columns by state from NONE to SYNACK.
  private static let tables: [[[TCP]]] = [
    [
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
    ],
    [
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
    ],
    [
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
    ],
  ]
}
