import Dataplane
import Testing

@testable import Control

/// When the automatic modes act, and how much is dropped then.
struct AutomaticDefenceTests {
  struct Row: Sendable, CustomTestStringConvertible {
    let testDescription: String
    var pages: UInt64?
    var threshold: UInt32 = 1024
    var fill = 0.0
    /// Of how many packets one is dropped; nil: none.
    var rate: UInt32?
  }

  static let rows = [
    Row(testDescription: "all is well", pages: 1_000_000),
    Row(testDescription: "just enough memory", pages: 1024),
    Row(testDescription: "a page short", pages: 1023, rate: 1024),
    Row(testDescription: "half of it", pages: 512, rate: 2),
    Row(testDescription: "a third of it", pages: 341, rate: 1),
    Row(testDescription: "no memory left", pages: 0, rate: 1),
    Row(testDescription: "no threshold", pages: 0, threshold: 0),
    Row(testDescription: "the largest threshold", pages: 0, threshold: .max, rate: 1),
    Row(testDescription: "more pages than fit", pages: .max, threshold: .max),
    Row(testDescription: "memory is not known", pages: nil),
    Row(testDescription: "the table at its reserve", pages: nil, fill: 15.0 / 16),
    Row(testDescription: "a quarter of the reserve", pages: nil, fill: 61.0 / 64, rate: 4),
    Row(testDescription: "half of the reserve", pages: nil, fill: 31.0 / 32, rate: 2),
    Row(testDescription: "the table is full", pages: nil, fill: 1, rate: 1),
    Row(testDescription: "more than full", pages: nil, fill: 1.5, rate: 1),
    Row(testDescription: "both: memory is worse", pages: 512, fill: 61.0 / 64, rate: 2),
    Row(testDescription: "both: the table is worse", pages: 1023, fill: 31.0 / 32, rate: 2),
  ]

  @Test(arguments: rows) func looks(row: Row) {
    var defence = AutomaticDefence()
    defence.look(availablePages: row.pages, thresholdPages: row.threshold, tableFill: row.fill)
    #expect((defence.shortage != nil) == (row.rate != nil))
    var settings = IPVSSettings()
    settings.dropRate = 10
    for mode in [IPVSSettings.Defence.off, .automatic, .automaticActive, .always] {
      settings.dropPacket = mode
      settings.dropEntry = mode
      settings.secureTCP = mode
      let effective = defence.effective(settings)
      let isAutomatic = mode == .automatic || mode == .automaticActive
      let expected = isAutomatic ? (row.rate == nil ? .automatic : .automaticActive) : mode
      #expect(effective.dropPacket == expected && effective.dropEntry == expected && effective.secureTCP == expected)
      #expect(effective.dropRate == (isAutomatic ? row.rate ?? 10 : 10), "\(mode)")
      #expect(AutomaticDefence.isWanted(settings) == isAutomatic)
    }
  }

  /// Each setting for itself: one that is off stays off, and nothing else is touched.
  @Test func settingsAreIndependent() {
    var defence = AutomaticDefence()
    defence.look(availablePages: 0, thresholdPages: 1024, tableFill: 0)
    var settings = IPVSSettings()
    settings.dropEntry = .automatic
    settings.secureTCP = .always
    var expected = settings
    expected.dropEntry = .automaticActive
    #expect(defence.effective(settings) == expected)
  }

  @Test func shortageEnds() {
    var defence = AutomaticDefence()
    defence.look(availablePages: 10, thresholdPages: 1024, tableFill: 0)
    #expect(defence.shortage == "free memory is below amemthresh (1024 pages)")
    defence.look(availablePages: nil, thresholdPages: 1024, tableFill: 1)
    #expect(defence.shortage == "the connection table is nearly full")
    defence.look(availablePages: 2000, thresholdPages: 1024, tableFill: 0.5)
    #expect(defence.shortage == nil)
  }
}
