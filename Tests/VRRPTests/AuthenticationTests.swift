import Testing
import Wire

@testable import VRRP

@Suite struct AuthenticationTests {
  @Test(
    arguments: [
      ("", 0), ("1111", 0x3131_3131_0000_0000), ("secret12", 0x7365_6372_6574_3132),
      ("secret12 and more", 0x7365_6372_6574_3132),
    ] as [(String, UInt64)])
  func keys(text: String, number: UInt64) {
    let key = AuthenticationKey(text.utf8)
    #expect(key.number == number)
    #expect(key.isEqual(to: number))
    #expect(!key.isEqual(to: number ^ 1))
    #expect(!"\(key)".contains(text) || text.isEmpty)
  }

  /// One counter for the group: the next sender goes on from what it has heard.
  @Test func sequenceIsTheGroups() {
    var sequence = AuthenticationSequence()
    let first = sequence.next()
    #expect(first == 1)
    let taken = [5, 5, 4, 0, 6].map { sequence.take($0) }
    #expect(taken == [true, false, false, false, true])
    var sent = [sequence.next()]
    sequence.pass(7)
    sent.append(sequence.next())
    sequence.pass(3)
    sent.append(sequence.next())
    #expect(sent == [7, 9, 10])
  }

  /// Two masters in step: the number just sent is taken once from the other one.
  @Test func sequencesInStep() {
    var sequence = AuthenticationSequence()
    _ = sequence.take(41)
    _ = sequence.next()
    #expect(sequence.last == 42)
    let taken = [41, 42, 42].map { sequence.take($0) }
    #expect(taken == [false, true, false])
  }

  @Test func sequenceEnds() {
    var sequence = AuthenticationSequence()
    _ = sequence.take(0xffff_fffd)
    let numbers = (0..<3).map { _ in sequence.next() }
    #expect(numbers == [0xffff_fffe, 0xffff_fffe, 0xffff_fffe])
    sequence.pass(.max)
    #expect(sequence.last == 0xffff_fffe)
    _ = sequence.take(.max)
    sequence.pass(.max)
    let last = sequence.next()
    #expect(last == 0xffff_fffe)
  }
}
