import Testing

@testable import VRRP

#if canImport(Glibc)
  import Glibc
#endif

/// Thousands of histories of two to five directors. LBD_VRRP_HISTORIES says how many, LBD_VRRP_SEED from which seed on:
/// with the seed that a failure names and one history, that history runs again, step by step the same.
@Suite struct SimulationTests {
  private static func setting(_ name: String) -> UInt64? {
    getenv(name).flatMap { UInt64(String(cString: $0)) }
  }

  static let seed = setting("LBD_VRRP_SEED") ?? UInt64.random(in: 0..<1 << 48)
  #if DEBUG
    private static let usualCount: UInt64 = 400
  #else
    private static let usualCount: UInt64 = 4_000
  #endif
  static let count = setting("LBD_VRRP_HISTORIES") ?? usualCount

  @Test func noHistoryViolatesAnInvariant() {
    print("VRRP simulation: \(Self.count) histories from seed \(Self.seed)")
    var failures: [String] = []
    for number in 0..<Self.count where failures.count < 5 {
      var history = History(seed: Self.seed &+ number)
      if let failure = history.run() { failures.append(failure) }
    }
    #expect(failures.isEmpty, "replay one with LBD_VRRP_SEED=(its seed) LBD_VRRP_HISTORIES=1")
  }

  /// Every broken machine is found, or the invariants would have a hole. Fixed seeds: a mistake that shows in one history of
  /// a hundred must not make a test that fails now and then.
  @Test(arguments: Flaw.allCases) func findsFlaw(flaw: Flaw) {
    let found = (UInt64(0)..<400).first { seed in
      var history = History(seed: seed, flaw: flaw)
      return history.run() != nil
    }
    #expect(found != nil, "no history finds this flaw")
  }

  /// A history is a function of its seed.
  @Test func replaysExactly() {
    for seed in UInt64(1)...5 {
      var one = History(seed: seed)
      var other = History(seed: seed)
      #expect(one.run() == other.run())
      #expect(one.world.now == other.world.now)
      #expect(one.entries == other.entries)
      let counters = { (history: History) in history.world.directors.map { $0.engine.machines.map(\.counters) } }
      #expect(counters(one) == counters(other))
    }
  }
}
