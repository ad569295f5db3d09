/// What the fragments of one datagram have in common: source, destination, identification, and of IPv4 the protocol
/// (RFC 791 section 3.2, RFC 8200 section 4.5).
struct DatagramKey: Equatable {
  var source: (high: UInt64, low: UInt64)
  var destination: (high: UInt64, low: UInt64)
  var identification: UInt32
  var protocolNumber: UInt8
  var isIPv6: Bool

  @inline(__always)
  static func == (left: DatagramKey, right: DatagramKey) -> Bool {
    left.identification == right.identification && left.protocolNumber == right.protocolNumber
      && left.source == right.source && left.destination == right.destination && left.isIPv6 == right.isIPv6
  }

  /// Which of the pool's shards: the sender's address alone says so, see `FragmentPool`.
  func shardHash(_ secret: HashSecret) -> UInt64 { secret.mix(source.low ^ secret.mix(source.high)) }

  func hash(_ secret: HashSecret) -> UInt64 {
    let ends = secret.mix(shardHash(secret) &+ secret.mix(destination.low ^ secret.mix(destination.high)))
    return secret.mix(ends &+ UInt64(identification) << 8 | UInt64(protocolNumber))
  }
}

/// One fragment, as `Reassembly` has read it.
struct Fragment {
  var key: DatagramKey
  /// Where its data belongs in the datagram.
  var offset: Int
  /// Bytes of data. Of IPv4, what is more than a multiple of 8 does not count unless it is the last.
  var byteCount: Int
  /// Bytes of headers in front of them.
  var headerByteCount: Int
  /// Bytes of the IP packet.
  var packetByteCount: Int
  /// "More fragments" is clear.
  var isLast: Bool
  /// Of IPv4: "don't fragment".
  var mustNotBeCut: Bool
  /// The ECN bits (RFC 3168 section 5.3), as one bit each of the four codepoints.
  var congestion: UInt8

  var end: Int { offset + byteCount }
  /// Bytes of a packet with these headers and that data.
  var wholeByteCount: Int { headerByteCount + byteCount }
}

/// A datagram of which fragments have arrived, in the pool.
struct Datagram {
  var key: DatagramKey
  /// Nanoseconds at which it is given up.
  var deadline: UInt64 = 0
  /// Its fragments in order of their offsets: numbers of the blocks that they begin in; 0 for none.
  var first: UInt32 = 0
  var last: UInt32 = 0
  var fragmentCount: UInt32 = 0
  /// Bytes of data that are there.
  var byteCount: UInt32 = 0
  /// Where its data ends, as far as is known.
  var end: UInt32 = 0
  /// Bytes of the largest fragment, and of the largest that said "don't fragment".
  var largest: UInt32 = 0
  var largestUncut: UInt32 = 0
  var hasLast = false
  var congestion: UInt8 = 0
  /// Links: the bucket's next one, and the neighbours in the order of arrival.
  var nextInBucket: UInt32 = 0
  var older: UInt32 = 0
  var newer: UInt32 = 0
  var bucket: UInt32 = 0

  var isComplete: Bool { hasLast && byteCount == end }

  /// What the fragment says about the datagram's end, taken over in the order in which Linux does.
  /// - Returns: false when it contradicts what is known.
  mutating func takeEnd(_ fragment: Fragment) -> Bool {
    let end = UInt32(truncatingIfNeeded: fragment.end)
    if fragment.isLast {
      if end < self.end || hasLast && end != self.end { return false }
      hasLast = true
      self.end = end
    } else if end > self.end {
      if hasLast { return false }
      self.end = end
    }
    return fragment.byteCount != 0
  }

  /// The ECN codepoint of the whole (RFC 3168 section 5.3): nil when fragments that are capable of ECN and others are mixed.
  var wholeCongestion: UInt8? {
    let notCapable: UInt8 = 1 << 0
    let experienced: UInt8 = 1 << 3
    if congestion & notCapable != 0 { return congestion == notCapable ? 0 : nil }
    return congestion & experienced != 0 && congestion != experienced ? 3 : 0
  }
}
