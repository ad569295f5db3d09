/// A question to a name server, and whether an answer is one (RFC 1035 section 4.1).
///
/// How many records there are does not matter, as keepalived has it: a server that says NOERROR works.
struct DNSQuery: DatagramQuestion {
  private static let headerByteCount = 12

  /// The datagram.
  let bytes: [UInt8]
  private let id: UInt16

  /// - Parameter id: random, so that answers to others are not taken for ours.
  init(_ definition: DNSDefinition, id: UInt16) throws(CheckError) {
    self.id = id
    // RD, one question; class IN.
    bytes =
      [UInt8(id >> 8), UInt8(id & 255), 1, 0, 0, 1, 0, 0, 0, 0, 0, 0] + (try DNSQuery.labels(of: definition.name))
      + [UInt8(definition.type.rawValue >> 8), UInt8(definition.type.rawValue & 255), 0, 1]
  }

  /// `.` is the root; a dot at the end changes nothing.
  private static func labels(of name: String) throws(CheckError) -> [UInt8] {
    var text = Array(name.utf8)[...]
    if text.last == UInt8(ascii: ".") { text = text.dropLast() }
    var bytes: [UInt8] = []
    for label in text.isEmpty ? [] : text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false) {
      guard (1...63).contains(label.count) else {
        throw .definition("the name has a label of \(label.count) bytes, 1 to 63 are possible")
      }
      bytes.append(UInt8(label.count))
      bytes += label
    }
    guard bytes.count < 255 else { throw .definition("the name has \(bytes.count + 1) bytes, 255 are possible") }
    return bytes + [0]
  }

  /// Whoever can make up an answer may take the server down or keep it up, so one that does not repeat the question is
  /// none (RFC 5452 section 9.1), like one with another id. A server may leave the question out of an error.
  func result(of reply: [UInt8]) -> AttemptResult? {
    guard reply.count >= 2, reply[0] == UInt8(id >> 8), reply[1] == UInt8(id & 255) else { return nil }
    // QR is set; the opcode is the one of the question.
    guard reply.count >= DNSQuery.headerByteCount, reply[2] & 0xf8 == 0x80 else { return .failed(.malformed) }
    let code = Int(reply[3] & 0x0f)
    let questionCount = Int(reply[4]) << 8 | Int(reply[5])
    guard questionCount > 0 else { return .failed(code == 0 ? .malformed : .responseCode(code)) }
    let asked = bytes[DNSQuery.headerByteCount...]
    let repeated = reply[DNSQuery.headerByteCount...].prefix(asked.count)
    guard questionCount == 1, repeated.count == asked.count else { return .failed(.malformed) }
    guard zip(asked, repeated).allSatisfy({ DNSQuery.lowercase($0) == DNSQuery.lowercase($1) }) else { return nil }
    return code == 0 ? .well() : .failed(.responseCode(code))
  }

  var silence: AttemptResult { .failed(.readTimeout) }

  /// Names are equal whatever the case of their letters. Lengths of labels are below 64 and so no letters; of types and
  /// the class only those that are asked for are compared, and none is a letter that has two cases.
  private static func lowercase(_ byte: UInt8) -> UInt8 {
    (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
  }
}
