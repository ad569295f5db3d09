import Testing

@testable import Dataplane

/// A server's numbers and what the client makes of them, in one word.
@Suite struct SequenceShiftTests {
  struct Row: Sendable, CustomTestStringConvertible {
    let name: String
    /// By how much which segments grew.
    let changes: [(at: UInt32, by: Int)]
    /// The server's number, and the same as the client has it.
    let numbers: [(server: UInt32, client: UInt32)]
    var testDescription: String { name }
  }

  static let rows: [Row] = [
    Row(name: "nothing", changes: [], numbers: [(0, 0), (5000, 5000), (.max, .max)]),
    Row(name: "longer", changes: [(5000, 1)], numbers: [(4999, 4999), (5000, 5000), (5001, 5002), (9000, 9001)]),
    Row(name: "shorter", changes: [(5000, -6)], numbers: [(4999, 4999), (5000, 5000), (5030, 5024), (9000, 8994)]),
    Row(
      name: "longer, then longer", changes: [(5000, 1), (6000, 2)],
      numbers: [(5999, 6000), (6000, 6001), (6050, 6053)]),
    Row(
      name: "longer, then shorter", changes: [(5000, 5), (6000, -9)],
      numbers: [(5999, 6004), (6000, 6005), (6050, 6046)]),
    Row(
      name: "back to where it was", changes: [(5000, 5), (6000, -5)],
      numbers: [(5999, 6004), (6000, 6005), (6050, 6050)]),
    Row(name: "over the end of the numbers", changes: [(.max - 10, 7)], numbers: [(.max - 10, .max - 10), (40, 47)]),
    Row(name: "of segment 0", changes: [(0, 3)], numbers: [(.max, .max), (0, 0), (1, 4)]),
  ]

  @Test(arguments: rows) func bothWays(row: Row) throws {
    var shift = SequenceShift(word: 0)
    for change in row.changes { shift = try #require(shift.adding(change.by, at: change.at)) }
    for (server, client) in row.numbers {
      #expect(server &+ UInt32(bitPattern: shift.offset(at: server)) == client, "\(server)")
      #expect(client &- UInt32(bitPattern: shift.offset(ofShifted: client)) == server, "\(client)")
    }
    if let last = row.changes.last { #expect(shift.isPlace(last.at) && !shift.isPlace(last.at &+ 1)) }
  }

  /// The same segment again, or an older one, adds nothing.
  @Test func whatComesAgainIsNotAddedAgain() throws {
    let first = try #require(SequenceShift(word: 0).adding(4, at: 5000))
    #expect(try #require(first.adding(4, at: 5000)).word == first.word)
    #expect(try #require(first.adding(9, at: 4000)).word == first.word)
    #expect(try #require(first.adding(4, at: 5001)).word != first.word)
    #expect(!SequenceShift(word: 0).isPlace(0), "without a shift there is no such segment")
  }

  @Test func aShiftHasBounds() throws {
    #expect(SequenceShift(word: 0).adding(2048, at: 1) == nil)
    #expect(SequenceShift(word: 0).adding(-2048, at: 1) == nil)
    var shift = SequenceShift(word: 0)
    var sequence: UInt32 = 1
    while shift.hasRoom {
      shift = try #require(shift.adding(2000, at: sequence))
      sequence &+= 10_000
    }
    let sum = shift.offset(at: sequence)
    #expect(sum > 500_000 && sum < 1 << 19)
    #expect(
      sequence &+ UInt32(bitPattern: sum)
        &- UInt32(bitPattern: shift.offset(ofShifted: sequence &+ UInt32(bitPattern: sum))) == sequence)
  }

  /// Sessions of random announcements: the client's acknowledgement of each of the server's bytes comes back as it was.
  @Test func anySessionComesBack() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("SequenceShiftTests: seed \(seed)")
    var random = SplitMix(seed: seed)
    for _ in 0..<200 {
      var shift = SequenceShift(word: 0)
      var server = UInt32(truncatingIfNeeded: random.next())
      var client = server
      for _ in 0..<30 {
        let count = 30 + random.next(below: 60)
        let delta = random.next(below: 24) - 12
        shift = try #require(shift.adding(delta, at: server))
        if delta == 0 { continue }
        #expect(server &+ UInt32(bitPattern: shift.offset(at: server)) == client)
        server &+= UInt32(count)
        client &+= UInt32(count + delta)
        #expect(server &+ UInt32(bitPattern: shift.offset(at: server)) == client)
        #expect(client &- UInt32(bitPattern: shift.offset(ofShifted: client)) == server)
      }
    }
  }
}
