import Testing

@testable import VRRP

@Suite struct TrackingTests {
  struct Row: CustomTestStringConvertible {
    let weight: Int
    var isReversed = false
    let well: TrackedObject.Effect
    let notWell: TrackedObject.Effect
    var testDescription: String { "weight \(weight)\(isReversed ? " reverse" : "")" }
  }

  static let rows = [
    Row(weight: 0, well: .adds(0), notWell: .fault),
    Row(weight: 0, isReversed: true, well: .fault, notWell: .adds(0)),
    Row(weight: 20, well: .adds(20), notWell: .adds(0)),
    Row(weight: -20, well: .adds(0), notWell: .adds(-20)),
    Row(weight: 20, isReversed: true, well: .adds(-20), notWell: .adds(0)),
    Row(weight: -20, isReversed: true, well: .adds(0), notWell: .adds(20)),
    Row(weight: 9_999, well: .adds(254), notWell: .adds(0)),
  ]

  @Test(arguments: rows) func effects(row: Row) {
    for kind in TrackedObject.Kind.allCases {
      let object = TrackedObject(kind, "x", weight: row.weight, isReversed: row.isReversed)
      #expect(object.effect(of: .well(true)) == row.well)
      #expect(object.effect(of: .well(false)) == row.notWell)
      #expect(object.effect(of: .unknown) == (row.weight == 0 && kind != .file ? .undecided : .adds(0)))
    }
  }

  @Test(arguments: [
    (1, false, 10, TrackedObject.Effect.adds(10)), (2, false, -100, .adds(-200)), (2, false, -127, .fault),
    (1, false, -254, .fault), (1, false, -253, .adds(-253)), (1, false, 300, .adds(253)), (1, true, 10, .adds(-10)),
    (-3, false, 7, .adds(-21)), (0, false, 0, .adds(0)), (0, false, 5, .fault), (0, true, 0, .fault),
    (0, true, 5, .adds(0)), (1, false, Int.max, .adds(253)), (1, false, Int.min, .fault), (-1, true, Int.min, .fault),
  ]) func numbers(weight: Int, isReversed: Bool, number: Int, effect: TrackedObject.Effect) {
    let object = TrackedObject(.file, "f", weight: weight, isReversed: isReversed)
    #expect(object.effect(of: .number(number)) == effect)
  }

  /// Not limited on the way, only at the end.
  @Test(
    arguments: [
      (100, [50, 50], 200), (100, [253, 253], 254), (100, [-253, -253], 1), (250, [100, -90], 254),
      (100, [-253, 250], 97), (255, [-100], 255), (254, [253], 254), (1, [-253], 1),
    ] as [(UInt8, [Int], UInt8)])
  func priorities(base: UInt8, numbers: [Int], priority: UInt8) {
    var tracking = Tracking()
    tracking.watch(numbers.indices.map { TrackedObject(.file, "\($0)", weight: 1) })
    for (index, number) in numbers.enumerated() {
      let isNews = tracking.observe(.init(.file, "\(index)"), .number(number))
      #expect(isNews)
    }
    #expect(tracking.priority(base: base) == priority)
  }

  @Test func oneThingCountsOnce() {
    var tracking = Tracking()
    tracking.watch([TrackedObject(.script, "a", weight: 10), TrackedObject(.script, "a", weight: 20)])
    let kinds: [TrackedObject.Kind] = [.script, .script, .interface]
    let areNews = kinds.map { tracking.observe(.init($0, "a"), .well(true)) }
    #expect(areNews == [true, false, false])
    #expect(tracking.priority(base: 100) == 110)
  }

  /// A new configuration keeps what is known of what stays.
  @Test func watchesAnew() {
    var tracking = Tracking()
    tracking.watch([TrackedObject(.script, "a"), TrackedObject(.script, "b")])
    #expect(tracking.isUndecided)
    _ = tracking.observe(.init(.script, "a"), .well(false))
    _ = tracking.observe(.init(.script, "b"), .well(true))
    #expect(tracking.fault?.name.name == "a")
    tracking.watch([TrackedObject(.script, "a", weight: -5)])
    #expect(tracking.fault == nil)
    #expect(tracking.priority(base: 100) == 95)
    tracking.watch([TrackedObject(.script, "b")])
    #expect(tracking.isUndecided)
  }

  /// What remains for owners and members of groups.
  @Test func withoutWeights() {
    let objects = [
      TrackedObject(.interface, "i", weight: 10), TrackedObject(.script, "s", weight: 10), TrackedObject(.script, "z"),
      TrackedObject(.file, "one", weight: 1), TrackedObject(.file, "two", weight: 2),
      TrackedObject(.forwarder, "f", weight: -100), TrackedObject(.process, "p", weight: 3),
    ]
    let left = objects.compactMap(\.withoutWeight)
    #expect(left.map(\.name.name) == ["i", "z", "one", "f"])
    #expect(left.allSatisfy { $0.weight == 0 })
  }

  /// A director that cannot forward does not stay master, whatever it is configured to.
  @Test(arguments: [UInt8(100), 255]) func forwarder(priority: UInt8) {
    var definition = Stage.definition(priority: priority)
    definition.tracked = [TrackedObject(.forwarder, "worker 1", weight: priority == 255 ? -100 : 0)]
    var stage = Stage(definition)
    stage.handle(.observed(.init(.forwarder, "worker 1"), .well(true)))
    stage.handle(.start)
    stage.run(until: 10_000_000)
    #expect(stage.machine.state == .master)
    stage.take()
    stage.handle(.observed(.init(.forwarder, "worker 1"), .well(false)))
    #expect(stage.take() == ["send 0", "remove", "FAULT"])
  }
}
