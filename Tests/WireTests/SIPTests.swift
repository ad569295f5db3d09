import Testing
import Wire

/// What counts as a Call-ID, as a real ip_vs was seen to take or drop it, and what no message may do.
struct SIPTests {
  private static func message(_ header: String, end: String = "\r\n") -> String {
    "INVITE sip:bob@example.org SIP/2.0\(end)Via: SIP/2.0/UDP 172.16.1.1\(end)\(header)\(end)CSeq: 1 INVITE\(end)\(end)"
  }

  static let rows: [(name: String, message: String, identifier: String?)] = [
    ("plain", message("Call-ID: p1@h"), "p1@h"), ("other case", message("CALL-id: p1@h"), "p1@h"),
    ("compact", message("i: p1@h"), "p1@h"), ("compact, upper case", message("I:p1@h"), "p1@h"),
    ("compact with another letter", message("ix: p1@h"), nil), ("compact with a digit", message("i1: p1@h"), nil),
    ("longer name", message("Call-IDX: p1@h"), nil), ("blanks", message("Call-ID   :   p1@h"), "p1@h"),
    ("tabs", message("Call-ID\t:\tp1@h"), "p1@h"), ("value on the next line", message("Call-ID:\r\n p1@h"), "p1@h"),
    ("colon on the next line", message("Call-ID\r\n : p1@h"), "p1@h"),
    ("value on the next line without a blank", message("Call-ID:\r\np1@h"), nil),
    ("continuation of another header", message(" Call-ID: p1@h"), nil), ("none", message("X: p1@h"), nil),
    ("empty", message("Call-ID: "), nil), ("empty, then one", message("Call-ID: \r\nCall-ID: p2@h"), nil),
    ("one, then another", message("Call-ID: p1@h\r\nCall-ID: p9@h"), "p1@h"),
    ("LF", message("Call-ID: p1@h", end: "\n"), "p1@h"), ("CR", message("Call-ID: p1@h", end: "\r"), "p1@h"),
    ("in the first line", "Call-ID: p1@h\r\n\r\n", nil), ("behind one LF", "\nCall-ID: p1@h\r\n", "p1@h"),
    ("behind two LF", "\n\nCall-ID: p1@h\r\n", nil), ("behind two CR LF", "\r\n\r\nCall-ID: p1@h\r\n", "p1@h"),
    ("in the body", "MESSAGE x\r\nA: b\r\n\r\nCall-ID: p1@h\r\n", "p1@h"),
    ("without the line's end", "X\r\nCall-ID: p1@h", nil), ("ends with CR", "X\r\nCall-ID: p1@h\r", "p1@h"),
    ("blank behind", message("Call-ID: p1@h "), nil), ("parameter behind", message("Call-ID: p1@h;x"), nil),
    ("without @", message("Call-ID: p1"), "p1"), ("only @", message("Call-ID: @h"), nil),
    ("nothing behind @", message("Call-ID: p1@"), nil), ("two @", message("Call-ID: p1@h@x"), nil),
    ("all that words may have", message("Call-ID: !\"%()*+:<>?[\\]_`{}~-./'aZ09"), "!\"%()*+:<>?[\\]_`{}~-./'aZ09"),
    ("ampersand", message("Call-ID: a&b"), nil), ("control character", message("Call-ID: a\u{1}b"), nil),
    ("zero byte", message("Call-ID: a\u{0}b"), nil), ("nothing", "", nil), ("a byte", "C", nil),
    ("name alone", "\r\nCall-ID", nil), ("colon at the end", "\r\ni:", nil), ("blank at the end", "\r\ni: ", nil),
    ("line's end at the end", "\r\ni:\r\n", nil),
    ("255 bytes", message("Call-ID: " + String(repeating: "x", count: 255)), String(repeating: "x", count: 255)),
    ("256 bytes", message("Call-ID: " + String(repeating: "x", count: 256)), nil),
  ]

  private func identifier(in bytes: [UInt8]) -> [UInt8]? {
    bytes.withUnsafeBytes { message in SIP.callIdentifier(in: message).map { Array(message[$0]) } }
  }

  @Test(arguments: rows) func findsWhatIPVSFinds(name: String, message: String, wanted: String?) {
    #expect(identifier(in: Array(message.utf8)) == wanted.map { Array($0.utf8) }, "\(name)")
  }

  @Test func lettersAreThoseOfLatin1() {
    let head = Array("X\r\nCall-ID: ".utf8)
    #expect(identifier(in: head + [0xe9, 0x74, 0xff, 13]) == [0xe9, 0x74, 0xff])
    for byte: UInt8 in [0xd7, 0xf7, 0xaa, 0xb5, 0xbf, 0x80] {
      #expect(identifier(in: head + [0x61, byte, 13]) == nil, "\(byte)")
    }
  }

  /// Whatever comes: the search ends, and what it finds lies inside and is followed by a line's end.
  @Test func anythingMayCome() {
    var generator = SystemRandomNumberGenerator()
    let seed = UInt64.random(in: .min ... .max, using: &generator)
    var state = seed
    func draw() -> UInt64 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return state >> 33
    }
    let texts = ["\r", "\n", "\r\n", "Call-ID", "i", ":", " ", "\t", "@", "a", "\u{0}"]
    let pieces = texts.map { Array($0.utf8) }
    for _ in 0..<20_000 {
      var message: [UInt8] = []
      for _ in 0..<draw() % 24 { message += pieces[Int(draw() % UInt64(pieces.count))] }
      let range = message.withUnsafeBytes { SIP.callIdentifier(in: $0) }
      guard let range else { continue }
      #expect(!range.isEmpty && range.upperBound < message.count, "seed \(seed): \(message)")
      #expect(message[range.upperBound] == 13 || message[range.upperBound] == 10, "seed \(seed): \(message)")
    }
  }
}
