import Crypto
import Wire

// How adverts of version 2 over IPv4 are signed: by a password in clear, or by an authentication header (RFC 2338
// sections 5.3.6.2 and 5.3.6.3, which RFC 3768 took back; keepalived has both).
//
// HMAC-MD5 is over the IP header with what changes on the way set to zero, the authentication header with an empty check
// value, and the message. The time to live is part of it for a group, where it must be 255 anyway, and zero for peers.
//
// Sequence numbers belong to the group of routers, not to a sender: a router goes on from the highest number it has
// heard, so a new master's first advert is one more than the old one's last. A number that was heard before is refused.
//
// One case more than in keepalived: two masters that advertise at the same moment count in step, and each refuses the
// other's number because it has just sent it itself; so both stay master for good. Here the number that this router sent
// last is taken once more from another one. That opens no door to what was recorded earlier: it is the newest number there is.

/// How adverts are signed.
public enum Authentication: Hashable, Sendable {
  /// Eight bytes in clear.
  case password(AuthenticationKey)
  /// HMAC-MD5 with these eight bytes as its key.
  case header(AuthenticationKey)

  /// The type that adverts name.
  var number: UInt8 {
    switch self {
    case .password: 1
    case .header: 2
    }
  }
}

/// A password of eight bytes: longer ones are cut, shorter ones filled with zeros.
public struct AuthenticationKey: Hashable, Sendable, CustomStringConvertible {
  /// Its bytes as a number, the first most significant.
  let number: UInt64

  /// A password.
  public init(_ bytes: some Sequence<UInt8>) {
    var number: UInt64 = 0
    var count = 0
    for byte in bytes.prefix(8) {
      number = number << 8 | UInt64(byte)
      count += 1
    }
    self.number = count == 0 ? 0 : number << UInt64(8 * (8 - count))
  }

  /// Not the password: this ends up in logs.
  public var description: String { "(a password)" }

  /// Compares in the same time whatever is different.
  func isEqual(to other: UInt64) -> Bool { number ^ other == 0 }

  /// The check value of a datagram: 96 bits of HMAC-MD5, as two numbers.
  ///
  /// - Parameters:
  ///   - header: the IPv4 header; a copy is changed.
  ///   - extension: the authentication header, whose check value counts as zero.
  ///   - message: what follows it.
  func check(
    header: UnsafeRawBufferPointer, extension part: UnsafeRawPointer, message: UnsafeRawBufferPointer,
    isUnicast: Bool
  ) -> (UInt64, UInt32) {
    let bytes = withUnsafeBytes(of: number.bigEndian) { Array($0) }
    var mac = HMAC<Insecure.MD5>(key: SymmetricKey(data: bytes))
    withUnsafeTemporaryAllocation(byteCount: IPv4.maximumHeaderByteCount, alignment: 8) { copy in
      let count = min(header.count, copy.count)
      copy.copyMemory(from: UnsafeRawBufferPointer(rebasing: header[..<count]))
      if let base = copy.baseAddress {
        AuthenticationHeader.clearMutableFields(ofIPv4: base, clearsTimeToLive: isUnicast)
      }
      mac.update(data: UnsafeRawBufferPointer(rebasing: copy[..<count]))
      let clear = AuthenticationHeader.checkOffset
      copy.copyMemory(from: UnsafeRawBufferPointer(start: part, count: clear))
      for index in clear..<AuthenticationHeader.byteCount { copy[index] = 0 }
      mac.update(data: UnsafeRawBufferPointer(rebasing: copy[..<AuthenticationHeader.byteCount]))
    }
    mac.update(data: message)
    return mac.finalize().withUnsafeBytes { code in
      guard let base = code.baseAddress, code.count >= AuthenticationHeader.checkByteCount else { return (0, 0) }
      return (base.loadBigEndian64(at: 0), base.loadBigEndian32(at: 8))
    }
  }
}

/// The group's sequence number, as far as this router knows it.
public struct AuthenticationSequence: Hashable, Sendable {
  /// Here counting ends; that is after 136 years of an advert a second.
  static let limit: UInt32 = 0xffff_fffe

  /// The highest number sent or heard.
  public private(set) var last: UInt32 = 0
  /// It was sent, not heard.
  private var isOwn = false

  /// Nobody has been heard.
  public init() {}

  /// The number of the next advert.
  mutating func next() -> UInt32 {
    last = min(last, AuthenticationSequence.limit - 1) + 1
    isOwn = true
    return last
  }

  /// Takes a number that was heard from another router.
  /// - Returns: false when it is not new.
  mutating func take(_ number: UInt32) -> Bool {
    guard number > last || number == last && isOwn else { return false }
    last = number
    isOwn = false
    return true
  }

  /// A master has heard one that is to give way: the next advert must be above what that one may send meanwhile.
  mutating func pass(_ number: UInt32) {
    last = max(last, min(number, AuthenticationSequence.limit - 1) + 1)
  }
}
