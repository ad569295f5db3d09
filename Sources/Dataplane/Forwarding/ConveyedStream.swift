import Wire

/// How a service's servers learn who the client is (FULLNAT).
public enum Conveyance: UInt8, Sendable, Equatable {
  /// Not at all.
  case none
  /// By a TCP option (TOA).
  case option
  /// By a PROXY protocol header, version 1.
  case proxyV1
  /// Version 2.
  case proxyV2

  var proxy: ProxyProtocol.Version? {
    switch self {
    case .none, .option: nil
    case .proxyV1: .v1
    case .proxyV2: .v2
    }
  }
}

/// What is remembered of a connection whose client is conveyed: one word, in its entry for requests.
///
///     bits 0-15   the server's port
///     bits 16-17  how (`Conveyance`)
///     bit 18      the first sequence number is known: the server has answered the SYN
///     bit 19      the server has acknowledged the PROXY header
///     bit 20      the header has been sent
///     bit 21      what the stream begins with has been sent behind it
///     bits 32-63  the first sequence number, that of the SYN
struct ConveyedStream: Equatable {
  var word: UInt64

  init(word: UInt64) { self.word = word }

  private static func bit(_ number: UInt64) -> UInt64 { 1 << number }

  private func has(_ number: UInt64) -> Bool { word & ConveyedStream.bit(number) != 0 }

  private mutating func set(_ number: UInt64) { word |= ConveyedStream.bit(number) }

  /// As a new connection's key has it.
  static func bits(_ conveyance: Conveyance) -> UInt64 { UInt64(conveyance.rawValue) << 16 }

  var conveyance: Conveyance { Conveyance(rawValue: UInt8(word >> 16 & 3)) ?? .none }
  var isKnown: Bool { has(18) }
  var isConfirmed: Bool { has(19) }
  var isSent: Bool { has(20) }
  var isFollowed: Bool { has(21) }
  /// Where the stream begins: behind the SYN.
  var first: UInt32 { UInt32(truncatingIfNeeded: word >> 32) &+ 1 }

  mutating func noteSent() { set(20) }
  mutating func noteFollowed() { set(21) }

  /// The server's SYN+ACK says where the stream begins: not the client's SYN, which anybody could have sent. One that
  /// comes again says nothing new.
  mutating func begin(acknowledgement: UInt32) {
    guard !isKnown || first != acknowledgement else { return }
    word = word & 0x3_ffff | UInt64(acknowledgement &- 1) << 32
    set(18)
  }

  /// What the server's acknowledgement means to the client, who knows nothing of the header's `count` bytes.
  mutating func translate(acknowledgement: UInt32, count: UInt32) -> UInt32 {
    if !isConfirmed {
      let received = Int32(bitPattern: acknowledgement &- first)
      guard received >= Int32(count) else { return received > 0 ? first : acknowledgement }
      set(19)
    }
    return acknowledgement &- count
  }

  /// A selectively acknowledged block; nil for one the client must not hear of. While the header is missing, that is one
  /// that begins with the stream: the client would think that its first segment has arrived in order.
  func translate(left: UInt32, right: UInt32, count: UInt32) -> (left: UInt32, right: UInt32)? {
    if !isConfirmed, Int32(bitPattern: left &- first) <= Int32(count) { return nil }
    return (left &- count, right &- count)
  }
}

extension ConveyedStream {
  /// A segment of the client's, PROXY protocol. The header goes ahead of the stream once, and again with whatever the
  /// client sends again at the stream's beginning, until the server has acknowledged it: lbd keeps no segment and no
  /// timer, the client's own retransmissions are both.
  /// - Returns: what is to be done.
  mutating func request(_ segment: SegmentEdit) -> RequestStep {
    if segment.flags & TCP.syn != 0 { return .opening }
    guard isKnown else { return .unchanged }
    guard !isConfirmed, segment.sequence == first else { return .shift }
    // A reset counts where the server stands, and is the end: nothing goes ahead of it. Nor is a header made of what has no
    // acknowledgement to give to it.
    if segment.flags & TCP.rst != 0 || segment.flags & TCP.ack == 0 { return isSent ? .shift : .unchanged }
    let isEmpty = segment.payloadByteCount == 0 && segment.flags & TCP.fin == 0
    if isEmpty {
      noteSent()
      return .becomeHeader
    }
    let isDue = !isSent || isFollowed
    noteSent()
    noteFollowed()
    return isDue ? .shiftBehindHeader : .shift
  }

  /// What becomes of a client's segment.
  enum RequestStep: Equatable {
    /// A SYN: it carries no data to a server that expects the header first.
    case opening
    case unchanged
    /// Its sequence number counts the header.
    case shift
    /// The same, and the header is sent as well.
    case shiftBehindHeader
    /// It has no payload: the header becomes it.
    case becomeHeader
  }
}
