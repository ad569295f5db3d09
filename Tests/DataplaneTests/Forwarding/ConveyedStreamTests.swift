import Testing
import Wire

@testable import Dataplane

@Suite struct ConveyedStreamTests {
  /// A stream of a PROXY header that begins behind `number`.
  static func stream(from number: UInt32, isConfirmed: Bool = false) -> ConveyedStream {
    var stream = ConveyedStream(word: ConveyedStream.bits(.proxyV2) | 8080)
    stream.begin(acknowledgement: number &+ 1)
    if isConfirmed { _ = stream.translate(acknowledgement: number &+ 29, count: 28) }
    return stream
  }

  struct Row: CustomTestStringConvertible {
    let name: String
    let number: UInt32
    let acknowledgements: [UInt32]
    let seen: [UInt32]
    var isConfirmed = true
    var testDescription: String { name }
  }

  static let rows = [
    Row(name: "in order", number: 999, acknowledgements: [1000, 1028, 1128], seen: [1000, 1000, 1100]),
    Row(
      name: "within the header", number: 999, acknowledgements: [1001, 1027], seen: [1000, 1000], isConfirmed: false),
    Row(name: "of the SYN", number: 999, acknowledgements: [1000, 999], seen: [1000, 999], isConfirmed: false),
    Row(
      name: "over the end of the numbers", number: .max - 10, acknowledgements: [.max - 9, 17, 18, 118],
      seen: [.max - 9, .max - 9, .max - 9, 90]),
    Row(name: "wraps within the header", number: .max, acknowledgements: [0, 27, 28, 29], seen: [0, 0, 0, 1]),
    Row(
      name: "half of all numbers later", number: 999, acknowledgements: [1028, 0x8000_1000, 0xf000_0000, 100],
      seen: [1000, 0x8000_0fe4, 0xefff_ffe4, 72]),
  ]

  @Test(arguments: rows) func acknowledgements(row: Row) {
    var stream = Self.stream(from: row.number)
    let seen = row.acknowledgements.map { stream.translate(acknowledgement: $0, count: 28) }
    #expect(seen == row.seen)
    #expect(stream.isConfirmed == row.isConfirmed)
    #expect(stream.conveyance == .proxyV2 && stream.first == row.number &+ 1 && stream.word & 0xffff == 8080)
  }

  @Test func blocks() throws {
    let waiting = Self.stream(from: 999)
    #expect(waiting.translate(left: 1000, right: 1028, count: 28) == nil)
    #expect(waiting.translate(left: 1028, right: 1100, count: 28) == nil)
    #expect(try #require(waiting.translate(left: 1128, right: 1228, count: 28)) == (1100, 1200))
    let confirmed = Self.stream(from: .max - 5, isConfirmed: true)
    #expect(try #require(confirmed.translate(left: 10, right: 40, count: 28)) == (.max - 17, 12))
  }

  @Test func aNewStreamBeginsWithTheServersAnswer() {
    var stream = Self.stream(from: 999, isConfirmed: true)
    stream.begin(acknowledgement: 1000)
    #expect(stream.isConfirmed, "a repeated answer changes nothing")
    stream.begin(acknowledgement: 5000)
    #expect(!stream.isConfirmed && !stream.isSent && stream.isKnown && stream.first == 5000)
    #expect(stream.conveyance == .proxyV2 && stream.word & 0xffff == 8080)
  }
}
