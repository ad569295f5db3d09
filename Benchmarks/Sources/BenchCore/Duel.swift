import BenchReport

/// Two sides measured in turn, block by block: what slows the machine for a while slows both.
struct Duel {
  /// Blocks of each side.
  var blocks: Int
  /// Timed rounds in each block, after one that only warms the caches.
  var rounds: Int

  /// Nanoseconds per packet of both sides.
  struct Result: Sendable {
    /// By block.
    let ours: [Double]
    /// By block.
    let theirs: [Double]

    /// The median of ours.
    var nanoseconds: Double { Sample(ours).median }
    /// The median of theirs.
    var referenceNanoseconds: Double { Sample(theirs).median }
    /// The median of the paired ratios.
    var ratio: Double { Sample.pairedRatioMedian(ours, theirs) }
    /// Quartile distance of the paired ratios as a share of their median.
    var spread: Double { Sample(zip(ours, theirs).map { $0 / $1 }).spread }
  }

  /// So many blocks of so many rounds.
  init(blocks: Int, rounds: Int) {
    self.blocks = blocks
    self.rounds = rounds
  }

  /// Shares the blocks out over several lives of both sides. Which pages of memory a table gets is luck, and decides how
  /// much of it the last-level cache can hold: so each side gets new ones, and is the first to get them, in turn.
  /// - Parameters:
  ///   - isLong: making the sides takes so long that there are two lives only.
  ///   - body: measures one life.
  func inLives(
    isLong: Bool, _ body: (_ duel: Duel, _ isOursFirst: Bool) throws -> Result
  ) rethrows -> Result {
    let lives = min(isLong ? 2 : 6, blocks)
    var all: (ours: [Double], theirs: [Double]) = ([], [])
    for life in 0..<lives {
      let share = blocks * (life + 1) / lives - blocks * life / lives
      let result = try body(Duel(blocks: share, rounds: rounds), life % 2 == 0)
      all.ours += result.ours
      all.theirs += result.theirs
    }
    return Result(ours: all.ours, theirs: all.theirs)
  }

  /// Measures a round of each side again and again.
  /// - Parameters:
  ///   - ours: fills and times one round with the given chance; returns nanoseconds per packet.
  ///   - theirs: the same.
  func run(
    ours: (inout Randomness) throws -> Double, theirs: (inout Randomness) throws -> Double
  ) rethrows -> Result {
    var results: (ours: [Double], theirs: [Double]) = ([], [])
    for block in 0..<blocks {
      // Who goes first changes, so that neither always finds the caches as the other left them.
      for side in block % 2 == 0 ? [0, 1] : [1, 0] {
        var random = Randomness(seed: UInt64(block))
        if side == 0 {
          results.ours.append(try self.block(ours, &random))
        } else {
          results.theirs.append(try self.block(theirs, &random))
        }
      }
    }
    return Result(ours: results.ours, theirs: results.theirs)
  }

  private func block(
    _ round: (inout Randomness) throws -> Double, _ random: inout Randomness
  ) rethrows -> Double {
    _ = try round(&random)
    var times: [Double] = []
    for _ in 0..<rounds { times.append(try round(&random)) }
    return Sample(times).median
  }
}

/// A round: all frames filled, then taken through the engine in 64 turns.
enum Round {
  /// Turns that take all frames.
  static let turns = Frames.count / Frames.batch

  /// Times the turns of a filled engine, and clears up.
  /// - Returns: nanoseconds per packet.
  @inline(never)
  static func time(_ engine: some Engine) throws -> Double {
    var packets = 0
    let start = Stopwatch.nanoseconds()
    for _ in 0..<turns { packets += engine.turnNow() }
    return try finish(engine, packets, Stopwatch.nanoseconds() - start)
  }

  /// The same at a clock that is driven.
  @inline(never)
  static func time(_ engine: some Engine, clock: inout UInt64, step: UInt64) throws -> Double {
    var packets = 0
    let start = Stopwatch.nanoseconds()
    for _ in 0..<turns {
      clock &+= step
      packets += engine.turn(atNanoseconds: clock)
    }
    let elapsed = Stopwatch.nanoseconds() - start
    guard packets == Frames.count else { return try finish(engine, packets, elapsed) }
    engine.turn(atNanoseconds: clock)
    return Double(elapsed) / Double(packets)
  }

  private static func finish(_ engine: some Engine, _ packets: Int, _ elapsed: UInt64) throws -> Double {
    guard packets == Frames.count else {
      throw BenchError("take a round of \(Frames.count) frames: \(packets) went through \(turns) turns")
    }
    // The frames that the last turn sent become free in the next.
    engine.turnNow()
    return Double(elapsed) / Double(packets)
  }
}
