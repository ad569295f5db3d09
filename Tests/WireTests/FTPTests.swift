import Testing
import Wire

/// What counts as a command or an announcement, as a real ip_vs was seen to take it, and what no text may do.
@Suite struct FTPTests {
  struct Row: Sendable, CustomTestStringConvertible {
    let text: String
    let request: FTP.Request?
    var isIPv6 = false
    var testDescription: String { (isIPv6 ? "IPv6 " : "") + text }

    init(_ text: String, _ request: FTP.Request?, isIPv6: Bool = false) {
      (self.text, self.request, self.isIPv6) = (text, request, isIPv6)
    }

    /// Active mode: this address and port.
    init(_ text: String, _ address: String, _ port: UInt16, isIPv6: Bool = false) {
      self.init(text, .active(IPAddress(address)!, port: port), isIPv6: isIPv6)
    }
  }

  static let requests: [Row] = [
    Row("PASV\r\n", .passive), Row("pasv\r\n", .passive), Row("PaSv\r\n", .passive), Row("PASV\r", nil),
    Row("PASV \r\n", nil), Row("PASV\n\r", nil), Row("NOOP\r\nPASV\r\n", .passive), Row("xPASV\r\n", .passive),
    Row("PASV\r\n", nil, isIPv6: true), Row("EPSV\r\n", .extendedPassive), Row("epsv\r\n", .extendedPassive),
    Row("EPSV\r\n", .extendedPassive, isIPv6: true), Row("EPSV 1\r\n", .extendedPassive), Row("EPSV 2\r\n", nil),
    Row("EPSV 2\r\n", .extendedPassive, isIPv6: true), Row("EPSV 1\r\n", nil, isIPv6: true), Row("EPSV ALL\r\n", nil),
    Row("EPSV 1", nil), Row("EPSV", nil), Row("EPSVx\r\n", nil), Row("EPSV 2\r\nPASV\r\n", nil),
    Row("PORT 172,16,1,1,156,64\r\n", "172.16.1.1", 40_000), Row("port 1,2,3,4,5,6\r\n", "1.2.3.4", 1286),
    Row("PORT 1,2,3,4,5,6\r\n", nil, isIPv6: true), Row("PORT   1,2,3,4,5,6\r\n", "1.2.3.4", 1286),
    Row("PORT x1,2,3,4,5,6\r\n", nil), Row("PORT 1,2,3,4,5,6", nil), Row("PORT 1,2,3,4,5\r\n", nil),
    Row("PORT 1,2,3,4,5,6,7\r\n", "1.2.3.4", 1286), Row("PORT 1.2.3.4.5.6\r\n", nil), Row("PORT\r\n", nil),
    Row("PORT \r\n", nil), Row("PORT", nil), Row("PORT 257,2,3,4,5,6\r\n", "1.2.3.4", 1286),
    Row("PORT 99999999999999999999,2,3,4,5,6\r\n", "255.2.3.4", 1286),
    Row("PORT -1,2,3,4,5,6\r\n", nil), Row("PORT 1,-2,3,4,5,6\r\n", nil),
    Row("PORT 1, 2,3,4,5,6\r\n", nil), Row("PORT 1,2,3,4,0,0\r\n", "1.2.3.4", 0), Row(" PORT 1,2,3,4,5,6\r\n", nil),
    Row("EPRT |1|172.16.1.1|40000|\r\n", "172.16.1.1", 40_000), Row("eprt !1!1.2.3.4!5!\r\n", "1.2.3.4", 5),
    Row("EPRT |2|2001:db8::5|40000|\r\n", "2001:db8::5", 40_000, isIPv6: true),
    Row("EPRT |2|2001:DB8:0:0:0:0:0:5|1|\r\n", "2001:db8::5", 1, isIPv6: true),
    Row("EPRT |2|2001:db8::5|40000|\r\n", nil), Row("EPRT |1|1.2.3.4|5|\r\n", nil, isIPv6: true),
    Row("EPRT |2|1.2.3.4|5|\r\n", nil, isIPv6: true),
    Row("EPRT |2|02001:0db8::00005|5|\r\n", "2001:db8::5", 5, isIPv6: true),
    Row("EPRT |2|0:0::000|5|\r\n", "::", 5, isIPv6: true), Row("EPRT |2|2001:db8::00g|5|\r\n", nil, isIPv6: true),
    Row("EPRT |1|0.00.000.0|5|\r\n", "0.0.0.0", 5), Row("EPRT |1|1.2.3.00x|5|\r\n", nil),
    Row("EPRT |1|::1|5|\r\n", nil),
    Row("EPRT |2|2001:db8::5%eth0|5|\r\n", nil, isIPv6: true), Row("EPRT |2|:::|5|\r\n", nil, isIPv6: true),
    Row("EPRT |1|1.2.3.4|0|\r\n", nil), Row("EPRT |1|1.2.3.4|65536|\r\n", nil),
    Row("EPRT |1|1.2.3.4|65537|\r\n", "1.2.3.4", 1), Row("EPRT |1|1.2.3.4|5\r\n", nil),
    Row("EPRT |1|1.2.3.4|05|\r\n", "1.2.3.4", 5), Row("EPRT |1|001.02.3.0000004|5|\r\n", "1.2.3.4", 5),
    Row("EPRT |1|1.2.3.256|5|\r\n", nil), Row("EPRT |1|1.2.3|5|\r\n", nil), Row("EPRT |1|1.2.3.4.5|5|\r\n", nil),
    Row("EPRT |1|1..3.4|5|\r\n", nil), Row("EPRT |1|1.2.3.4 |5|\r\n", nil), Row("EPRT |1||5|\r\n", nil),
    Row("EPRT |||5|\r\n", nil), Row("EPRT ||1.2.3.4|5|\r\n", nil), Row("EPRT |3|1.2.3.4|5|\r\n", nil),
    Row("EPRT |11|1.2.3.4|5|\r\n", nil), Row("EPRT \u{1}1\u{1}1.2.3.4\u{1}5\u{1}\r\n", nil), Row("EPRT |\r\n", nil),
    Row("EPRT |1|" + String(repeating: "1", count: 2000) + "|5|\r\n", nil), Row("NOOP\r\n", nil), Row("", nil),
  ]

  @Test(arguments: requests) func requestsAreRead(row: Row) {
    #expect(FTPTests.request(Array(row.text.utf8), row.isIPv6) == row.request)
  }

  private static func request(_ bytes: [UInt8], _ isIPv6: Bool) -> FTP.Request? {
    bytes.withUnsafeBytes { FTP.request(in: $0, isIPv6: isIPv6) }
  }

  /// What is found, and which text it stands in.
  static let passiveReplies: [(text: String, found: String?, end: String?)] = [
    ("227 Entering Passive Mode (10,2,0,11,195,80).\r\n", "10,2,0,11,195,80", "10.2.0.11:50000"),
    ("227 x 10,2,0,11,195,80\r\n", "10,2,0,11,195,80", "10.2.0.11:50000"),
    ("227 =10,2,0,11,0,80\r\n", "10,2,0,11,0,80", "10.2.0.11:80"),
    ("227 (010,002,000,011,195,080)\r\n", "010,002,000,011,195,080", "10.2.0.11:50000"),
    ("227 ((1,2,3,4,5,6))\r\n", "1,2,3,4,5,6", "1.2.3.4:1286"), ("227 (1,2,3,4,5,6", nil, nil),
    ("227 (1,2,3,4,5,6\r\n", "1,2,3,4,5,6", "1.2.3.4:1286"), ("227 (1,2,3,4,5)\r\n", nil, nil),
    ("227 (1,2,3,4,5,6,7)\r\n", "1,2,3,4,5,6", "1.2.3.4:1286"), ("227 1 (1,2,3,4,5,6)\r\n", nil, nil),
    ("227 ( 1,2,3,4,5,6)\r\n", nil, nil), ("227-x (1,2,3,4,5,6)\r\n", nil, nil), ("227 ", nil, nil),
    ("227", nil, nil), ("200 (1,2,3,4,5,6)\r\n", nil, nil), ("x\r\n227 (1,2,3,4,5,6)\r\n", nil, nil),
    ("227 (,,,,,)\r\n", ",,,,,", "0.0.0.0:0"), ("", nil, nil),
  ]

  @Test(arguments: passiveReplies) func passiveRepliesAreRead(text: String, found: String?, end: String?) {
    let bytes = Array(text.utf8)
    let announcement = bytes.withUnsafeBytes { FTP.passiveReply(in: $0) }
    #expect(announcement.map { String(decoding: bytes[$0.range], as: UTF8.self) } == found)
    #expect(announcement.flatMap { found in found.address.map { "\($0):\(found.port)" } } == end)
  }

  static let extendedReplies: [(text: String, isIPv6: Bool, found: String?, end: String?)] = [
    ("229 Entering Extended Passive Mode (|||50000|)\r\n", false, "|||50000|", "nil 50000"),
    ("229 Entering Extended Passive Mode (|||50000|)\r\n", true, "|||50000|", "nil 50000"),
    ("229 (!!!1!)\r\n", false, "!!!1!", "nil 1"), ("229 (aaa1a)\r\n", false, "aaa1a", "nil 1"),
    ("229 (|1|10.2.0.11|80|)\r\n", false, "|1|10.2.0.11|80|", "10.2.0.11 80"),
    ("229 (|2|fd00:2::11|80|)\r\n", true, "|2|fd00:2::11|80|", "fd00:2::11 80"),
    ("229 (|2|fd00:2::11|80|)\r\n", false, nil, nil), ("229 (|1|10.2.0.11|80|)\r\n", true, nil, nil),
    ("229 (|||0|)\r\n", false, nil, nil), ("229 (|||65536|)\r\n", false, nil, nil),
    ("229 (|||131073|)\r\n", false, "|||131073|", "nil 1"), ("229 (|||00080|)\r\n", false, "|||00080|", "nil 80"),
    ("229 (|||80", false, nil, nil), ("229 (|||80|", false, "|||80|", "nil 80"), ("229 (||80|)\r\n", false, nil, nil),
    ("229 (|||-1|)\r\n", false, nil, nil), ("229 |||80|\r\n", false, nil, nil), ("229 (   80 )\r\n", false, nil, nil),
    ("229-(|||80|)\r\n", false, nil, nil), ("229 (", false, nil, nil), ("229 (|", false, nil, nil),
    ("229 (||", false, nil, nil), ("229 (|||", false, nil, nil), ("229 (|1|", false, nil, nil), ("", false, nil, nil),
  ]

  @Test(arguments: extendedReplies)
  func extendedRepliesAreRead(text: String, isIPv6: Bool, found: String?, end: String?) {
    let bytes = Array(text.utf8)
    let announcement = bytes.withUnsafeBytes { FTP.extendedPassiveReply(in: $0, isIPv6: isIPv6) }
    #expect(announcement.map { String(decoding: bytes[$0.range], as: UTF8.self) } == found)
    #expect(announcement.map { "\($0.address.map(\.description) ?? "nil") \($0.port)" } == end)
  }

  /// Whatever the text, cut wherever: what is found lies in it.
  @Test func anyTextIsSafe() {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("FTPTests: seed \(seed)")
    var state = seed
    func next(_ bound: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % bound
    }
    let texts =
      FTPTests.requests.map(\.text) + FTPTests.passiveReplies.map(\.text) + FTPTests.extendedReplies.map(\.text)
    for round in 0..<20_000 {
      var bytes = Array(texts[round % texts.count].utf8)
      for _ in 0..<next(4) where !bytes.isEmpty {
        let place = next(bytes.count)
        switch next(4) {
        case 0: bytes[place] = UInt8(next(256))
        case 1: bytes.remove(at: place)
        case 2: bytes.insert(UInt8(ascii: ["|", ",", "(", " ", "9", "\r"][next(6)]), at: place)
        default: bytes.removeLast(bytes.count - place)
        }
      }
      for isIPv6 in [false, true] {
        // A block of its own, so that the sanitizer sees a byte too far.
        let block = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
        defer { block.deallocate() }
        block.copyBytes(from: bytes)
        let text = UnsafeRawBufferPointer(block)
        _ = FTP.request(in: text, isIPv6: isIPv6)
        for found in [FTP.passiveReply(in: text), FTP.extendedPassiveReply(in: text, isIPv6: isIPv6)] {
          guard let range = found?.range else { continue }
          #expect(!range.isEmpty && range.lowerBound >= 4 && range.upperBound <= bytes.count, "round \(round)")
        }
      }
    }
  }
}
