import Crypto

// An answer as keepalived reads it, which is not as RFC 9112 has it.
//
// Digests in configurations were made by keepalived's genhash, so what is hashed must be exactly what that hashes: the
// bytes behind the first empty line until the connection ends, and no more than `Content-Length` of them. Transfer
// codings are not undone; sizes of chunks are hashed with them. `Content-Length:` is looked for as that text, in this
// spelling, anywhere in the head; its first occurrence counts, and only if a number and an end of line follow.
//
// (keepalived also finds the text in a body, if head and body come in one piece. Whether they do is up to the network,
// so no digest can depend on it, and it is not done here.)

/// Reads an answer of any length piece by piece, in bounded memory.
struct HTTPReader {
  /// Bytes of the status line and the fields; keepalived takes about 4000.
  static let headByteLimit = 16 * 1024
  /// Bytes of a body that are read.
  static let bodyByteLimit = 64 * 1024 * 1024
  /// Bytes of a body that are kept for a pattern.
  static let keptByteLimit = 1024 * 1024

  /// The status line and the fields with the empty line behind them, once complete.
  private(set) var head: [UInt8] = []
  private(set) var isHeadComplete = false
  /// The first number behind the first blank; 0 for none.
  private(set) var status = 0
  private(set) var contentLength: Int?
  /// Bytes behind the head, so far.
  private(set) var bodyByteCount = 0
  /// The first of them that are hashed, if asked for.
  private(set) var kept: [UInt8] = []
  private var hash = Insecure.MD5()
  private let hashes: Bool
  private let keptByteLimit: Int

  /// - Parameters:
  ///   - hashes: a digest is wanted.
  ///   - keeping: so much of the body is wanted.
  init(hashes: Bool, keeping: Int) {
    self.hashes = hashes
    keptByteLimit = keeping
  }

  /// How many bytes of the body are hashed, so far.
  var hashedByteCount: Int { min(bodyByteCount, contentLength ?? .max) }

  /// MD5 of the body so far, in lower case.
  var digest: String {
    hash.finalize().map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  /// Takes what has arrived.
  /// - Returns: why no more is wanted, or nil.
  mutating func receive(_ bytes: UnsafeRawBufferPointer) -> CheckError? {
    guard !isHeadComplete else { return receiveBody(bytes) }
    // Only so much as a head may have; the rest may be body and is cut off below.
    let taken = min(bytes.count, HTTPReader.headByteLimit - head.count)
    let before = head.count
    head.append(contentsOf: bytes[..<taken])
    guard let end = HTTPReader.endOfHead(head, from: max(0, before - 3)) else {
      return head.count == HTTPReader.headByteLimit ? .tooLong : nil
    }
    head.removeSubrange(end...)
    isHeadComplete = true
    status = HTTPReader.status(of: head)
    contentLength = HTTPReader.contentLength(of: head)
    return receiveBody(UnsafeRawBufferPointer(rebasing: bytes[(end - before)...]))
  }

  private mutating func receiveBody(_ bytes: UnsafeRawBufferPointer) -> CheckError? {
    let wanted = min(bytes.count, max(0, (contentLength ?? .max) - bodyByteCount))
    bodyByteCount += bytes.count
    let counted = UnsafeRawBufferPointer(rebasing: bytes[..<wanted])
    if hashes { hash.update(bufferPointer: counted) }
    kept.append(contentsOf: counted.prefix(keptByteLimit - kept.count))
    return bodyByteCount > HTTPReader.bodyByteLimit ? .tooLong : nil
  }

  /// Where the body begins.
  private static func endOfHead(_ head: [UInt8], from start: Int) -> Int? {
    guard head.count >= 4 else { return nil }
    for index in start..<max(start, head.count - 3)
    where head[index] == 13 && head[index + 1] == 10 && head[index + 2] == 13 && head[index + 3] == 10 {
      return index + 4
    }
    return nil
  }

  private static func status(of head: [UInt8]) -> Int {
    let line = head.prefix { $0 != 13 && $0 != 10 }
    let rest = line.drop { $0 != 0x20 }.drop { $0 == 0x20 || $0 == 0x09 }
    let digits = rest.prefix { (48...57).contains($0) }
    return digits.count <= 9 ? digits.reduce(0) { $0 * 10 + Int($1 - 48) } : 0
  }

  private static func contentLength(of head: [UInt8]) -> Int? {
    let name = Array("Content-Length:".utf8)
    // keepalived looks at the head as a string of C.
    let text = head.prefix { $0 != 0 }
    guard let start = text.indices.first(where: { text[$0] == name[0] && text[$0...].starts(with: name) }) else {
      return nil
    }
    let value = text[(start + name.count)...]
    // Blanks as C counts them, ends of lines among them.
    var rest = value.drop { $0 == 0x20 || (9...13).contains($0) }
    var isNegative = false
    if let sign = rest.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") {
      isNegative = sign == UInt8(ascii: "-")
      rest = rest.dropFirst()
    }
    let digits = rest.prefix { (48...57).contains($0) }
    let behind = digits.isEmpty ? value.first : rest.dropFirst(digits.count).first
    guard behind == 13 || behind == 10 else { return nil }
    var number = 0
    for digit in digits {
      let (tens, overflow) = number.multipliedReportingOverflow(by: 10)
      let (sum, carry) = tens.addingReportingOverflow(Int(digit - 48))
      guard !overflow, !carry else { return nil }
      number = sum
    }
    return isNegative && number > 0 ? nil : number
  }
}
