import Testing

@testable import VRRP

@Suite struct AdvertTimesTests {
  struct Row: CustomTestStringConvertible {
    let version: InstanceDefinition.Version
    let interval: Microseconds
    let priority: UInt8
    let rounded: Microseconds
    let skew: Microseconds
    let masterDown: Microseconds
    var testDescription: String { "v\(version.rawValue), \(interval) µs, priority \(priority)" }

    init(
      _ version: InstanceDefinition.Version, _ interval: Microseconds, _ priority: UInt8, rounded: Microseconds,
      skew: Microseconds, down: Microseconds
    ) {
      self.version = version
      self.interval = interval
      self.priority = priority
      self.rounded = rounded
      self.skew = skew
      masterDown = down
    }
  }

  /// Measured of keepalived: 3.61 s, 0.806 s and 3.805 s, 0.381 s; the rest by the formula.
  static let rows = [
    Row(.two, 1_000_000, 100, rounded: 1_000_000, skew: 609_375, down: 3_609_375),
    Row(.two, 1_000_000, 50, rounded: 1_000_000, skew: 804_687, down: 3_804_687),
    Row(.two, 1_000_000, 255, rounded: 1_000_000, skew: 3_906, down: 3_003_906),
    Row(.two, 1_000_000, 1, rounded: 1_000_000, skew: 996_093, down: 3_996_093),
    Row(.two, 400_000, 100, rounded: 1_000_000, skew: 609_375, down: 3_609_375),
    Row(.two, 1_500_000, 100, rounded: 2_000_000, skew: 609_375, down: 6_609_375),
    Row(.two, 1_499_999, 100, rounded: 1_000_000, skew: 609_375, down: 3_609_375),
    Row(.two, 900_000_000, 100, rounded: 255_000_000, skew: 609_375, down: 765_609_375),
    Row(.three, 1_000_000, 50, rounded: 1_000_000, skew: 804_687, down: 3_804_687),
    Row(.three, 100_000, 50, rounded: 100_000, skew: 80_468, down: 380_468),
    Row(.three, 10_000, 100, rounded: 10_000, skew: 6_093, down: 36_093),
    Row(.three, 1, 254, rounded: 10_000, skew: 78, down: 30_078),
    Row(.three, 15_000, 254, rounded: 20_000, skew: 156, down: 60_156),
    Row(.three, 255_000_000, 1, rounded: 40_950_000, skew: 40_790_039, down: 163_640_039),
  ]

  @Test(arguments: rows) func times(row: Row) {
    let definition = Stage.definition(version: row.version, interval: row.interval)
    #expect(definition.interval == row.rounded)
    let times = AdvertTimes(definition)
    #expect(times.skew(row.priority) == row.skew)
    #expect(times.masterDown(row.priority) == row.masterDown)
  }

  @Test func downTimerAdverts() {
    var definition = Stage.definition()
    for (adverts, counted) in [(1, 1), (5, 5), (100, 100), (0, 1), (1_000, 100)] as [(UInt64, UInt64)] {
      definition.election.downTimerAdverts = adverts
      #expect(AdvertTimes(definition).masterDown(100) == counted * 1_000_000 + 609_375)
    }
    definition.election.isStrict = true
    #expect(AdvertTimes(definition).masterDown(100) == 3_609_375)
  }
}
