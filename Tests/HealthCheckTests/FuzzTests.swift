import Foundation
import Testing
import Wire

@testable import HealthCheck

/// Answers from servers that are broken or hostile: no crash, no end of memory, and a result in the end. What the bytes
/// are cut into must not matter.
@Suite struct FuzzTests {
  /// Random bytes, what real answers are made of, and real answers with bytes changed, left out and doubled.
  private struct Bytes {
    var random: SplitMix

    static let words = [
      "HTTP/1.1 ", "HTTP/1.0 200 OK", "\r\n", "\r\n\r\n", "\n", "\r", "\0", "Content-Length: ", "Content-Length:\r\n",
      "Transfer-Encoding: chunked\r\n", "99999999999999999999", "-1", "+4", "200", "220", "220 ", "220-", "250 x\r\n",
      "221\n", "404 ", "0x", "ffff", "aaaaaaaaaaaaaaaaaaaa", "\u{fffd}", " ", "\t",
    ]

    mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }

    mutating func noise(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) } }

    /// An answer; `sound` is one that is none of the bad ones.
    mutating func answer(_ sound: [UInt8]) -> [UInt8] {
      switch number(0...3) {
      case 0: return noise(number(0...300))
      case 1:
        let count = number(0...12)
        return (0..<count).flatMap { _ in Array((Bytes.words.randomElement(using: &random) ?? "").utf8) }
      case 2: return mutated(sound) + (number(0...9) == 0 ? [UInt8](repeating: 97, count: number(0...40_000)) : [])
      default: return sound
      }
    }

    mutating func mutated(_ sound: [UInt8]) -> [UInt8] {
      var bytes = sound
      for _ in 0..<number(1...8) {
        let place = number(0...bytes.count)
        switch number(0...4) {
        case 0: bytes.insert(contentsOf: noise(number(1...4)), at: place)
        case 1: bytes.removeSubrange(place..<min(bytes.count, place + number(0...4)))
        case 2: bytes.insert(contentsOf: Array((Bytes.words.randomElement(using: &random) ?? "").utf8), at: place)
        case 3 where place < bytes.count: bytes[place] = UInt8(number(0...255))
        default: bytes.insert(contentsOf: bytes[place..<min(bytes.count, place + number(0...30))], at: place)
        }
      }
      return bytes
    }

    /// The same bytes in pieces of random sizes.
    mutating func pieces(of bytes: [UInt8]) -> [ArraySlice<UInt8>] {
      var pieces: [ArraySlice<UInt8>] = []
      var rest = bytes[...]
      let most = [1, 3, 50, 5000][number(0...3)]
      while !rest.isEmpty {
        let count = number(1...most)
        pieces.append(rest.prefix(count))
        rest = rest.dropFirst(count)
      }
      return pieces
    }
  }

  /// Calls `body` until the time is up.
  private static func repeated(_ name: String, _ body: (inout Bytes) throws -> Void) rethrows {
    let seed = Samples.seed
    var bytes = Bytes(random: SplitMix(seed))
    let end = ContinuousClock.now + .seconds(Samples.fuzzSeconds)
    var count = 0
    repeat {
      try body(&bytes)
      count += 1
    } while ContinuousClock.now < end
    print("fuzz of \(name): seed \(seed), \(count) rounds")
  }

  /// Plays a whole answer; what is sent in between is only counted.
  private static func play(_ conversation: some StreamConversation, _ pieces: [ArraySlice<UInt8>]) -> AttemptResult {
    var conversation = conversation
    var sent = 0
    if case .send(let bytes) = conversation.open() { sent += bytes.count }
    for piece in pieces {
      switch piece.withUnsafeBytes({ conversation.receive($0) }) {
      case .end(let result): return result
      case .send(let bytes): sent += bytes.count
      case .wait: break
      }
    }
    #expect(sent < 1000)
    return conversation.close()
  }

  private static let page = Array(
    "HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 13\r\nDate: now\r\n\r\nthis is RS01\nand more".utf8)

  @Test func pages() throws {
    let pattern = HTTPDefinition.PatternDefinition("RS0[0-9]\\n?$")
    let compiled = try BodyPattern(pattern)
    Self.repeated("pages") { bytes in
      var page = HTTPDefinition.Page(path: "/")
      if Bool.random(using: &bytes.random) { page.digest = "7af343ac254e1512fec6345f7042e39a" }
      if Bool.random(using: &bytes.random) { page.pattern = pattern }
      let conversation = HTTPConversation(page, request: [], pattern: page.pattern == nil ? nil : compiled)
      let answer = bytes.answer(Self.page)
      let whole = Self.play(conversation, answer.isEmpty ? [] : [answer[...]])
      #expect(Self.play(conversation, bytes.pieces(of: answer)) == whole, "\(answer)")
    }
  }

  /// What is kept never grows beyond its limits.
  @Test func readersAreBounded() {
    Self.repeated("readers") { bytes in
      var reader = HTTPReader(hashes: true, keeping: 1000)
      let answer = bytes.answer(Self.page)
      for piece in bytes.pieces(of: answer) {
        let error = piece.withUnsafeBytes { reader.receive($0) }
        #expect(reader.head.count <= HTTPReader.headByteLimit)
        #expect(reader.kept.count <= 1000 && reader.kept.count <= reader.hashedByteCount)
        #expect(reader.hashedByteCount <= reader.bodyByteCount && reader.bodyByteCount <= answer.count)
        if error != nil { break }
      }
    }
  }

  @Test func mailServers() {
    let sound = Array("220 mx ESMTP\r\n250 hello\r\n221 bye\r\n".utf8)
    Self.repeated("mail servers") { bytes in
      let answer = bytes.answer(sound)
      let whole = Self.play(SMTPConversation(heloName: "x"), answer.isEmpty ? [] : [answer[...]])
      #expect(Self.play(SMTPConversation(heloName: "x"), bytes.pieces(of: answer)) == whole, "\(answer)")
    }
  }

  @Test func datagrams() throws {
    var dns = DNSDefinition()
    dns.name = "www.example"
    let query = try DNSQuery(dns, id: 0x2020)
    var udp = UDPDefinition()
    udp.requiresReply = true
    Self.repeated("datagrams") { bytes in
      let answer = bytes.answer(DNSQueryTests.answer(to: query.bytes))
      if query.result(of: answer) == .well() {
        #expect(answer.starts(with: [0x20, 0x20]) && answer.count >= query.bytes.count)
      }
      udp.replyBytes = bytes.noise(bytes.number(0...20))
      udp.replyMask = bytes.noise(bytes.number(0...20))
      udp.minReplyLength = bytes.number(0...20)
      udp.maxReplyLength = bytes.number(0...20)
      let reply = bytes.noise(bytes.number(0...20))
      if UDPQuestion(udp).result(of: reply) == .well(), !udp.replyBytes.isEmpty {
        #expect(reply.count >= udp.minReplyLength && reply.count <= udp.maxReplyLength)
      }
      let echo = EchoQuestion(.ipv4, token: UInt64(bytes.number(0...1000)), isRaw: bytes.number(0...1) == 0)
      _ = echo.result(of: bytes.answer([0x45] + [UInt8](repeating: 0, count: 19) + echo.bytes))
      // A name of any bytes is asked for or refused.
      dns.name = String(decoding: bytes.answer(Array("www.example.".utf8)), as: UTF8.self)
      if let any = try? DNSQuery(dns, id: 1) { #expect(any.bytes.count <= 12 + 255 + 4) }
    }
  }

  @Test func numbersOfFiles() {
    Self.repeated("numbers of files") { bytes in
      let text = bytes.answer(Array(" -2147483648\n".utf8))
      guard let number = FileNumber.parse(text) else { return }
      #expect(Int32(exactly: number) != nil)
      var file = FileDefinition(path: "/x")
      file.weight = [0, 1, -1, bytes.number(.min ... .max), .min, .max][bytes.number(0...5)]
      file.isReversed = Bool.random(using: &bytes.random)
      if case .well(.add(let change)?) = file.result(of: number) {
        #expect(change.magnitude <= UInt(Int32.max))
      }
    }
  }

  private static let hostilePatterns = [
    "(a+)+$", "(a|aa)+$", "(.*)*x", "(?:a?){40}a{40}", "^(?:.*,){12}x", "(a*)*\\1b", "((a{1,50}){1,50}){1,9}b",
    "(?<=a{20})b", "\\X*?z", "(?R)?a", "(a(?1)?b)", "[[:alpha:]]+[^a]\\z",
  ]

  /// Patterns that take exponential time with bodies made for them; and patterns that are none.
  @Test func patterns() {
    Self.repeated("patterns") { bytes in
      var definition = HTTPDefinition.PatternDefinition(Self.hostilePatterns[bytes.number(0...11)])
      switch bytes.number(0...3) {
      case 0: definition.pattern = String(decoding: bytes.mutated(Array(definition.pattern.utf8)), as: UTF8.self)
      case 1: definition.pattern = String(decoding: bytes.noise(bytes.number(0...30)), as: UTF8.self)
      default: break
      }
      definition.options =
        [[], ["utf"], ["caseless"], ["utf", "ucp"], ["multiline", "dotall"], ["none"]][bytes.number(0...5)]
      definition.minOffset = bytes.number(-1...3)
      definition.maxOffset = bytes.number(0...3) * 50
      guard let pattern = try? BodyPattern(definition) else { return }
      let body =
        switch bytes.number(0...3) {
        case 0: [UInt8](repeating: 97, count: bytes.number(0...5000))
        case 1: Array(repeating: Array("a,ab".utf8), count: bytes.number(0...1000)).flatMap { $0 }
        case 2: bytes.noise(bytes.number(0...2000))
        default: bytes.answer(Self.page)
        }
      _ = pattern.search(body)
    }
  }

  /// The worst for patterns of each kind, of the largest size: many steps at one place, and few at each of a million.
  @Test func aSearchHasABudget() throws {
    let body = [UInt8](repeating: 97, count: HTTPReader.keptByteLimit - 1) + [98]
    for text in [
      "(a+)+$", "(a|aa)+$", "(?:a?){40}a{40}[^ab]", "(.*)*[^ab]", "a.*[^ab]", "a[ab]*[^ab]", "[ab]*?[^ab]", "a.*?[^ab]",
      "(?:ab?)+[^ab]",
      "a{1000}[^ab]", "(?:a|b)*+c", "(a)*+[^b]",
    ] {
      let pattern = try BodyPattern(HTTPDefinition.PatternDefinition(text))
      var finding = BodyPattern.Finding.match
      let time = ContinuousClock().measure { finding = pattern.search(body) }
      print("pattern \(text) over \(body.count) bytes: \(finding) after \(time)")
      #expect(finding != .match)
    }
    // What is expensive but linear is not cut off.
    let words = Array(repeating: Array("some words, and more of them. ".utf8), count: 30_000).flatMap { $0 }
    for text in ["[a-z]+@[a-z]+", "(?i)SOME WORDS; AND", "\\bmore\\b.{1,20}\\bless\\b"] {
      let pattern = try BodyPattern(HTTPDefinition.PatternDefinition(text))
      var finding = BodyPattern.Finding.match
      let time = ContinuousClock().measure { finding = pattern.search(words) }
      print("pattern \(text) over \(words.count) bytes: \(finding) after \(time)")
      #expect(finding == .noMatch)
    }
  }
}
