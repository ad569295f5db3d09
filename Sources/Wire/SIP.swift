// SIP (RFC 3261): the one header that tells calls apart, found as IPVS finds it.
//
// IPVS looks with netfilter's eyes, which are not those of a SIP parser: a header counts wherever it stands, also in what
// is the body; a line ends with CR, LF or both; and a character behind a line's end is passed over once it begins no
// header, so that the second of two LF in a row does not end a line. All of it decides which packets belong together, so
// all of it is kept.

/// Session Initiation Protocol.
public enum SIP {
  /// The longest Call-ID that IPVS's engine goes by.
  public static let callIdentifierByteLimit = 255

  /// Where the Call-ID of a message stands.
  /// - Parameter message: a UDP datagram's data; may be anything.
  /// - Returns: 1 to 255 bytes; nil when there is none, or one that does not end its line.
  public static func callIdentifier(in message: UnsafeRawBufferPointer) -> Range<Int>? {
    var position = 0
    while position < message.count {
      switch header(in: message, from: position) {
      case .found(let range):
        let isFit = range.count <= callIdentifierByteLimit && range.upperBound < message.count
        return isFit && isLineEnd(message[range.upperBound]) ? range : nil
      case .empty(let offset):
        // The place is added, not gone to: behind the second empty one the search begins further on than it could.
        position += offset
      case .none:
        return nil
      }
    }
    return nil
  }

  private enum Finding {
    case found(Range<Int>)
    /// A header without a value that counts, which would have begun there.
    case empty(at: Int)
    case none
  }

  private static func header(in message: UnsafeRawBufferPointer, from start: Int) -> Finding {
    var position = start
    while position < message.count {
      guard isLineEnd(message[position]) else {
        position += 1
        continue
      }
      position = lineStart(in: message, behind: position)
      guard position < message.count else { return .none }
      guard !isBlank(message[position]), let length = nameLength(in: message, at: position) else {
        position += 1
        continue
      }
      guard let colon = skipBlanks(in: message, from: position + length), colon < message.count,
        message[colon] == UInt8(ascii: ":"), colon + 1 < message.count,
        let value = skipBlanks(in: message, from: colon + 1)
      else { return .none }
      let end = valueEnd(in: message, from: value)
      return end == value ? .empty(at: value) : .found(value..<end)
    }
    return .none
  }

  /// The byte behind a line's end: CR, LF, or CR LF.
  private static func lineStart(in message: UnsafeRawBufferPointer, behind end: Int) -> Int {
    let isPair = message[end] == 13 && end + 1 < message.count && message[end + 1] == 10
    return isPair ? end + 2 : end + 1
  }

  /// Bytes of the header's name, if it begins here: `Call-ID`, or `i` that no other letter follows.
  private static func nameLength(in message: UnsafeRawBufferPointer, at position: Int) -> Int? {
    let left = message.count - position
    if left >= longName.utf8CodeUnitCount {
      let name = UnsafeRawBufferPointer(start: longName.utf8Start, count: longName.utf8CodeUnitCount)
      var matches = true
      for (offset, letter) in name.enumerated() {
        matches = matches && lowered(message[position + offset]) == letter
      }
      if matches { return name.count }
    }
    let isShort = left >= 2 && lowered(message[position]) == UInt8(ascii: "i") && !isLetter(message[position + 1])
    return isShort ? 1 : nil
  }

  private static var longName: StaticString { "call-id" }

  /// Passes over blanks, and over one line's end if the next line goes on with a blank (RFC 3261 section 7.3.1).
  private static func skipBlanks(in message: UnsafeRawBufferPointer, from start: Int) -> Int? {
    var position = blanksEnd(in: message, from: start)
    guard position < message.count, isLineEnd(message[position]) else { return position }
    position = lineStart(in: message, behind: position)
    guard position < message.count, isBlank(message[position]) else { return nil }
    return blanksEnd(in: message, from: position)
  }

  private static func blanksEnd(in message: UnsafeRawBufferPointer, from start: Int) -> Int {
    var position = start
    while position < message.count, isBlank(message[position]) { position += 1 }
    return position
  }

  /// `word [ "@" word ]` (RFC 3261 section 25.1); an @ with nothing behind it spoils the whole.
  private static func valueEnd(in message: UnsafeRawBufferPointer, from start: Int) -> Int {
    let end = wordEnd(in: message, from: start)
    guard end > start, end < message.count, message[end] == UInt8(ascii: "@") else { return end }
    let last = wordEnd(in: message, from: end + 1)
    return last == end + 1 ? start : last
  }

  private static func wordEnd(in message: UnsafeRawBufferPointer, from start: Int) -> Int {
    var position = start
    while position < message.count, isWord(message[position]) { position += 1 }
    return position
  }

  private static func isWord(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "!"), UInt8(ascii: "\""), UInt8(ascii: "%"), UInt8(ascii: "'"), UInt8(ascii: "("),
      UInt8(ascii: ")"), UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."),
      UInt8(ascii: "/"), UInt8(ascii: ":"), UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "?"),
      UInt8(ascii: "["), UInt8(ascii: "\\"), UInt8(ascii: "]"), UInt8(ascii: "_"), UInt8(ascii: "`"),
      UInt8(ascii: "{"), UInt8(ascii: "}"), UInt8(ascii: "~"), UInt8(ascii: "0")...UInt8(ascii: "9"):
      true
    default:
      isLetter(byte)
    }
  }

  /// The kernel's letters are those of Latin-1.
  private static func isLetter(_ byte: UInt8) -> Bool {
    switch lowered(byte) {
    case UInt8(ascii: "a")...UInt8(ascii: "z"): true
    case 0xc0...: byte != 0xd7 && byte != 0xf7
    default: false
    }
  }

  private static func lowered(_ byte: UInt8) -> UInt8 {
    (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
  }

  private static func isBlank(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }

  private static func isLineEnd(_ byte: UInt8) -> Bool { byte == 13 || byte == 10 }
}
