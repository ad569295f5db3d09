import CShims
import Testing
import Wire

@testable import Dataplane

/// A million half-open connections, a million templates: what fits, what it costs, and that it goes again.
///
/// That a packet allocates nothing is counted elsewhere (`make bench-count`): so memory is what the tables were given.
@Suite(.serialized) struct FloodTests {
  static let million: UInt32 = 1 << 20

  /// How far from their home lines entries stand, by a sample: the lines that a lookup goes through beyond the first.
  private static func distances<Key>(_ table: ConnectionTable<Key>) -> (farthest: UInt64, mean: Double) {
    var (farthest, sum, count): (UInt64, UInt64, UInt64) = (0, 0, 0)
    for line in stride(from: 0, to: UInt64(table.lineCount), by: 64) {
      for position in 0..<ConnectionTable<Key>.slotsPerLine {
        let slot = table.line(line) + position * Key.wordsPerSlot
        if lbd_load_relaxed(slot) == 0 { continue }
        let distance = (line &- Key(slot).hash(table.secret)) & table.lineMask
        farthest = max(farthest, distance)
        sum += distance
        count += 1
      }
    }
    return (farthest, Double(sum) / Double(max(count, 1)))
  }

  @Test func millionHalfOpenConnections() throws {
    let flood = try Flood(TestService(weights: [1, 1]), connections: Int(Self.million))
    let ports: Range<UInt16> = 1000..<1100
    flood.establish(ports: ports)
    #expect(flood.send(from: 0..<Self.million) == [.directRouting: Int(Self.million)])
    #expect(flood.director.entryCounts == [UInt64(Self.million) + 100, 0])
    flood.verifyEstablished(ports: ports)
    let distances = Self.distances(flood.director.dataplane.shared.state.tableV4)
    #expect(distances.farthest <= 4 && distances.mean < 0.1, "\(distances)")
    // All time out, once around.
    flood.director.advance(seconds: 61)
    flood.director.sweep()
    #expect(flood.director.entryCounts == [100, 0])
    flood.verifyEstablished(ports: ports)
    flood.director.verify()
  }

  @Test func millionTemplates() throws {
    // One-packet scheduling: a template for each client, and no connection beside it.
    let service = TestService(
      transport: .udp, weights: [1, 1], persistence: .init(seconds: 300, maskHigh: 0, maskLow: 0xffff_ffff),
      isOnePacket: true)
    let flood = try Flood(service, connections: Int(Self.million))
    let outcomes = flood.send(from: 0..<Self.million)
    #expect(outcomes == [.directRouting: Int(Self.million)])
    #expect(flood.wideCount == UInt64(Self.million) && flood.director.entryCounts == [0, 0])
    let distances = Self.distances(flood.director.dataplane.shared.state.tableWide)
    #expect(distances.farthest <= UInt64(Limits.probeLineLimit) && distances.mean < 1, "\(distances)")
    flood.director.advance(seconds: 301)
    flood.director.sweep()
    #expect(flood.wideCount == 0)
    #expect(flood.director.dataplane.templates(ofServer: 1) == 0)
    flood.director.verify()
  }

  /// Four times as many as there is room for: a named outcome, established connections go on, and `drop_entry` makes room.
  @Test(arguments: [false, true]) func fullTable(isPersistent: Bool) throws {
    let service = TestService(
      weights: [1, 1], persistence: isPersistent ? .init(seconds: 300, maskHigh: 0, maskLow: 0xffff_ffff) : nil)
    let flood = try Flood(service, connections: 1024)
    let ports: Range<UInt16> = 1000..<1020
    flood.establish(ports: ports)
    let slots: UInt32 = 4096
    let outcomes = flood.send(from: 0..<4 * slots)
    let opened = outcomes[.directRouting] ?? 0
    #expect(opened + (outcomes[.tableFull] ?? 0) == Int(4 * slots))
    #expect((Int(slots) * 9 / 10...Int(slots)).contains(opened + ports.count), "\(outcomes)")
    #expect(flood.director.entryCounts == [UInt64(opened + ports.count), 0] && flood.wideCount <= UInt64(slots))
    flood.verifyEstablished(ports: ports)
    #expect(flood.send(from: 9_000_000..<9_000_100)[.tableFull] ?? 0 > 90)
    flood.director.settings.dropEntry = .always
    flood.director.publish()
    for _ in 0..<16 {
      flood.director.advance(seconds: 0.5)
      #expect(flood.director.send([]).isEmpty)
    }
    #expect(flood.send(from: 9_001_000..<9_001_100)[.directRouting] ?? 0 > 90, "a fifth of the table is free")
    flood.verifyEstablished(ports: ports)
    flood.director.verify()
  }
}
