/// A question to a name server, and whether an answer is one (RFC 1035 section 4.1).
struct DNSQuery {
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

  /// nil for a datagram that is no answer to this question.
  func result(of reply: [UInt8]) -> AttemptResult? {
    guard reply.count >= 2, reply[0] == UInt8(id >> 8), reply[1] == UInt8(id & 255) else { return nil }
    guard reply.count >= 12, reply[2] & 0x80 != 0 else { return .failed(.malformed) }
    let code = Int(reply[3] & 0x0f)
    return code == 0 ? .well() : .failed(.responseCode(code))
  }
}
