import Testing
import Wire

@testable import VRRP

@Suite struct AnnouncementPacerTests {
  private static let one = IPAddress("10.0.0.1")!
  private static let two = IPAddress("10.0.0.2")!
  private static let six = IPAddress("2001:db8::1")!

  /// Without a distance a burst leaves at once: all addresses, then all again.
  @Test func atOnce() {
    var pacer = AnnouncementPacer(arpInterval: 0, neighbourInterval: 0)
    pacer.add([Self.one, Self.two, Self.six], times: 2)
    let taken = pacer.take(at: 0)
    #expect(taken == [Self.one, Self.two, Self.one, Self.two, Self.six, Self.six])
    #expect(pacer.nextMicroseconds == nil)
  }

  @Test func spaced() {
    var pacer = AnnouncementPacer(arpInterval: 100, neighbourInterval: 0)
    pacer.add([Self.one, Self.two, Self.six], times: 2)
    var taken: [Microseconds: [IPAddress]] = [:]
    taken[1_000] = pacer.take(at: 1_000)
    while let next = pacer.nextMicroseconds { taken[next] = pacer.take(at: next) }
    #expect(
      taken == [
        1_000: [Self.one, Self.six, Self.six], 1_100: [Self.two], 1_200: [Self.one], 1_300: [Self.two],
      ])
  }

  /// However many bursts come, what waits is bounded.
  @Test func burstsDoNotPileUp() {
    var pacer = AnnouncementPacer(arpInterval: 1_000_000, neighbourInterval: 0)
    for _ in 0..<1_000 { pacer.add([Self.one, Self.two], times: 5) }
    var count = 0
    while let next = pacer.nextMicroseconds { count += pacer.take(at: next).count }
    #expect(count == 10)
  }

  /// What is ours no more is not announced.
  @Test func removes() {
    var pacer = AnnouncementPacer(arpInterval: 100, neighbourInterval: 100)
    pacer.add([Self.one, Self.two, Self.six], times: 3)
    _ = pacer.take(at: 0)
    pacer.remove([Self.one, Self.six])
    var taken: [IPAddress] = []
    while let next = pacer.nextMicroseconds { taken += pacer.take(at: next) }
    #expect(taken == [Self.two, Self.two, Self.two])
  }
}
