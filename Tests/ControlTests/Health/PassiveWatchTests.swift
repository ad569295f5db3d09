import Config
import Testing

@testable import Control
@testable import HealthCheck

/// Who is taken out, and when it comes back: the pure rule under a clock of its own.
struct PassiveWatchTests {
  /// What a server makes of the connections of one second.
  struct Flow: Sendable {
    var opened: UInt64
    var answered: UInt64
    var refused: UInt64 = 0

    static let idle = Flow(opened: 0, answered: 0)
    static func well(_ count: UInt64) -> Flow { Flow(opened: count, answered: count) }
    static func silent(_ count: UInt64) -> Flow { Flow(opened: count, answered: 0) }
    static func refusing(_ count: UInt64) -> Flow { Flow(opened: count, answered: 0, refused: count) }
  }

  /// Servers, time, and what has been decided.
  struct World {
    var watch: PassiveWatch
    var sights: [PassiveWatch.Sight]
    var now: UInt64 = 100 * second
    var log: [String] = []
    static let second: UInt64 = 1_000_000_000

    init(_ rule: PassiveCheck = PassiveCheck(), servers: Int, checks: Set<Int> = []) {
      watch = PassiveWatch(rule, serverCount: servers)
      sights = (0..<servers).map {
        var sight = PassiveWatch.Sight(checks: checks)
        sight.sums.numbers = [UInt16($0)]
        return sight
      }
    }

    /// So many seconds of traffic; a server that is out gets none.
    mutating func run(_ seconds: Int, _ flows: [Flow]) {
      for _ in 0..<seconds {
        for (index, flow) in flows.enumerated() where watch.absence(of: index) == nil && sights[index].isFit {
          sights[index].sums.opened += flow.opened
          sights[index].sums.answered += flow.answered
          sights[index].sums.refused += flow.refused
        }
        look()
      }
    }

    mutating func look() {
      now += World.second
      log += watch.look(sights, atNanoseconds: now).map { decision in
        switch decision {
        case .remove(let server): "-\(server)"
        case .restore(let server): "+\(server)"
        }
      }
    }

    /// Time until a server comes back, in seconds, all others being well.
    mutating func secondsOut(_ server: Int, _ flows: [Flow], most: Int = 10_000) -> Int? {
      for elapsed in 1...most {
        run(1, flows)
        if watch.absence(of: server) == nil { return elapsed }
      }
      return nil
    }
  }

  struct Row: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let flows: [Flow]
    var seconds = 30
    var unfit: Set<Int> = []
    let removed: [String]
  }

  static let rows: [Row] = [
    Row(testDescription: "all well", flows: [.well(10), .well(10), .well(10)], removed: []),
    Row(testDescription: "a black hole", flows: [.well(10), .silent(10), .well(10)], removed: ["-1"]),
    Row(testDescription: "resets", flows: [.well(10), .well(10), .refusing(10)], removed: ["-2"]),
    Row(
      testDescription: "half silence, half resets: neither alone is above the rate",
      flows: [.well(10), Flow(opened: 10, answered: 2, refused: 4)], removed: ["-1"]),
    Row(
      testDescription: "at the rate is not above it", flows: [.well(10), Flow(opened: 10, answered: 5)], removed: []),
    Row(testDescription: "above the rate", flows: [.well(100), Flow(opened: 100, answered: 39)], removed: ["-1"]),
    Row(
      testDescription: "a flood over all servers",
      flows: Array(repeating: Flow(opened: 1000, answered: 20), count: 4), removed: []),
    Row(
      testDescription: "a flood over all servers, nobody is heard",
      flows: Array(repeating: .silent(1000), count: 4), removed: []),
    Row(
      testDescription: "a black hole in a flood",
      flows: [
        Flow(opened: 1000, answered: 100), .silent(1000), Flow(opened: 1000, answered: 100),
      ], removed: ["-1"]),
    Row(testDescription: "all reset: nobody listens", flows: [.refusing(10), .refusing(10)], removed: []),
    Row(
      testDescription: "three of four", flows: [.silent(10), .silent(10), .well(10), .silent(10)],
      removed: ["-0", "-1", "-3"]),
    Row(testDescription: "the last one", flows: [.silent(10)], removed: []),
    Row(
      testDescription: "the last one that is in", flows: [.well(10), .silent(10)], unfit: [0], removed: []),
    Row(
      testDescription: "others that have nothing to say", flows: [.idle, .silent(10)], removed: []),
    Row(
      testDescription: "low traffic", flows: [.well(10), .silent(1)], seconds: 60, removed: []),
    Row(
      testDescription: "low traffic of the others", flows: [.well(1), .silent(10)], seconds: 60, removed: []),
    Row(
      testDescription: "the minimum is just reached", flows: [.well(10), .silent(2)], seconds: 60, removed: ["-1"]),
  ]

  @Test(arguments: rows) func whoGoes(row: Row) {
    var world = World(servers: row.flows.count)
    for index in row.unfit { world.sights[index].isFit = false }
    world.run(row.seconds, row.flows)
    // Without checks they come back after three windows: what went first is what is asked about.
    #expect(Array(world.log.prefix { $0.hasPrefix("-") }) == row.removed, "\(world.log)")
  }

  /// Whatever the traffic, chance does not take servers out: floods of every size, answers drawn by lot.
  @Test func chanceTakesNobodyOut() {
    let seed = UInt64.random(in: 0 ... .max)
    print("passive watch seed \(seed)")
    var random = SplitMix(seed)
    for _ in 0..<300 {
      var world = World(servers: Int.random(in: 2...6, using: &random))
      let (count, percent) = (UInt64.random(in: 1...60, using: &random), Int.random(in: 0...100, using: &random))
      for _ in 0..<60 {
        let flows = world.sights.indices.map { _ in
          let answered = (0..<count).count { _ in Int.random(in: 0..<100, using: &random) < percent }
          return Flow(opened: count, answered: UInt64(answered))
        }
        world.run(1, flows)
      }
      #expect(world.log.isEmpty, "\(count) a second, \(percent) of 100 answered")
    }
  }

  /// A black hole goes within the window, and as soon as its connections have had their second.
  @Test func howSoon() {
    var world = World(servers: 2)
    world.run(20, [.well(100), .well(100)])
    var seconds = 0
    while world.watch.absence(of: 1) == nil, seconds < 60 {
      world.run(1, [.well(100), .silent(100)])
      seconds += 1
    }
    // More than half of ten seconds, the second of grace, and what was answered in it.
    #expect((6...8).contains(seconds), "\(seconds)")
    #expect(
      world.watch.absence(of: 1)?.share.words(windowSeconds: 10).hasPrefix("of 1000 connections in 10 s ") == true)
  }

  @Test func connectionsOfThisSecondAreNotJudged() {
    var world = World(servers: 2)
    world.run(12, [.well(10), .idle])
    world.sights[1].sums.opened += 1000
    world.look()
    #expect(world.log.isEmpty)
    // The answers come a second later.
    world.sights[1].sums.answered += 1000
    world.run(20, [.well(10), .idle])
    #expect(world.log.isEmpty)
    // Or they do not.
    world.sights[1].sums.opened += 1000
    world.look()
    #expect(world.log.isEmpty)
    world.look()
    #expect(world.log == ["-1"])
  }

  @Test func words() {
    let share = { PassiveWatch.Share(opened: 40, silent: $0, refused: $1).words(windowSeconds: 10) }
    #expect(share(38, 0) == "of 40 connections in 10 s 38 were not answered")
    #expect(share(0, 40) == "of 40 connections in 10 s 40 were reset")
    #expect(share(20, 10) == "of 40 connections in 10 s 20 were not answered, 10 were reset")
  }

  // MARK: - Coming back

  @Test func withoutChecksAfterThreeWindows() {
    var world = World(servers: 2)
    world.run(4, [.well(10), .silent(10)])
    #expect(world.log == ["-1"])
    #expect(world.secondsOut(1, [.well(10), .well(10)]) == 30)
    world.run(600, [.well(10), .well(10)])
    #expect(world.log == ["-1", "+1"])
  }

  @Test func withChecksWhenAllOfThemHavePassed() {
    var world = World(servers: 2, checks: [0, 2])
    // What passes before it goes says nothing.
    world.watch.confirm(server: 1, check: 0)
    world.watch.confirm(server: 1, check: 2)
    world.run(4, [.well(10), .silent(10)])
    world.run(500, [.well(10), .well(10)])
    #expect(world.log == ["-1"])
    world.watch.confirm(server: 1, check: 2)
    world.run(5, [.well(10), .well(10)])
    #expect(world.log == ["-1"])
    world.watch.confirm(server: 1, check: 0)
    world.run(1, [.well(10), .well(10)])
    #expect(world.log == ["-1", "+1"])
  }

  /// One that a check keeps out is not let back by this watch, nor in its place.
  @Test func aFailedCheckKeepsItOut() {
    var world = World(servers: 2)
    world.run(4, [.well(10), .silent(10)])
    world.sights[1].isFit = false
    world.run(100, [.well(10), .idle])
    #expect(world.log == ["-1"])
    world.sights[1].isFit = true
    world.look()
    #expect(world.log == ["-1", "+1"])
  }

  @Test func betterInDoubtThanNone() {
    var world = World(servers: 3)
    world.run(4, [.well(10), .silent(10), .well(10)])
    #expect(world.log == ["-1"])
    world.sights[0].isFit = false
    world.look()
    #expect(world.log == ["-1"])
    world.sights[2].isFit = false
    world.look()
    #expect(world.log == ["-1", "+1"])
  }

  /// Again and again: out for longer each time, but not for ever.
  @Test func doubling() {
    var world = World(servers: 2)
    var absences: [Int] = []
    for _ in 0..<9 {
      while world.watch.absence(of: 1) == nil { world.run(1, [.well(10), .silent(10)]) }
      absences.append(world.secondsOut(1, [.well(10), .silent(10)]) ?? 0)
    }
    #expect(absences == [30, 60, 120, 240, 480, 960, 1800, 1800, 1800])
    #expect(world.watch.removalCounts == [0, 9])
    // It has been well for long enough.
    world.run(2000, [.well(10), .well(10)])
    world.run(12, [.well(10), .silent(10)])
    #expect(world.log.last == "-1")
    #expect((world.secondsOut(1, [.well(10), .well(10)]) ?? 0) <= 30)
  }

  /// Where a check passes at once, the second time it has to wait all the same.
  @Test func doublingWithChecks() {
    var world = World(servers: 2, checks: [0])
    var absences: [Int] = []
    for _ in 0..<5 {
      while world.watch.absence(of: 1) == nil { world.run(1, [.well(10), .silent(10)]) }
      world.watch.confirm(server: 1, check: 0)
      absences.append(world.secondsOut(1, [.well(10), .silent(10)]) ?? 0)
    }
    #expect(absences == [1, 20, 40, 80, 160])
  }

  // MARK: - Numbers that begin anew

  @Test func otherNumbersAreAnotherBeginning() {
    var world = World(servers: 2)
    world.run(20, [.well(10), .well(10)])
    // Deleted and added again: the sums of its new number are its former life's.
    world.sights[1].sums = PassiveWatch.Sums(opened: 100_000, answered: 10, refused: 0, numbers: [77])
    world.run(20, [.well(10), .well(10)])
    #expect(world.log.isEmpty)
    // Set back to zero.
    world.sights[1].sums = PassiveWatch.Sums(numbers: [77])
    world.run(20, [.well(10), .well(10)])
    #expect(world.log.isEmpty)
    // And it is still watched.
    world.run(12, [.well(10), .silent(10)])
    #expect(world.log == ["-1"])
  }

  @Test func aReloadKeepsWhatIsKnown() {
    var world = World(servers: 3, checks: [0])
    world.run(4, [.well(10), .silent(10), .well(10)])
    world.watch.confirm(server: 1, check: 0)
    // The first server is gone, and a new one is the first.
    var next = PassiveWatch(PassiveCheck(), serverCount: 3)
    next.takeUp(world.watch, places: [nil, 1, 2])
    #expect(next.absence(of: 0) == nil && next.absence(of: 1) != nil && next.removalCounts == [0, 1, 0])
    world.watch = next
    world.run(5, [.well(10), .well(10), .well(10)])
    #expect(world.log == ["-1"], "its check is asked again")
    world.watch.confirm(server: 1, check: 0)
    world.look()
    #expect(world.log == ["-1", "+1"])
  }
}
