// What goes over the socket between `ipvsadm` and `lbd run`: frames of eight bytes and a body.
//
//     0      2         3      4        8
//     +------+---------+------+--------+----------
//     | 'LB' | version | kind | length | body …
//     +------+---------+------+--------+----------
//
// Numbers are big-endian, a string is its length (4 bytes) and its bytes. A client sends one request; lbd answers with
// output and errors, in the order they are to be seen, and one exit code; then the connection is over. A version that is
// not understood is refused by name, so that a client of another age says what is wrong.
//
// Every byte is the sender's: lengths and counts are checked against what is there before anything is allocated for them.

/// A part of the conversation.
public struct AdminFrame: Hashable, Sendable {
  /// What a frame is.
  public enum Kind: UInt8, Hashable, Sendable {
    /// Client to lbd: an `AdminRequest`.
    case request = 1
    /// Bytes for standard output.
    case output = 2
    /// Bytes for standard error.
    case error = 3
    /// The end: the exit code, 4 bytes.
    case exit = 4
  }

  /// The version of all this.
  public static let version: UInt8 = 1
  /// Of the header.
  public static let headerByteCount = 8
  /// Of an answer's frames.
  public static let answerByteLimit = 1 << 20

  /// What it is.
  public let kind: Kind
  /// Of the body.
  public let byteCount: Int

  /// Reads a header.
  /// - Throws: an `AdminFault` when these are not the first bytes of a frame.
  public init(header: ArraySlice<UInt8>) throws(AdminFault) {
    let bytes = Array(header.prefix(AdminFrame.headerByteCount))
    guard bytes.count == AdminFrame.headerByteCount, bytes[0] == UInt8(ascii: "L"), bytes[1] == UInt8(ascii: "B") else {
      throw AdminFault("this is not lbd's protocol")
    }
    guard bytes[2] == AdminFrame.version else {
      throw AdminFault("version \(bytes[2]) of the protocol is asked for, this is version \(AdminFrame.version)")
    }
    guard let kind = Kind(rawValue: bytes[3]) else { throw AdminFault("frames of kind \(bytes[3]) are not known") }
    self.kind = kind
    byteCount = bytes[4...].reduce(0) { $0 << 8 | Int($1) }
  }

  /// A whole frame.
  public static func encode(_ kind: Kind, _ body: some Collection<UInt8>) -> [UInt8] {
    var bytes: [UInt8] = [UInt8(ascii: "L"), UInt8(ascii: "B"), version, kind.rawValue]
    bytes.append(number: body.count)
    bytes += body
    return bytes
  }

  /// The frame that ends an answer.
  public static func encode(exitCode: Int32) -> [UInt8] {
    var body: [UInt8] = []
    body.append(number: Int(UInt32(bitPattern: exitCode)))
    return encode(.exit, body)
  }

  /// The exit code in a body.
  public static func exitCode(_ body: ArraySlice<UInt8>) -> Int32? {
    body.count == 4 ? Int32(bitPattern: body.reduce(0) { $0 << 8 | UInt32($1) }) : nil
  }
}

/// Bytes that are none of this protocol's.
public struct AdminFault: Error, Hashable, Sendable, CustomStringConvertible {
  /// What is wrong with them.
  public let description: String

  /// A reason to end the conversation.
  public init(_ description: String) { self.description = description }
}

extension [UInt8] {
  /// Four bytes, the highest first.
  mutating func append(number: Int) {
    for shift in [24, 16, 8, 0] { append(UInt8(truncatingIfNeeded: number >> shift)) }
  }

  /// Its length, then its bytes.
  mutating func append(counted bytes: some Collection<UInt8>) {
    append(number: bytes.count)
    self += bytes
  }
}
