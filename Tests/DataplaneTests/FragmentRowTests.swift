import Testing
import Wire

@testable import Dataplane

/// Fragments that are not as they should be, row by row, and what becomes of each.
struct FragmentRow: CustomTestStringConvertible, Sendable {
  struct Piece: Sendable {
    var offset: Int
    var count: Int
    var more = true
  }

  let testDescription: String
  let pieces: [Piece]
  /// Of each frame.
  let outcomes: [Outcome]
  /// In the account afterwards: fragments that were held and ended with another one.
  let ended: Int
  /// Nil for both families.
  let family: IPAddress.Family?

  init(
    _ name: String, _ pieces: [(Int, Int, Bool)], _ outcomes: [Outcome], ended: Int = 0,
    _ family: IPAddress.Family? = nil
  ) {
    testDescription = name
    self.pieces = pieces.map { Piece(offset: $0.0, count: $0.1, more: $0.2) }
    self.outcomes = outcomes
    self.ended = ended
    self.family = family
  }

  /// Of a UDP datagram of 3000 bytes in all, whole as (0, 1200), (1200, 1200), (2400, 600).
  static let all: [FragmentRow] = [
    FragmentRow(
      "the same again", [(0, 1200, true), (0, 1200, true), (1200, 1200, true), (2400, 600, false)],
      [.fragmentHeld, .fragmentDuplicate, .fragmentHeld, .directRouting]),
    FragmentRow(
      "the last again", [(2400, 600, false), (2400, 600, false), (1200, 1200, true), (0, 1200, true)],
      [.fragmentHeld, .fragmentDuplicate, .fragmentHeld, .directRouting]),
    FragmentRow(
      "inside another", [(0, 1200, true), (8, 80, true), (1200, 1200, true), (2400, 600, false)],
      [.fragmentHeld, .fragmentDuplicate, .fragmentHeld, .directRouting]),
    FragmentRow(
      "inside two that touch", [(0, 1200, true), (1200, 1200, true), (800, 800, true), (2400, 600, false)],
      [.fragmentHeld, .fragmentHeld, .fragmentDuplicate, .directRouting]),
    FragmentRow(
      "over the end of another", [(0, 1200, true), (1192, 1200, true), (1200, 1200, true), (2400, 600, false)],
      [.fragmentHeld, .fragmentOverlap, .fragmentHeld, .fragmentHeld], ended: 1),
    FragmentRow(
      "over the beginning of another", [(1200, 1200, true), (2400, 600, false), (8, 1200, true), (0, 1200, true)],
      [.fragmentHeld, .fragmentHeld, .fragmentOverlap, .fragmentHeld], ended: 2),
    FragmentRow(
      "around another", [(800, 80, true), (0, 1200, true)], [.fragmentHeld, .fragmentOverlap], ended: 1),
    FragmentRow(
      "over a gap", [(0, 400, true), (800, 400, true), (0, 1200, true)],
      [.fragmentHeld, .fragmentHeld, .fragmentOverlap], ended: 2),
    FragmentRow(
      "empty", [(0, 1200, true), (1200, 0, true)], [.fragmentHeld, .fragmentContradictory], ended: 1, .ipv4),
    FragmentRow(
      "empty, IPv6 goes on", [(0, 1200, true), (1200, 0, true), (1200, 1200, true), (2400, 600, false)],
      [.fragmentHeld, .fragmentContradictory, .fragmentHeld, .directRouting], .ipv6),
    FragmentRow(
      "less than 8 bytes", [(0, 1200, true), (1200, 7, true)], [.fragmentHeld, .fragmentContradictory], ended: 1,
      .ipv4),
    FragmentRow(
      "two ends", [(2400, 600, false), (1200, 600, false)], [.fragmentHeld, .fragmentContradictory], ended: 1, .ipv4),
    FragmentRow(
      "beyond the end", [(2400, 600, false), (3200, 8, true)], [.fragmentHeld, .fragmentContradictory], ended: 1,
      .ipv4),
    FragmentRow(
      "beyond the end, IPv6 goes on",
      [(2400, 600, false), (3200, 8, true), (1200, 1200, true), (0, 1200, true)],
      [.fragmentHeld, .fragmentContradictory, .fragmentHeld, .directRouting], .ipv6),
    FragmentRow(
      "end before what is there", [(1200, 1200, true), (600, 300, false)], [.fragmentHeld, .fragmentContradictory],
      ended: 1, .ipv4),
    FragmentRow(
      "longer than a packet can be", [(0, 1200, true), (65_528, 16, false)], [.fragmentHeld, .fragmentContradictory]),
  ]
}

/// `FragmentRow`s through the pipeline.
@Suite struct FragmentRowTests {
  @Test(arguments: FragmentRow.all) func rows(row: FragmentRow) throws {
    for family in [IPAddress.Family.ipv4, .ipv6] where row.family == nil || row.family == family {
      let service = TestService(family: family, transport: .udp)
      let director = try Director(service)
      let packet = TestPacket.request(service).with { $0.payload = (0..<2992).map { UInt8(truncatingIfNeeded: $0) } }
      let journeys = row.pieces.flatMap { piece in
        director.send([ReassemblyTests.fragment(of: packet, piece.offset, piece.count, more: piece.more)])
      }
      #expect(journeys.map(\.outcome) == row.outcomes, "\(family)")
      for outcome in [Outcome.fragmentOverlap, .fragmentContradictory] {
        let direct = UInt64(row.outcomes.filter { $0 == outcome }.count)
        let counted = director.dataplane.statistics().outcomes[outcome] ?? 0
        #expect(counted == (direct == 0 ? 0 : direct + UInt64(row.ended)), "\(family)")
      }
      director.verify()
      director.verifyEmptyAfterExpiry()
      #expect(director.dataplane.shared.state.fragments.usedBlockCount == 0)
    }
  }

  /// 256 fragments are one datagram, 257 are none.
  @Test(arguments: [256, 257]) func many(count: Int) throws {
    let director = try Director([TestService(transport: .udp)], frameCount: 1024)
    let packet = TestPacket.request(director.services[0]).with {
      $0.payload = .init(repeating: 7, count: count * 16 - 8)
    }
    let journeys = (0..<count).flatMap { number in
      director.send([ReassemblyTests.fragment(of: packet, number * 16, 16, more: number < count - 1)])
    }
    #expect(journeys.last?.outcome == (count == 256 ? .directRouting : .fragmentsTooMany))
    #expect(journeys.last?.sent.count == (count == 256 ? 256 : 0))
    #expect(director.dataplane.statistics().sum(.held) == 0)
    director.verifyEmptyAfterExpiry()
  }
}
