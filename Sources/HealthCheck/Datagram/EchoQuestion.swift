import Wire

/// An ICMP echo request (RFC 792, RFC 4443 section 4.1), and which messages are replies to it.
///
/// The identifier need not survive (the kernel has its own for sockets that are not raw), so what is compared is what the
/// reply must bring back unchanged: sequence number and data, the data beginning with a number drawn for this attempt.
struct EchoQuestion: DatagramQuestion {
  /// Bytes behind the header of 8.
  static let dataByteCount = 128
  static let replyType4: UInt8 = 0
  static let replyType6: UInt8 = 129

  let bytes: [UInt8]
  private let family: IPAddress.Family
  private let hasHeader: Bool

  /// - Parameters:
  ///   - token: random.
  ///   - isRaw: replies over IPv4 come with the IP header.
  init(_ family: IPAddress.Family, token: UInt64, isRaw: Bool) {
    self.family = family
    hasHeader = isRaw && family == .ipv4
    var bytes: [UInt8] = [family == .ipv4 ? 8 : 128, 0, 0, 0]
    bytes += [UInt8(truncatingIfNeeded: token >> 8), UInt8(truncatingIfNeeded: token), 0, 1]
    for shift in stride(from: UInt64(56), through: 0, by: -8) {
      bytes.append(UInt8(truncatingIfNeeded: token >> shift))
    }
    bytes += (8..<UInt8(EchoQuestion.dataByteCount)).map { $0 }
    if family == .ipv4 {
      // The checksum of ICMPv6 has addresses in it; the kernel computes it for raw sockets too.
      var sum = Checksum()
      bytes.withUnsafeBytes { sum.add($0) }
      // `Checksum` works on words as they stand in memory.
      withUnsafeBytes(of: sum.value) { bytes.replaceSubrange(2..<4, with: $0) }
    }
    self.bytes = bytes
  }

  func result(of reply: [UInt8]) -> AttemptResult? {
    var message = reply[...]
    if hasHeader {
      guard let first = message.first, first >> 4 == 4, message.count >= Int(first & 15) * 4 else { return nil }
      message = message.dropFirst(Int(first & 15) * 4)
    }
    let type = family == .ipv4 ? EchoQuestion.replyType4 : EchoQuestion.replyType6
    guard message.count == bytes.count, message.first == type else { return nil }
    // From the sequence number on.
    return message.dropFirst(6).elementsEqual(bytes[6...]) ? .well() : nil
  }

  var silence: AttemptResult { .failed(.readTimeout) }
}
