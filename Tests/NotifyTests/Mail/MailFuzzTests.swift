import Testing

@testable import Notify

/// Servers that say anything, in any pieces: no crash, an end in sight, and nothing kept but a line.
@Suite struct MailFuzzTests {
  /// A generator with a seed, so that what it finds can be found again.
  private struct Generator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
      state &+= 0x9e37_79b9_7f4a_7c15
      var value = state
      value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
      value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
      return value ^ (value >> 31)
    }
  }

  private static let seed: UInt64 = {
    let seed = UInt64.random(in: .min ... .max)
    print("MailFuzzTests: seed \(seed)")
    return seed
  }()

  /// Bytes that look like answers now and then.
  private static func bytes(_ generator: inout Generator) -> [UInt8] {
    var bytes: [UInt8] = []
    for _ in 0..<Int.random(in: 0...40, using: &generator) {
      switch Int.random(in: 0...9, using: &generator) {
      case 0:
        bytes += (0..<Int.random(in: 0...3000, using: &generator)).map { _ in .random(in: 0...255, using: &generator) }
      case 1:
        bytes += Array(
          repeating: .random(in: 0...255, using: &generator), count: .random(in: 0...3000, using: &generator))
      case 2: bytes += Array(String(repeating: "250-x\r\n", count: .random(in: 0...140, using: &generator)).utf8)
      case 3: bytes += [[0x0a], [0x0d], [0x0d, 0x0d, 0x0a], [0], [0xff]].randomElement(using: &generator) ?? []
      default:
        let code = [220, 250, 250, 250, 354, 251, 421, 450, 550, 221, Int.random(in: 0...999, using: &generator)]
          .randomElement(using: &generator)
        let mark = [" ", " ", " ", "-", "", "x"].randomElement(using: &generator)
        bytes += Array("\(code ?? 0)\(mark ?? "")text\r\n".utf8)
      }
    }
    return bytes
  }

  private static func pieces(_ bytes: [UInt8], _ generator: inout Generator) -> [ArraySlice<UInt8>] {
    var pieces: [ArraySlice<UInt8>] = []
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = Int.random(
        in: 1...max(1, min(rest.count, [1, 7, 1500].randomElement(using: &generator) ?? 1)), using: &generator)
      pieces.append(rest.prefix(count))
      rest = rest.dropFirst(count)
    }
    return pieces
  }

  /// Every reader against one that has all the bytes before it: the same answers, the same fault, at the same place.
  @Test func readerAgreesWithLines() {
    var generator = Generator(state: Self.seed)
    for round in 0..<1000 {
      let bytes = Self.bytes(&generator)
      var reader = MailReplyReader()
      var found: [MailReply] = []
      var isFaulty = false
      for byte in bytes where !isFaulty {
        do throws(MailReplyReader.Fault) {
          if let reply = try reader.read(byte) { found.append(reply) }
        } catch {
          isFaulty = true
        }
        #expect(reader.byteCount <= MailReplyReader.lineBytesMax)
      }
      let expected = Self.answers(bytes)
      #expect(found.map(\.code) == expected.codes, "seed \(Self.seed), round \(round)")
      #expect(isFaulty == expected.isFaulty, "seed \(Self.seed), round \(round)")
    }
  }

  /// The same by way of whole lines.
  private static func answers(_ bytes: [UInt8]) -> (codes: [Int], isFaulty: Bool) {
    var codes: [Int] = []
    var former: Int?
    var count = 0
    var lines = bytes.split(separator: 0x0a, omittingEmptySubsequences: false)
    let rest = lines.removeLast()
    for line in lines {
      count += 1
      var line = line
      if line.count > MailReplyReader.lineBytesMax || count > MailReplyReader.linesMax { return (codes, true) }
      if line.last == 0x0d { line.removeLast() }
      let text = String(decoding: line.map { $0 < 0x80 ? $0 : 0 }, as: UTF8.self)
      guard let match = text.wholeMatch(of: #/([2-5][0-9][0-9])(?:([ -])(?s:.*))?/#), let code = Int(match.1),
        former == nil || former == code
      else { return (codes, true) }
      if match.2 == "-" {
        former = code
      } else {
        codes.append(code)
        (former, count) = (nil, 0)
      }
    }
    return (codes, rest.count > MailReplyReader.lineBytesMax)
  }

  @Test func dialogueSaysTheSameHoweverBytesAreCut() throws {
    var generator = Generator(state: Self.seed &+ 1)
    let message = try #require(Samples.message(to: ["a@example.org", "b@example.org", "c@example.org"]))
    let mostBytes = message.text.count + 1000
    for round in 0..<1000 {
      let bytes = Self.bytes(&generator)
      var whole = MailDialogue(message, heloName: "lb1")
      var cut = whole
      let said = whole.receive(bytes)
      var piecewise: [UInt8] = []
      for piece in Self.pieces(bytes, &generator) { piecewise += cut.receive(piece) }
      #expect(said == piecewise, "seed \(Self.seed), round \(round)")
      #expect(whole.outcome == cut.outcome, "seed \(Self.seed), round \(round)")
      #expect(whole.isOver == cut.isOver, "seed \(Self.seed), round \(round)")
      #expect(said.count <= mostBytes, "seed \(Self.seed), round \(round)")
      #expect(!whole.isOver || whole.outcome != nil, "seed \(Self.seed), round \(round)")
    }
  }
}
