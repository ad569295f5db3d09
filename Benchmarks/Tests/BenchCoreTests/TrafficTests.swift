import Testing
import Wire

@testable import BenchCore

/// Frames are what they say they are: what is measured with them depends on it.
struct TrafficTests {
  @Test(arguments: Family.allCases)
  func checksumsAreRight(family: Family) {
    let scenario = Scenario(.nat, family, connections: 1024)
    let flows = FlowSet(scenario, count: 0)
    for flow in [0, 1, 77, 999_999, 9_999_999] {
      let frame = Array(flows.request(flow, Segment.Flags.ack))
      #expect(frame.count == (family == .v4 ? 60 : 74))
      let end = 14 + family.headerByteCount
      if family == .v4 { #expect(RawPacket.checksum(Array(frame[14..<34])) == 0) }
      let addresses = family == .v4 ? Array(frame[26..<34]) : Array(frame[22..<54])
      #expect(RawPacket.checksum(addresses + [0, 6, 0, 20] + frame[end..<end + 20]) == 0, "flow \(flow)")
    }
  }

  @Test func flowsAreDistinct() {
    for family in Family.allCases {
      let scenario = Scenario(.dr, family, connections: 1024)
      var seen: Set<[UInt8]> = []
      let flows = FlowSet(scenario, count: 0)
      for flow in 0..<100_000 { seen.insert(Array(flows.request(flow, Segment.Flags.syn)[22..<38])) }
      #expect(seen.count == 100_000)
    }
  }

  @Test func orderIsRandomAndReproducible() {
    var first = Randomness(seed: 5)
    var second = Randomness(seed: 5)
    let order = (0..<10_000).map { _ in first.below(1000) }
    #expect(order == (0..<10_000).map { _ in second.below(1000) })
    #expect(Set(order).count > 990)
    let steps = zip(order, order.dropFirst()).filter { $1 == $0 + 1 }.count
    #expect(steps < 50, "successors follow each other by chance only")
    var other = Randomness(seed: 6)
    #expect(order != (0..<10_000).map { _ in other.below(1000) })
  }

  @Test(arguments: Family.allCases)
  func rawPacketsAreSound(family: Family) {
    var packet = RawPacket()
    packet.family = family
    packet.source = Scenario(.dr, family, connections: 1024).client(3)
    packet.optionWords = 2
    packet.vlans = [5]
    let frame = packet.bytes()
    #expect(Array(frame[12..<16]) == [0x81, 0, 0, 5])
    if family == .v4 { #expect(RawPacket.checksum(Array(frame[18..<46])) == 0) }
    #expect(!FrameMutator.isFragment(frame))
    packet.fragment = (0, true)
    #expect(FrameMutator.isFragment(packet.bytes()))
  }
}
